// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// The kernel's target in the JSON of nvmetcli, for `nvmetcli restore`.
///
/// nvmetcli writes attributes in the order of the file, as text, and skips attributes that the kernel refuses. Therefore values that a new
/// object cannot accept are left out, and the order is valid for the kernel: `tsas` after `trtype`, which resets it, and before `treq`,
/// which it resets. An attribute `GROUP_NAME` is `NAME` in the object `GROUP`; nvmetcli ignores groups that it does not know, and
/// ``NvmetcliImport`` reads them.
public struct NvmetcliExport: Sendable {
  public var json: JSONValue
  /// Objects that the format cannot represent.
  public var warnings: [ProfileIssue]
}

extension Provisioner {
  /// The target of this machine, or the part that belongs to some profiles, as nvmetcli saves it; changes nothing.
  /// - Throws: ``ProvisioningError`` as ``export(_:as:withSecrets:)``.
  public func exportNvmetcli(
    _ names: [String] = [], withSecrets: Bool = false
  ) throws(ProvisioningError) -> NvmetcliExport {
    let reader = try reader(names, withSecrets: withSecrets)
    do {
      let json = try NvmetcliWriter(reader: reader).document()
      return NvmetcliExport(json: json, warnings: reader.warnings)
    } catch {
      throw ProvisioningError(
        error, kind: error.errno == .permissionDenied ? .needsPrivileges : .operationFailed)
    }
  }
}

private struct NvmetcliWriter {
  let reader: MachineReader

  private var target: TargetTree { TargetTree(on: reader.machine.configFS) }

  func document() throws(ConfigFSError) -> JSONValue {
    var hosts: [JSONValue] = []
    var ports: [JSONValue] = []
    var subsystems: [JSONValue] = []
    if target.isAvailable {
      for item in try reader.chosen(target.hosts) { hosts.append(try host(item)) }
      for (id, item) in try reader.numbered(target.ports, as: UInt16.self)
      where reader.isChosen(item.directory) {
        ports.append(try port(item, id))
      }
      for item in try reader.chosen(target.subsystems) {
        subsystems.append(try subsystem(item))
      }
    }
    try warnOfTheRest()
    return [
      "hosts": .array(hosts), "ports": .array(ports), "subsystems": .array(subsystems),
    ]
  }

  private func warnOfTheRest() throws(ConfigFSError) {
    for item in try reader.chosen(NullBlockTree(on: reader.machine.configFS).devices) {
      reader.warn(item.directory, "nvmetcli has no null_blk devices: left out")
    }
    let endpoints = EndpointTree(on: reader.machine.configFS)
    guard endpoints.isAvailable else { return }
    for item in try endpoints.allFunctions() where reader.isChosen(item.directory) {
      reader.warn(item.directory, "nvmetcli has no endpoint functions: left out")
    }
  }

  // MARK: Objects

  private func host(_ item: Host) throws(ConfigFSError) -> JSONValue {
    let texts = try reader.texts(of: item.directory)
    for text in texts where text.text == SecretAttribute.mask {
      reader.warn(
        item.directory.path.appending(text.name).string, "this secret is hidden",
        hint: "--with-secrets writes it")
    }
    var object = ObjectBuilder()
    object.add("nqn", item.name)
    add(texts.filter { !$0.text.isEmpty }, to: &object)
    return object.json
  }

  private func subsystem(_ item: NVMeTarget.Subsystem) throws(ConfigFSError) -> JSONValue {
    // A range moves up from its upper end and down from its lower one; from 1 to 65519 both work this way.
    let texts = inOrder(
      try reader.texts(of: item.directory), first: ["attr_cntlid_max", "attr_cntlid_min"])
    var object = ObjectBuilder()
    object.add("nqn", item.name)
    object.add(
      "allowed_hosts",
      .array(try reader.linkTargets(item.allowedHosts.directory).map { .string($0) }))
    add(texts, to: &object)
    var namespaces: [JSONValue] = []
    for (id, space) in try reader.numbered(item.namespaces, as: UInt32.self)
    where reader.isChosen(space.directory) {
      namespaces.append(try namespace(space, id))
    }
    object.add("namespaces", .array(namespaces))
    if let passthru = try passthru(item.passthru.directory) {
      object.add("passthru", .array([passthru]))
    }
    return object.json
  }

  private func namespace(
    _ item: TargetNamespace, _ id: UInt32
  ) throws(ConfigFSError) -> JSONValue {
    let texts = try reader.texts(of: item.directory)
    var object = ObjectBuilder()
    object.add("nsid", id)
    add(
      inOrder(
        texts.filter {
          // An unset path would be restored as a path of this name.
          $0.name != "enable" && !($0.name == "device_path" && $0.text == "(null)")
        }, first: ["device_path"]), to: &object)
    object.add("ana_grpid", texts.first { $0.name == "ana_grpid" }?.text.kernelInteger(Int64.self))
    object.add("enable", texts.contains { $0.name == "enable" && $0.text == "1" } ? 1 : 0)
    return object.json
  }

  /// nil when it was never used: to restore a disabled one resets the subsystem's version.
  private func passthru(_ directory: ConfigDirectory) throws(ConfigFSError) -> JSONValue? {
    guard directory.exists, let path = reader.text(directory, "device_path"), path != "(null)"
    else { return nil }
    var object = ObjectBuilder()
    object.add("device", ["path": .string(path)])
    for name in ["admin_timeout", "clear_ids", "io_timeout"] {
      object.add(name, reader.text(directory, name)?.kernelInteger(Int64.self))
    }
    object.add("enable", reader.text(directory, "enable") == "1" ? 1 : 0)
    return object.json
  }

  private func port(_ item: NVMeTarget.Port, _ id: UInt16) throws(ConfigFSError) -> JSONValue {
    let texts = try reader.texts(of: item.directory)
    let transport = texts.first { $0.name == "addr_trtype" }?.text
    var object = ObjectBuilder()
    object.add("portid", id)
    add(
      inOrder(
        texts.filter {
          // −1 means "not chosen yet" and is no value to write; only tcp has a choice of tsas.
          $0.text != "-1" && !($0.name == "addr_trtype" && $0.text.isEmpty)
            && ($0.name != "addr_tsas" || transport == "tcp")
        }, first: ["addr_trtype", "addr_tsas", "addr_treq"]), to: &object)
    object.add(
      "subsystems", .array(try reader.linkTargets(item.subsystems.directory).map { .string($0) }))
    object.add(
      "ana_groups",
      .array(
        try reader.numbered(item.anaGroups, as: UInt32.self).map { group in
          [
            "grpid": JSONValue(group.number),
            "ana": ["state": JSONValue(reader.text(group.item.directory, "ana_state"))],
          ]
        }))
    object.add("referrals", .array(try referrals(item)))
    return object.json
  }

  private func referrals(_ port: NVMeTarget.Port) throws(ConfigFSError) -> [JSONValue] {
    guard port.referrals.exists else { return [] }
    var found: [JSONValue] = []
    for item in try port.referrals.all().sorted(by: { $0.name < $1.name }) {
      let texts = try reader.texts(of: item.directory)
      var object = ObjectBuilder()
      object.add("name", item.name)
      add(inOrder(texts.filter { $0.name != "enable" }, first: ["addr_trtype"]), to: &object)
      object.add("enable", texts.contains { $0.name == "enable" && $0.text == "1" } ? 1 : 0)
      found.append(object.json)
    }
    return found
  }

  // MARK: Attributes

  private func inOrder(
    _ texts: [Profile.RawAttribute], first: [String]
  ) -> [Profile.RawAttribute] {
    func rank(_ name: String) -> Int { first.firstIndex(of: name) ?? first.count }
    return texts.sorted { (rank($0.name), $0.name) < (rank($1.name), $1.name) }
  }

  /// Attributes in groups, as in nvmetcli: the text before the first `_` is the group.
  private func add(_ texts: [Profile.RawAttribute], to object: inout ObjectBuilder) {
    var groups: [(name: String, members: [JSONValue.Member])] = []
    for attribute in texts {
      // nvmetcli drops blanks at the ends, such as a serial number's.
      let text = JSONValue.string(attribute.text.withoutOuterBlanks)
      guard let cut = attribute.name.firstIndex(of: "_") else {
        object.add(attribute.name, text)
        continue
      }
      let group = String(attribute.name[..<cut])
      let member = JSONValue.Member(
        String(attribute.name[attribute.name.index(after: cut)...]), text)
      if let index = groups.firstIndex(where: { $0.name == group }) {
        groups[index].members.append(member)
      } else {
        groups.append((group, [member]))
      }
    }
    for group in groups { object.add(group.name, object: group.members) }
  }
}

extension String {
  /// Without blanks at both ends.
  fileprivate var withoutOuterBlanks: String {
    guard let first = firstIndex(where: { $0 != " " }), let last = lastIndex(where: { $0 != " " })
    else { return "" }
    return String(self[first...last])
  }
}
