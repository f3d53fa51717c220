// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import NVMeTarget

/// Rules for the combined values of a profile, on any machine.
struct ProfileCheck {
  let profile: Profile
  let issues: IssueCollector

  func error(_ path: String, _ message: String, hint: String? = nil) {
    issues.add(.error, path, nil, message, hint: hint)
  }

  func warn(
    _ path: String, _ message: String, topic: ProfileIssue.Topic? = nil, hint: String? = nil
  ) {
    issues.add(.warning, path, nil, message, topic: topic, hint: hint)
  }

  func all() {
    for backing in profile.backings { check(backing) }
    storesTwice()
    for (index, subsystem) in profile.subsystems.enumerated() {
      check(subsystem, "subsystems[\(index)]")
    }
    namespaceStores()
    identity()
    identifiers()
    for (index, port) in profile.ports.enumerated() { check(port, "ports[\(index)]") }
    portAddresses()
    servedSubsystems()
    namespaceAccess()
    for (index, function) in profile.functions.enumerated() {
      check(function, "functions[\(index)]")
    }
    twice(profile.subsystems.map(\.nqn), "subsystems", "nqn", "the NQN")
    twice(profile.ports.map { "\($0.id)" }, "ports", "id", "the port id")
    twice(profile.functions.map(\.name), "functions", "name", "the function name")
    rawAttributes()
    drivers()
    sharedHeaders()
    functionCounts()
  }

  func twice(_ values: [String], _ list: String, _ key: String, _ what: String) {
    var seen: [String: Int] = [:]
    for (index, value) in values.enumerated() {
      if let first = seen[value] {
        error(
          "\(list)[\(index)].\(key)", "\(what) \"\(value)\" is already used by \(list)[\(first)]")
      } else {
        seen[value] = index
      }
    }
  }

  /// A warning about a name that works.
  func warnOfName(_ text: String, _ path: String) {
    if let nqn = try? NQN(text), let warning = nqn.warning { warn(path, warning) }
  }

  // MARK: Subsystems

  func check(_ subsystem: Profile.Subsystem, _ path: String) {
    // A host on the PCI bus only reads the name; a host on a network must send it.
    if profile.ports.contains(where: { port in
      port.subsystems.contains(subsystem.nqn) && [.tcp, .rdma].contains(port.transport)
    }) {
      warnOfName(subsystem.nqn, "\(path).nqn")
    }
    let low = Int(subsystem.controllerIDMinimum ?? 1)
    let high = Int(subsystem.controllerIDMaximum ?? 0xffef)
    if low > high {
      let key = subsystem.controllerIDMinimum == nil ? "controllerIDMaximum" : "controllerIDMinimum"
      error(
        "\(path).\(key)",
        "the smallest controller id is \(low), which is more than the largest, \(high)")
    }
    for (index, host) in subsystem.allowedHosts.enumerated() {
      warnOfName(host, "\(path).allowedHosts[\(index)]")
    }
    if subsystem.allowAnyHost == true, !subsystem.allowedHosts.isEmpty {
      error(
        "\(path).allowedHosts", "hosts cannot be listed while any host is allowed",
        hint: "remove \"allowAnyHost\" or the list")
    }
    if subsystem.namespaces.count > ProfileRules.Limit.namespaces {
      error(
        "\(path).namespaces", "a subsystem has at most \(ProfileRules.Limit.namespaces) namespaces")
    }
    for (index, namespace) in subsystem.namespaces.enumerated()
    where Int(namespace.id) > ProfileRules.Limit.namespaces {
      warn(
        "\(path).namespaces[\(index)].id", "Linux tells hosts that the highest NSID is 1024")
    }
    twice(subsystem.namespaces.map { "\($0.id)" }, "\(path).namespaces", "id", "the NSID")
  }

  // MARK: Ports

  func check(_ port: Profile.Port, _ path: String) {
    for (index, nqn) in port.subsystems.enumerated() {
      checkSubsystemExists(nqn, "\(path).subsystems[\(index)]")
    }
    checkIsUsed(port, path)
    guard port.transport == .tcp || port.transport == .rdma else { return }
    let name = port.transport.rawValue
    for (key, value) in [
      ("addressFamily", port.addressFamily), ("address", port.address), ("service", port.service),
    ] where value == nil {
      error(path, "a \(name) port needs \"\(key)\"")
    }
    let family = port.addressFamily.flatMap { IPAddress.Family(rawValue: $0) }
    if let word = port.addressFamily, family == nil {
      error(
        "\(path).addressFamily",
        "a \(name) port has the family ipv4 or ipv6, not \"\(word.prefix(20))\"")
    }
    if let address = port.address, let problem = Self.problem(withScopeOf: address) {
      error("\(path).address", problem, hint: Self.scopeHint(address))
    }
    if let address = port.address, IPAddress(address, family: family) == nil {
      error(
        "\(path).address",
        "\"\(address.prefix(60))\" is not an \(family.map { $0 == .ipv4 ? "IPv4" : "IPv6" } ?? "IP") address",
        hint:
          "the kernel accepts no host names, and a scope (%eth0) only after a link-local address")
    }
    if let service = port.service, Self.portNumber(service) == nil {
      error(
        "\(path).service", "\"\(service.prefix(40))\" is not a port number: 1 to 65535")
    }
  }

  /// A link-local address without the interface that it belongs to, which no socket can use.
  /// - Source: `net/ipv6/af_inet6.c`, `__inet6_bind`; `net/ipv6/tcp_ipv6.c`, `tcp_v6_connect`.
  static func problem(withScopeOf address: String) -> String? {
    guard IPAddress(address)?.lacksScope == true else { return nil }
    return
      "\(address.prefix(60)) is a link-local address, and its scope is missing: the kernel refuses it (EINVAL), since every interface has that network"
  }

  static func scopeHint(_ address: String) -> String {
    "name the interface: \(address.prefix(60))%eth0 (ip -brief address lists them)"
  }

  /// A port number as the kernel parses it, including hexadecimal and octal numbers.
  static func portNumber(_ text: String) -> Int? {
    guard let number = text.kernelInteger(Int.self), (1...0xffff).contains(number) else {
      return nil
    }
    return number
  }

  func checkSubsystemExists(_ nqn: String, _ path: String) {
    guard profile.subsystem(nqn) == nil else { return }
    let nearest = nearestName(to: nqn, in: profile.subsystems.map(\.nqn))
    error(
      path, "the profile has no subsystem \"\(nqn.prefix(60))\"",
      hint: nearest.map { "did you mean \"\($0)\"?" })
  }
}
