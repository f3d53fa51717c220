// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// The endpoint functions of a profile: their attributes, their targets and their bindings.
extension DesiredState {
  /// Keys that one driver only has, or that are fields of the header.
  private static let functionKeys: Set = [
    "revisionID", "subsystemVendorID", "subsystemID", "classCode", "interruptPin", "cacheLineSize",
    "msixVectors", "msiVectors", "mdtsKiB", "dma",
  ]

  mutating func add(_ function: Profile.Function, _ index: Int) throws(InvalidValue) {
    guard let driver = resolution.driver else { return }
    let controller = resolution.controllers[index]
    let item = endpoints.functions(of: driver)[function.name]
    let directory = list.add(
      .directory(item.directory.path), "the endpoint function of \(driver.name)")
    for late in ["primary", "nvme"] {
      list.add(
        .lateDirectory(item.directory.path.appending(late)),
        "older kernels create it only after mkdir has returned", needs: [directory])
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

    frozen += settings(
      function.settings, of: ProfileSchema.function, except: Self.functionKeys, item.directory,
      "the endpoint function \(function.name)", needs: directory)
    frozen += raw(
      function.attributes, item.directory, "the endpoint function \(function.name)",
      needs: directory)

    let key = "\(resolution.functionTransport.rawValue) \(function.target.nqn)"
    let group = item.directory.child("nvme")
    if driver == .nvmetPCIEPF {
      let target = TargetGroup(directory: group)
      set(target.subsystemNQN, try SubsystemNQN(function.target.nqn), "the subsystem to serve")
      set(target.portID, portLinks[key]?.port ?? 0, "the port through which it is reached")
      set(
        target.transferLimit,
        try convert(function.mdtsKiB) { value throws(InvalidValue) in
          try TargetGroup.TransferLimit(kibibytes: value, pageSize: machine.facts.pageSize)
        }, "largest transfer, MDTS")
      frozen += defaults(
        ["mdts_kb": "\(machine.facts.pageSize / 1024 * 128)"], group, needs: directory)
    } else {
      let target = FabricsGroup(directory: group)
      set(target.controllerOptions, try fabricsOptions(of: function), "the target to serve")
      set(
        target.transferLimit, try convert(function.mdtsKiB, FabricsGroup.TransferLimit.init),
        "largest transfer, MDTS")
      set(
        target.usesDMA, function.dma, "whether transfers use a DMA engine",
        role: .usedAtBind(isShared: false))
      frozen += defaults(["mdts_kb": "128"], group, needs: directory)
      // The driver clears it where there is no DMA engine.
      frozen += defaults(
        ["dma_enable": "1"], group, needs: directory, role: .usedAtBind(isShared: false))
    }

    var needs = [directory] + (portLinks[key].map { [$0.fact] } ?? [])
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
    if case .local(let nqn, _) = function.target { serve(nqn, by: link) }
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
    let isNVMetPCIEPF = resolution.driver == .nvmetPCIEPF
    func set<Value>(_ attribute: Attribute<Value>, _ value: Value, _ reason: String) {
      frozen.append(
        list.add(
          attribute, value, reason, role: .usedAtBind(isShared: true), needs: [directory]))
    }
    let id = "PCI identity that the host reads"
    set(
      item.vendorID,
      Hex16(rawValue: isNVMetPCIEPF ? profile.vendorIDs(of: function).vendor : function.vendorID),
      id)
    set(item.deviceID, Hex16(rawValue: function.deviceID), id)
    set(item.revisionID, Hex8(rawValue: function.revisionID), id)
    let classReason = "class code, which the host's NVMe driver matches"
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
        rawValue: isNVMetPCIEPF
          ? profile.vendorIDs(of: function).subsystemVendor : function.subsystemVendorID ?? 0),
      id)
    set(item.subsystemID, Hex16(rawValue: function.subsystemID ?? 0), id)
    set(item.interruptPin, Hex8(rawValue: function.interruptPin), "INTx pin")
  }

  func functions(on nqn: String) -> [Profile.Function] {
    profile.functions.filter {
      $0.target == .local(nqn: nqn, spelled: .loop) || $0.target == .local(nqn: nqn, spelled: .pci)
    }
  }

  // MARK: Queues

  /// The limit that prevents a host from creating queues without a vector, for which the driver has no room.
  func maximumQueueID(of subsystem: Profile.Subsystem) -> UInt16? {
    let wishes = functions(on: subsystem.nqn).compactMap(ioQueues)
    guard resolution.driver == .nvmetPCIEPF, !wishes.isEmpty else {
      return subsystem.maximumQueueID ?? wishes.min()
    }
    let limit = min(wishes.min() ?? .max, ProfileRules.Limit.ioQueuesOfNVMeTPCIEPF)
    return min(subsystem.maximumQueueID ?? limit, limit)
  }

  /// The I/O queues of a function: as requested, or as many as its vectors allow.
  private func ioQueues(of function: Profile.Function) -> UInt16? {
    if let queues = function.ioQueues { return queues }
    let counts = [function.msixVectors, UInt16(function.msiVectors)].filter { $0 > 0 }
    if let fewest = counts.min() { return fewest - 1 }
    return resolution.driver == .nvmetPCIEPF ? ProfileRules.Limit.ioQueuesOfNVMeTPCIEPF : nil
  }

  // MARK: The fabrics target

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
}

extension FabricsOptions {
  /// The target of a connection with these options.
  var destination: FabricsAddress {
    // The kernel's default for TCP is 8009.
    FabricsAddress(
      transport: transport ?? "", nqn: nqn ?? "", address: address,
      serviceID: transport == "tcp" ? serviceID ?? "8009" : serviceID)
  }
}
