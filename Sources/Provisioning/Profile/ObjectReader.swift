// SPDX-License-Identifier: Apache-2.0

/// Collects issues while a profile is decoded, so that one run reports all of them.
final class IssueCollector {
  private(set) var issues: [ProfileIssue] = []
  /// Whether the structure is invalid, so that no further checks are possible.
  private(set) var hasStructuralErrors = false

  func add(
    _ severity: ProfileIssue.Severity, _ path: String, _ position: TextPosition?,
    _ message: String, topic: ProfileIssue.Topic? = nil, hint: String? = nil,
    isStructural: Bool = false
  ) {
    if isStructural { hasStructuralErrors = true }
    var issue = ProfileIssue(
      severity, path: path, position: position, message: message, hint: hint)
    issue.topic = topic
    issues.append(issue)
  }

  /// Adds issues, except for values that were already refused.
  func add(following more: [ProfileIssue]) {
    let refused = issues.filter { $0.severity == .error }.map(\.path)
    issues += more.filter { issue in
      !refused.contains {
        $0 == issue.path || $0.hasPrefix(issue.path + ".") || $0.hasPrefix(issue.path + "[")
      }
    }
  }
}

/// Reads one object of a profile key by key; values that ``SchemaCheck`` refused are nil.
struct ObjectReader {
  private let object: SchemaObject
  private let members: [String: LocatedJSON]

  /// nil when the value is no object.
  init?(_ json: LocatedJSON, _ object: SchemaObject) {
    guard case .object(let members) = json.content else { return nil }
    self.object = object
    self.members = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
  }

  func json(_ key: String) -> LocatedJSON? { members[key] }

  /// The only key of an object that represents a choice.
  var choice: String? { object.keys.first { members[$0] != nil } }

  func string(_ key: String) -> String? {
    guard case .string(let value)? = members[key]?.content else { return nil }
    return value
  }

  func bool(_ key: String) -> Bool? {
    guard case .bool(let value)? = members[key]?.content else { return nil }
    return value
  }

  /// A number in the range of its key.
  func integer<T: FixedWidthInteger>(_ key: String, _ type: T.Type = T.self) -> T? {
    guard let json = members[key], let range = object.row(key)?.range,
      case .value(let value) = SchemaInteger(json, in: range)
    else { return nil }
    return T(exactly: value)
  }

  /// One of a set of words.
  func word<T: RawRepresentable>(_ key: String, _ type: T.Type = T.self) -> T?
  where T.RawValue == String {
    string(key).flatMap { T(rawValue: $0) }
  }

  func objects(_ key: String) -> [LocatedJSON] {
    guard case .array(let elements)? = members[key]?.content else { return [] }
    return elements
  }

  func members(_ key: String) -> [LocatedJSON.Member] {
    guard case .object(let members)? = members[key]?.content else { return [] }
    return members
  }

  func strings(_ key: String) -> [String] {
    objects(key).compactMap { element in
      guard case .string(let value) = element.content else { return nil }
      return value
    }
  }

  /// The values of the keys that are settings, and the raw attributes without those that have become keys.
  func settings() -> (Settings, [Profile.RawAttribute]) {
    var settings = settings(of: object.rows)
    let raw = attributes().filter { attribute in
      guard
        let row = object.rows.first(where: {
          $0.wasAttribute && $0.attributes.first?.name == attribute.name
        }),
        settings[row.name] == nil, let setting = row.setting(attributeText: attribute.text)
      else { return true }
      settings[row.name] = row.omittingStandard(setting)
      return false
    }
    return (settings, raw)
  }

  /// The values of those keys of some rows that are settings.
  func settings(of rows: [SchemaRow]) -> Settings {
    var settings = Settings()
    for row in rows where row.isSetting {
      settings[row.name] = setting(row).flatMap(row.omittingStandard)
    }
    return settings
  }

  private func setting(_ row: SchemaRow) -> Setting? {
    switch row.kind {
    case .integer, .powerOfTwo: integer(row.name, Int.self).map { .integer($0) }
    case .boolean: bool(row.name).map { .boolean($0) }
    case .textOrInteger:
      // A number is kept as its text.
      string(row.name).map { .text($0) } ?? integer(row.name, Int.self).map { .text("\($0)") }
    default: string(row.name).map { .text($0) }
    }
  }

  /// Attributes in the order of the document, which is the order of writing.
  func attributes() -> [Profile.RawAttribute] {
    members("attributes").compactMap { member in
      guard case .string(let text) = member.value.content else { return nil }
      return Profile.RawAttribute(name: member.key, text: text)
    }
  }
}

/// The closest of some names, when one is close enough to be meant.
func nearestName(to name: String, in candidates: [String]) -> String? {
  guard name.utf8.count <= 64 else { return nil }
  let wanted = Array(name.lowercased())
  let scored = candidates.map {
    (candidate: $0, distance: editDistance(wanted, Array($0.lowercased())))
  }
  guard let best = scored.min(by: { $0.distance < $1.distance }),
    best.distance <= max(2, wanted.count / 3)
  else { return nil }
  return best.candidate
}

private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let substitution = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, diagonal + 1, row[j] + 1)
    }
  }
  return row[b.count]
}
