// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// A profile on one machine, as facts in bring-up order.
///
/// The order is that of both drivers' documents: modules, backings, subsystems, ports, functions, binding, start. Teardown in the reverse
/// order never enters a state that is unsafe for the kernel. Keys that the profile does not set also have a fact, with the value of a new
/// object: it is written only if the current value differs.
struct DesiredState {
  /// With its identities.
  let profile: Profile
  let resolution: Resolution
  let ownership: Ownership
  let machine: Machine
  var list = FactList()

  let target: TargetTree
  let endpoints: EndpointTree
  /// The last fact of a backing: after it the backing is usable.
  var backingFacts: [String: Int] = [:]
  /// Per subsystem: facts that take effect, or are allowed, only while no controller exists.
  var subsystemFacts: [String: [Int]] = [:]
  var subsystemDirectories: [String: Int] = [:]
  var hostDirectories: [String: Int] = [:]
  /// `transport nqn` → the link that makes a subsystem reachable through a port, and the port's id.
  var portLinks: [String: (fact: Int, port: UInt16)] = [:]
  /// Per subsystem: the bindings of functions that serve it from this machine.
  private(set) var servingLinks: [String: [Int]] = [:]
  /// Per controller: the links of its functions.
  var functionLinks: [String: [Int]] = [:]
  /// Attributes of a new null_blk device that differ from the kernel's default because of the module's parameters.
  private lazy var freshNullBlock: [String: String] = {
    let freshTexts = ProfileSchema.nullBlock.freshTexts()
    return NullBlockTree.freshValues(
      parameters: machine.modules.parameters(of: NullBlockTree.moduleName)
    ).filter { name, text in freshTexts[name].map { !sameAttributeText($0, text) } ?? false }
  }()

  init(
    _ resolution: Resolution, _ ownership: Ownership, on machine: Machine
  ) throws(ProvisioningError) {
    profile = resolution.profile
    self.resolution = resolution
    self.ownership = ownership
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

  mutating func serve(_ nqn: String, by link: Int) { servingLinks[nqn, default: []].append(link) }

  // MARK: Modules

  private mutating func modules() {
    list.add(.configFSMounted, "the kernel's objects are created in configfs")
    if profile.backings.contains(where: { if case .nullBlock = $0.store { true } else { false } }) {
      // By default the module creates a device that the profile does not use.
      list.add(
        .module("null_blk", parameters: NullBlockTree.moduleParameters),
        "this module provides null_blk devices")
    }
    if profile.backings.contains(where: { if case .loopDevice = $0.store { true } else { false } })
    {
      list.add(.module("loop", parameters: []), "this module provides loop devices")
    }
    if !profile.subsystems.isEmpty || !profile.ports.isEmpty || !profile.hosts.isEmpty {
      list.add(
        .module(TargetTree.moduleName, parameters: []), "this module provides NVMe subsystems")
    }
    var transports: [String] = []
    for port in allPorts() {
      if let module = TransportType(rawValue: port.transport.rawValue)?.moduleName,
        !transports.contains(module)
      {
        transports.append(module)
        list.add(
          .module(module, parameters: []),
          "ports of type \(port.transport.rawValue) require this module")
      }
    }
    if let driver = resolution.driver, !transports.contains(driver.moduleName) {
      list.add(
        .module(driver.moduleName, parameters: []),
        "the driver \(driver.name) provides the functions")
    }
  }

  // MARK: Attributes

  /// The keys that are set and have one attribute, whose text is that of the value.
  /// - Parameter handled: keys that the caller adds, because the kernel wants another text, another time or a condition.
  mutating func settings(
    _ settings: Settings, of object: SchemaObject, except handled: Set<String> = [],
    _ directory: ConfigDirectory, _ reason: String, needs: Int
  ) -> [Int] {
    object.rows.compactMap { row in
      guard row.isSetting, row.attributes.count == 1, !handled.contains(row.name),
        let text = settings[row.name]?.attributeText
      else { return nil }
      return list.add(
        .attribute(
          FilePath(directory.path.string + "/" + row.attributes[0].name), .text(text),
          shown: text + "\n", .plain), reason, needs: [needs])
    }
  }

  /// Attributes that the profile has no key for.
  mutating func raw(
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

  /// The values of a fresh object, for the attributes of a directory that no fact has yet.
  /// - Parameter values: attribute → text without the line feed.
  /// - Parameter fresh: attribute → its value in a new object on this machine, if different.
  mutating func defaults(
    _ values: [String: String], _ directory: ConfigDirectory, needs: Int,
    role: Fact.Role = .plain, fresh: [String: String] = [:]
  ) -> [Int] {
    let path = directory.path.string
    let stated = Set(
      list.facts[needs...].compactMap { fact -> String? in
        guard case .attribute(let attribute, _, _, _) = fact.content else { return nil }
        return attribute.string
      })
    return values.sorted { $0.key < $1.key }.compactMap { name, text in
      guard !stated.contains("\(path)/\(name)") else { return nil }
      var fact = Fact(
        content: .attribute(
          FilePath("\(path)/\(name)"), .text(SecretAttribute.written(text + "\n", to: name)),
          shown: text + "\n", role),
        reason: "the default, since the profile does not set it")
      fact.isDefault = fresh[name].map { sameAttributeText($0, text) } ?? true
      fact.needs = [needs]
      return list.add(fact)
    }
  }

  /// Those of some facts that are about an attribute.
  func facts(_ facts: [Int], named names: Set<String>) -> [Int] {
    facts.filter { index in
      list.facts[index].path.map { names.contains($0.name) } ?? false
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
        disruption: "the loop device of \"\(backing.name)\" is replaced")
    case .nullBlock(let device): addNullBlock(device, backing)
    }
  }

  private mutating func addFile(_ file: Profile.File) {
    guard file.create, let size = file.sizeMiB else { return }
    list.add(.file(path: file.path, bytes: size << 20), "the profile creates \(file.path)")
  }

  private mutating func addNullBlock(_ device: Profile.NullBlock, _ backing: Profile.Backing) {
    let name = profile.deviceName(of: backing) ?? backing.name
    let tree = NullBlockTree(on: machine.configFS)
    let item = tree.devices[name]
    let reason = "the backing \"\(backing.name)\""
    let directory = list.add(
      .directory(item.directory.path), "\(reason) is the device /dev/\(name)",
      disruption: "the device /dev/\(name) is recreated, without its data")
    var attributes = settings(
      device.shownSettings(on: machine), of: ProfileSchema.nullBlock, item.directory, reason,
      needs: directory)
    attributes += raw(device.attributes, item.directory, reason, needs: directory)
    attributes += defaults(
      SchemaObject.freshNullBlock(device), item.directory, needs: directory,
      fresh: freshNullBlock)
    let power = list.add(
      item.isPowered, isOn: true, "\(reason) appears as a block device",
      disruption: "the device /dev/\(name) is replaced", needs: [directory])
    // Queues can be changed while the device is in use, unless it shares its tags with others.
    let shares = facts(attributes, named: ["shared_tags"]).contains { index in
      guard case .attribute(_, _, let shown, _) = list.facts[index].content else { return false }
      return sameAttributeText(shown, "1")
    }
    list.freeze(
      attributes.filter {
        shares || list.facts[$0].path?.name != "submit_queues"
      }, by: [power])
    // A device that was powered with them keeps its throttle and its cache until its directory is removed.
    for index in facts(attributes, named: ["mbps", "cache_size"]) {
      guard case .attribute(_, _, let shown, _) = list.facts[index].content,
        sameAttributeText(shown, "0")
      else { continue }
      list.remake([index], .always(item.directory.path))
    }
    backingFacts[backing.name] = list.add(
      .deviceNode(FilePath("/dev/\(name)")), "\(reason) must have its device node", needs: [power])
  }

  // MARK: Controllers

  private mutating func controllers() {
    var names: [String] = []
    for name in resolution.controllers where !names.contains(name) { names.append(name) }
    for name in names {
      let links = functionLinks[name] ?? []
      let starts = zip(profile.functions, resolution.controllers).contains {
        $0.start && $1 == name
      }
      let start = list.add(
        endpoints.controller(name).isStarted, isOn: starts ? true : nil,
        "starts link training, so that the host sees the device",
        disruption: "the PCIe link of \(name) goes down", needs: starts ? links : [])
      // Most controllers cannot bind another function once the link is up.
      list.freeze(links, by: [start])
    }
  }

  func convert<T, Value>(
    _ value: T?, _ make: (T) throws(InvalidValue) -> Value
  ) throws(InvalidValue) -> Value? {
    guard let value else { return nil }
    return try make(value)
  }
}

extension Profile.NullBlock {
  /// The keys with the values that the kernel shows for them.
  fileprivate func shownSettings(on machine: Machine) -> Settings {
    var device = self
    // The kernel creates no more queues than CPUs, and shows the actual number.
    device.submitQueues = self.submitQueues.map { min($0, UInt32(machine.facts.onlineCPUs)) }
    if self.zoned != true {
      device.zoneSizeMiB = nil
      device.zoneCapacityMiB = nil
      device.maximumOpenZones = nil
      device.maximumActiveZones = nil
    } else if self.zoneCapacityMiB == 0 {
      // 0 is the whole zone, and is shown as that.
      device.zoneCapacityMiB = self.zoneSizeMiB ?? 256
    }
    return device.settings
  }
}

extension SchemaObject {
  /// The values of a powered null_blk device whose profile does not set them.
  ///
  /// `index` is the kernel's choice; memory forces `blocking`, and zones have limits that depend on their size.
  /// - Source: `drivers/block/null_blk/main.c`, `null_alloc_dev`, `null_validate_conf`; `zoned.c`, `null_init_zoned_dev`.
  static func freshNullBlock(_ device: Profile.NullBlock) -> [String: String] {
    var values = ProfileSchema.nullBlock.freshTexts()
    // The module's limit, which is a parameter that this program does not set.
    values["poll_queues"] = nil
    if device.memoryBacked == true { values["blocking"] = "1" }
    guard device.zoned == true else { return values }
    let capacity = device.zoneCapacityMiB.flatMap { $0 == 0 ? nil : $0 } ?? device.zoneSizeMiB
    let sectors = (capacity ?? 256) << 11
    let block = UInt64(max(device.blockSize ?? 512, 512)) / 512
    values["zone_capacity"] = "\(device.zoneSizeMiB ?? 256)"
    values["zone_append_max_sectors"] = "\(min(UInt64(Int32.max) / block * block, sectors))"
    return values
  }
}
