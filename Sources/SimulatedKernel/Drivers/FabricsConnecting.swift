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

extension KernelState {
  /// Creates a fabrics controller from an option string: parses, loads the transport, checks, connects.
  mutating func connect(_ text: String) throws(Errno) -> FabricsController {
    var lines: [(LogLevel, String)] = []
    let parsed: Result<ParsedFabricsOptions, Errno>
    do {
      parsed = .success(
        try ParsedFabricsOptions(text, options: machine.options) { lines.append(($0, $1)) })
    } catch { parsed = .failure(error) }
    for (level, line) in lines { log(level, "nvme_fabrics: " + line) }
    let options = try parsed.get()
    let host = options.strings["hostnqn"] ?? ownHost.nqn
    try checkHost(host, options.strings["hostid"] ?? ownHost.id)

    let transport = options.strings["transport"]
    if let module = transport.flatMap({ ParsedFabricsOptions.transports[$0]?.module }) {
      try? loadModule(module, parameters: [])
    }
    for name in ["transport", "nqn"] where options.strings[name] == nil {
      log(.warning, "nvme_fabrics: missing parameter '\(ParsedFabricsOptions.pattern(name))'")
      throw .invalidArgument
    }
    guard let transport, let rules = ParsedFabricsOptions.transports[transport],
      isModulePresent(rules.module)
    else {
      log(.info, "nvme_fabrics: no handler found for transport \(transport ?? "").")
      throw .invalidArgument
    }
    for name in rules.needs where options.strings[name] == nil {
      log(.warning, "nvme_fabrics: missing parameter '\(ParsedFabricsOptions.pattern(name))'")
      throw .invalidArgument
    }
    for name in options.given
    where !ParsedFabricsOptions.always.contains(name) && !rules.takes.contains(name) {
      log(.warning, "nvme_fabrics: invalid parameter '\(ParsedFabricsOptions.pattern(name))'")
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

  private func isDiscovery(_ nqn: String, _ options: ParsedFabricsOptions) -> Bool {
    options.flags.contains("discovery") || nqn == SimulatedKernel.discoveryNQN
  }

  private mutating func connectLoop(
    _ options: ParsedFabricsOptions, host: String, queues: Int
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
    _ options: ParsedFabricsOptions, host: String, queues: Int
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
