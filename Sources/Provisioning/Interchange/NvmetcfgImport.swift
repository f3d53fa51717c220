// SPDX-License-Identifier: Apache-2.0

extension Import {
  /// Reads the YAML that `nvmet state save` of nvmetcfg writes.
  /// - Parameter name: the profile's name.
  /// - Throws: ``ProfileIssues``: all that is wrong, each with line, column and path.
  public init(nvmetcfg bytes: [UInt8], as name: String) throws(ProfileIssues) {
    let document: LocatedJSON
    do { document = try YAMLText.parse(bytes) } catch { throw ProfileIssues([error]) }
    var reader = NvmetcfgReader(profile: Profile(name: name))
    reader.document(document)
    self = try reader.finished()
  }

  /// Reads a file of another tool: nvmetcli's JSON, which begins with a brace, or nvmetcfg's YAML.
  /// - Throws: ``ProfileIssues``.
  public init(document bytes: [UInt8], as name: String) throws(ProfileIssues) {
    // JSON and YAML may begin with a byte order mark.
    let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    let first = bytes[start...].first { !" \t\r\n".utf8.contains($0) }
    // The first bytes of JSON, and of a comment in it.
    let isJSON = first.map { "{[/\"".utf8.contains($0) } ?? true
    self = try isJSON ? Import(nvmetcli: bytes, as: name) : Import(nvmetcfg: bytes, as: name)
  }
}

/// - Source: nvmetcfg, `src/state/types.rs`, `src/kernel/sysfs.rs`: a subsystem without allowed hosts allows any host.
private struct NvmetcfgReader {
  var profile: Profile
  private var collector = ImportCollector()
  private var stores = BackingNames()

  init(profile: Profile) { self.profile = profile }

  func finished() throws(ProfileIssues) -> Import { try collector.finished(profile) }

  private func add(
    _ severity: ProfileIssue.Severity, _ json: LocatedJSON, _ path: String, _ message: String,
    hint: String? = nil
  ) {
    collector.issues.add(severity, path, json.position, message, hint: hint)
  }

  // MARK: The document

  mutating func document(_ json: LocatedJSON) {
    collector.places[""] = (json.position, "")
    let keys = ["version", "subsystems", "ports"]
    guard let members = members(json, "", known: keys) else { return }
    if let version = members["version"], text(version, "version") != "0" {
      add(
        .error, version, "version", "this epfnvme reads version 0",
        hint: "a newer epfnvme may be needed")
    }
    if members["subsystems"] == nil, members["ports"] == nil {
      add(
        .error, json, "", "neither \"subsystems\" nor \"ports\" was found",
        hint: "nvmet state save FILE writes such a file")
    }
    for (nqn, value) in ordered(members["subsystems"], "subsystems") {
      subsystem(nqn, value, "subsystems.\(nqn)")
    }
    for (id, value) in ordered(members["ports"], "ports") { port(id, value, "ports.\(id)") }
  }

  private mutating func subsystem(_ nqn: String, _ json: LocatedJSON, _ path: String) {
    let keys = ["model", "serial", "allowed_hosts", "namespaces"]
    guard let members = members(json, path, known: keys) else { return }
    var subsystem = Profile.Subsystem(nqn: nqn)
    let place = "subsystems[\(profile.subsystems.count)]"
    collector.places[place] = (json.position, path)
    for (key, value) in members where key == "model" || key == "serial" {
      collector.places["\(place).\(key)"] = (value.position, "\(path).\(key)")
    }
    subsystem.model = members["model"].flatMap { text($0, "\(path).model") }
    if subsystem.model == "Linux" { subsystem.model = nil }
    subsystem.serial = members["serial"].flatMap { text($0, "\(path).serial") }
    if members["allowed_hosts"] == nil {
      add(
        .error, json, path, "the key \"allowed_hosts\" is missing", hint: Self.hostHint)
    }
    let hosts = hosts(members["allowed_hosts"], "\(path).allowed_hosts")
    subsystem.allowAnyHost = hosts.isEmpty
    subsystem.settleHosts(hosts)
    for (id, value) in ordered(members["namespaces"], "\(path).namespaces") {
      namespace(id, value, "\(path).namespaces.\(id)", in: &subsystem, place)
    }
    profile.subsystems.append(subsystem)
  }

  private static let hostHint =
    "write the host's NQN, or allowed_hosts: [] if any host may connect"

  /// The allowed hosts. Only a list without items allows any host: an item or a list without a value is an error.
  private func hosts(_ json: LocatedJSON?, _ path: String) -> [String] {
    guard let json else { return [] }
    if case .null = json.content {
      add(.error, json, path, "the list of hosts has no value", hint: Self.hostHint)
    }
    if case .array(let elements) = json.content {
      for (index, element) in elements.enumerated() {
        guard element.isBlank else { continue }
        add(
          .error, element, "\(path)[\(index)]", "an item without a host's NQN", hint: Self.hostHint)
      }
    }
    return texts(json, path).filter { !$0.isEmpty }
  }

  private mutating func namespace(
    _ id: String, _ json: LocatedJSON, _ path: String, in subsystem: inout Profile.Subsystem,
    _ place: String
  ) {
    let keys = ["enabled", "device_path", "device_uuid", "device_nguid"]
    guard let members = members(json, path, known: keys) else { return }
    guard let number = UInt32(id) else {
      return add(.error, json, path, "\"\(id.prefix(40))\" is not a number of a namespace")
    }
    guard let device = members["device_path"].flatMap({ text($0, "\(path).device_path") }) else {
      return add(.error, json, path, "the key \"device_path\" is missing")
    }
    let name = stores.name(for: device)
    if profile.backing(named: name) == nil {
      profile.backings.append(Profile.Backing(name: name, importing: device))
      collector.places["backings.\(name)"] = (
        members["device_path"]?.position ?? json.position, "\(path).device_path"
      )
    }
    let place = "\(place).namespaces[\(subsystem.namespaces.count)]"
    collector.places[place] = (json.position, path)
    var namespace = Profile.Namespace(id: number, backing: name)
    for (key, attribute) in [("uuid", "device_uuid"), ("nguid", "device_nguid")] {
      guard let value = members[attribute] else { continue }
      collector.places["\(place).\(key)"] = (value.position, "\(path).\(attribute)")
    }
    namespace.uuid = members["device_uuid"].flatMap { text($0, "\(path).device_uuid") }
    namespace.nguid = members["device_nguid"].flatMap { text($0, "\(path).device_nguid") }
    if case .bool(let value)? = members["enabled"]?.content { namespace.enabled = value }
    subsystem.namespaces.append(namespace)
  }

  private mutating func port(_ id: String, _ json: LocatedJSON, _ path: String) {
    guard let members = members(json, path, known: ["port_type", "port_addr", "subsystems"]) else {
      return
    }
    guard let number = UInt16(id) else {
      return add(.error, json, path, "\"\(id.prefix(40))\" is not a number of a port")
    }
    guard let type = members["port_type"], let word = text(type, "\(path).port_type") else {
      return add(.error, json, path, "the key \"port_type\" is missing")
    }
    let transports: [String: Profile.Port.Transport] = ["Loop": .loop, "Tcp": .tcp, "Rdma": .rdma]
    guard let transport = transports[word] else {
      return word == "FibreChannel"
        ? add(.warning, json, path, "profiles have no transport fc: left out")
        : add(
          .error, type, "\(path).port_type", "unknown transport \"\(word.prefix(40))\"",
          hint: "nvmetcfg has Loop, Tcp, Rdma and FibreChannel")
    }
    var port = Profile.Port(id: number, transport: transport)
    port.subsystems = texts(members["subsystems"], "\(path).subsystems").sorted()
    let place = "ports[\(profile.ports.count)]"
    collector.places[place] = (json.position, path)
    if transport != .loop {
      guard let address = members["port_addr"], let text = text(address, "\(path).port_addr"),
        let (host, service) = Self.socketAddress(text)
      else {
        return add(
          .error, members["port_addr"] ?? json, "\(path).port_addr",
          "an address and a port number were expected",
          hint: "such as 192.0.2.1:4420, or [2001:db8::1]:4420")
      }
      collector.places["\(place).address"] = (address.position, "\(path).port_addr")
      port.addressFamily = host.contains(":") ? "ipv6" : "ipv4"
      port.address = host
      port.service = service
    }
    profile.ports.append(port)
  }

  /// `192.0.2.1:4420`, `[2001:db8::1]:4420`.
  private static func socketAddress(_ text: String) -> (host: String, service: String)? {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
    let service = text[text.index(after: colon)...]
    return host.isEmpty || service.isEmpty ? nil : (String(host), String(service))
  }

  // MARK: Values

  private func members(
    _ json: LocatedJSON, _ path: String, known keys: [String]
  ) -> [String: LocatedJSON]? {
    guard case .object(let members) = json.content else {
      add(.error, json, path, "a mapping was expected, not \(json.kind)")
      return nil
    }
    for member in members where !keys.contains(member.key) {
      let nearest = nearestName(to: member.key, in: keys)
      collector.issues.add(
        .warning, path.isEmpty ? member.key : "\(path).\(member.key)", member.keyPosition,
        "nvmetcfg has no \"\(member.key.prefix(40))\" here: left out",
        hint: nearest.map { "did you mean \"\($0)\"?" })
    }
    return Dictionary(
      members.filter { keys.contains($0.key) }.map { ($0.key, $0.value) }
    ) { first, _ in first }
  }

  private func ordered(_ json: LocatedJSON?, _ path: String) -> [(String, LocatedJSON)] {
    guard let json else { return [] }
    switch json.content {
    case .object(let members): return members.map { ($0.key, $0.value) }
    case .null: return []
    default:
      add(.error, json, path, "a mapping was expected, not \(json.kind)")
      return []
    }
  }

  /// Nil for null, and for what is no text.
  private func text(_ json: LocatedJSON, _ path: String) -> String? {
    switch json.content {
    case .string(let text): return text
    case .null: return nil
    default:
      add(.error, json, path, "a text was expected, not \(json.kind)")
      return nil
    }
  }

  private func texts(_ json: LocatedJSON?, _ path: String) -> [String] {
    guard let json else { return [] }
    switch json.content {
    case .array(let elements):
      return elements.enumerated().compactMap { text($0.element, "\(path)[\($0.offset)]") }
    case .null: return []
    default:
      add(.error, json, path, "a sequence was expected, not \(json.kind)")
      return []
    }
  }
}

extension LocatedJSON {
  /// Whether it is null or an empty string.
  fileprivate var isBlank: Bool {
    switch content {
    case .null: true
    case .string(let text): text.isEmpty
    default: false
    }
  }
}

extension Profile.Backing {
  /// A backing of another tool's file, which has only a path.
  init(name: String, importing path: String) {
    self.init(
      name: name,
      store: path.hasPrefix("/dev/") ? .block(path: path) : .file(Profile.File(path: path)))
  }
}
