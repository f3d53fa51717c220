// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
public import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import Synchronization
public import SystemPackage

/// A kernel in memory: the configfs trees of PCI endpoint functions, NVMe target and null_blk, with modules, log, clock and storage, and
/// the errnos, formats, orders and log messages of the kernel.
///
/// One object represents the whole machine: it conforms to each protocol with which this package accesses a kernel. Undefined behaviour of
/// the real kernel is not simulated: it is recorded in ``crashes``, and from then on every call throws EIO. Time is virtual and passes only
/// in ``wait(upTo:until:)`` and ``advance(by:)``.
public final class SimulatedKernel: Sendable {
  static let defaultMountPoint = "/sys/kernel/config"
  /// The well-known name of discovery subsystems.
  public static let discoveryNQN = "nqn.2014-08.org.nvmexpress.discovery"

  private struct Memory: Sendable {
    var kernel: KernelState
    var version: StateFile.Version?
    let devices = Devices()
  }

  private let memory: Mutex<Memory>
  private let file: StateFile?

  /// A fresh kernel in memory.
  public init(_ kernelRelease: Release, machine: Machine = .init()) {
    memory = Mutex(Memory(kernel: KernelState(kernelRelease, machine)))
    file = nil
  }

  /// The kernel in a file, or a new one that will be saved there. Other processes may use it at the same time.
  ///
  /// Time passes between processes: delayed entries have appeared, and a link has trained.
  /// - Parameters:
  ///   - kernelRelease: of a new kernel; 7.2 by default. An existing kernel keeps its own.
  ///   - machine: of a fresh kernel.
  public init(
    contentsOf path: FilePath, kernelRelease: Release = .linux7_2, machine: Machine = .init()
  ) throws(StateFileError) {
    let file = StateFile(path: path)
    let lock = try file.lock { file.failure("lock", $0) }
    defer { withExtendedLifetime(lock) {} }
    var loaded = Memory(kernel: try file.load() ?? KernelState(kernelRelease, machine))
    while let next = loaded.kernel.nextEvent {
      loaded.kernel.advance(to: next)
      loaded.devices.catchUp(&loaded.kernel)
    }
    try file.save(loaded.kernel)
    loaded.version = file.version()
    memory = Mutex(loaded)
    self.file = file
  }

  /// A kernel in memory with the state of a file, which stays as it is; nil when there is no file.
  /// - Throws: ``StateFileError`` when the file has no state.
  public static func snapshot(of path: FilePath) throws(StateFileError) -> SimulatedKernel? {
    try StateFile(path: path).load().map { SimulatedKernel($0) }
  }

  /// A copy of the kernel in memory: the state that a process killed here leaves to the next one.
  public func copy() -> SimulatedKernel { SimulatedKernel(observe { $0 }) }

  /// Whether an object has an attribute; the object may not exist yet.
  public func hasAttribute(_ path: FilePath) -> Bool {
    let trial = copy()
    if !trial.isConfigFSMounted { try? trial.mountConfigFS() }
    for module in ["null_blk", "nvmet", trial.kernelRelease.functionDriver] {
      try? trial.load(module, parameters: [])
    }
    var directory = trial.mountPoint
    for name in path.string.dropFirst(directory.string.count).split(separator: "/").dropLast() {
      directory.append(String(name))
      guard (try? trial.kind(of: directory)) == nil else { continue }
      try? trial.createDirectory(directory)
      // Older releases make the groups of a function later.
      _ = trial.wait(upTo: .seconds(1)) { (try? trial.kind(of: path)) != nil }
    }
    return (try? trial.kind(of: path)) == .attribute
  }

  private init(_ kernel: KernelState) {
    memory = Mutex(Memory(kernel: kernel))
    file = nil
  }

  // MARK: The machine

  public var kernelRelease: Release { observe(\.kernelRelease) }

  public var facts: KernelFacts {
    observe { kernel in
      KernelFacts(
        release: kernel.release, onlineCPUs: kernel.machine.onlineCPUs,
        pageSize: kernel.machine.pageSize, isPrivileged: kernel.machine.isPrivileged,
        machineID: kernel.machine.machineID)
    }
  }

  /// Whether configfs is mounted at the mount point.
  public var isConfigFSMounted: Bool { observe(\.isMounted) }

  /// `mount -t configfs`. EBUSY when it is mounted.
  public func mountConfigFS() throws(Errno) {
    try change(.mount, Self.defaultMountPoint) { (kernel) throws(Errno) in
      guard kernel.machine.isPrivileged else { throw .notPermitted }
      guard kernel.isModulePresent("configfs") else { throw .operationNotSupportedByDevice }
      guard !kernel.isMounted else { throw .resourceBusy }
      kernel.isMounted = true
    }
  }

  /// The whole of configfs, sorted: `path dir`, `path = text`, `path -> target`, paths from the root of configfs.
  public func snapshot() -> [String] { observe { $0.snapshot() } }

  /// The result of `readlink(2)`, which differs from the argument of `symlink(2)`.
  public func linkText(of path: FilePath) throws(Errno) -> String {
    try look(.read, path.string) { (kernel) throws(Errno) in try kernel.linkText(of: path.string) }
  }

  /// The compatibles of an endpoint controller in the device tree.
  public func compatible(of name: String) -> [String] {
    observe { kernel in
      kernel.machine.controllers.filter { $0.name == name }.compactMap(\.compatible)
    }
  }

  /// The endpoint controllers that the kernel has (`/sys/class/pci_epc`), whether configfs is mounted or not.
  public var endpointControllers: [String] {
    observe { kernel in
      kernel.machine.hasEndpointSupport ? kernel.machine.controllers.map(\.name) : []
    }
  }

  /// Whether a listening socket can be bound to an IP address.
  public func hasAddress(_ address: String) -> Bool {
    observe { $0.machine.localAddresses.contains(address) }
  }

  /// A kernel configuration option without `CONFIG_`; nil for options that this kernel does not simulate.
  public func kernelOption(_ name: String) -> Bool? {
    observe { $0.option(name).map { $0 != .missing } }
  }

  /// Undefined behaviour that calls have run into, each in words.
  public var crashes: [String] { observe(\.crashes) }

  /// The controllers that hosts would find, by the path of the function's directory below configfs.
  public var controllers: [String: FunctionController] {
    observe { kernel in
      var found: [String: FunctionController] = [:]
      for (node, function) in kernel.functions {
        found[kernel.tree.path(of: node)] = function.nvme
      }
      return found
    }
  }

  /// Gives a host access to the device of a bound function, by the path of the function's directory below configfs. The driver's messages
  /// go to this kernel's log; time passes here as for the device.
  ///
  /// The kernel is blocked meanwhile: the closure must not call it.
  /// - Returns: nil, without a call, when the function is not bound or its driver has failed.
  public func withDevice<Result: Sendable, Failure: Error>(
    of function: String, _ body: (Device) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    try withDevices(of: [function]) { (devices) throws(Failure) in try body(devices[0]) }
  }

  /// Gives a host access to the devices of several functions of this kernel at a time; otherwise as ``withDevice(of:_:)``.
  /// - Returns: nil, without a call, when one of them is not bound or its driver has failed.
  public func withDevices<Result: Sendable, Failure: Error>(
    of functions: [String], _ body: ([Device]) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    var outcome: Swift.Result<Result, Failure>?
    amend { kernel, devices in
      let nodes = functions.compactMap { function in
        kernel.functions.keys.first { kernel.tree.path(of: $0) == function }
      }
      guard nodes.count == functions.count else { return }
      do throws(Failure) {
        outcome = try devices.use(nodes, &kernel, body).map { .success($0) }
      } catch { outcome = .failure(error) }
    }
    return try outcome?.get()
  }

  /// The host does something at an endpoint controller.
  public func host(_ event: HostEvent, at controller: String) {
    amend { kernel in
      guard let node = kernel.controllerNode(controller) else { return }
      kernel.host(event, at: node)
    }
  }

  // MARK: Faults

  /// The number of operations that attempted a change.
  public var effects: Int { observe(\.effects) }

  /// Makes an operation fail.
  public func inject(_ fault: Fault) {
    amend { $0.faults.append(fault) }
  }

  /// Makes the effect with an absolute number fail, counted from 1 over the kernel's life.
  public func failEffect(number: Int, with errno: Errno) {
    inject(Fault(effect: number, action: .errno(errno)))
  }

  /// Removes all faults that have not occurred yet.
  public func removeFaults() {
    amend { $0.faults = [] }
  }

  // MARK: Access

  /// Reads the kernel in any state.
  func observe<Result: Sendable>(_ body: (KernelState) -> Result) -> Result {
    memory.withLock { memory in
      refresh(&memory)
      return body(memory.kernel)
    }
  }

  var currentState: KernelState { observe { $0 } }

  /// A change from outside the system-call interface.
  func amend(_ body: (inout KernelState) -> Void) {
    amend { kernel, _ in body(&kernel) }
  }

  private func amend(_ body: (inout KernelState, Devices) -> Void) {
    memory.withLock { memory in
      guard let file else {
        body(&memory.kernel, memory.devices)
        return memory.devices.catchUp(&memory.kernel)
      }
      do {
        let lock = try file.lock { $0 }
        defer { withExtendedLifetime(lock) {} }
        guard refresh(&memory) else { return }
        body(&memory.kernel, memory.devices)
        memory.devices.catchUp(&memory.kernel)
        try save(&memory, file)
      } catch {
        // A change from outside has no caller for an error: the state is not changed.
      }
    }
  }

  /// An operation that changes nothing.
  func look<Result: Sendable>(
    _ operation: Operation, _ path: String,
    _ body: (inout KernelState) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    // A read changes the state only with a pending fault.
    if observe({ $0.faults.isEmpty }) {
      return try memory.withLock { (memory) throws(Errno) in
        guard memory.kernel.crashes.isEmpty else { throw .ioError }
        return try body(&memory.kernel)
      }
    }
    return try change(operation, path, body)
  }

  /// An operation: it is counted, its faults occur, it takes effect, and the state is saved.
  func change<Result: Sendable>(
    _ operation: Operation, _ path: String,
    _ body: (inout KernelState) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    try memory.withLock { (memory) throws(Errno) in
      guard let file else { return try apply(operation, path, &memory, body) }
      let lock = try file.lock { _ in Errno.ioError }
      defer { withExtendedLifetime(lock) {} }
      // A file that became unreadable is not overwritten.
      guard refresh(&memory) else { throw .ioError }
      return try apply(operation, path, &memory, body)
    }
  }

  private func apply<Result: Sendable>(
    _ operation: Operation, _ path: String, _ memory: inout Memory,
    _ body: (inout KernelState) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    guard memory.kernel.crashes.isEmpty else { throw .ioError }
    if operation.isEffect { memory.kernel.effects += 1 }
    let action = memory.kernel.takeFault(operation, path)
    switch action {
    case .errno(let errno)?:
      try persist(&memory)
      throw errno
    case .signal(let number)?:
      try persist(&memory)
      _ = raise(number)
    case .interruption(let number)?:
      try persist(&memory)
      _ = raise(number)
      throw .interrupted
    case .errnoAfterEffect?, .signalAfterEffect?, nil: break
    }
    let result: Swift.Result<Result, Errno>
    do { result = .success(try body(&memory.kernel)) } catch { result = .failure(error) }
    memory.devices.catchUp(&memory.kernel)
    if !memory.kernel.crashes.isEmpty {
      try persist(&memory)
      throw .ioError
    }
    if operation.isEffect || action != nil { try persist(&memory) }
    let value = try result.get()
    switch action {
    case .errnoAfterEffect(let errno)?: throw errno
    case .signalAfterEffect(let number)?: _ = raise(number)
    case .errno?, .signal?, .interruption?, nil: break
    }
    return value
  }

  /// Saves a persistent kernel; EIO when its file cannot be written.
  private func persist(_ memory: inout Memory) throws(Errno) {
    guard let file else { return }
    do { try save(&memory, file) } catch { throw .ioError }
  }

  private func save(_ memory: inout Memory, _ file: StateFile) throws(StateFileError) {
    memory.kernel.generation += 1
    try file.save(memory.kernel)
    memory.version = file.version()
  }

  /// Reads the file again when another process has replaced it.
  /// - Returns: false when it cannot be read.
  @discardableResult
  private func refresh(_ memory: inout Memory) -> Bool {
    guard let file, let version = file.version(), version != memory.version else { return true }
    guard let kernel = try? file.load() else { return false }
    memory.kernel = kernel
    memory.version = version
    memory.devices.removeAll()
    return true
  }
}
