// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Steps of a plan that the kernel would refuse, or that affect others; found before the first step.
struct ChangeCheck {
  let machine: Machine
  let ownership: Ownership
  let stores: StoreCheck
  /// Objects that the plan removes.
  private var removed: Set<String> = []
  /// The functions that are the profile's.
  private let functions: Set<String>

  init(_ machine: Machine, _ ownership: Ownership, _ stores: StoreCheck, functions: Set<String>) {
    self.machine = machine
    self.ownership = ownership
    self.stores = stores
    self.functions = functions
  }

  /// - Throws: ``ProvisioningError`` of kind `impossible` or, for a connection, `operationFailed`.
  mutating func check(_ steps: [Step]) throws(ProvisioningError) {
    for step in steps {
      switch step.operation {
      case .removeDirectory(let path), .unlink(let path, _): removed.insert(path)
      default: break
      }
    }
    try checkContents(steps)
    for step in steps {
      switch step.operation {
      case .write(let path, _, _) where path.hasSuffix("/attr_qid_max"):
        try checkServers(of: FilePath(path).parent, "attr_qid_max cannot change")
      case .unlink(let path, let target) where isPortLink(path):
        try checkServers(of: FilePath(target), "it cannot leave its port")
      case .write(let path, .text(let text), _)
      where path.hasSuffix("/power") && Bool(attributeText: text) == false:
        let device = FilePath(path).parent.name
        try checkUsers(ofDevice: "/dev/\(device)")
      case .detachLoop(_, _, let device?): try checkUsers(ofDevice: device)
      case .expectConnection(let address): try checkConnection(address)
      default: break
      }
    }
  }

  private func isPortLink(_ path: String) -> Bool {
    if case .portLink? = ConfigAddress(path, below: machine.configFS.mountPoint) {
      true
    } else {
      false
    }
  }

  // MARK: Directories that cannot go

  private func checkContents(_ steps: [Step]) throws(ProvisioningError) {
    let directories = steps.compactMap { step -> FilePath? in
      if case .removeDirectory(let path) = step.operation { FilePath(path) } else { nil }
    }
    guard !directories.isEmpty else { return }
    let obstacles = Obstacles(on: machine)
    for directory in directories {
      guard let obstacle = obstacles.of(directory).first(where: { !removed.contains($0.path) })
      else { continue }
      throw ProvisioningError(
        .impossible,
        "\(directory) cannot be removed: \(obstacle.sentence), which epfnvme did not create",
        operation: "remove", path: directory.string, errno: .directoryNotEmpty,
        hint: "remove \(obstacle.path) first")
    }
  }

  // MARK: Subsystems that others serve

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_qid_max_store`, which deletes all controllers.
  private func checkServers(
    of subsystem: FilePath, _ consequence: String
  ) throws(ProvisioningError) {
    let nqn = subsystem.name
    let all = (try? EndpointTree(on: machine.configFS).functions(of: .nvmetPCIEPF).all()) ?? []
    for function in all where !functions.contains(function.directory.path.string) {
      let group = TargetGroup(directory: function.directory.child("nvme"))
      guard let name = try? machine.configFS.read(group.subsystemNQN.path),
        sameAttributeText(name, nqn), Hazard.isBusy(group.portID.path, machine)
      else { continue }
      throw ProvisioningError(
        .impossible,
        "the function \(function.name), which is not this profile's, serves the subsystem \(nqn): \(consequence) (the kernel would crash)",
        operation: "write", path: subsystem.string, errno: .resourceBusy,
        hint: "stop its endpoint controller and unbind \(function.name) first")
    }
  }

  // MARK: Devices that others use

  private func checkUsers(ofDevice path: String) throws(ProvisioningError) {
    guard let user = stores.user(ofDevice: path) else { return }
    throw ProvisioningError(
      .impossible, "\(path) cannot be removed: it is the store of \(user)", operation: "detach",
      path: path, errno: .resourceBusy, hint: "disable that namespace first")
  }

  // MARK: Connections of others

  /// One more connection to a TCP target is refused at bind; several to a loop target are not.
  private func checkConnection(_ address: FabricsAddress) throws(ProvisioningError) {
    guard address.transport != "loop", !ownership.own.connections.contains(address),
      let other = (try? machine.fabrics.connections())?.first(where: { $0.address == address })
    else { return }
    throw ProvisioningError(
      .operationFailed,
      "this machine is connected to \(address.nqn) by \(address.route) already: \(other.name)",
      operation: "expect connection", path: address.nqn, value: address.route,
      errno: .alreadyInProcess, hint: "nvme disconnect -d \(other.name)")
  }
}
