// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// Performs single operations on a machine: the only place where provisioning has effects.
struct Executor {
  let machine: Machine
  /// The limit of each wait.
  let timeout: Duration
  /// Whether the operations undo others: a first signal does not end their waits.
  var isUndo = false
  /// Backing → loop device, as attached so far.
  var loops: [String: String]
  /// The connections of others to the target of the last expected connection.
  private(set) var otherConnections: [String] = []
  /// The kernel log since the last binding, which has the reasons of an invisible failure.
  private var bindingMark: KernelLogMark?

  init(machine: Machine, timeout: Duration, loops: [String: String] = [:]) {
    self.machine = machine
    self.timeout = timeout
    self.loops = loops
  }

  /// Performs one operation and verifies what can be read back.
  /// - Throws: ``ProvisioningError`` with the kernel's lines of the time and a hint.
  mutating func perform(_ operation: Operation) throws(ProvisioningError) {
    if let hazard = Hazard.refusal(of: operation, on: machine) {
      throw ProvisioningError(
        .operationFailed, "refused to \(operation.sentence): \(hazard.consequence)",
        operation: operation.verb, path: operation.path, value: operation.value,
        hint: hazard.safeOrder)
    }
    let mark = machine.log.mark()
    if case .link = operation { bindingMark = mark }
    do { try effect(operation) } catch {
      var error = error
      if let mark, error.kernelLog.isEmpty {
        error.kernelLog = machine.log.lines(since: mark).suffix(20).map(\.text)
      }
      if error.hint == nil {
        error.hint = Hints.hint(for: operation, error.errno, kernelLog: error.kernelLog)
      }
      throw error
    }
  }

  private mutating func effect(_ operation: Operation) throws(ProvisioningError) {
    do {
      switch operation {
      case .mountConfigFS:
        try machine.mountConfigFS()
      case .loadModule(let name, let parameters):
        do { try machine.modules.load(name, parameters: parameters) } catch {
          throw ProvisioningError(error)
        }
      case .unloadModule(let name):
        do { try machine.modules.unload(name) } catch { throw ProvisioningError(error) }
      case .createFile(let path, let bytes):
        try machine.storage.createFile(FilePath(path), size: bytes)
      case .removeFile(let path):
        try machine.storage.removeFile(FilePath(path))
      case .attachLoop(let backing, let loop):
        loops[backing] = try machine.storage.attachLoop(loop).string
      case .detachLoop(let backing, let file, let device):
        if let device = try device.map({ FilePath($0) })
          ?? machine.storage.loopDevice(of: FilePath(file))
        {
          try machine.storage.detachLoop(device)
        }
        loops[backing] = nil
      case .createDirectory(let path):
        try machine.configFS.createDirectory(FilePath(path))
      case .removeDirectory(let path):
        try machine.configFS.removeDirectory(FilePath(path))
      case .restoreDirectory(let path, let attributes):
        try restore(FilePath(path), attributes)
      case .link(let path, let target):
        try machine.configFS.createLink(at: FilePath(path), to: FilePath(target))
      case .unlink(let path, _):
        try machine.configFS.removeLink(FilePath(path))
      case .expectConnection(let address):
        try expectConnection(address)
      case .disconnect(let address, let sparing):
        try disconnect(address, sparing: sparing)
      case .write(let path, let value, let shown):
        try write(FilePath(path), value, shown: shown)
      case .awaitDirectory(let path):
        try waitFor(path) { (try? machine.configFS.kind(of: FilePath(path))) == .directory }
      case .awaitDevice(let path):
        try waitFor(path) { (try? machine.storage.describe(FilePath(path))) != nil }
      case .verifyController(let function, let driver):
        try verifyController(FilePath(function), FunctionDriver(name: driver))
      }
    } catch let error as ProvisioningError {
      throw error
    } catch {
      let errno = error as? Errno
      throw ProvisioningError(
        .operationFailed, "cannot \(operation.sentence): \(errno?.nameAndText ?? "\(error)")",
        operation: operation.verb, path: operation.path, value: operation.value, errno: errno)
    }
  }

  private func disconnect(
    _ address: FabricsAddress, sparing: [String]
  ) throws(Errno) {
    for found in try machine.fabrics.connections()
    where found.address == address && !sparing.contains(found.name) {
      do throws(Errno) { try machine.fabrics.disconnect(found.name) } catch {
        // It is already gone.
        if error != .noSuchFileOrDirectory { throw error }
      }
    }
  }

  /// One more connection to a TCP target is refused at bind; several to a loop target are not.
  private mutating func expectConnection(
    _ address: FabricsAddress
  ) throws(ProvisioningError) {
    let operation = Operation.expectConnection(address)
    let found: [FabricsConnection]
    do {
      found = try machine.fabrics.connections().filter { $0.address == address }
    } catch {
      throw ProvisioningError(
        .operationFailed, "cannot list this machine's NVMe connections: \(error.nameAndText)",
        operation: operation.verb, path: operation.path, value: operation.value, errno: error)
    }
    guard address.transport == "loop" || found.isEmpty else {
      let names = found.map(\.name).joined(separator: ", ")
      throw ProvisioningError(
        .operationFailed,
        "this machine is connected to \(address.nqn) by \(address.route) already: \(names)",
        operation: operation.verb, path: operation.path, value: operation.value,
        errno: .alreadyInProcess, hint: "nvme disconnect -d \(found[0].name)")
    }
    otherConnections = found.map(\.name)
  }

  /// The bytes to write, once loop devices have their names.
  private func text(of value: TextValue) throws(ProvisioningError) -> String {
    switch value {
    case .text(let text): return text
    case .loopDevice(let backing):
      guard let device = loops[backing] else {
        throw ProvisioningError(.internal, "the loop device of \"\(backing)\" is not known")
      }
      return device + "\n"
    }
  }

  private func restore(
    _ path: FilePath, _ attributes: [AttributeText]
  ) throws(ProvisioningError) {
    do { try machine.configFS.createDirectory(path) } catch {
      throw ProvisioningError(ConfigFSError(.create, path, .system(error)))
    }
    for attribute in attributes {
      let parent = attribute.path.parentPath
      try waitFor(parent) {
        (try? machine.configFS.kind(of: FilePath(parent))) == .directory
      }
      try write(FilePath(attribute.path), attribute.value, shown: nil)
    }
  }

  private func write(
    _ path: FilePath, _ value: TextValue, shown: String?
  ) throws(ProvisioningError) {
    let text = try text(of: value)
    let told = SecretAttribute.reported(text, at: path.string)
    let taken: Int
    do { taken = try machine.configFS.write(text, to: path) } catch {
      throw ProvisioningError(ConfigFSError(.write, path, value: told, .system(error)))
    }
    guard taken == text.utf8.count else {
      throw ProvisioningError(
        ConfigFSError(.write, path, value: told, .shortWrite(taken: taken, of: text.utf8.count)))
    }
    let expected: String? = if case .loopDevice = value { text } else { shown }
    guard let expected else { return }
    let current: String
    do { current = try machine.configFS.read(path) } catch {
      throw ProvisioningError(ConfigFSError(.read, path, .system(error)))
    }
    guard sameAttributeText(current, expected, at: path.string) else {
      throw ProvisioningError(
        .operationFailed,
        "the kernel took \"\(told.withoutTrailingNewline)\" for \(path) and shows \"\(SecretAttribute.reported(current, at: path.string).withoutTrailingNewline)\"",
        operation: "write", path: path.string, value: told.withoutTrailingNewline,
        hint: "the kernel changed or ignored the value; use a value that it keeps")
    }
  }

  private func waitFor(
    _ path: String, until condition: () -> Bool
  ) throws(ProvisioningError) {
    var isThere = false
    var isInterrupted = false
    _ = machine.clock.wait(upTo: timeout) {
      isThere = condition()
      isInterrupted = isUndo ? Signals.endsUndo : Signals.caught != nil
      return isThere || isInterrupted
    }
    if isThere { return }
    throw isInterrupted
      ? ProvisioningError(
        .operationFailed, "a signal ended the wait for \(path)", operation: "await", path: path,
        errno: .interrupted)
      : ProvisioningError(
        .timedOut, "\(path) did not appear within \(timeout)", operation: "await", path: path,
        errno: .timedOut, hint: "set a longer --timeout SECONDS")
  }

  /// Finds out whether the NVMe controller exists: the link of an endpoint function succeeds without it.
  private func verifyController(
    _ function: FilePath, _ driver: FunctionDriver
  ) throws(ProvisioningError) {
    let lines = bindingMark.map { machine.log.lines(since: $0) } ?? []
    let complaints = lines.filter { $0.level <= 4 && $0.text.contains(driver.name) }
    if driver == .nvmetPCIEPF {
      let group = TargetGroup(
        directory: ConfigDirectory(function.appending("nvme"), on: machine.configFS))
      let text: String
      do { text = try machine.configFS.read(group.portID.path) } catch {
        throw ProvisioningError(ConfigFSError(.read, group.portID.path, .system(error)))
      }
      do {
        // The current value: harmless without a controller, EBUSY with one.
        _ = try machine.configFS.write(text, to: group.portID.path)
      } catch .resourceBusy {
        return
      } catch {
        throw ProvisioningError(
          ConfigFSError(.write, group.portID.path, value: text, .system(error)))
      }
    }
    // Without a complaint the controller initialises later, when the host releases PERST#.
    guard !complaints.isEmpty else { return }
    throw ProvisioningError(
      .operationFailed,
      "the function \(function.name) was bound, but \(driver.name) could not create its NVMe controller",
      operation: "verify", path: function.string,
      hint: Hints.hint(forControllerLines: complaints.map(\.text)),
      kernelLog: lines.suffix(20).map(\.text))
  }
}
