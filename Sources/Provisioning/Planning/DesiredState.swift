// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// A profile on one machine, as facts in bring-up order.
///
/// The order is that of both drivers' documents: modules, backings, subsystems, ports, functions, binding, start. Taking
/// things down in the reverse order never passes a state that the kernel cannot bear.
struct DesiredState {
  let profile: Profile
  let resolution: Resolution
  let machine: Machine
  private(set) var list = FactList()

  private let target: TargetTree
  private let endpoints: EndpointTree
  /// The fact that makes a backing usable.
  private var backingFacts: [String: Int] = [:]
  /// Per subsystem: what takes effect, or is allowed, only while no controller exists.
  private var subsystemFacts: [String: [Int]] = [:]
  private var subsystemDirectories: [String: Int] = [:]
  /// `id nqn` → the link that makes a subsystem reachable through a port.
  private var portLinks: [String: Int] = [:]
  /// Per controller: the links of its functions.
  private var functionLinks: [String: [Int]] = [:]

  init(_ profile: Profile, _ resolution: Resolution, on machine: Machine) throws(ProvisioningError)
  {
    self.profile = profile
    self.resolution = resolution
    self.machine = machine
    target = TargetTree(on: machine.configFS)
    endpoints = EndpointTree(on: machine.configFS)
    do {
      modules()
      for backing in profile.backings { try add(backing) }
      for host in profile.hosts { add(host) }
      for subsystem in profile.subsystems { try add(subsystem) }
      for port in allPorts() { try add(port) }
      for (index, function) in profile.functions.enumerated() { try add(function, index) }
      controllers()
    } catch {
      // Validation has accepted every value; a refusal here is a rule that it lacks.
      throw ProvisioningError(.internal, "a value passed validation and is refused: \(error)")
    }
  }

  var facts: [Fact] { list.facts }

  // MARK: Modules

  private mutating func modules() {
    list.add(.configFSMounted, "the kernel's objects are made in configfs")
    if profile.backings.contains(where: { if case .nullBlock = $0.store { true } else { false } }) {
      // By default the module makes a device of its own, which nobody asked for.
      list.add(
        .module("null_blk", parameters: ["nr_devices=0"]),
        "null_blk devices are made by this module")
    }
    if profile.backings.contains(where: { if case .loopDevice = $0.store { true } else { false } })
    {
      list.add(.module("loop", parameters: []), "loop devices are made by this module")
    }
    if !profile.subsystems.isEmpty || !profile.ports.isEmpty || !profile.hosts.isEmpty {
      list.add(
        .module(TargetTree.moduleName, parameters: []), "NVMe subsystems are made by this module")
    }
    var transports: [String] = []
    for port in allPorts() {
      if let module = TransportType(rawValue: port.transport.rawValue)?.moduleName,
        !transports.contains(module)
      {
        transports.append(module)
        list.add(
          .module(module, parameters: []),
          "ports of type \(port.transport.rawValue) need this module")
      }
    }
    if let driver = resolution.driver, !transports.contains(driver.moduleName) {
      list.add(
        .module(driver.moduleName, parameters: []),
        "functions are made by the driver \(driver.name)")
    }
  }

  // MARK: Backings

  private mutating func add(_ backing: Profile.Backing) throws(InvalidValue) {
    switch backing.store {
    case .block: break
    case .file(let file): addFile(file)
    case .loopDevice(let loop):
      addFile(loop.file)
      backingFacts[backing.name] = list.add(
        .loop(
          backing: backing.name,
          LoopConfiguration(
            file: loop.file.path, offset: loop.offset, blockSize: loop.blockSize ?? 0,
            usesDirectIO: loop.directIO)),
        "the backing \"\(backing.name)\" is a block device in front of \(loop.file.path)",
        disruption: "the namespace's device goes away")
    case .nullBlock(let device): addNullBlock(device, backing)
    }
  }

  private mutating func addFile(_ file: Profile.File) {
    guard file.create, let size = file.sizeMiB else { return }
    list.add(.file(path: file.path, bytes: size << 20), "the profile asks to create \(file.path)")
  }

  private mutating func addNullBlock(_ device: Profile.NullBlock, _ backing: Profile.Backing) {
    let name = profile.deviceName(of: backing) ?? backing.name
    let tree = NullBlockTree(on: machine.configFS)
    let item = tree.devices[name]
    let reason = "the backing \"\(backing.name)\""
    let directory = list.add(
      .directory(item.directory.path), "\(reason) is the device /dev/\(name)")
    var attributes: [Int] = []
    func set<Value>(_ attribute: Attribute<Value>, _ value: Value?) {
      if let value { attributes.append(list.add(attribute, value, reason, needs: [directory])) }
    }
    set(item.size, device.sizeMiB)
    set(item.blockSize, device.blockSize)
    set(item.isMemoryBacked, device.memoryBacked)
    set(item.supportsDiscard, device.discard)
    set(item.cacheSize, device.cacheSizeMiB)
    // The kernel makes no more queues than there are CPUs, and shows what it made.
    set(
      item.submissionQueues, device.submitQueues.map { min($0, UInt32(machine.facts.onlineCPUs)) })
    set(item.queueDepth, device.hardwareQueueDepth)
    set(item.completionTime, device.completionNanoseconds)
    set(item.interruptMode, device.irqMode)
    set(item.bandwidthLimit, device.mbps)
    set(item.isRotational, device.rotational)
    set(item.isZoned, device.zoned)
    if device.zoned == true {
      set(item.zoneSize, device.zoneSizeMiB)
      // 0 is the whole zone, and is shown as that.
      set(
        item.zoneCapacity,
        device.zoneCapacityMiB.map { $0 == 0 ? device.zoneSizeMiB ?? 256 : $0 })
      set(item.maximumOpenZones, device.maximumOpenZones)
      set(item.maximumActiveZones, device.maximumActiveZones)
    }
    attributes += raw(device.attributes, item.directory, reason, needs: directory)
    let power = list.add(
      item.isPowered, true, "\(reason) appears as a block device", role: .state(off: "0\n"),
      disruption: "the namespace's device goes away", needs: [directory])
    list.freeze(attributes, by: [power])
    backingFacts[backing.name] = list.add(
      .deviceNode(FilePath("/dev/\(name)")), "\(reason) must have its device node", needs: [power])
  }

  /// Attributes that the profile has no key for.
  private mutating func raw(
    _ attributes: [Profile.RawAttribute], _ directory: ConfigDirectory, _ reason: String,
    needs: Int
  ) -> [Int] {
    attributes.map { attribute in
      list.add(
        .attribute(
          FilePath(directory.path.string + "/" + attribute.name), .text(attribute.text),
          shown: attribute.text, .raw), "\(reason), kept as it was found", needs: [needs])
    }
  }

  // MARK: Hosts and subsystems

  private var hostDirectories: [String: Int] = [:]

  private mutating func add(_ host: Profile.Host) {
    let directory = hostDirectory(host.nqn)
    _ = raw(
      host.attributes, target.hosts[host.nqn].directory, "the host \(host.nqn)", needs: directory)
  }

  private mutating func hostDirectory(_ nqn: String) -> Int {
    if let known = hostDirectories[nqn] { return known }
    let directory = list.add(.directory(target.hosts[nqn].directory.path), "the host \(nqn)")
    hostDirectories[nqn] = directory
    return directory
  }

  private mutating func add(_ subsystem: Profile.Subsystem) throws(InvalidValue) {
    let item = target.subsystems[subsystem.nqn]
    let functions = functions(on: subsystem.nqn)
    let directory = list.add(
      .directory(item.directory.path), "the NVMe subsystem \(subsystem.nqn)")
    subsystemDirectories[subsystem.nqn] = directory
    var beforeControllers: [Int] = []

    func set<Value>(_ attribute: Attribute<Value>, _ value: Value?, _ reason: String) {
      if let value {
        beforeControllers.append(list.add(attribute, value, reason, needs: [directory]))
      }
    }
    let identity = "identity that hosts see"
    set(item.model, try convert(subsystem.model, ModelNumber.init), identity)
    set(
      item.serial, try SerialNumber(subsystem.serial ?? derivedSerial(subsystem.nqn)),
      subsystem.serial == nil
        ? "derived from the profile's name, so that it survives a restart" : identity)
    set(item.firmware, try convert(subsystem.firmware, FirmwareRevision.init), identity)
    set(item.organization, try convert(subsystem.ieeeOUI, OUI.init), identity)
    set(item.version, try convert(subsystem.version, SpecificationVersion.init), identity)
    set(item.maximumControllerID, subsystem.controllerIDMaximum, "range of controller ids")
    set(item.minimumControllerID, subsystem.controllerIDMinimum, "range of controller ids")
    if resolution.driver == .nvmetPCIEPF, let first = functions.first {
      // This driver overwrites the function's vendor IDs with the subsystem's.
      set(
        item.vendorID, VendorID(rawValue: vendorID(of: first)), "PCI vendor ID that the host reads")
      set(
        item.subsystemVendorID, VendorID(rawValue: subsystemVendorID(of: first)),
        "PCI subsystem vendor ID that the host reads")
    } else if resolution.driver != .pciEPFNVMe {
      set(item.vendorID, subsystem.vendorID.map { VendorID(rawValue: $0) }, identity)
      set(
        item.subsystemVendorID, subsystem.subsystemVendorID.map { VendorID(rawValue: $0) },
        identity)
    }
    set(item.maximumQueueID, maximumQueueID(of: subsystem), "I/O queues that a host may create")
    beforeControllers += raw(
      subsystem.attributes, item.directory, "the NVMe subsystem \(subsystem.nqn)",
      needs: directory)

    let isOpen = subsystem.allowAnyHost ?? subsystem.allowedHosts.isEmpty
    list.add(
      item.allowsAnyHost, isOpen,
      functions.isEmpty ? "who may connect" : "a function connects with a random host NQN",
      needs: [directory])
    for host in subsystem.allowedHosts {
      let hostItem = target.hosts[host]
      let hostDirectory = hostDirectory(host)
      list.add(
        .link(item.allowedHosts.directory.path.appending(host), to: hostItem.directory.path),
        "the host \(host) may connect", needs: [directory, hostDirectory])
    }
    subsystemFacts[subsystem.nqn] = beforeControllers
    for namespace in subsystem.namespaces {
      try add(namespace, of: subsystem, item, directory, isSeen: !functions.isEmpty)
    }
  }

  private mutating func add(
    _ namespace: Profile.Namespace, of subsystem: Profile.Subsystem, _ item: NVMeTarget.Subsystem,
    _ parent: Int, isSeen: Bool
  ) throws(InvalidValue) {
    let space = item.namespaces["\(namespace.id)"]
    let reason = "namespace \(namespace.id)"
    let directory = list.add(
      .directory(space.directory.path), "\(reason) stores to the backing \"\(namespace.backing)\"",
      needs: [parent])
    var frozen: [Int] = []
    guard let backing = profile.backing(named: namespace.backing) else { return }
    if case .loopDevice = backing.store {
      frozen.append(
        list.add(
          .attribute(
            space.devicePath.path, .loopDevice(backing: backing.name), shown: "", .plain), reason,
          needs: [directory] + (backingFacts[backing.name].map { [$0] } ?? [])))
    } else {
      frozen.append(
        list.add(
          space.devicePath, try DevicePath(devicePath(of: backing)), reason, needs: [directory]))
    }
    let seed = "\(subsystem.nqn)\n\(namespace.id)"
    frozen.append(
      list.add(
        space.uuid, try UUIDText(namespace.uuid ?? derivedUUID(seed)),
        "identity that host device links are made of", needs: [directory]))
    frozen.append(
      list.add(
        space.nguid, try NGUID(namespace.nguid ?? derivedUUID(seed + "\nnguid")),
        "identity that host device links are made of", needs: [directory]))
    if let buffered = namespace.bufferedIO {
      frozen.append(list.add(space.usesBufferedIO, buffered, reason, needs: [directory]))
    }
    if let reservations = namespace.reservations {
      frozen.append(list.add(space.supportsReservations, reservations, reason, needs: [directory]))
    }
    frozen += raw(namespace.attributes, space.directory, reason, needs: directory)
    if let group = namespace.anaGroup {
      list.add(space.anaGroupID, group, reason, needs: [directory])
    }
    guard namespace.enabled else {
      list.add(space.isEnabled, false, "\(reason) is to be disabled", needs: [directory])
      return
    }
    let enable = list.add(
      space.isEnabled, true, "\(reason) opens its backing", role: .state(off: "0\n"),
      disruption: isSeen ? "namespace \(namespace.id) goes away for a while" : nil,
      needs: [directory] + (backingFacts[backing.name].map { [$0] } ?? []))
    list.freeze(frozen, by: [enable])
  }

  private func devicePath(of backing: Profile.Backing) -> String {
    switch backing.store {
    case .nullBlock: "/dev/\(profile.deviceName(of: backing) ?? "")"
    case .file(let file): file.path
    case .block(let path): path
    case .loopDevice(let loop): loop.file.path
    }
  }

  private func functions(on nqn: String) -> [Profile.Function] {
    profile.functions.filter {
      $0.target == .local(nqn: nqn, spelled: .loop) || $0.target == .local(nqn: nqn, spelled: .pci)
    }
  }

  /// The limit that keeps a host from queues which the function has no vector, and the driver no room, for.
  private func maximumQueueID(of subsystem: Profile.Subsystem) -> UInt16? {
    let wishes = functions(on: subsystem.nqn).compactMap(ioQueues)
    guard resolution.driver == .nvmetPCIEPF, !wishes.isEmpty else {
      return subsystem.maximumQueueID ?? wishes.min()
    }
    let limit = min(wishes.min() ?? .max, ProfileRules.Limit.ioQueuesOfNVMeTPCIEPF)
    return min(subsystem.maximumQueueID ?? limit, limit)
  }

  /// The I/O queues of a function: as asked for, or as many as its vectors allow.
  private func ioQueues(of function: Profile.Function) -> UInt16? {
    if let queues = function.ioQueues { return queues }
    let counts = [function.msixVectors, UInt16(function.msiVectors)].filter { $0 > 0 }
    if let fewest = counts.min() { return fewest - 1 }
    return resolution.driver == .nvmetPCIEPF ? ProfileRules.Limit.ioQueuesOfNVMeTPCIEPF : nil
  }

  // MARK: Ports

  /// The declared ports, and one for the functions when none of those fits.
  private func allPorts() -> [Profile.Port] {
    guard let id = resolution.functionPort else { return profile.ports }
    let transport = resolution.functionTransport
    var port = Profile.Port(id: id, transport: transport)
    for function in profile.functions {
      guard case .local(let nqn, _) = function.target, !port.subsystems.contains(nqn),
        !profile.ports.contains(where: { $0.transport == transport && $0.subsystems.contains(nqn) })
      else { continue }
      port.subsystems.append(nqn)
      if transport == .pci, let size = function.queueSize {
        port.maximumQueueSize = max(port.maximumQueueSize ?? 0, Int32(size))
      }
    }
    return profile.ports + [port]
  }

  private mutating func add(_ port: Profile.Port) throws(InvalidValue) {
    let item = target.ports["\(port.id)"]
    let directory = list.add(.directory(item.directory.path), "nvmet port \(port.id)")
    var frozen: [Int] = []
    func set<Value>(_ attribute: Attribute<Value>, _ value: Value?) {
      if let value {
        frozen.append(
          list.add(
            attribute, value, "port \(port.id) is of type \(port.transport.rawValue)",
            needs: [directory]))
      }
    }
    set(item.transport, TransportType(rawValue: port.transport.rawValue))
    set(item.addressFamily, port.addressFamily.flatMap { AddressFamily(rawValue: $0) })
    set(item.address, try convert(port.address, TransportAddress.init))
    set(item.serviceID, try convert(port.service, ServiceID.init))
    set(item.inlineDataSize, port.inlineDataSize)
    set(item.maximumQueueSize, port.maximumQueueSize)
    set(item.maximumTransfer, port.mdts)
    frozen += raw(port.attributes, item.directory, "nvmet port \(port.id)", needs: directory)
    for group in port.anaGroups {
      let groupItem = item.anaGroups["\(group.id)"]
      // Group 1 is always there, but it counts as ours where the port is.
      let made =
        group.id == 1
        ? directory
        : list.add(
          .directory(groupItem.directory.path), "ANA group \(group.id) of port \(port.id)",
          needs: [directory])
      if let state = ANAState(rawValue: group.state) {
        list.add(
          groupItem.state, state, "how port \(port.id) sees the namespaces of the group",
          needs: [made])
      }
    }
    for nqn in port.subsystems {
      let subsystem = target.subsystems[nqn]
      let link = list.add(
        .link(item.subsystems.directory.path.appending(nqn), to: subsystem.directory.path),
        "port \(port.id) offers \(nqn)", disruption: "hosts of port \(port.id) lose the subsystem",
        needs: [directory] + (subsystemDirectories[nqn].map { [$0] } ?? []))
      list.freeze(frozen, by: [link])
      portLinks["\(port.transport.rawValue) \(nqn)"] = link
      portIDs["\(port.transport.rawValue) \(nqn)"] = port.id
    }
  }

  private var portIDs: [String: UInt16] = [:]

  // MARK: Functions

  private mutating func add(_ function: Profile.Function, _ index: Int) throws(InvalidValue) {
    guard let driver = resolution.driver else { return }
    let controller = resolution.controllers[index]
    let item = endpoints.functions(of: driver)[function.name]
    let directory = list.add(
      .directory(item.directory.path), "the endpoint function of \(driver.name)")
    for late in ["primary", "nvme"] {
      list.add(
        .lateDirectory(item.directory.path.appending(late)),
        "older kernels make it only after mkdir has returned", needs: [directory])
    }
    var frozen: [Int] = []
    header(of: function, item, needs: directory, &frozen)
    func set<Value>(
      _ attribute: Attribute<Value>, _ value: Value?, _ reason: String, role: Fact.Role = .plain
    ) {
      if let value {
        frozen.append(list.add(attribute, value, reason, role: role, needs: [directory]))
      }
    }
    set(item.msixVectors, function.msixVectors, "MSI-X vectors, one of them for the admin queue")
    set(item.msiVectors, function.msiVectors, "MSI vectors, in case the controller has no MSI-X")

    frozen += raw(
      function.attributes, item.directory, "the endpoint function \(function.name)",
      needs: directory)

    let key = "\(resolution.functionTransport.rawValue) \(function.target.nqn)"
    if driver == .nvmetPCIEPF {
      let group = TargetGroup(directory: item.directory.child("nvme"))
      set(group.subsystemNQN, try SubsystemNQN(function.target.nqn), "the subsystem to serve")
      set(group.portID, portIDs[key] ?? 0, "the port through which it is reached")
      set(
        group.transferLimit,
        try convert(function.mdtsKiB) { value throws(InvalidValue) in
          try TargetGroup.TransferLimit(kibibytes: value, pageSize: machine.facts.pageSize)
        }, "largest transfer, MDTS")
    } else {
      let group = FabricsGroup(directory: item.directory.child("nvme"))
      set(group.controllerOptions, try fabricsOptions(of: function), "the target to serve")
      set(
        group.transferLimit, try convert(function.mdtsKiB, FabricsGroup.TransferLimit.init),
        "largest transfer, MDTS")
      set(
        group.usesDMA, function.dma, "whether transfers use a DMA engine",
        role: .usedAtBind(isShared: false))
    }

    var needs = [directory] + (portLinks[key].map { [$0] } ?? [])
    if driver == .pciEPFNVMe {
      needs.append(
        list.add(
          .connection(try fabricsOptions(of: function).destination),
          "binding connects to the target, and unbinding does not disconnect"))
    }
    let epc = endpoints.controller(controller)
    let link = list.add(
      .link(epc.directory.path.appending(function.name), to: item.directory.path),
      "binds the function to the controller \(controller)",
      disruption: "the host loses the NVMe controller of \(function.name)",
      needs: needs)
    list.freeze(frozen, by: [link])
    if let facts = subsystemFacts[function.target.nqn] { list.freeze(facts, by: [link]) }
    functionLinks[controller, default: []].append(link)
    list.add(
      .controller(function: item.directory.path, driver: driver.name),
      "binding succeeds even when the NVMe controller could not be created", needs: [link])
  }

  /// Every header field, since defaults may have been changed through another function of the driver.
  private mutating func header(
    of function: Profile.Function, _ item: EndpointFunction, needs directory: Int,
    _ frozen: inout [Int]
  ) {
    let isMainline = resolution.driver == .nvmetPCIEPF
    func set<Value>(_ attribute: Attribute<Value>, _ value: Value, _ reason: String) {
      frozen.append(
        list.add(
          attribute, value, reason, role: .usedAtBind(isShared: true), needs: [directory]))
    }
    let id = "PCI identity that the host reads"
    set(
      item.vendorID, Hex16(rawValue: isMainline ? vendorID(of: function) : function.vendorID), id)
    set(item.deviceID, Hex16(rawValue: function.deviceID), id)
    set(item.revisionID, Hex8(rawValue: function.revisionID), id)
    let classReason = "class code: the host's NVMe driver looks for it"
    set(
      item.programmingInterface, Hex8(rawValue: UInt8(truncatingIfNeeded: function.classCode)),
      classReason)
    set(
      item.subclass, Hex8(rawValue: UInt8(truncatingIfNeeded: function.classCode >> 8)), classReason
    )
    set(
      item.baseClass, Hex8(rawValue: UInt8(truncatingIfNeeded: function.classCode >> 16)),
      classReason)
    set(item.cacheLineSize, Hex8(rawValue: function.cacheLineSize), id)
    set(
      item.subsystemVendorID,
      Hex16(
        rawValue: isMainline ? subsystemVendorID(of: function) : function.subsystemVendorID ?? 0),
      id)
    set(item.subsystemID, Hex16(rawValue: function.subsystemID ?? 0), id)
    set(item.interruptPin, Hex8(rawValue: function.interruptPin), "INTx pin")
  }

  /// With nvmet_pci_epf the subsystem's IDs win.
  private func vendorID(of function: Profile.Function) -> UInt16 {
    let first = functions(on: function.target.nqn).first ?? function
    return profile.subsystem(function.target.nqn)?.vendorID ?? first.vendorID
  }

  private func subsystemVendorID(of function: Profile.Function) -> UInt16 {
    let first = functions(on: function.target.nqn).first ?? function
    return profile.subsystem(function.target.nqn)?.subsystemVendorID ?? first.subsystemVendorID ?? 0
  }

  private func fabricsOptions(of function: Profile.Function) throws(InvalidValue) -> FabricsOptions
  {
    var options: FabricsOptions
    switch function.target {
    case .local(let nqn, _):
      options = FabricsOptions(transport: "loop", nqn: nqn)
    case .tcp(let target):
      options = FabricsOptions(transport: "tcp", nqn: target.nqn)
      options.address = target.address
      options.serviceID = "\(target.port)"
      options.hostNQN = target.hostNQN
      options.hostID = target.hostID
      options.hostAddress = target.hostAddress
      options.keepAliveTimeout = target.keepAliveSeconds.map { Int32(clamping: $0) }
      options.reconnectDelay = target.reconnectDelaySeconds.map { Int32(clamping: $0) }
      options.controllerLossTimeout = target.controllerLossSeconds
    }
    options.ioQueues = function.ioQueues.map { Int32($0) }
    options.queueSize = function.queueSize.map { Int32($0) }
    try options.validate()
    return options
  }

  private mutating func controllers() {
    var started: [String] = []
    for (index, function) in profile.functions.enumerated() where function.start {
      let name = resolution.controllers[index]
      guard !started.contains(name) else { continue }
      started.append(name)
      let links = functionLinks[name] ?? []
      let start = list.add(
        endpoints.controller(name).isStarted, true,
        "starts link training, so that the host sees the device",
        role: .state(off: "0\n"), disruption: "the PCIe link of \(name) goes down", needs: links)
      // Most controllers cannot take another function once the link is up.
      list.freeze(links, by: [start])
    }
  }

  // MARK: Identity

  /// 20 hexadecimal digits that depend on nothing but the profile's name and the subsystem.
  private func derivedSerial(_ nqn: String) -> String {
    String(digest("serial\n\(nqn)").prefix(20))
  }

  /// A version 8 UUID (RFC 9562) that depends on nothing but the profile's name and a seed.
  private func derivedUUID(_ seed: String) -> String {
    var digits = Array(digest("uuid\n\(seed)"))
    digits[12] = "8"
    digits[16] = "a"
    for place in [20, 16, 12, 8] { digits.insert("-", at: place) }
    return String(digits)
  }

  /// 32 hexadecimal digits: two 64-bit FNV-1a sums with different beginnings.
  private func digest(_ text: String) -> String {
    let bytes = Array("\(profile.name)\n\(text)".utf8)
    return [0xcbf2_9ce4_8422_2325, 0x6c62_272e_07bb_0142].map { (start: UInt64) in
      let sum = bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
      // One more round spreads the last bytes over all digits.
      let mixed = (sum ^ (sum >> 29)) &* 0xbf58_476d_1ce4_e5b9
      let digits = String(mixed ^ (mixed >> 32), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  private func convert<T, Value>(
    _ value: T?, _ make: (T) throws(InvalidValue) -> Value
  ) throws(InvalidValue) -> Value? {
    guard let value else { return nil }
    return try make(value)
  }
}

extension FabricsOptions {
  /// Where a connection with these options leads.
  var destination: FabricsAddress {
    // 8009 is what the kernel takes for TCP when none is given.
    FabricsAddress(
      transport: transport ?? "", nqn: nqn ?? "", address: address,
      serviceID: transport == "tcp" ? serviceID ?? "8009" : serviceID)
  }
}
