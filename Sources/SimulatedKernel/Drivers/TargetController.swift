// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// A controller that nvmet created for a host, or for an endpoint function.
struct TargetController: Codable, Sendable, Hashable {
  /// CNTLID: machine-wide.
  var id: Int
  var subsystem: Int
  var port: Int
  /// `pci` or `loop`.
  var transport: String
  var host: String
}

extension KernelState {
  /// `nvmet_alloc_ctrl`: finds the subsystem of a port, checks the host, assigns a controller id.
  /// - Returns: nil when the target refuses.
  mutating func createTargetController(
    _ nqn: String, port: Int?, host: String, transport: String
  ) -> TargetController? {
    if transport == "pci", let root = targetRoot,
      [SimulatedKernel.discoveryNQN, value("discovery_nqn", of: root)].contains(where: {
        sameBytes($0, nqn)
      })
    {
      // Its keep-alive time is 120 s, and no host of the PCI transport keeps it alive: bugs.md, 1.
      crash("an endpoint function with a controller of the discovery subsystem")
      return nil
    }
    let subsystem = port.flatMap { linkedSubsystems(of: $0) }?.first {
      sameBytes(subsystemNQN($0), nqn)
    }
    guard let port, let subsystem else {
      log(.warning, "nvmet: connect request for invalid subsystem \(nqn)!")
      return nil
    }
    guard isHostAllowed(host, by: subsystem) else {
      log(.info, "nvmet: connect by host \(host) for subsystem \(nqn) not allowed")
      return nil
    }
    let taken = Set(targetControllers.map(\.id))
    let lowest = number("attr_cntlid_min", of: subsystem)
    let highest = number("attr_cntlid_max", of: subsystem)
    guard let id = (lowest...max(lowest, highest)).first(where: { !taken.contains($0) }) else {
      return nil
    }
    if transport == "pci", has(.tcpTLS) {
      // nvmet.md, 21, row 5
      crash("nvmet_pci_epf on a kernel with CONFIG_NVME_TARGET_TCP_TLS")
    }
    let controller = TargetController(
      id: id, subsystem: subsystem, port: port, transport: transport, host: host)
    targetControllers.append(controller)
    let verb = kernelRelease.generation == .linux7_2 ? "Created" : "creating"
    log(.info, "nvmet: \(verb) nvm controller \(id) for subsystem \(nqn) for NQN \(host).")
    return controller
  }

  private func isHostAllowed(_ host: String, by subsystem: Int) -> Bool {
    if isSet("attr_allow_any_host", of: subsystem) { return true }
    guard let allowed = tree.child(.allowedHosts, of: subsystem) else { return false }
    return tree[allowed].children.contains { link in
      tree[link].target.map { sameBytes(tree[$0].name, host) } ?? false
    }
  }

  /// Deletes controllers, which loop can and the PCI transport cannot.
  mutating func deleteControllers(cause: String, where matches: (TargetController) -> Bool) {
    let doomed = targetControllers.filter(matches)
    if doomed.contains(where: { $0.transport == "pci" }) {
      return crash("\(cause) while a PCI controller lives")
    }
    for controller in doomed {
      targetControllers.removeAll { $0.id == controller.id }
      if let fabric = fabrics.first(where: { $0.targetController == controller.id }) {
        log(.info, "nvme nvme\(fabric.instance): Removing ctrl: NQN \"\(fabric.subsystem)\"")
        fabrics.removeAll { $0.instance == fabric.instance }
      }
    }
  }
}
