// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelEvents
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// The NVMe target of a profile: hosts, subsystems with their namespaces, ports.
extension DesiredState {
  // MARK: Hosts

  mutating func add(_ host: Profile.Host) {
    let directory = target.hosts[host.nqn].directory
    let fact = list.add(.directory(directory.path), "the host \(host.nqn)")
    hostDirectories[host.nqn] = fact
    _ = raw(host.attributes, directory, "the host \(host.nqn)", needs: fact)
    hostDefaults(directory, needs: fact)
  }

  private mutating func hostDefaults(_ directory: ConfigDirectory, needs fact: Int) {
    let path = directory.path.string
    let isShared = ownership.owner(of: path) != nil
    // If other profiles share the host, their values are kept; this profile resets its own values.
    let values = ProfileSchema.host.freshTexts().filter { name, _ in
      !isShared || ownership.isOwnAlone("\(path)/\(name)")
    }
    _ = defaults(values, directory, needs: fact)
  }

  private mutating func hostDirectory(_ nqn: String) -> Int {
    if let known = hostDirectories[nqn] { return known }
    let directory = target.hosts[nqn].directory
    let fact = list.add(.directory(directory.path), "the host \(nqn)")
    hostDirectories[nqn] = fact
    // A profile that only allows a host does not change the attributes that other profiles set.
    if ownership.own.directories.contains(directory.path.string) {
      hostDefaults(directory, needs: fact)
    }
    return fact
  }

  // MARK: Subsystems

  /// Keys whose values have a special form, order or default.
  private static let subsystemKeys: Set = [
    "model", "serial", "firmware", "ieeeOUI", "version", "vendorID", "subsystemVendorID",
    "maximumQueueID", "controllerIDMinimum", "controllerIDMaximum", "allowAnyHost",
  ]

  /// Attributes that are fixed once a host has identified the subsystem.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_model_store_locked` and the like.
  private static let identity: Set = [
    "attr_model", "attr_serial", "attr_firmware", "attr_ieee_oui", "attr_version",
  ]

  mutating func add(_ subsystem: Profile.Subsystem) throws(InvalidValue) {
    let item = target.subsystems[subsystem.nqn]
    let functions = functions(on: subsystem.nqn)
    let directory = list.add(
      .directory(item.directory.path), "the NVMe subsystem \(subsystem.nqn)",
      disruption: "the subsystem \(subsystem.nqn) is recreated")
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
      item.serial, try convert(subsystem.serial, SerialNumber.init), identity)
    set(item.firmware, try convert(subsystem.firmware, FirmwareRevision.init), identity)
    set(item.organization, try convert(subsystem.ieeeOUI, OUI.init), identity)
    set(item.version, try convert(subsystem.version, SpecificationVersion.init), identity)
    beforeControllers += controllerIDs(of: subsystem, item, needs: directory)
    if resolution.driver == .nvmetPCIEPF, let first = functions.first {
      // This driver overwrites the function's vendor IDs with the subsystem's.
      set(
        item.vendorID, VendorID(rawValue: profile.vendorIDs(of: first).vendor),
        "PCI vendor ID that the host reads")
      set(
        item.subsystemVendorID, VendorID(rawValue: profile.vendorIDs(of: first).subsystemVendor),
        "PCI subsystem vendor ID that the host reads")
    } else if resolution.driver != .pciEPFNVMe {
      set(item.vendorID, subsystem.vendorID.map { VendorID(rawValue: $0) }, identity)
      set(
        item.subsystemVendorID, subsystem.subsystemVendorID.map { VendorID(rawValue: $0) },
        identity)
    }
    set(item.maximumQueueID, maximumQueueID(of: subsystem), "I/O queues that a host may create")
    beforeControllers += settings(
      subsystem.settings, of: ProfileSchema.subsystem, except: Self.subsystemKeys, item.directory,
      "the NVMe subsystem \(subsystem.nqn)", needs: directory)
    beforeControllers += raw(
      subsystem.attributes, item.directory, "the NVMe subsystem \(subsystem.nqn)",
      needs: directory)
    beforeControllers += defaults(
      freshSubsystem(item.directory), item.directory, needs: directory)
    // Binding a function of pci_epf_nvme identifies the subsystem: values written before could not be restored.
    let isIdentifiedAtBind = resolution.driver == .pciEPFNVMe && !functions.isEmpty
    list.remake(
      facts(beforeControllers, named: Self.identity),
      isIdentifiedAtBind ? .always(item.directory.path) : .onceIdentified(item.directory.path))

    let isOpen = subsystem.allowAnyHost ?? subsystem.allowedHosts.isEmpty
    list.add(
      item.allowsAnyHost, isOpen,
      functions.isEmpty ? "access control of hosts" : "a function connects with a random host NQN",
      needs: [directory])
    for host in subsystem.allowedHosts {
      let hostItem = target.hosts[host]
      let hostDirectory = hostDirectory(host)
      list.add(
        .link(item.allowedHosts.directory.path.appending(host), to: hostItem.directory.path),
        "the host \(host) may connect", needs: [directory, hostDirectory])
    }
    subsystemFacts[subsystem.nqn] = beforeControllers
    let isSeen =
      !functions.isEmpty || profile.ports.contains { $0.subsystems.contains(subsystem.nqn) }
    for namespace in subsystem.namespaces {
      try add(namespace, of: subsystem, item, directory, isSeen: isSeen)
    }
  }

  /// The range of controller ids, in the order in which each bound fits to the other as it is then.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_cntlid_min_store`.
  private mutating func controllerIDs(
    of subsystem: Profile.Subsystem, _ item: NVMeTarget.Subsystem, needs directory: Int
  ) -> [Int] {
    func bound(_ attribute: Attribute<UInt16>, _ value: UInt16?, _ fresh: UInt16) -> Fact {
      let bound = value ?? fresh
      var fact = Fact(
        content: .attribute(
          attribute.path, .text(bound.attributeText), shown: bound.shownText, .plain),
        reason: "range of controller ids")
      fact.isDefault = value == nil
      fact.needs = [directory]
      return fact
    }
    let lowest = bound(item.minimumControllerID, subsystem.controllerIDMinimum, 1)
    let highest = bound(item.maximumControllerID, subsystem.controllerIDMaximum, 65519)
    let isAbove =
      (try? item.maximumControllerID.read()).map { (subsystem.controllerIDMinimum ?? 1) > $0 }
      ?? false
    return (isAbove ? [highest, lowest] : [lowest, highest]).map { list.add($0) }
  }

  /// - Source: `drivers/nvme/target/core.c`, `nvmet_subsys_alloc`; 6.14 brought the vendor ids, and 2.1 with them.
  private func freshSubsystem(_ directory: ConfigDirectory) -> [String: String] {
    var values = ProfileSchema.subsystem.freshTexts(except: ["attr_allow_any_host"])
    values["attr_firmware"] = String(machine.facts.release.prefix(8))
    let isRecent =
      (try? machine.configFS.kind(of: directory.path.appending("attr_vendor_id"))) != nil
    values["attr_version"] = isRecent ? "2.1" : "1.3"
    return values
  }

  // MARK: Namespaces

  private mutating func add(
    _ namespace: Profile.Namespace, of subsystem: Profile.Subsystem, _ item: NVMeTarget.Subsystem,
    _ parent: Int, isSeen: Bool
  ) throws(InvalidValue) {
    let space = item.namespaces["\(namespace.id)"]
    let reason = "namespace \(namespace.id)"
    guard let backing = profile.backing(named: namespace.backing) else { return }
    let directory = list.add(
      .directory(space.directory.path), "\(reason) uses the backing \"\(namespace.backing)\"",
      needs: [parent])
    var frozen: [Int] = []
    let path: Int
    if case .loopDevice = backing.store {
      path = list.add(
        .attribute(
          space.devicePath.path, .loopDevice(backing: backing.name), shown: "", .plain), reason,
        needs: [directory] + (backingFacts[backing.name].map { [$0] } ?? []))
    } else {
      path = list.add(
        space.devicePath, try DevicePath(devicePath(of: backing)), reason, needs: [directory])
    }
    frozen.append(path)
    let identity = "identity that the host's device links use"
    if let uuid = try convert(namespace.uuid, UUIDText.init) {
      frozen.append(list.add(space.uuid, uuid, identity, needs: [directory]))
    }
    if let nguid = try convert(namespace.nguid, NGUID.init) {
      frozen.append(list.add(space.nguid, nguid, identity, needs: [directory]))
    }
    // The ANA group may change while the namespace is enabled.
    frozen += settings(
      namespace.settings, of: ProfileSchema.namespace,
      except: ["uuid", "nguid", "anaGroup", "enabled"], space.directory, reason, needs: directory)
    frozen += raw(namespace.attributes, space.directory, reason, needs: directory)
    if let group = namespace.anaGroup {
      list.add(space.anaGroupID, group, reason, needs: [directory])
    }
    let rest = defaults(
      ProfileSchema.namespace.freshTexts(except: ["enable"]), space.directory, needs: directory)
    frozen += rest.filter { !facts(rest, named: ["ana_grpid"]).contains($0) }
    let enable = list.add(
      space.isEnabled, isOn: namespace.enabled,
      namespace.enabled ? "\(reason) opens its backing" : "\(reason) is disabled in the profile",
      disruption: isSeen
        ? namespace.enabled ? "\(reason) is disabled temporarily" : "\(reason) is removed" : nil,
      needs: namespace.enabled
        ? [directory] + (backingFacts[backing.name].map { [$0] } ?? []) : [directory])
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

  // MARK: Ports

  /// The declared ports, and a port for the functions if none of those is suitable.
  func allPorts() -> [Profile.Port] {
    let transport = resolution.functionTransport
    let declared = profile.ports.map { port in
      // The entries that functions ask for, where the port does not state them itself.
      guard transport == .pci, port.transport == .pci, port.maximumQueueSize == nil else {
        return port
      }
      var port = port
      port.maximumQueueSize = queueSize(ofFunctionsOn: port.subsystems)
      return port
    }
    guard let id = resolution.functionPort else { return declared }
    var port = Profile.Port(id: id, transport: transport)
    for function in profile.functions {
      guard case .local(let nqn, _) = function.target, !port.subsystems.contains(nqn),
        !profile.ports.contains(where: { $0.transport == transport && $0.subsystems.contains(nqn) })
      else { continue }
      port.subsystems.append(nqn)
    }
    if transport == .pci { port.maximumQueueSize = queueSize(ofFunctionsOn: port.subsystems) }
    return declared + [port]
  }

  /// The largest queue that functions with these subsystems state; nil if none does.
  private func queueSize(ofFunctionsOn subsystems: [String]) -> Int32? {
    profile.functions.compactMap { function in
      guard case .local(let nqn, _) = function.target, subsystems.contains(nqn) else { return nil }
      return function.queueSize.map { Int32($0) }
    }.max()
  }

  mutating func add(_ port: Profile.Port) throws(InvalidValue) {
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
    frozen += settings(
      port.settings, of: ProfileSchema.port, except: ["addressFamily", "address", "service"],
      item.directory, "port \(port.id) is of type \(port.transport.rawValue)", needs: directory)
    frozen += raw(port.attributes, item.directory, "nvmet port \(port.id)", needs: directory)
    var values = freshPort(port)
    if port.id == resolution.functionPort {
      // The loop port of the machine is used unchanged, independent of its owner.
      values = port.transport == .pci ? computed(port) : [:]
    }
    let rest = defaults(values, item.directory, needs: directory)
    // Unset, which no write can restore.
    var unreachable = facts(rest, named: ["addr_adrfam"])
    if port.subsystems.isEmpty {
      unreachable += facts(rest, named: ["param_mdts"])
      // Values that the kernel computes when the port is enabled remain after the last subsystem is unlinked.
      for (name, text) in computed(port) {
        list.accept(text + "\n", for: facts(rest, named: [name]))
      }
    }
    list.remake(unreachable, .always(item.directory.path))
    frozen += rest
    for group in port.anaGroups {
      let groupItem = item.anaGroups["\(group.id)"]
      // Group 1 always exists, but belongs to the profile of the port.
      let made =
        group.id == 1
        ? directory
        : list.add(
          .directory(groupItem.directory.path), "ANA group \(group.id) of port \(port.id)",
          needs: [directory])
      if let state = ANAState(rawValue: group.state) {
        list.add(
          groupItem.state, state, "access of port \(port.id) to the namespaces of the group",
          needs: [made])
      }
    }
    _ = defaults(
      ["ana_state": "optimized"], item.anaGroups["1"].directory, needs: directory)
    for nqn in port.subsystems {
      let subsystem = target.subsystems[nqn]
      let link = list.add(
        .link(item.subsystems.directory.path.appending(nqn), to: subsystem.directory.path),
        "port \(port.id) offers \(nqn)", disruption: "hosts of port \(port.id) lose the subsystem",
        needs: [directory] + (subsystemDirectories[nqn].map { [$0] } ?? []))
      list.freeze(frozen, by: [link])
      // A connected host keeps the identified values; a function is unbound for the change anyway.
      if port.transport == .tcp || port.transport == .rdma, let facts = subsystemFacts[nqn] {
        list.freeze(self.facts(facts, named: Self.identity), by: [link])
      }
      // A function uses the profile's first port that offers its subsystem.
      let key = "\(port.transport.rawValue) \(nqn)"
      if portLinks[key] == nil { portLinks[key] = (link, port.id) }
    }
  }

  /// The values of an enabled port without these keys; a port without a subsystem has not computed them.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_enable_port`; `tcp.c`, `nvmet_tcp_add_port`.
  private func freshPort(_ port: Profile.Port) -> [String: String] {
    var values = ProfileSchema.port.freshTexts()
    // The transport determines this value, and all transports except tcp refuse others.
    if port.transport != .tcp { values["addr_tsas"] = nil }
    for (name, text) in computed(port) { values[name] = port.subsystems.isEmpty ? "-1" : text }
    return values
  }

  /// The values of unset parameters after a port is enabled.
  private func computed(_ port: Profile.Port) -> [String: String] {
    var values = ["param_max_queue_size": "1024", "param_mdts": "0"]
    switch port.transport {
    case .loop, .pci: values["param_inline_data_size"] = "0"
    case .tcp: values["param_inline_data_size"] = "\(4 * machine.facts.pageSize)"
    // The device decides.
    case .rdma: break
    }
    return values
  }
}
