// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Numbers
internal import SystemPackage

/// `nvmet`: the root, subsystems and passthru.
/// - Source: `drivers/nvme/target/configfs.c`, `core.c`.
extension AttributeTable {
  static func targetRules(_ kernelRelease: Release) -> [Node.Kind: [AttributeRule]] {
    [
      .targetRoot: [discoveryNQN],
      .subsystem: subsystemRules(kernelRelease),
      .namespace: namespaceRules(kernelRelease),
      .passthru: passthruRules,
      .host: hostRules,
      .port: portRules(kernelRelease),
      .referral: referralRules(kernelRelease),
      .anaGroup: [anaState],
    ]
  }

  private static let discoveryNQN = AttributeRule(
    name: "discovery_nqn", initial: SimulatedKernel.discoveryNQN,
    show: { state, node in state.value("discovery_nqn", of: node) + "\n" },
    store: { (state, node, written) throws(Errno) in
      let name = written.firstLine
      guard (1...255).contains(name.utf8.count) else { throw .invalidArgument }
      // Only as many bytes as the new value has are compared.
      for subsystem in state.tree.all(.subsystem)
      where state.tree[subsystem].name.utf8.starts(with: name.utf8) {
        state.log(.error, "nvmet: duplicate NQN \(state.tree[subsystem].name)")
        throw .invalidArgument
      }
      state.set("discovery_nqn", name, of: node)
    }, countsFirstLine: true)

  // MARK: Subsystems

  private static func subsystemRules(_ kernelRelease: Release) -> [AttributeRule] {
    var rules: [AttributeRule] = [
      AttributeRule(
        name: "attr_allow_any_host", initial: "0",
        show: { state, node in state.value("attr_allow_any_host", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          let allows = try written.bool(state.kernelRelease)
          if allows, let hosts = state.tree.child(.allowedHosts, of: node),
            !state.tree[hosts].children.isEmpty
          {
            state.log(.error, "nvmet: Can't set allow_any_host when explicit hosts are set!")
            throw .invalidArgument
          }
          state.set("attr_allow_any_host", allows ? "1" : "0", of: node)
        }),
      .plain(
        "attr_version", kernelRelease.generation == .linux7_2 ? "2.1" : "1.3",
        lock: { (state, node) throws(Errno) in
          let now = state.value("attr_version", of: node)
          try state.checkUndiscovered(
            node, "Can't set version number. \(now) is already assigned")
          guard !state.isPassthruActive(node) else { throw .invalidArgument }
        }
      ) { (written, _) throws(Errno) in
        let numbers = written.dottedNumbers()
        guard numbers.count >= 2 else { throw .invalidArgument }
        return version(numbers)
      },
      text("attr_serial", "", longest: 20, "Can't set serial number. %s is already assigned") {
        $0 == nil
          ? "Serial Number can not be empty or exceed 20 Bytes"
          : "Serial Number must contain only ASCII strings"
      },
      .plain(
        "attr_cntlid_min", "1",
        { (written, _) throws(Errno) in try nonZero(written) }),
      .plain(
        "attr_cntlid_max", "65519",
        { (written, _) throws(Errno) in try nonZero(written) }),
    ]
    rules = rules.map { rule in
      guard rule.name.hasPrefix("attr_cntlid") else { return rule }
      return limited(rule)
    }
    if kernelRelease.generation == .linux7_2 {
      rules += ["attr_vendor_id", "attr_subsys_vendor_id"].map { name in
        AttributeRule.plain(
          name, "0x0", Parse.strict(upTo: 0xffff) { hexadecimal($0) })
      }
    }
    rules += [
      text("attr_model", "Linux", longest: 40, "Can't set model number. %s is already assigned") {
        $0 == nil ? "Model number size can not exceed 40 Bytes" : nil
      },
      AttributeRule(
        name: "attr_qid_max", initial: "128",
        show: { state, node in state.value("attr_qid_max", of: node) + "\n" },
        store: { (state, node, written) throws(Errno) in
          let value = try written.shortNumber()
          guard (1...128).contains(value) else { throw .invalidArgument }
          state.set("attr_qid_max", String(value), of: node)
          // nvmet.md, 21, row 1
          state.deleteControllers(cause: "attr_qid_max written") {
            $0.subsystem == node
          }
        }),
      .plain(
        "attr_ieee_oui", "0x000000",
        lock: { (state, node) throws(Errno) in
          let now = state.value("attr_ieee_oui", of: node)
          try state.checkUndiscovered(node, "Can't set IEEE OUI. \(now) is already assigned")
        }
      ) { (written, _) throws(Errno) in
        let value = try written.unsigned(upTo: UInt64(UInt32.max))
        guard value < 0x100_0000 else { throw .invalidArgument }
        return hexadecimal(value, digits: 6)
      },
      text(
        "attr_firmware", "", longest: 8,
        "Can't set firmware revision. %s is already assigned"
      ) { $0 == nil ? "Firmware revision size can not exceed 8 Bytes" : nil },
      AttributeRule.plain("attr_pi_enable", "0", Parse.bool).when { $0.has(.integrity) },
    ]
    return rules
  }

  /// `M.m`, or `M.m.t` if t is not 0, after the numbers were packed into one 64-bit word.
  private static func version(_ numbers: [Int32]) -> String {
    // The kernel shifts 32-bit integers with a sign, and extends the result.
    let parts = numbers + [0]
    let word = UInt64(bitPattern: Int64(parts[0] << 16 | parts[1] << 8 | parts[2]))
    let tertiary = word & 0xff
    let text = "\(word >> 16).\(word >> 8 & 0xff)"
    return tertiary == 0 ? text : text + ".\(tertiary)"
  }

  private static func nonZero(_ written: Written) throws(Errno) -> String {
    let value = try written.shortNumber()
    guard value != 0 else { throw .invalidArgument }
    return String(value)
  }

  /// The lower bound stays below the upper one.
  private static func limited(_ rule: AttributeRule) -> AttributeRule {
    var limited = rule
    limited.store = { (state, node, written) throws(Errno) in
      let value = Int(try written.shortNumber())
      guard value != 0 else { throw .invalidArgument }
      let isFine =
        rule.name == "attr_cntlid_min"
        ? value <= state.number("attr_cntlid_max", of: node)
        : value >= state.number("attr_cntlid_min", of: node)
      guard isFine else { throw .invalidArgument }
      state.set(rule.name, String(value), of: node)
    }
    return limited
  }

  /// One line of printable characters, fixed once a host has identified the subsystem.
  /// - Parameter complaint: the log line for a bad length (nil), or for a bad character.
  private static func text(
    _ name: String, _ initial: String, longest: Int, _ assigned: String,
    complaint: @escaping @Sendable (Character?) -> String?
  ) -> AttributeRule {
    AttributeRule(
      name: name, initial: initial,
      show: { state, node in state.value(name, of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        let now = state.value(name, of: node)
        let parts = assigned.split(separator: "%s", omittingEmptySubsequences: false)
        try state.checkUndiscovered(node, parts.joined(separator: now))
        let line = written.firstLine
        let isTooLong = line.utf8.count > longest
        guard !line.isEmpty, !isTooLong else {
          if isTooLong || name == "attr_serial", let text = complaint(nil) {
            state.log(.error, "nvmet: " + text)
          }
          throw .invalidArgument
        }
        guard line.isPrintableASCII else {
          if let text = complaint("?") { state.log(.error, "nvmet: " + text) }
          throw .invalidArgument
        }
        state.set(name, name == "attr_serial" ? line.padded(toBytes: 20) : line, of: node)
      })
  }

  // MARK: Passthru

  private static let passthruRules: [AttributeRule] = [
    AttributeRule(
      name: "device_path", initial: "(null)",
      show: { state, node in state.value("device_path", of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        guard !state.isSet("enable", of: node) else { throw .resourceBusy }
        guard !written.firstLine.isEmpty else { throw .invalidArgument }
        state.set("device_path", written.firstLine, of: node)
      }),
    AttributeRule(
      name: "enable", initial: "0",
      show: { state, node in state.value("enable", of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        let isOn = try written.bool(state.kernelRelease)
        let subsystem = state.tree[node].parent
        guard isOn else {
          state.set("enable", "0", of: node)
          state.tree[subsystem].values["attr_version"] = nil
          return
        }
        try state.enablePassthru(node, of: subsystem)
      }),
    .plain("admin_timeout", "0", Parse.strict(upTo: UInt64(UInt32.max))),
    .plain("io_timeout", "0", Parse.strict(upTo: UInt64(UInt32.max))),
    .plain("clear_ids", "0", Parse.strict(upTo: UInt64(UInt32.max))),
  ]
}

extension KernelState {
  /// Registers `nvmet`.
  mutating func registerTargetTree() {
    let root = tree.add("nvmet", .targetRoot, in: 0, isDefault: true)
    _ = tree.add("subsystems", .subsystems, in: root, isDefault: true)
    _ = tree.add("ports", .ports, in: root, isDefault: true)
    _ = tree.add("hosts", .hosts, in: root, isDefault: true)
  }

  var targetRoot: Int? { tree.child(.targetRoot, of: 0) }

  mutating func makeSubsystem(_ name: String, in parent: Int) throws(Errno) {
    let written = Written(name)
    if written.equals(SimulatedKernel.discoveryNQN) {
      log(.error, "nvmet: can't create discovery subsystem through configfs")
      throw .invalidArgument
    }
    let current = value("discovery_nqn", of: tree[parent].parent)
    if written.equals(current) {
      log(.error, "nvmet: can't create subsystem using unique discovery NQN")
      throw .invalidArgument
    }
    if has(.debugFS),
      tree[parent].children.contains(where: { sameBytes(subsystemNQN($0), name.cut(toBytes: 223)) })
    {
      throw .fileExists
    }
    let node = tree.add(name, .subsystem, in: parent)
    _ = tree.add("namespaces", .namespaces, in: node, isDefault: true)
    _ = tree.add("allowed_hosts", .allowedHosts, in: node, isDefault: true)
    if has(.passthru) { _ = tree.add("passthru", .passthru, in: node, isDefault: true) }
    let serial =
      hexadecimalDigits(random(), count: 16) + hexadecimalDigits(random() & 0xffff, count: 4)
    set("attr_serial", serial, of: node)
    set("attr_firmware", release.cut(toBytes: 8), of: node)
  }

  mutating func dropSubsystem(_ node: Int) {
    discoveredSubsystems.remove(node)
    targetControllers.removeAll { $0.subsystem == node }
  }

  /// The NQN that hosts use: the name's first 223 bytes.
  func subsystemNQN(_ node: Int) -> String { tree[node].name.cut(toBytes: 223) }

  /// Some attributes are fixed once a host has identified the subsystem.
  mutating func checkUndiscovered(_ node: Int, _ text: String) throws(Errno) {
    guard discoveredSubsystems.contains(node) else { return }
    log(.error, "nvmet: " + text)
    throw .invalidArgument
  }

  func isPassthruActive(_ subsystem: Int) -> Bool {
    tree.child(.passthru, of: subsystem).map { isSet("enable", of: $0) } ?? false
  }

  mutating func enablePassthru(_ node: Int, of subsystem: Int) throws(Errno) {
    let path = value("device_path", of: node)
    guard path != "(null)", !isSet("enable", of: node) else { throw .invalidArgument }
    if let namespaces = tree.child(.namespaces, of: subsystem), !tree[namespaces].children.isEmpty {
      log(
        .info,
        "nvmet: cannot enable both passthru and regular namespaces for a single subsystem")
      throw .invalidArgument
    }
    let (device, object) = try resolve(path)
    guard object.kind != .directory else { throw .isDirectory }
    let name = device.dropFirst("/dev/nvme".count)
    guard object.kind == .characterDevice, device.hasPrefix("/dev/nvme"), Int(name) != nil else {
      log(.error, "nvmet: failed to open nvme controller \(path)")
      throw .invalidArgument
    }
    let isTaken = tree.all(.passthru).contains {
      isSet("enable", of: $0) && (try? resolve(value("device_path", of: $0)).0) == device
    }
    guard !isTaken else { throw .invalidArgument }
    set("enable", "1", of: node)
    set("attr_version", "1.4", of: subsystem)
  }
}
