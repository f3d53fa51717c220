// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// A connection of the machine's NVMe host, which `pci_epf_nvme` opens and never closes.
struct FabricsController: Codable, Sendable, Hashable {
  /// The N of `/dev/nvmeN`.
  var instance: Int
  var transport: String
  var subsystem: String
  var address: String
  /// Without the admin queue.
  var ioQueues: Int
  var isDiscovery: Bool
  /// The id of the controller in this machine's target, for loop.
  var targetController: Int?
  /// The state in sysfs; nil is `live`.
  var state: String?
}

/// The options of an NVMe-over-fabrics connection, in the kernel's text format.
/// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`, `nvmf_create_ctrl`; `hidden_ns` of the seed's series.
struct FabricsOptions: Sendable, Hashable {
  enum Form { case string, integer, flag }

  /// The options that the kernel knows.
  static let forms: [String: Form] = [
    "transport": .string, "nqn": .string, "traddr": .string, "trsvcid": .string,
    "host_traddr": .string, "host_iface": .string, "hostnqn": .string, "hostid": .string,
    "queue_size": .integer, "nr_io_queues": .integer, "nr_write_queues": .integer,
    "nr_poll_queues": .integer, "reconnect_delay": .integer, "ctrl_loss_tmo": .integer,
    "fast_io_fail_tmo": .integer, "keep_alive_tmo": .integer, "tos": .integer,
    "duplicate_connect": .flag, "disable_sqflow": .flag, "hdr_digest": .flag,
    "data_digest": .flag, "discovery": .flag, "hidden_ns": .flag,
  ]

  /// Options of every transport.
  static let always: Set<String> = [
    "transport", "nqn", "queue_size", "nr_io_queues", "keep_alive_tmo", "hostnqn", "hostid",
    "duplicate_connect", "disable_sqflow", "discovery", "fast_io_fail_tmo", "dhchap_secret",
    "dhchap_ctrl_secret", "hidden_ns",
  ]

  /// The host drivers: module, required and additional options.
  static let transports: [String: (module: String, needs: [String], takes: Set<String>)] = [
    "loop": ("nvme_loop", [], ["traddr"]),
    "tcp": (
      "nvme_tcp", ["traddr"],
      [
        "traddr", "trsvcid", "host_traddr", "host_iface", "reconnect_delay", "ctrl_loss_tmo",
        "hdr_digest", "data_digest", "nr_write_queues", "nr_poll_queues", "tos", "tls", "keyring",
        "tls_key",
      ]
    ),
    "rdma": (
      "nvme_rdma", ["traddr"],
      [
        "traddr", "trsvcid", "host_traddr", "reconnect_delay", "ctrl_loss_tmo",
        "nr_write_queues", "nr_poll_queues", "tos",
      ]
    ),
    "fc": (
      "nvme_fc", ["traddr", "host_traddr"],
      ["traddr", "host_traddr", "reconnect_delay", "ctrl_loss_tmo"]
    ),
  ]

  var strings: [String: String] = [:]
  var integers: [String: Int] = [:]
  var flags: Set<String> = []
  /// In the order of the text.
  var given: [String] = []

  /// The format of an option in messages: `traddr=%s`.
  static func pattern(_ name: String) -> String {
    switch forms[name] {
    case .string: name + "=%s"
    case .integer: name + "=%d"
    case .flag, nil: name
    }
  }

  /// Reads the options.
  /// - Parameter complain: receives the log messages, without prefix.
  init(
    _ text: String, options: Set<SimulatedKernel.KernelOption>,
    complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    for item in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
      let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      let value = parts.count == 2 ? String(parts[1]) : nil
      var form = Self.forms[name]
      if options.contains(.authentication), name.hasPrefix("dhchap_"), name.hasSuffix("_secret") {
        form = .string
      }
      switch (form, value) {
      case (.string, let value?) where !value.isEmpty:
        try check(name, value, complain)
        strings[name] = value
      case (.integer, let value?) where Self.number(value) != nil:
        try check(name, Self.number(value) ?? 0, complain)
      case (.flag, nil): flags.insert(name)
      default:
        complain(
          .warning,
          "unknown parameter or missing value '\(item)' in ctrl creation request")
        throw .invalidArgument
      }
      given.append(name)
    }
  }

  /// `%d` of the option matcher: base 0 with a sign, to the end of the item.
  private static func number(_ text: String) -> Int? {
    guard text.utf8.last != newline else { return nil }
    return try? Written(text).signed()
  }

  private func check(
    _ name: String, _ value: String, _ complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    switch name {
    case "nqn", "hostnqn":
      guard value.utf8.count >= 223 else { return }
      complain(.error, "\(value) needs to be < 223 bytes")
    case "hostid":
      guard value.utf8.count != 36 || Written(value).uuid == nil else { return }
      complain(.error, "Invalid hostid \(value)")
    case "dhchap_secret", "dhchap_ctrl_secret":
      guard value.utf8.count < 11 || !value.hasPrefix("DHHC-1:") else { return }
      complain(.error, "Invalid DH-CHAP secret \(value)")
    default: return
    }
    throw .invalidArgument
  }

  private mutating func check(
    _ name: String, _ value: Int, _ complain: (LogLevel, String) -> Void
  ) throws(Errno) {
    var value = value
    switch name {
    case "queue_size":
      if !(16...1024).contains(value) {
        complain(.error, "Invalid queue_size \(value)")
        throw .invalidArgument
      }
    case "nr_io_queues":
      if value <= 0 {
        complain(.error, "Invalid number of IOQs \(value)")
        throw .invalidArgument
      }
    case "nr_write_queues", "nr_poll_queues", "reconnect_delay":
      if value <= 0 {
        complain(.error, "Invalid \(name) \(value)")
        throw .invalidArgument
      }
    case "keep_alive_tmo":
      if value < 0 {
        complain(.error, "Invalid keep_alive_tmo \(value)")
        throw .invalidArgument
      }
      if value == 0 {
        complain(.warning, "keep_alive_tmo 0 won't execute keep alives!!!")
        value = 5
      }
    case "tos":
      if value < 0 {
        complain(.error, "Invalid type of service \(value)")
        throw .invalidArgument
      }
      if value > 255 {
        complain(.warning, "Clamping type of service to 255")
        value = 255
      }
    case "ctrl_loss_tmo":
      if value < 0 { complain(.warning, "ctrl_loss_tmo < 0 will reconnect forever") }
    case "fast_io_fail_tmo": value = max(value, -1)
    default: break
    }
    integers[name] = value
  }
}

extension KernelState {
  /// Creates a fabrics controller from an option string: parses, loads the transport, checks, connects.
  mutating func connect(_ text: String) throws(Errno) -> FabricsController {
    var lines: [(LogLevel, String)] = []
    let parsed: Result<FabricsOptions, Errno>
    do {
      parsed = .success(
        try FabricsOptions(text, options: machine.options) { lines.append(($0, $1)) })
    } catch { parsed = .failure(error) }
    for (level, line) in lines { log(level, "nvme_fabrics: " + line) }
    let options = try parsed.get()
    let host = options.strings["hostnqn"] ?? ownHost.nqn
    try checkHost(host, options.strings["hostid"] ?? ownHost.id)

    let transport = options.strings["transport"]
    if let module = transport.flatMap({ FabricsOptions.transports[$0]?.module }) {
      try? loadModule(module, parameters: [])
    }
    for name in ["transport", "nqn"] where options.strings[name] == nil {
      log(.warning, "nvme_fabrics: missing parameter '\(FabricsOptions.pattern(name))'")
      throw .invalidArgument
    }
    guard let transport, let rules = FabricsOptions.transports[transport],
      isModulePresent(rules.module)
    else {
      log(.info, "nvme_fabrics: no handler found for transport \(transport ?? "").")
      throw .invalidArgument
    }
    for name in rules.needs where options.strings[name] == nil {
      log(.warning, "nvme_fabrics: missing parameter '\(FabricsOptions.pattern(name))'")
      throw .invalidArgument
    }
    for name in options.given
    where !FabricsOptions.always.contains(name) && !rules.takes.contains(name) {
      log(.warning, "nvme_fabrics: invalid parameter '\(FabricsOptions.pattern(name))'")
      throw .invalidArgument
    }
    let queues = min(options.integers["nr_io_queues"] ?? machine.onlineCPUs, machine.onlineCPUs)
    switch transport {
    case "loop": return try connectLoop(options, host: host, queues: queues)
    case "tcp": return try connectTCP(options, host: host, queues: queues)
    default: throw .noRouteToHost
    }
  }

  /// The host NQN and id that the fabrics module generated when it was loaded.
  private var ownHost: (nqn: String, id: String) {
    let id = "7d7a1a34-5d4c-4c6e-9d4a-3f0e9b1c2a5b"
    return ("nqn.2014-08.org.nvmexpress:uuid:" + id, id)
  }

  /// A host NQN has one host id.
  private mutating func checkHost(_ nqn: String, _ id: String) throws(Errno) {
    if let known = fabricsHosts[nqn], known != id {
      log(.error, "nvme_fabrics: found same hostnqn \(nqn) but different hostid \(id)")
      throw .invalidArgument
    }
    if fabricsHosts.contains(where: { $0.value == id && $0.key != nqn }) {
      log(.error, "nvme_fabrics: found same hostid \(id) but different hostnqn \(nqn)")
      throw .invalidArgument
    }
    fabricsHosts[nqn] = id
  }

  /// `delete_controller`; the target forgets the controller, too.
  mutating func disconnect(_ name: String) throws(Errno) {
    guard machine.isPrivileged else { throw .permissionDenied }
    guard let index = fabrics.firstIndex(where: { "nvme\($0.instance)" == name }) else {
      throw .noSuchFileOrDirectory
    }
    let controller = fabrics.remove(at: index)
    log(.info, "nvme \(name): Removing ctrl: NQN \"\(controller.subsystem)\"")
    targetControllers.removeAll { $0.id == controller.targetController }
  }

  private func freeInstance() -> Int {
    var taken = Set(fabrics.map(\.instance))
    for path in storage.keys where path.hasPrefix("/dev/nvme") {
      if let number = Int(path.dropFirst("/dev/nvme".count)) { taken.insert(number) }
    }
    return (0...).first { !taken.contains($0) } ?? 0
  }

  private func isDiscovery(_ nqn: String, _ options: FabricsOptions) -> Bool {
    options.flags.contains("discovery") || nqn == SimulatedKernel.discoveryNQN
  }

  private mutating func connectLoop(
    _ options: FabricsOptions, host: String, queues: Int
  ) throws(Errno) -> FabricsController {
    let nqn = options.strings["nqn"] ?? ""
    let port = tree.all(.port).first {
      isPortEnabled($0) && value("addr_trtype", of: $0) == "loop"
        && (options.strings["traddr"] ?? value("addr_traddr", of: $0))
          == value("addr_traddr", of: $0)
    }
    let instance = freeInstance()
    if isDiscovery(nqn, options), port != nil {
      let controller = FabricsController(
        instance: instance, transport: "loop", subsystem: nqn, address: "", ioQueues: 0,
        isDiscovery: true)
      log(.info, "nvme nvme\(instance): new ctrl: \"\(nqn)\"")
      fabrics.append(controller)
      return controller
    }
    guard let target = createTargetController(nqn, port: port, host: host, transport: "loop")
    else {
      if port.map({ linkedSubsystems(of: $0).contains { sameBytes(subsystemNQN($0), nqn) } })
        == true
      {
        log(.error, "nvme nvme\(instance): Connect for subsystem \(nqn) is not allowed")
      } else {
        log(
          .error,
          "nvme nvme\(instance): Connect Invalid Data Parameter, subsysnqn \"\(nqn)\"")
      }
      throw .ioError
    }
    let count = min(queues, number("attr_qid_max", of: target.subsystem))
    // The host side identifies the controller immediately.
    discoveredSubsystems.insert(target.subsystem)
    log(.info, "nvme nvme\(instance): creating \(count) I/O queues.")
    log(.info, "nvme nvme\(instance): new ctrl: \"\(nqn)\"")
    let controller = FabricsController(
      instance: instance, transport: "loop", subsystem: nqn, address: "", ioQueues: count,
      isDiscovery: false, targetController: target.id)
    fabrics.append(controller)
    return controller
  }

  private mutating func connectTCP(
    _ options: FabricsOptions, host: String, queues: Int
  ) throws(Errno) -> FabricsController {
    let nqn = options.strings["nqn"] ?? ""
    let name = options.strings["traddr"] ?? ""
    guard let port = UInt16(options.strings["trsvcid"] ?? "8009") else { throw .invalidArgument }
    let address = "\(name):\(port)"
    if !options.flags.contains("duplicate_connect"),
      fabrics.contains(where: {
        $0.transport == "tcp" && $0.subsystem == nqn && $0.address == address
      })
    {
      throw .alreadyInProcess
    }
    let instance = freeInstance()
    let count: Int
    var targetController: Int?
    if let remote = machine.tcpTargets.first(where: { $0.address == name && $0.port == port }) {
      guard isDiscovery(nqn, options) || remote.subsystems.contains(nqn) else {
        log(
          .error,
          "nvme nvme\(instance): Connect Invalid Data Parameter, subsysnqn \"\(nqn)\"")
        throw .ioError
      }
      count = min(queues, remote.ioQueues)
    } else if let local = tree.all(.port).first(where: {
      isPortEnabled($0) && value("addr_trtype", of: $0) == "tcp"
        && value("addr_traddr", of: $0) == name && value("addr_trsvcid", of: $0) == String(port)
    }) {
      guard let target = createTargetController(nqn, port: local, host: host, transport: "tcp")
      else { throw .ioError }
      discoveredSubsystems.insert(target.subsystem)
      targetController = target.id
      count = min(queues, number("attr_qid_max", of: target.subsystem))
    } else if machine.tcpTargets.contains(where: { $0.address == name })
      || machine.localAddresses.contains(name)
    {
      log(.error, "nvme nvme\(instance): failed to connect socket: -111")
      throw .connectionRefused
    } else {
      log(.error, "nvme nvme\(instance): failed to connect socket: -113")
      throw .noRouteToHost
    }
    let isDiscovery = isDiscovery(nqn, options)
    if !isDiscovery {
      log(.info, "nvme nvme\(instance): creating \(count) I/O queues.")
      log(.info, "nvme nvme\(instance): mapped \(count)/0/0 default/read/poll queues.")
    }
    log(
      .info,
      "nvme nvme\(instance): new ctrl: NQN \"\(nqn)\", addr \(address), hostnqn: \(host)")
    let controller = FabricsController(
      instance: instance, transport: "tcp", subsystem: nqn, address: address,
      ioQueues: isDiscovery ? 0 : count, isDiscovery: isDiscovery,
      targetController: targetController)
    fabrics.append(controller)
    return controller
  }
}
