// SPDX-License-Identifier: Apache-2.0

extension Profile {
  /// A profile together with the places of its parts, for errors that are found later.
  public struct Located: Sendable {
    public var profile: Profile
    public var warnings: [ProfileIssue]
    /// `functions[0].msixVectors` → its place.
    public var places: [String: TextPosition]
  }

  /// Decodes and checks the text of a profile; nothing else is looked at.
  /// - Throws: ``ProfileIssues``: all that is wrong, each with line, column and path.
  public static func decode(_ bytes: [UInt8]) throws(ProfileIssues) -> Located {
    let document: LocatedJSON
    do { document = try LocatedJSON(parsing: bytes) } catch { throw ProfileIssues([error]) }

    let collector = IssueCollector()
    let profile = ProfileDecoder(issues: collector).profile(document)
    var places: [String: TextPosition] = [:]
    collectPlaces(of: document, path: "", into: &places)

    guard let profile, !ProfileIssues(collector.issues).hasErrors else {
      throw ProfileIssues(sorted(collector.issues))
    }
    var issues = collector.issues
    issues += ProfileRules.issues(of: profile).map { issue in
      var issue = issue
      issue.position = place(of: issue.path, in: places)
      return issue
    }
    let all = ProfileIssues(sorted(issues))
    if all.hasErrors { throw all }
    return Located(profile: profile, warnings: all.issues, places: places)
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

private struct ProfileDecoder {
  let issues: IssueCollector

  func reader(_ json: LocatedJSON, _ path: String, _ keys: [ProfileKeys.Key]) -> ObjectReader? {
    ObjectReader(json, path: path, keys: keys, issues)
  }

  func profile(_ json: LocatedJSON) -> Profile? {
    guard let object = reader(json, "", ProfileKeys.document) else { return nil }
    if let version = object.integer("version", Int64.self), version != 1 {
      object.complain(
        "version", "version \(version) is not known",
        hint: "this epfnvme reads version 1; a newer one may be needed")
    }
    guard let name = object.string("name") else { return nil }
    var profile = Profile(name: name)
    profile.description = object.string("description")
    profile.driver = object.word("driver") ?? .auto
    profile.backings = backings(object)
    profile.hosts = object.array("hosts").compactMap(host)
    profile.subsystems = object.array("subsystems").compactMap(subsystem)
    profile.ports = object.array("ports").compactMap(port)
    profile.functions = object.array("functions").compactMap(function)
    return profile
  }

  func backings(_ document: ObjectReader) -> [Profile.Backing] {
    guard let json = document.json("backings") else { return [] }
    guard case .object(let members) = json.content else {
      document.complain("backings", "an object was expected, not \(json.kind)")
      return []
    }
    return members.compactMap { member in
      let path = "backings.\(member.key)"
      guard let object = reader(member.value, path, ProfileKeys.backing),
        let kind = only(object, ProfileKeys.backing), let content = object.json(kind),
        let store = store(kind, content, "\(path).\(kind)")
      else { return nil }
      return Profile.Backing(name: member.key, store: store)
    }
  }

  /// The one key that an object which stands for a choice has.
  func only(_ object: ObjectReader, _ keys: [ProfileKeys.Key]) -> String? {
    let present = keys.map(\.name).filter(object.has)
    if present.count == 1 { return present[0] }
    issues.add(
      .error, object.path, object.position,
      "exactly one of \(keys.map { "\"\($0.name)\"" }.joined(separator: ", ")) was expected")
    return nil
  }

  func store(_ kind: String, _ json: LocatedJSON, _ path: String) -> Profile.Backing.Store? {
    switch kind {
    case "nullBlock":
      guard let object = reader(json, path, ProfileKeys.nullBlock) else { return nil }
      var device = Profile.NullBlock()
      device.device = object.string("device")
      device.sizeMiB = object.integer("sizeMiB")
      device.blockSize = object.integer("blockSize")
      device.memoryBacked = object.bool("memoryBacked")
      device.discard = object.bool("discard")
      device.cacheSizeMiB = object.integer("cacheSizeMiB")
      device.submitQueues = object.integer("submitQueues")
      device.hardwareQueueDepth = object.integer("hardwareQueueDepth")
      device.completionNanoseconds = object.integer("completionNanoseconds")
      device.irqMode = object.integer("irqMode")
      device.mbps = object.integer("mbps")
      device.rotational = object.bool("rotational")
      device.zoned = object.bool("zoned")
      device.zoneSizeMiB = object.integer("zoneSizeMiB")
      device.zoneCapacityMiB = object.integer("zoneCapacityMiB")
      device.maximumOpenZones = object.integer("maximumOpenZones")
      device.maximumActiveZones = object.integer("maximumActiveZones")
      device.attributes = attributes(object)
      return .nullBlock(device)
    case "file":
      guard let object = reader(json, path, ProfileKeys.file) else { return nil }
      return file(object).map { .file($0) }
    case "block":
      guard let object = reader(json, path, ProfileKeys.block) else { return nil }
      return object.string("path").map { .block(path: $0) }
    default:
      guard let object = reader(json, path, ProfileKeys.loopDevice), let file = file(object)
      else { return nil }
      var device = Profile.LoopDevice(file: file)
      device.blockSize = object.integer("blockSize")
      device.directIO = object.bool("directIO") ?? false
      device.offset = object.integer("offsetBytes") ?? 0
      return .loopDevice(device)
    }
  }

  func file(_ object: ObjectReader) -> Profile.File? {
    guard let path = object.string("path") else { return nil }
    return Profile.File(
      path: path, sizeMiB: object.integer("sizeMiB"), create: object.bool("create") ?? false)
  }

  func subsystem(_ path: String, _ json: LocatedJSON) -> Profile.Subsystem? {
    guard let object = reader(json, path, ProfileKeys.subsystem) else { return nil }
    let namespaces = object.array("namespaces").compactMap(namespace)
    guard let nqn = object.string("nqn") else { return nil }
    var subsystem = Profile.Subsystem(nqn: nqn)
    subsystem.model = object.string("model")
    subsystem.serial = object.string("serial")
    subsystem.firmware = object.string("firmware")
    subsystem.ieeeOUI = object.integer("ieeeOUI")
    subsystem.version = object.string("version")
    subsystem.vendorID = object.integer("vendorID")
    subsystem.subsystemVendorID = object.integer("subsystemVendorID")
    subsystem.maximumQueueID = object.integer("maximumQueueID")
    subsystem.controllerIDMinimum = object.integer("controllerIDMinimum")
    subsystem.controllerIDMaximum = object.integer("controllerIDMaximum")
    subsystem.allowAnyHost = object.bool("allowAnyHost")
    subsystem.allowedHosts = object.strings("allowedHosts")
    subsystem.namespaces = namespaces
    subsystem.attributes = attributes(object)
    return subsystem
  }

  func host(_ path: String, _ json: LocatedJSON) -> Profile.Host? {
    guard let object = reader(json, path, ProfileKeys.host), let nqn = object.string("nqn")
    else { return nil }
    return Profile.Host(nqn: nqn, attributes: attributes(object))
  }

  /// Attributes in the order of the document, which is the order of writing.
  func attributes(_ object: ObjectReader) -> [Profile.RawAttribute] {
    guard let json = object.json("attributes") else { return [] }
    guard case .object(let members) = json.content else {
      object.complain("attributes", "an object was expected, not \(json.kind)")
      return []
    }
    return members.compactMap { member in
      guard case .string(let text) = member.value.content else {
        issues.add(
          .error, "\(object.subpath("attributes")).\(member.key)", member.value.position,
          "a string was expected, not \(member.value.kind)")
        return nil
      }
      return Profile.RawAttribute(name: member.key, text: text)
    }
  }

  func namespace(_ path: String, _ json: LocatedJSON) -> Profile.Namespace? {
    guard let object = reader(json, path, ProfileKeys.namespace) else { return nil }
    let id: UInt32? = object.integer("id")
    guard let id, let backing = object.string("backing") else { return nil }
    var namespace = Profile.Namespace(id: id, backing: backing)
    namespace.uuid = object.string("uuid")
    namespace.nguid = object.string("nguid")
    namespace.anaGroup = object.integer("anaGroup")
    namespace.bufferedIO = object.bool("bufferedIO")
    namespace.reservations = object.bool("reservations")
    namespace.enabled = object.bool("enabled") ?? true
    namespace.attributes = attributes(object)
    return namespace
  }

  func port(_ path: String, _ json: LocatedJSON) -> Profile.Port? {
    guard let object = reader(json, path, ProfileKeys.port) else { return nil }
    let id: UInt16? = object.integer("id")
    let transport: Profile.Port.Transport? = object.word("transport")
    guard let id, let transport else { return nil }
    var port = Profile.Port(id: id, transport: transport)
    port.addressFamily = object.string("addressFamily")
    port.address = object.string("address")
    port.service = object.json("service").flatMap { json in
      if case .number(let number) = json.content { return number }
      return object.string("service")
    }
    port.subsystems = object.strings("subsystems")
    port.maximumQueueSize = object.integer("maximumQueueSize")
    port.inlineDataSize = object.integer("inlineDataSize")
    port.mdts = object.integer("mdts")
    port.anaGroups = object.array("anaGroups").compactMap(anaGroup)
    port.attributes = attributes(object)
    return port
  }

  func anaGroup(_ path: String, _ json: LocatedJSON) -> Profile.ANAGroup? {
    guard let object = reader(json, path, ProfileKeys.anaGroup) else { return nil }
    let id: UInt32? = object.integer("id")
    guard let id, let state = object.string("state") else { return nil }
    return Profile.ANAGroup(id: id, state: state)
  }

  func function(_ path: String, _ json: LocatedJSON) -> Profile.Function? {
    guard let object = reader(json, path, ProfileKeys.function) else { return nil }
    let vendorID: UInt16? = object.integer("vendorID")
    let deviceID: UInt16? = object.integer("deviceID")
    let target = object.json("target").flatMap {
      self.target($0, object.subpath("target"))
    }
    guard let name = object.string("name"), let vendorID, let deviceID, let target
    else { return nil }
    var function = Profile.Function(
      name: name, vendorID: vendorID, deviceID: deviceID, target: target)
    function.revisionID = object.integer("revisionID") ?? function.revisionID
    function.subsystemVendorID = object.integer("subsystemVendorID")
    function.subsystemID = object.integer("subsystemID")
    function.classCode = object.integer("classCode") ?? function.classCode
    function.interruptPin = object.integer("interruptPin") ?? function.interruptPin
    function.cacheLineSize = object.integer("cacheLineSize") ?? function.cacheLineSize
    function.msixVectors = object.integer("msixVectors") ?? 0
    function.msiVectors = object.integer("msiVectors") ?? 0
    function.mdtsKiB = object.integer("mdtsKiB")
    function.dma = object.bool("dma")
    function.ioQueues = object.integer("ioQueues")
    function.queueSize = object.integer("queueSize")
    function.controller = object.string("controller") ?? "auto"
    function.start = object.bool("start") ?? true
    function.controllerFeatures = object.json("controllerFeatures").flatMap {
      self.features($0, object.subpath("controllerFeatures"))
    }
    function.attributes = attributes(object)
    return function
  }

  func target(_ json: LocatedJSON, _ path: String) -> Profile.FunctionTarget? {
    guard let object = reader(json, path, ProfileKeys.target),
      let kind = only(object, ProfileKeys.target)
    else { return nil }
    switch kind {
    case "loop": return object.string("loop").map { .local(nqn: $0, spelled: .loop) }
    case "pci": return object.string("pci").map { .local(nqn: $0, spelled: .pci) }
    default:
      guard let json = object.json("tcp"),
        let object = reader(json, object.subpath("tcp"), ProfileKeys.tcpTarget),
        let nqn = object.string("nqn"), let address = object.string("address")
      else { return nil }
      var target = Profile.TCPTarget(nqn: nqn, address: address)
      target.port = object.integer("port") ?? target.port
      target.hostNQN = object.string("hostNQN")
      target.hostID = object.string("hostID")
      target.hostAddress = object.string("hostAddress")
      target.keepAliveSeconds = object.integer("keepAliveSeconds")
      target.reconnectDelaySeconds = object.integer("reconnectDelaySeconds")
      target.controllerLossSeconds = object.integer("controllerLossSeconds")
      return .tcp(target)
    }
  }

  func features(_ json: LocatedJSON, _ path: String) -> Profile.ControllerFeatures? {
    guard let object = reader(json, path, ProfileKeys.controllerFeatures) else { return nil }
    var features = Profile.ControllerFeatures()
    features.msix = object.bool("msix")
    features.msi = object.bool("msi")
    features.outboundWindows = object.integer("outboundWindows")
    features.maximumFunctions = object.integer("maximumFunctions")
    return features
  }
}
