// SPDX-License-Identifier: Apache-2.0
public import BlockDevices
public import ConfigFS
public import KernelEvents
public import KernelModules
public import Provisioning
public import SimulatedKernel
internal import Synchronization
public import SystemPackage

/// A proxy between a provisioner and a simulated kernel, which keeps the state that a SIGKILL would leave before and after each effect: the
/// kernel, and the journal on disk.
public final class CrashPoints: Sendable {
  public struct Point: Sendable {
    /// `write /sys/… before`.
    public var description: String
    public var kernel: SimulatedKernel
    public var journal: String?
  }

  private let kernel: SimulatedKernel
  private let journal: Mutex<@Sendable () -> String?> = Mutex({ nil })
  private let collected: Mutex<[Point]> = Mutex([])
  private let count = Mutex(0)
  private let calls = Mutex(0)
  private let before: @Sendable (Int) -> Void
  private let beforeCall: @Sendable (Int, SimulatedKernel.Operation, String) -> Void
  private let keepsPoints: Bool

  /// - Parameters:
  ///   - keepsPoints: whether the points are kept: copies of a kernel take their time.
  ///   - before: called before each effect with its number, from 1.
  ///   - beforeCall: called before each call that may fail, effect or not, with its number, from 1, its kind and its path.
  public init(
    _ kernel: SimulatedKernel, keepsPoints: Bool = true,
    before: @escaping @Sendable (Int) -> Void = { _ in },
    beforeCall: @escaping @Sendable (Int, SimulatedKernel.Operation, String) -> Void = { _, _, _ in
    }
  ) {
    self.kernel = kernel
    self.keepsPoints = keepsPoints
    self.before = before
    self.beforeCall = beforeCall
  }

  /// The number of effects so far.
  public var effects: Int { count.withLock { $0 } }

  /// The number of calls so far, effects and others.
  public var allCalls: Int { calls.withLock { $0 } }

  public var points: [Point] { collected.withLock { $0 } }

  /// Sets the function that reads the journal at each point.
  public func readJournal(with read: @escaping @Sendable () -> String?) {
    journal.withLock { $0 = read }
  }

  /// The machine, watched.
  public func watching(_ machine: Machine) -> Machine {
    var machine = machine
    machine.configFS = self
    machine.modules = self
    machine.storage = self
    machine.fabrics = self
    let mount = machine.mountConfigFS
    machine.mountConfigFS = { () throws(Errno) in
      try self.call(.mount, "/sys/kernel/config") { () throws(Errno) in try mount() }
    }
    return machine
  }

  /// A call of the machine, counted and perhaps disturbed; if it is an effect, with the points before and after it.
  private func call<Result, Failure: Error>(
    _ operation: SimulatedKernel.Operation, _ path: String,
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let call = calls.withLock { calls in
      calls += 1
      return calls
    }
    guard operation.isEffect else {
      beforeCall(call, operation, path)
      return try body()
    }
    let number = count.withLock { count in
      count += 1
      return count
    }
    before(number)
    beforeCall(call, operation, path)
    record("\(operation.rawValue) \(path): before")
    let result = try body()
    record("\(operation.rawValue) \(path): after")
    return result
  }

  private func record(_ description: String) {
    guard keepsPoints else { return }
    let text = journal.withLock { $0() }
    let point = Point(description: description, kernel: kernel.copy(), journal: text)
    collected.withLock { $0.append(point) }
  }
}

extension CrashPoints: ConfigFSBackend {
  public var mountPoint: FilePath { kernel.mountPoint }
  public func read(_ path: FilePath) throws(Errno) -> String {
    try call(.read, path.string) { () throws(Errno) in try kernel.read(path) }
  }
  public func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    try call(.write, path.string) { () throws(Errno) in try kernel.write(text, to: path) }
  }
  public func createDirectory(_ path: FilePath) throws(Errno) {
    try call(.create, path.string) { () throws(Errno) in try kernel.createDirectory(path) }
  }
  public func removeDirectory(_ path: FilePath) throws(Errno) {
    try call(.remove, path.string) { () throws(Errno) in try kernel.removeDirectory(path) }
  }
  public func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try call(.link, path.string) { () throws(Errno) in
      try kernel.createLink(at: path, to: target)
    }
  }
  public func removeLink(_ path: FilePath) throws(Errno) {
    try call(.unlink, path.string) { () throws(Errno) in try kernel.removeLink(path) }
  }
  public func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    try call(.list, path.string) { () throws(Errno) in try kernel.entries(of: path) }
  }
  public func linkTarget(of path: FilePath) throws(Errno) -> FilePath {
    try call(.read, path.string) { () throws(Errno) in try kernel.linkTarget(of: path) }
  }
  public func kind(of path: FilePath) throws(Errno) -> EntryKind {
    try call(.list, path.string) { () throws(Errno) in try kernel.kind(of: path) }
  }
  public func isWritable(_ path: FilePath) throws(Errno) -> Bool {
    try call(.list, path.string) { () throws(Errno) in try kernel.isWritable(path) }
  }
}

extension CrashPoints: ModuleControl {
  public func state(of name: String) throws(ModuleError) -> ModuleState {
    try kernel.state(of: name)
  }
  public func load(_ name: String, parameters: [String]) throws(ModuleError) {
    try call(.load, name) { () throws(ModuleError) in
      try kernel.load(name, parameters: parameters)
    }
  }
  public func parameters(of name: String) -> [String: String] { kernel.parameters(of: name) }
  public func unload(_ name: String) throws(ModuleError) {
    try call(.unload, name) { () throws(ModuleError) in try kernel.unload(name) }
  }
}

extension CrashPoints: BackingStore {
  public func describe(_ path: FilePath) throws(Errno) -> BackingDescription {
    try call(.describe, path.string) { () throws(Errno) in try kernel.describe(path) }
  }
  public func createFile(_ path: FilePath, size: UInt64) throws(Errno) {
    try call(.createFile, path.string) { () throws(Errno) in
      try kernel.createFile(path, size: size)
    }
  }
  public func removeFile(_ path: FilePath) throws(Errno) {
    try call(.removeFile, path.string) { () throws(Errno) in try kernel.removeFile(path) }
  }
  public func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> FilePath {
    try call(.attachLoop, loop.file) { () throws(Errno) in try kernel.attachLoop(loop) }
  }
  public func detachLoop(_ device: FilePath) throws(Errno) {
    try call(.detachLoop, device.string) { () throws(Errno) in try kernel.detachLoop(device) }
  }
  public func loopConfiguration(of device: FilePath) throws(Errno) -> LoopConfiguration? {
    try call(.describe, device.string) { () throws(Errno) in
      try kernel.loopConfiguration(of: device)
    }
  }
  public func identity(of path: FilePath) throws(Errno) -> StoreIdentity {
    try call(.describe, path.string) { () throws(Errno) in try kernel.identity(of: path) }
  }
  public func boundLoops() throws(Errno) -> [(device: FilePath, file: FilePath)] {
    try call(.describe, "/dev") { () throws(Errno) in try kernel.boundLoops() }
  }
}

extension CrashPoints: FabricsConnections {
  public func connections() throws(Errno) -> [FabricsConnection] {
    try call(.connections, "/sys/class/nvme") { () throws(Errno) in try kernel.connections() }
  }
  public func disconnect(_ name: String) throws(Errno) {
    try call(.disconnect, name) { () throws(Errno) in try kernel.disconnect(name) }
  }
}
