// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelHistory
internal import SystemPackage

/// `nvmet` ports, ANA groups and referrals.
/// - Source: `drivers/nvme/target/configfs.c`, `core.c`, `tcp.c`.
extension AttributeTable {
  /// EACCES while the port has a subsystem, with the name of the C function in the log.
  private static func portLock(_ function: String) -> AttributeRule.Lock {
    { (state, node) throws(Errno) in
      let isReferral = state.tree[node].kind == .referral
      guard isReferral ? !state.isSet("enable", of: node) : !state.isPortEnabled(node) else {
        let id =
          isReferral ? state.number("addr_portid", of: node) : state.tree[node].number
        state.log(
          .error,
          "nvmet: Disable port '\(id)' before changing attribute in nvmet_\(function)_store")
        throw .permissionDenied
      }
    }
  }

  /// One of some words.
  private static func choice(
    _ name: String, _ initial: String, _ what: String, _ words: [String]
  ) -> AttributeRule {
    let lock = portLock(name)
    return AttributeRule(
      name: name, initial: initial, show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        try lock(&state, node)
        guard let word = words.first(where: { written.equals($0) }),
          name != "addr_treq" || word != "not specified"
            || state.value("addr_tsas", of: node) != "tls1.3"
        else {
          state.log(.error, "nvmet: Invalid value '\(written.text)' for \(what)")
          throw .invalidArgument
        }
        state.set(name, word, of: node)
        guard name == "addr_trtype" else { return }
        let tsas = word == "tcp" ? "none" : word == "rdma" ? "connected" : ""
        state.set("addr_tsas", tsas, of: node)
      })
  }

  /// A word of limited length.
  private static func word(_ name: String, _ what: String, longest: Int) -> AttributeRule {
    let lock = portLock(name)
    return AttributeRule(
      name: name, show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        guard written.count <= longest else {
          state.log(.error, "nvmet: Invalid value '\(written.text)' for \(what)")
          throw .invalidArgument
        }
        try lock(&state, node)
        // sscanf converts blanks to an empty word, and nothing to nothing.
        guard !written.bytes.isEmpty else { throw .invalidArgument }
        let word = written.firstWord
        guard word.utf8.count < longest else {
          // nvmet.md, 21, row 3
          return state.crash("\(name) of \(longest) bytes")
        }
        state.set(name, word, of: node)
      })
  }

  private static func integer(_ name: String, _ what: String) -> AttributeRule {
    let lock = portLock(name)
    return AttributeRule(
      name: name, initial: "-1", show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        try lock(&state, node)
        let isMDTS = name == "param_mdts"
        guard let value = try? written.signed(), !isMDTS || (0...255).contains(value) else {
          let more = isMDTS ? ", should be 0-255" : ""
          state.log(.error, "nvmet: Invalid value '\(written.text)' for \(what)\(more)")
          throw .invalidArgument
        }
        state.set(name, String(value), of: node)
      })
  }

  private static func addresses(_ kernelRelease: Release, adrfam: String) -> [AttributeRule] {
    let hasPCI = kernelRelease.generation == .linux7_2
    let families = ["ipv4", "ipv6", "ib", "fc"] + (hasPCI ? ["pci"] : []) + ["loop"]
    let requirements = ["not specified", "required", "not required"]
    let types = ["rdma", "fc", "tcp"] + (hasPCI ? ["pci"] : []) + ["loop"]
    return [
      choice("addr_adrfam", adrfam, "adrfam", families),
      choice("addr_treq", "not specified", "treq", requirements),
      word("addr_traddr", "traddr", longest: 256),
      word("addr_trsvcid", "trsvcid", longest: 32),
      choice("addr_trtype", "", "trtype", types),
    ]
  }

  static func portRules(_ kernelRelease: Release) -> [AttributeRule] {
    let tsasLock = portLock("addr_tsas")
    var rules = addresses(kernelRelease, adrfam: "")
    rules += [
      AttributeRule(
        name: "addr_tsas", show: { state, node in state.value("addr_tsas", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          try tsasLock(&state, node)
          switch state.value("addr_trtype", of: node) {
          case "tcp" where written.equals("none"):
            state.set("addr_tsas", "none", of: node)
            state.set("addr_treq", "not specified", of: node)
          case "tcp" where written.equals("tls1.3"):
            guard state.has(.tcpTLS) else {
              state.log(.error, "nvmet: TLS is not supported")
              throw .invalidArgument
            }
            state.set("addr_tsas", "tls1.3", of: node)
            if state.value("addr_treq", of: node) == "not specified" {
              state.set("addr_treq", "required", of: node)
            }
          case "rdma" where written.equals(state.value("addr_tsas", of: node)): break
          default:
            state.log(.error, "nvmet: Invalid value '\(written.text)' for tsas")
            throw .invalidArgument
          }
        }),
      integer("param_inline_data_size", "inline_data_size"),
      integer("param_max_queue_size", "max_queue_size"),
    ]
    if kernelRelease.generation == .linux7_2 { rules.append(integer("param_mdts", "mdts")) }
    let integrityLock = portLock("param_pi_enable")
    rules.append(
      AttributeRule.plain("param_pi_enable", "0", after: integrityLock, Parse.bool)
        .when { $0.has(.integrity) })
    return rules
  }

  static func referralRules(_ kernelRelease: Release) -> [AttributeRule] {
    let family = kernelRelease.generation == .linux7_2 ? "pci" : ""
    var rules = addresses(kernelRelease, adrfam: family)
    rules.insert(
      AttributeRule.plain(
        "addr_portid", "0", after: portLock("addr_portid"), Parse.strict(upTo: 0xffff)
      ).complaining(about: "portid"), at: 1)
    rules.append(AttributeRule.plain("enable", "0", Parse.bool).complaining(about: "enable"))
    return rules
  }
}

extension KernelState {
  mutating func makePort(_ name: String, in parent: Int) throws(Errno) {
    guard let id = try? Written(name).unsigned(upTo: 0xffff) else { throw .invalidArgument }
    let node = tree.add(name, .port, in: parent, number: Int(id))
    _ = tree.add("subsystems", .portSubsystems, in: node, isDefault: true)
    _ = tree.add("referrals", .referrals, in: node, isDefault: true)
    let groups = tree.add("ana_groups", .anaGroups, in: node, isDefault: true)
    let group = tree.add("1", .anaGroup, in: groups, isDefault: true, number: 1)
    set("ana_state", "optimized", of: group)
  }

  mutating func makeANAGroup(_ name: String, in parent: Int) throws(Errno) {
    let group = try Written(name).unsigned(upTo: UInt64(UInt32.max))
    guard (2...128).contains(group) else { throw .invalidArgument }
    // nvmet.md, 21, row 2
    guard group < 128 else { return crash("ANA group 128") }
    let node = tree.add(name, .anaGroup, in: parent, number: Int(group))
    if let other = groups(like: node).first {
      set("ana_state", value("ana_state", of: other), of: node)
    }
  }

  /// The other directories of a port for an ANA group: `02` is the group of `2`.
  private func groups(like node: Int) -> [Int] {
    tree[tree[node].parent].children.filter { $0 != node && tree[$0].number == tree[node].number }
  }

  mutating func setANAState(_ state: String, ofGroupsLike node: Int) {
    for other in groups(like: node) { set("ana_state", state, of: other) }
  }

  /// Whether a port has a subsystem.
  func isPortEnabled(_ port: Int) -> Bool {
    tree.child(.portSubsystems, of: port).map { !tree[$0].children.isEmpty } ?? false
  }

  func linkedSubsystems(of port: Int) -> [Int] {
    guard let links = tree.child(.portSubsystems, of: port) else { return [] }
    return tree[links].children.compactMap { tree[$0].target }
  }

  mutating func linkSubsystem(_ target: Int, into holder: Int) throws(Errno) {
    guard tree[target].kind == .subsystem else {
      log(.error, "nvmet: can only link subsystems into the subsystems dir.!")
      throw .invalidArgument
    }
    let port = tree[holder].parent
    guard !linkedSubsystems(of: port).contains(target) else { throw .fileExists }
    if !isPortEnabled(port) { try enablePort(port) }
  }

  mutating func unlinkSubsystem(_ target: Int, from holder: Int) {
    let port = tree[holder].parent
    // nvmet.md, 21, row 1
    deleteControllers(cause: "a subsystem unlinked from its port") {
      $0.port == port && $0.subsystem == target
    }
  }

  /// The transports: their number, their module, and whether the module's alias lets the kernel load it.
  static let transports: [String: (number: Int, module: String, loadsItself: Bool)] = [
    "rdma": (1, "nvmet_rdma", true), "fc": (2, "nvmet_fc", false),
    "tcp": (3, "nvmet_tcp", true), "loop": (254, "nvme_loop", true),
    "pci": (0, "nvmet_pci_epf", false),
  ]

  private mutating func enablePort(_ port: Int) throws(Errno) {
    let type = value("addr_trtype", of: port)
    guard let transport = Self.transports[type] else {
      if kernelRelease.generation != .linux7_2 {
        log(.error, "nvmet: transport type 0 not supported")
      } else if kernelRelease.has(.portWithoutType) {
        log(.error, "nvmet: transport type 255 not supported")
        crash("a port without a transport type enabled")
      }
      throw .invalidArgument
    }
    if modules[transport.module] == nil, transport.loadsItself {
      try? loadModule(transport.module, parameters: [])
    }
    guard isModulePresent(transport.module) else {
      log(.error, "nvmet: transport type \(transport.number) not supported")
      throw .invalidArgument
    }
    if isSet("param_pi_enable", of: port), type != "rdma" {
      log(
        .error, "nvmet: T10-PI is not supported by transport type \(transport.number)")
      throw .invalidArgument
    }
    if type == "tcp" { try listen(port) }
    // Ports are found in the order in which they were enabled.
    set("enabled at", String(effects), of: port)
    if number("param_inline_data_size", of: port) < 0 {
      set("param_inline_data_size", "0", of: port)
    }
    let depth = number("param_max_queue_size", of: port)
    set("param_max_queue_size", String(depth < 0 ? 1024 : min(max(depth, 16), 1024)), of: port)
    if kernelRelease.generation == .linux7_2, !(0...255).contains(number("param_mdts", of: port)) {
      set("param_mdts", "0", of: port)
    }
  }

  /// Binds the socket of a TCP port.
  private mutating func listen(_ port: Int) throws(Errno) {
    let family = value("addr_adrfam", of: port)
    guard family == "ipv4" || family == "ipv6" else {
      let numbers = ["": 255, "pci": 0, "ib": 3, "fc": 4, "loop": 254]
      log(.error, "nvmet_tcp: address family \(numbers[family] ?? 0) not supported")
      throw .invalidArgument
    }
    let address = value("addr_traddr", of: port)
    let service = value("addr_trsvcid", of: port)
    let isAddress = family == "ipv6" ? address.contains(":") : isIPv4(address)
    guard isAddress, let number = try? Written(service).unsigned(upTo: 0xffff) else {
      log(.error, "nvmet_tcp: malformed ip/port passed: \(address):\(service)")
      throw .invalidArgument
    }
    if self.number("param_inline_data_size", of: port) < 0 {
      set("param_inline_data_size", String(4 * machine.pageSize), of: port)
    }
    // A kernel without IPv6 has no address of it.
    guard family == "ipv4" || machine.localAddresses.contains(where: { $0.contains(":") }) else {
      log(.error, "nvmet_tcp: failed to create a socket")
      throw .addressFamilyNotSupported
    }
    let others = tree.all(.port).filter {
      $0 != port && isPortEnabled($0) && value("addr_trtype", of: $0) == "tcp"
        // The kernel chooses another number for each port 0.
        && number > 0
        && (try? Written(value("addr_trsvcid", of: $0)).unsigned(upTo: 0xffff)) == number
    }
    var failure: Errno?
    if !machine.localAddresses.contains(address) {
      failure = .addressNotAvailable
    } else if others.contains(where: {
      let both = [value("addr_traddr", of: $0), address]
      // :: includes the IPv4 addresses.
      return both[0] == both[1] || both.contains("::")
        || both.contains("0.0.0.0") && both.allSatisfy { !$0.contains(":") }
    }) {
      failure = .addressInUse
    }
    if let failure {
      log(.error, "nvmet_tcp: failed to bind port socket -\(failure.rawValue)")
      throw failure
    }
    let shown = family == "ipv6" ? "[\(address)]" : address
    log(.info, "nvmet_tcp: enabling port \(tree[port].number) (\(shown):\(number))")
  }

  private func isIPv4(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }
}
