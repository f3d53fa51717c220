// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import PCIEndpoint
internal import SystemPackage

/// The endpoint functions of a machine, for a profile that has its subsystems and ports already.
struct FunctionExporter {
  let reader: MachineReader
  var profile: Profile

  private var drivers: [FunctionDriver] = []

  init(reader: MachineReader, profile: Profile) {
    self.reader = reader
    self.profile = profile
  }

  mutating func all() throws(ConfigFSError) {
    let tree = EndpointTree(on: reader.machine.configFS)
    guard tree.isAvailable else { return }
    var bound: [FilePath: EndpointController] = [:]
    for controller in try tree.controllers() {
      for link in try controller.directory.links() { bound[link.target] = controller }
    }
    let functions = try tree.allFunctions().filter { reader.isChosen($0.directory) }
    for item in ordered(functions) {
      let primary = try reader.linkTargets(item.primary.directory).first.map(tree.controller)
      guard FunctionDriver.nvmeDrivers.contains(item.driver) else {
        reader.warn(item.directory, "\(item.driver.name) provides no NVMe functions: left out")
        continue
      }
      guard let controller = bound[item.directory.path] ?? primary else {
        reader.warn(item.directory, "is not bound to an endpoint controller: left out")
        continue
      }
      if let first = drivers.first, first != item.driver {
        reader.warn(
          item.directory, "a profile has one driver, here \(first.name): left out",
          hint: "name one of the profiles that created them")
        continue
      }
      guard let function = try function(item, on: controller) else { continue }
      drivers = [item.driver]
      profile.functions.append(function)
    }
    if let driver = drivers.first {
      profile.driver = Profile.DriverChoice(rawValue: driver.name) ?? .auto
    }
    settleSubsystems()
  }

  /// In the order of binding, which determines the function numbers, if it is known.
  private func ordered(_ functions: [EndpointFunction]) -> [EndpointFunction] {
    let links: [String] = reader.owned.entries.compactMap {
      if case .link(_, let target) = $0.operation { target } else { nil }
    }
    return functions.sorted { a, b in
      let order = [a, b].map { item in
        (links.firstIndex(of: item.directory.path.string) ?? .max, item.name)
      }
      return order[0] < order[1]
    }
  }

  /// The values with which the function was bound: another function of the driver may have changed the attributes.
  private func header(_ attribute: Attribute<Hex16>) -> UInt16? {
    text(attribute.path).flatMap { Hex16(attributeText: $0)?.rawValue }
  }

  private func header(_ attribute: Attribute<Hex8>) -> UInt8? {
    text(attribute.path).flatMap { Hex8(attributeText: $0)?.rawValue }
  }

  private func text(_ path: FilePath) -> String? {
    reader.owned.lastWritten[path.string] ?? (try? reader.machine.configFS.read(path))
  }

  private func function(
    _ item: EndpointFunction, on controller: EndpointController
  ) throws(ConfigFSError) -> Profile.Function? {
    guard let vendorID = header(item.vendorID), let deviceID = header(item.deviceID),
      let target = target(of: item)
    else { return nil }
    var function = Profile.Function(
      name: item.name, vendorID: vendorID, deviceID: deviceID, target: target)
    function.revisionID = header(item.revisionID) ?? 0
    function.subsystemVendorID = header(item.subsystemVendorID).flatMap { $0 == 0 ? nil : $0 }
    function.subsystemID = header(item.subsystemID).flatMap { $0 == 0 ? nil : $0 }
    function.classCode =
      UInt32(header(item.baseClass) ?? 1) << 16 | UInt32(header(item.subclass) ?? 8) << 8
      | UInt32(header(item.programmingInterface) ?? 2)
    function.interruptPin = header(item.interruptPin) ?? 1
    function.cacheLineSize = header(item.cacheLineSize) ?? 0
    function.msixVectors = (try? item.msixVectors.read()) ?? 0
    function.msiVectors = (try? item.msiVectors.read()) ?? 0
    function.controller = controller.name
    function.start = (try? controller.isStarted.read()) ?? true
    addGroup(of: item, to: &function)
    let group = item.directory.child("nvme")
    var texts = try reader.texts(of: item.directory)
    if group.exists { texts += try reader.texts(of: group, prefix: "nvme/") }
    function.attributes = ProfileSchema.function.raw(texts)
    warnOfLinks(item)
    return function
  }

  /// The driver's own attributes.
  private func addGroup(of item: EndpointFunction, to function: inout Profile.Function) {
    switch item.nvmeGroup {
    case .target(let group):
      let limit = (try? group.transferLimit.read())?.kibibytes
      let defaultLimit = TargetGroup.TransferLimit.default(
        pageSize: reader.machine.facts.pageSize)
      function.mdtsKiB = limit == defaultLimit ? nil : limit
      let port = try? group.portID.read()
      let offering = profile.ports.last {
        $0.transport == .pci && $0.subsystems.contains(function.target.nqn)
      }
      if let port, port != offering?.id {
        reader.warn(
          group.directory,
          "port \(port) serves the function; setup would use "
            + (offering.map { "port \($0.id)" } ?? "a separate port"))
      }
    case .fabrics(let group):
      let limit = (try? group.transferLimit.read())?.kibibytes
      function.mdtsKiB = limit == FabricsGroup.TransferLimit.default.kibibytes ? nil : limit
      // A bind that found no channels shows false, too.
      let isOurs = reader.owned.directories.contains(item.directory.path.string)
      if let written = reader.owned.lastWritten[group.usesDMA.path.string] {
        function.dma = Bool(attributeText: written)
      } else if !isOurs, let shown = try? group.usesDMA.read(), !shown,
        !ClearedAtBind.explains(
          group.usesDMA.path, shown: shown.attributeText, wanted: true.attributeText,
          on: reader.machine)
      {
        function.dma = false
      }
      if let options = try? group.controllerOptions.read() {
        function.ioQueues = options.ioQueues.flatMap { UInt16(exactly: $0) }
        function.queueSize = options.queueSize.flatMap { UInt16(exactly: $0) }
      }
    case nil: break
    }
  }

  private func target(of item: EndpointFunction) -> Profile.FunctionTarget? {
    switch item.nvmeGroup {
    case .target(let group):
      guard let nqn = reader.text(group.directory, "subsysnqn"), !nqn.isEmpty else {
        reader.warn(item.directory, "has no subsystem: left out")
        return nil
      }
      return local(nqn, .pci, item)
    case .fabrics(let group):
      guard let options = try? group.controllerOptions.read(), let nqn = options.nqn else {
        reader.warn(item.directory, "has no target: left out")
        return nil
      }
      return fabrics(options, nqn, item)
    case nil: return nil
    }
  }

  private func local(
    _ nqn: String, _ spelled: Profile.Port.Transport, _ item: EndpointFunction
  ) -> Profile.FunctionTarget? {
    guard profile.subsystem(nqn) != nil else {
      reader.warn(item.directory, "its subsystem \(nqn) is not exported: left out")
      return nil
    }
    return .local(nqn: nqn, spelled: spelled)
  }

  private func fabrics(
    _ options: FabricsOptions, _ nqn: String, _ item: EndpointFunction
  ) -> Profile.FunctionTarget? {
    // Formats the options that a profile supports; the remaining options differ.
    var sayable = FabricsOptions(transport: options.transport ?? "", nqn: nqn)
    sayable.ioQueues = options.ioQueues
    sayable.queueSize = options.queueSize
    var result: Profile.FunctionTarget?
    switch options.transport {
    case "loop": result = local(nqn, .loop, item)
    case "tcp":
      guard let address = options.address else { break }
      var target = Profile.TCPTarget(nqn: nqn, address: address)
      // The kernel's default.
      target.port = options.serviceID.flatMap { UInt16($0) } ?? 8009
      target.hostNQN = options.hostNQN
      target.hostID = options.hostID
      target.hostAddress = options.hostAddress
      target.keepAliveSeconds = options.keepAliveTimeout.flatMap { UInt32(exactly: $0) }
      target.reconnectDelaySeconds = options.reconnectDelay.flatMap { UInt32(exactly: $0) }
      target.controllerLossSeconds = options.controllerLossTimeout
      sayable.address = address
      sayable.serviceID = options.serviceID
      sayable.hostNQN = options.hostNQN
      sayable.hostID = options.hostID
      sayable.hostAddress = options.hostAddress
      sayable.keepAliveTimeout = options.keepAliveTimeout
      sayable.reconnectDelay = options.reconnectDelay
      sayable.controllerLossTimeout = options.controllerLossTimeout
      result = .tcp(target)
    default:
      reader.warn(
        item.directory,
        "profiles have no target of transport \(options.transport ?? "none"): left out")
    }
    if result != nil, sayable != options {
      reader.warn(
        item.directory, "has options that profiles do not support: \(options.description)",
        hint: "a profile supports \(sayable.description)")
    }
    return result
  }

  private func warnOfLinks(_ item: EndpointFunction) {
    for directory in [item.secondary.directory, item.directory] {
      for name in (try? reader.linkTargets(directory)) ?? [] {
        reader.warn(
          directory,
          directory.name == "secondary"
            ? "a second controller is left out: \(name)" : "a virtual function is left out: \(name)"
        )
      }
    }
  }

  /// Removes values that functions and subsystems state twice, and values that setup would refuse.
  private mutating func settleSubsystems() {
    for index in profile.subsystems.indices {
      let subsystem = profile.subsystems[index]
      let mine = profile.functions.indices.filter {
        if case .local(subsystem.nqn, _) = profile.functions[$0].target { true } else { false }
      }
      guard !mine.isEmpty else { continue }
      if profile.driver == .nvmetPCIEPF {
        // The driver shows the subsystem's.
        for function in mine {
          if let id = subsystem.vendorID { profile.functions[function].vendorID = id }
          profile.functions[function].subsystemVendorID = subsystem.subsystemVendorID
        }
        profile.subsystems[index].vendorID = nil
        profile.subsystems[index].subsystemVendorID = nil
      }
      let vectors = mine.flatMap { function in
        [profile.functions[function].msixVectors, UInt16(profile.functions[function].msiVectors)]
      }.filter { $0 > 0 }
      let queues = subsystem.maximumQueueID ?? 128
      if let fewest = vectors.min(), fewest <= queues {
        profile.subsystems[index].maximumQueueID = nil
        reader.warn(
          "nvmet/subsystems/\(subsystem.nqn)/attr_qid_max",
          "\(queues) I/O queues are more than \(fewest) vectors serve: left out; setup uses \(fewest - 1)"
        )
      }
    }
  }
}
