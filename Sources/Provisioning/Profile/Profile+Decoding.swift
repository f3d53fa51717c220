// SPDX-License-Identifier: Apache-2.0
internal import PCIEndpoint

extension Profile {
  /// A profile together with the places of its parts, for errors that are found later.
  public struct Located: Sendable {
    public var profile: Profile
    public var warnings: [ProfileIssue]
    /// `functions[0].msixVectors` → its place.
    public var places: [String: TextPosition]

    /// The warnings on a kernel release: those about the number of outbound windows are dropped, or errors.
    /// - Parameters:
    ///   - release: `uname -r`.
    ///   - name: the function driver of that kernel, for profiles that do not select one.
    package func issues(onRelease release: String, driver name: String) -> [ProfileIssue] {
      let places = places
      let driver: FunctionDriver =
        switch profile.driver {
        case .auto: FunctionDriver(name: name)
        case .nvmetPCIEPF: .nvmetPCIEPF
        case .pciEPFNVMe: .pciEPFNVMe
        }
      let known = Set(
        profile.functions.indices.filter {
          OutboundWindowRule.problem(profile.functions[$0]) != nil
        }
        .map(OutboundWindowRule.path))
      return warnings.filter { !known.contains($0.path) }
        + OutboundWindowRule.issues(profile, driver, release).map { issue in
          var issue = issue
          issue.position = Profile.place(of: issue.path, in: places)
          return issue
        }
    }

    /// Problems with the identities that the profile gets on a machine: one that it sets can be derived for another namespace.
    public func identityIssues(on machineID: String?) -> [ProfileIssue] {
      let collector = IssueCollector()
      ProfileCheck(profile: profile.identified(on: machineID), issues: collector).identifiers()
      return collector.issues.map { issue in
        var issue = issue
        issue.position = Profile.place(of: issue.path, in: places)
        return issue
      }
    }
  }

  /// Decodes and checks the text of a profile; does not access the machine.
  /// - Throws: ``ProfileIssues``: all that is wrong, each with line, column and path.
  public static func decode(_ bytes: [UInt8]) throws(ProfileIssues) -> Located {
    let document: LocatedJSON
    do { document = try LocatedJSON(parsing: bytes) } catch { throw ProfileIssues([error]) }

    let collector = IssueCollector()
    SchemaCheck(issues: collector).check(document, "", as: ProfileSchema.document)
    guard !collector.hasStructuralErrors, let profile = ProfileDecoder().profile(document) else {
      throw ProfileIssues(sorted(collector.issues))
    }
    var places: [String: TextPosition] = [:]
    collectPlaces(of: document, path: "", into: &places)
    warnOfEmptyHosts(document, collector)
    collector.add(
      following: ProfileRules.relations(of: profile).map { issue in
        var issue = issue
        issue.position = place(of: issue.path, in: places)
        return issue
      })
    let all = ProfileIssues(sorted(collector.issues))
    if all.hasErrors { throw all }
    return Located(profile: profile, warnings: all.issues, places: places)
  }

  /// An empty list of hosts allows every host, as no list does; that may not be what its author wanted.
  private static func warnOfEmptyHosts(_ document: LocatedJSON, _ issues: IssueCollector) {
    let subsystems = ObjectReader(document, ProfileSchema.document)?.objects("subsystems") ?? []
    for (index, json) in subsystems.enumerated() {
      guard let object = ObjectReader(json, ProfileSchema.subsystem),
        let hosts = object.json("allowedHosts"), object.strings("allowedHosts").isEmpty,
        object.bool("allowAnyHost") == nil
      else { continue }
      issues.add(
        .warning, "subsystems[\(index)].allowedHosts", hosts.position,
        "the list has no host, so that any host may use the subsystem",
        hint: "list the hosts, set \"allowAnyHost\": false, or state \"allowAnyHost\": true")
    }
  }

  private static func sorted(_ issues: [ProfileIssue]) -> [ProfileIssue] {
    issues.sorted {
      ($0.position?.line ?? 0, $0.position?.column ?? 0)
        < ($1.position?.line ?? 0, $1.position?.column ?? 0)
    }
  }

  /// The place of a path, or of the nearest enclosing part that the document has.
  static func place(of path: String, in places: [String: TextPosition]) -> TextPosition? {
    var path = path
    while true {
      if let place = places[path] { return place }
      guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return places[""] }
      path = String(path[..<cut])
    }
  }

  private static func collectPlaces(
    of json: LocatedJSON, path: String, into places: inout [String: TextPosition]
  ) {
    places[path] = json.position
    switch json.content {
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        collectPlaces(of: element, path: "\(path)[\(index)]", into: &places)
      }
    case .object(let members):
      for member in members {
        let child = path.isEmpty ? member.key : "\(path).\(member.key)"
        collectPlaces(of: member.value, path: child, into: &places)
      }
    case .null, .bool, .number, .string: break
    }
  }
}

/// Creates a profile from a document that ``SchemaCheck`` has checked: invalid values are omitted.
private struct ProfileDecoder {
  func profile(_ json: LocatedJSON) -> Profile? {
    guard let object = ObjectReader(json, ProfileSchema.document),
      let name = object.string("name")
    else { return nil }
    var profile = Profile(name: name)
    profile.description = object.string("description")
    profile.driver = object.word("driver") ?? .auto
    profile.identity = object.word("identity") ?? .machine
    profile.identitySeed = object.string("identitySeed")
    profile.backings = backings(object)
    profile.hosts = object.objects("hosts").compactMap(host)
    profile.subsystems = object.objects("subsystems").compactMap(subsystem)
    profile.ports = object.objects("ports").compactMap(port)
    profile.functions = object.objects("functions").compactMap(function)
    return profile
  }

  func backings(_ document: ObjectReader) -> [Profile.Backing] {
    document.members("backings").compactMap { member in
      guard let object = ObjectReader(member.value, ProfileSchema.backing),
        let kind = object.choice, let content = object.json(kind),
        let store = store(kind, content)
      else { return nil }
      return Profile.Backing(name: member.key, store: store)
    }
  }

  func store(_ kind: String, _ json: LocatedJSON) -> Profile.Backing.Store? {
    switch kind {
    case "nullBlock":
      guard let object = ObjectReader(json, ProfileSchema.nullBlock) else { return nil }
      var device = Profile.NullBlock()
      (device.settings, device.attributes) = object.settings()
      return .nullBlock(device)
    case "file":
      guard let object = ObjectReader(json, ProfileSchema.file) else { return nil }
      return file(object).map { .file($0) }
    case "block":
      guard let object = ObjectReader(json, ProfileSchema.block) else { return nil }
      return object.string("path").map { .block(path: $0) }
    default:
      guard let object = ObjectReader(json, ProfileSchema.loopDevice), let file = file(object)
      else { return nil }
      var device = Profile.LoopDevice(file: file)
      device.settings = object.settings(of: Profile.LoopDevice.schemaRows)
      return .loopDevice(device)
    }
  }

  func file(_ object: ObjectReader) -> Profile.File? {
    guard let path = object.string("path") else { return nil }
    var file = Profile.File(path: path)
    file.settings = object.settings(of: Profile.File.schemaRows)
    return file
  }

  func subsystem(_ json: LocatedJSON) -> Profile.Subsystem? {
    guard let object = ObjectReader(json, ProfileSchema.subsystem) else { return nil }
    let namespaces = object.objects("namespaces").compactMap(namespace)
    guard let nqn = object.string("nqn") else { return nil }
    var subsystem = Profile.Subsystem(nqn: nqn)
    (subsystem.settings, subsystem.attributes) = object.settings()
    subsystem.allowedHosts = object.strings("allowedHosts")
    subsystem.namespaces = namespaces
    return subsystem
  }

  func host(_ json: LocatedJSON) -> Profile.Host? {
    guard let object = ObjectReader(json, ProfileSchema.host), let nqn = object.string("nqn")
    else { return nil }
    return Profile.Host(nqn: nqn, attributes: object.attributes())
  }

  func namespace(_ json: LocatedJSON) -> Profile.Namespace? {
    guard let object = ObjectReader(json, ProfileSchema.namespace) else { return nil }
    let id: UInt32? = object.integer("id")
    guard let id, let backing = object.string("backing") else { return nil }
    var namespace = Profile.Namespace(id: id, backing: backing)
    (namespace.settings, namespace.attributes) = object.settings()
    return namespace
  }

  func port(_ json: LocatedJSON) -> Profile.Port? {
    guard let object = ObjectReader(json, ProfileSchema.port) else { return nil }
    let id: UInt16? = object.integer("id")
    let transport: Profile.Port.Transport? = object.word("transport")
    guard let id, let transport else { return nil }
    var port = Profile.Port(id: id, transport: transport)
    (port.settings, port.attributes) = object.settings()
    port.subsystems = object.strings("subsystems")
    port.anaGroups = object.objects("anaGroups").compactMap(anaGroup)
    return port
  }

  func anaGroup(_ json: LocatedJSON) -> Profile.ANAGroup? {
    guard let object = ObjectReader(json, ProfileSchema.anaGroup) else { return nil }
    let id: UInt32? = object.integer("id")
    guard let id, let state = object.string("state") else { return nil }
    return Profile.ANAGroup(id: id, state: state)
  }

  func function(_ json: LocatedJSON) -> Profile.Function? {
    guard let object = ObjectReader(json, ProfileSchema.function) else { return nil }
    let vendorID: UInt16? = object.integer("vendorID")
    let deviceID: UInt16? = object.integer("deviceID")
    let target = object.json("target").flatMap(self.target)
    guard let name = object.string("name"), let vendorID, let deviceID, let target
    else { return nil }
    var function = Profile.Function(
      name: name, vendorID: vendorID, deviceID: deviceID, target: target)
    (function.settings, function.attributes) = object.settings()
    function.controllerFeatures = object.json("controllerFeatures").flatMap(features)
    return function
  }

  func target(_ json: LocatedJSON) -> Profile.FunctionTarget? {
    guard let object = ObjectReader(json, ProfileSchema.target),
      let kind = object.choice
    else { return nil }
    switch kind {
    case "loop": return object.string("loop").map { .local(nqn: $0, spelled: .loop) }
    case "pci": return object.string("pci").map { .local(nqn: $0, spelled: .pci) }
    default:
      guard let json = object.json("tcp"),
        let object = ObjectReader(json, ProfileSchema.tcpTarget),
        let nqn = object.string("nqn"), let address = object.string("address")
      else { return nil }
      var target = Profile.TCPTarget(nqn: nqn, address: address)
      target.settings = object.settings(of: Profile.TCPTarget.schemaRows)
      return .tcp(target)
    }
  }

  func features(_ json: LocatedJSON) -> Profile.ControllerFeatures? {
    guard let object = ObjectReader(json, ProfileSchema.controllerFeatures) else { return nil }
    var features = Profile.ControllerFeatures()
    features.settings = object.settings(of: Profile.ControllerFeatures.schemaRows)
    return features
  }
}
