// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// A profile that was converted from another format, with the values that could not be converted.
public struct Import: Sendable {
  public var profile: Profile
  /// Located in the text that was read.
  public var warnings: [ProfileIssue]
}

extension Import {
  /// Reads the JSON of nvmetcli. Attributes without a key are kept as raw attributes.
  /// - Parameter name: the profile's name.
  /// - Throws: ``ProfileIssues``: all that is wrong, each with line, column and path.
  public init(nvmetcli bytes: [UInt8], as name: String) throws(ProfileIssues) {
    let document: LocatedJSON
    do { document = try LocatedJSON(parsing: bytes) } catch { throw ProfileIssues([error]) }
    var reader = NvmetcliReader(profile: Profile(name: name))
    reader.document(document)
    self = try reader.finished()
  }
}

/// The common part of imports: issues, and the locations of the profile's values in the text.
struct ImportCollector {
  let issues = IssueCollector()
  /// A path in the profile → a place and a path in the text.
  var places: [String: (position: TextPosition, path: String)] = [:]

  /// The profile with its warnings, its own rules applied and located.
  /// - Throws: ``ProfileIssues``.
  func finished(_ profile: Profile) throws(ProfileIssues) -> Import {
    var all = issues.issues
    let positions = places.mapValues(\.position)
    for var issue in ProfileRules.issues(of: profile) {
      issue.position = Profile.place(of: issue.path, in: positions)
      all.append(issue)
    }
    let result = ProfileIssues(
      all.sorted {
        ($0.position?.line ?? 0, $0.position?.column ?? 0)
          < ($1.position?.line ?? 0, $1.position?.column ?? 0)
      })
    if result.hasErrors { throw result }
    return Import(profile: profile, warnings: result.issues)
  }
}

private struct NvmetcliReader {
  var profile: Profile
  private var collector = ImportCollector()
  private var stores = BackingNames()

  init(profile: Profile) { self.profile = profile }

  func finished() throws(ProfileIssues) -> Import { try collector.finished(profile) }

  private func error(_ json: LocatedJSON, _ path: String, _ message: String, hint: String? = nil) {
    collector.issues.add(.error, path, json.position, message, hint: hint)
  }

  private func warn(_ position: TextPosition, _ path: String, _ message: String) {
    collector.issues.add(.warning, path, position, message)
  }

  // MARK: The document

  mutating func document(_ json: LocatedJSON) {
    collector.places[""] = (json.position, "")
    guard let members = object(json, "") else { return }
    for member in members {
      switch member.key {
      case "hosts", "ports", "subsystems": break
      case "discovery": discovery(member.value)
      case "version", "backings", "functions":
        collector.issues.add(
          .error, member.key, member.keyPosition,
          "this is a profile of epfnvme, not nvmetcli JSON",
          hint: "use it unchanged: epfnvme validate checks it")
        return
      default:
        let nearest = nearestName(
          to: member.key, in: ["hosts", "ports", "subsystems", "discovery"])
        collector.issues.add(
          .warning, member.key, member.keyPosition,
          "nvmetcli has no \"\(member.key.prefix(40))\": left out",
          hint: nearest.map { "did you mean \"\($0)\"?" })
      }
    }
    // Ports refer to subsystems, and a host that is only allowed needs no entry, independent of the order.
    for member in members where member.key == "subsystems" {
      for (path, element) in elements(member.value, "subsystems") { subsystem(element, path) }
    }
    for member in members where member.key == "ports" {
      for (path, element) in elements(member.value, "ports") { port(element, path) }
    }
    for member in members where member.key == "hosts" {
      for (path, element) in elements(member.value, "hosts") { host(element, path) }
    }
  }

  private func discovery(_ json: LocatedJSON) {
    guard let object = NvmetcliObject(json, "discovery", collector.issues) else { return }
    if let name = object.texts.first(where: { $0.name == "nqn" }), name.text != NQN.discovery.text {
      warn(json.position, "discovery.nqn", "profiles have no discovery NQN: left out")
    }
  }

  // MARK: Objects

  private mutating func host(_ json: LocatedJSON, _ path: String) {
    guard let object = NvmetcliObject(json, path, collector.issues),
      let nqn = object.name("nqn")
    else { return }
    let attributes = ProfileSchema.host.raw(object.attributes(except: ["nqn"]))
    guard
      !attributes.isEmpty || !profile.subsystems.contains(where: { $0.allowedHosts.contains(nqn) })
    else { return }
    profile.hosts.append(Profile.Host(nqn: nqn, attributes: attributes))
    remember("hosts[\(profile.hosts.count - 1)]", object)
  }

  private mutating func subsystem(_ json: LocatedJSON, _ path: String) {
    guard
      let object = NvmetcliObject(
        json, path, collector.issues, lists: ["namespaces", "allowed_hosts", "passthru"]),
      let nqn = object.name("nqn")
    else { return }
    var texts = AttributeTexts(object.attributes(except: ["nqn"]))
    var subsystem = Profile.Subsystem(nqn: nqn, &texts, FreshValues())
    object.tell(texts.problems)
    let hosts = strings(object, "allowed_hosts")
    subsystem.settleHosts(hosts)
    let place = "subsystems[\(profile.subsystems.count)]"
    remember(place, object)
    for (path, element) in elements(object.list("namespaces"), "\(path).namespaces") {
      namespace(element, path, in: &subsystem, place)
    }
    for (path, element) in elements(object.list("passthru"), "\(path).passthru") {
      guard let passthru = NvmetcliObject(element, path, collector.issues) else { continue }
      let device = passthru.texts.first { $0.name == "device_path" }?.text ?? ""
      if !device.isEmpty, device != "(null)" {
        warn(element.position, path, "profiles have no passthru: \(device.prefix(60)) is left out")
      }
    }
    profile.subsystems.append(subsystem)
  }

  private mutating func namespace(
    _ json: LocatedJSON, _ path: String, in subsystem: inout Profile.Subsystem, _ place: String
  ) {
    guard let object = NvmetcliObject(json, path, collector.issues),
      let id: UInt32 = object.number("nsid")
    else { return }
    var texts = AttributeTexts(object.attributes(except: ["nsid"]))
    guard let device = texts.text("device_path"), device != "(null)" else {
      warn(json.position, path, "the namespace has no device path: left out")
      return
    }
    let name = stores.name(for: device)
    if profile.backing(named: name) == nil {
      profile.backings.append(
        Profile.Backing(name: name, importing: device))
      collector.places["backings.\(name)"] = (object.place("device_path"), "\(path).device.path")
    }
    let namespace = Profile.Namespace(id: id, backing: name, &texts)
    object.tell(texts.problems)
    remember("\(place).namespaces[\(subsystem.namespaces.count)]", object)
    subsystem.namespaces.append(namespace)
  }

  private mutating func port(_ json: LocatedJSON, _ path: String) {
    guard
      let object = NvmetcliObject(
        json, path, collector.issues, lists: ["subsystems", "ana_groups", "referrals"]),
      let id: UInt16 = object.number("portid")
    else { return }
    let word = object.texts.first { $0.name == "addr_trtype" }?.text ?? ""
    guard let transport = Profile.Port.Transport(rawValue: word) else {
      let place = object.place("addr_trtype")
      if word.isEmpty || word == "fc" {
        warn(
          place, "\(path).addr.trtype",
          word.isEmpty
            ? "the port has no transport: left out" : "profiles have no transport fc: left out")
      } else {
        collector.issues.add(
          .error, "\(path).addr.trtype", place, "unknown transport \"\(word.prefix(40))\"",
          hint: nearestName(to: word, in: Profile.Port.Transport.allCases.map(\.rawValue)).map {
            "did you mean \"\($0)\"?"
          })
      }
      return
    }
    let links = strings(object, "subsystems")
    var texts = AttributeTexts(object.attributes(except: ["portid"]))
    var port = Profile.Port(id: id, transport: transport, subsystems: links, &texts, FreshValues())
    object.tell(texts.problems)
    for (path, element) in elements(object.list("ana_groups"), "\(path).ana_groups") {
      guard let group = NvmetcliObject(element, path, collector.issues),
        let number: UInt32 = group.number("grpid"),
        let state = group.texts.first(where: { $0.name == "ana_state" })?.text,
        number != 1 || state != "optimized"
      else { continue }
      port.anaGroups.append(Profile.ANAGroup(id: number, state: state))
    }
    port.anaGroups.sort { $0.id < $1.id }
    for (path, element) in elements(object.list("referrals"), "\(path).referrals") {
      warn(element.position, path, "profiles have no referrals: left out")
    }
    if transport == .pci {
      warn(
        json.position, path,
        "nvmetcli has no endpoint functions: add one to \"functions\" that serves the port's subsystem"
      )
    }
    remember("ports[\(profile.ports.count)]", object)
    profile.ports.append(port)
  }

  // MARK: JSON

  /// The locations of the values of an object of the profile.
  private mutating func remember(_ place: String, _ object: NvmetcliObject) {
    collector.places[place] = (object.position, object.path)
    for (name, position) in object.places {
      collector.places["\(place).attributes.\(name)"] = (position, object.path)
    }
  }

  private func object(_ json: LocatedJSON, _ path: String) -> [LocatedJSON.Member]? {
    guard case .object(let members) = json.content else {
      error(json, path, "an object was expected, not \(json.kind)")
      return nil
    }
    return members
  }

  private func elements(_ json: LocatedJSON?, _ path: String) -> [(String, LocatedJSON)] {
    guard let json else { return [] }
    guard case .array(let elements) = json.content else {
      error(json, path, "an array was expected, not \(json.kind)")
      return []
    }
    return elements.enumerated().map { ("\(path)[\($0.offset)]", $0.element) }
  }

  private func strings(_ object: NvmetcliObject, _ key: String) -> [String] {
    elements(object.list(key), "\(object.path).\(key)").compactMap { path, element in
      if case .string(let value) = element.content { return value }
      error(element, path, "a string was expected, not \(element.kind)")
      return nil
    }
  }
}
