// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// Rules for ports, their addresses and the access that they give.
extension ProfileCheck {
  /// A port is enabled by its first subsystem.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_subsys_allow_link`.
  func checkIsUsed(_ port: Profile.Port, _ path: String) {
    guard port.subsystems.isEmpty else { return }
    let effect =
      switch port.transport {
      case .tcp, .rdma: "the kernel will not listen"
      case .pci, .loop: "no function can use it"
      }
    warn(
      path,
      "port \(port.id) serves nothing: no subsystem is linked to it, so that \(effect)",
      topic: .portUnused(port.id),
      hint: "list a subsystem's NQN in its \"subsystems\", or remove the port")
  }

  func servedSubsystems() {
    for (index, subsystem) in profile.subsystems.enumerated() {
      let isServed =
        profile.ports.contains { $0.subsystems.contains(subsystem.nqn) }
        || profile.functions.contains { function in
          if case .local(subsystem.nqn, _) = function.target { true } else { false }
        }
      guard !isServed else { continue }
      warn(
        "subsystems[\(index)]",
        "nothing serves this subsystem: no function has it as its target, and no port offers it",
        hint: "add a function for it, or list its NQN in the \"subsystems\" of a port")
    }
  }

  // MARK: Addresses

  /// The second of two ports with one address is refused by the kernel when its first subsystem is linked.
  func portAddresses() {
    var seen: [(port: Profile.Port, address: IPAddress, number: Int)] = []
    for (index, port) in profile.ports.enumerated()
    where port.transport == .tcp || port.transport == .rdma {
      guard let address = port.address.flatMap({ IPAddress($0) }),
        let number = port.service.flatMap(Self.portNumber)
      else { continue }
      if let other = seen.first(where: {
        $0.port.transport == port.transport && $0.number == number && $0.address.overlaps(address)
      }) {
        error(
          "ports[\(index)].address",
          "the address is taken by port \(other.port.id)"
            + Self.reason(other.port, other.address, port, address),
          hint:
            "one port can offer several subsystems; or use another \"service\" than \(number)")
      }
      seen.append((port, address, number))
    }
  }

  /// Why two addresses that differ are one for a socket.
  private static func reason(
    _ one: Profile.Port, _ first: IPAddress, _ other: Profile.Port, _ second: IPAddress
  ) -> String {
    let texts = [(one, first), (other, second)].map { (port, address) in
      (text: port.address ?? "", isWildcard: address.isWildcard)
    }
    if first == second { return "" }
    if let wildcard = texts.first(where: \.isWildcard) {
      return ": \(wildcard.text) is every address of the machine"
    }
    return ": \(texts[0].text) and \(texts[1].text) are one address"
  }

  // MARK: Asymmetric namespace access

  /// The access of a function's host to a namespace is that of the namespace's ANA group on the function's port.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`.
  func namespaceAccess() {
    for (s, subsystem) in profile.subsystems.enumerated() {
      for port in accessPorts(of: subsystem.nqn) {
        namespaceAccess(subsystem, "subsystems[\(s)]", through: port)
      }
    }
  }

  private func namespaceAccess(
    _ subsystem: Profile.Subsystem, _ place: String, through port: AccessPort
  ) {
    for (n, namespace) in subsystem.namespaces.enumerated() where namespace.enabled {
      let group = namespace.anaGroup ?? 1
      let path = "\(place).namespaces[\(n)]"
      let declared = port.declared?.anaGroups.first { $0.id == group }
      let state = declared.flatMap { ANAState(rawValue: $0.state) } ?? .initial(group: group)
      guard let effect = Self.effects[state] else { continue }
      let cause =
        declared != nil
        ? "which \(port.name) makes \(state.rawValue)"
        : "which \(port.name) does not have, so that it is inaccessible there"
      warn(
        namespace.anaGroup == nil ? path : "\(path).anaGroup",
        "namespace \(namespace.id) is in ANA group \(group), \(cause): the host gets no usable disk\(port.condition), since I/O ends with \(effect)",
        topic: .namespaceAccess(namespace.id, of: subsystem.nqn),
        hint: port.declared == nil
          ? "declare a port of type \(port.transport.rawValue) with the group in \"anaGroups\", or remove \"anaGroup\""
          : "set the group's state to \"optimized\" in the \"anaGroups\" of \(port.name)")
    }
  }

  private static let effects: [ANAState: String] = [
    .inaccessible: "status 2302h (Asymmetric Access Inaccessible)",
    .persistentLoss: "status 2301h (Asymmetric Access Persistent Loss)",
    .change: "status 2303h (Asymmetric Access Transition)",
  ]

  /// A port that a function uses for a subsystem.
  private struct AccessPort {
    var name: String
    var transport: Profile.Port.Transport
    var declared: Profile.Port?
    /// The driver that uses it, if the machine chooses.
    var condition = ""
  }

  /// The ports of the function drivers' transports, which for `auto` may be two; none without a function.
  private func accessPorts(of nqn: String) -> [AccessPort] {
    guard
      profile.functions.contains(where: { function in
        if case .local(nqn, _) = function.target { true } else { false }
      })
    else { return [] }
    func port(_ transport: Profile.Port.Transport) -> AccessPort {
      let declared = profile.ports.first {
        $0.transport == transport && $0.subsystems.contains(nqn)
      }
      return AccessPort(
        name: declared.map { "port \($0.id)" } ?? "the function's port", transport: transport,
        declared: declared)
    }
    guard profile.driver == .auto else {
      return [port(profile.driver == .pciEPFNVMe ? .loop : .pci)]
    }
    var loop = port(.loop)
    var pci = port(.pci)
    guard loop.declared != nil else { return [pci] }
    loop.condition = " with pci_epf_nvme"
    pci.condition = " with nvmet_pci_epf"
    return [pci, loop]
  }
}
