// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import PCIEndpoint
internal import SystemPackage

/// The endpoint controllers: finding, starting and stopping them.
extension Provisioner {
  /// The controller that a name, or the absence of one, means.
  public func controller(_ name: String?) throws(ProvisioningError) -> String {
    guard machine.isConfigFSMounted() else {
      throw ProvisioningError(
        .unsupported, "configfs is not mounted at \(machine.configFS.mountPoint)",
        hint: "mount -t configfs none \(machine.configFS.mountPoint); epfnvme setup does it as well"
      )
    }
    let names = try controllerNames()
    guard !names.isEmpty else {
      throw ProvisioningError(
        .unsupported, "\(machine.label) has no PCI endpoint controller",
        hint: "to try it without the hardware, use --kernel simulated")
    }
    if let name {
      guard names.contains(name) else {
        throw ProvisioningError(
          .impossible, "there is no endpoint controller \"\(name)\"",
          hint: "there are: " + names.joined(separator: ", "))
      }
      return name
    }
    guard names.count == 1 else {
      throw ProvisioningError(
        .impossible, "there are \(names.count) endpoint controllers",
        hint: "name one of " + names.joined(separator: ", "))
    }
    return names[0]
  }

  private func controllerNames() throws(ProvisioningError) -> [String] {
    let tree = EndpointTree(on: machine.configFS)
    guard tree.isAvailable else { return [] }
    do { return try tree.controllers().map(\.name) } catch { throw ProvisioningError(error) }
  }

  /// Starts or stops an endpoint controller.
  /// - Parameter force: stops it even while a host uses a function of it.
  /// - Returns: whether it was otherwise before.
  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host uses it.
  public func setStarted(
    _ isStarted: Bool, _ name: String, force: Bool = false
  ) throws(ProvisioningError) -> Bool {
    try Preflight(machine: machine).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    if !isStarted, !force { try HostUse(machine).checkUnused(controller: name, "stopping it") }
    return try write(isStarted, name)
  }

  /// Stops and starts an endpoint controller: the link goes down and up.
  /// - Parameter force: also while a host uses a function of it.
  /// - Throws: ``ProvisioningError`` of kind `disruptive` when a host uses it.
  public func bounce(_ name: String, force: Bool = false) throws(ProvisioningError) {
    try Preflight(machine: machine).checkPrivileges()
    let lock = try MachineLock(run, waitingUpTo: lockTimeout)
    defer { withExtendedLifetime(lock) {} }
    if !force { try HostUse(machine).checkUnused(controller: name, "stopping it") }
    guard try write(false, name) else {
      throw ProvisioningError(
        .impossible, "the endpoint controller \(name) is not started", path: name,
        hint: "epfnvme start \(name)")
    }
    _ = try write(true, name)
  }

  /// The necessary action of the host after a forced stop or bounce of a controller; nil if no host has a function of it enabled.
  public func hostRecovery(afterStopping name: String) -> String? {
    let use = HostUse(machine)
    let functions = use.enabledFunctions(of: EndpointTree(on: machine.configFS).controller(name))
    guard !functions.isEmpty else { return nil }
    let names = functions.map(\.name).joined(separator: ", ")
    return "a host had enabled the NVMe controller of \(names); \(HostUse.recovery)"
  }

  private func write(_ isStarted: Bool, _ name: String) throws(ProvisioningError) -> Bool {
    let start = EndpointTree(on: machine.configFS).controller(name).isStarted
    let current: Bool
    do { current = try start.read() } catch { throw ProvisioningError(error) }
    // The kernel returns EALREADY for the current value.
    guard current != isStarted else { return false }
    var executor = Executor(machine: machine, timeout: timeout)
    try executor.perform(
      .write(
        path: start.path.string, value: .text(isStarted.attributeText), shown: isStarted.shownText))
    return true
  }
}
