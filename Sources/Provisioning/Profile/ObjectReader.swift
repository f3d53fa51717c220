// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// Collects what is wrong while a profile is decoded, so that one run reports everything.
final class IssueCollector {
  private(set) var issues: [ProfileIssue] = []

  func add(
    _ severity: ProfileIssue.Severity, _ path: String, _ position: TextPosition?,
    _ message: String, hint: String? = nil
  ) {
    issues.append(
      ProfileIssue(severity, path: path, position: position, message: message, hint: hint))
  }
}

/// Reads one object of a profile key by key; what does not fit becomes an issue with its place.
struct ObjectReader {
  let path: String
  let position: TextPosition
  let issues: IssueCollector
  private let members: [String: LocatedJSON]

  /// nil, with an issue, when the value is no object.
  init?(_ json: LocatedJSON, path: String, keys: [ProfileKeys.Key], _ issues: IssueCollector) {
    guard case .object(let members) = json.content else {
      issues.add(.error, path, json.position, "an object was expected, not \(json.kind)")
      return nil
    }
    self.path = path
    self.issues = issues
    position = json.position
    self.members = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
    for member in members where !keys.contains(where: { $0.name == member.key }) {
      let nearest = nearestName(to: member.key, in: keys.map(\.name))
      issues.add(
        .error, Self.join(path, member.key), member.keyPosition, "unknown key \"\(member.key)\"",
        hint: nearest.map { "did you mean \"\($0)\"?" }
          ?? "known keys: " + keys.map(\.name).joined(separator: ", "))
    }
    for key in keys where key.isRequired && self.members[key.name] == nil {
      issues.add(.error, path, json.position, "the key \"\(key.name)\" is missing")
    }
  }

  func place(_ key: String) -> TextPosition { members[key]?.position ?? position }
  func has(_ key: String) -> Bool { members[key] != nil }
  func subpath(_ key: String) -> String { Self.join(path, key) }
  func json(_ key: String) -> LocatedJSON? { members[key] }

  private static func join(_ path: String, _ key: String) -> String {
    path.isEmpty ? key : "\(path).\(key)"
  }

  func complain(_ key: String, _ message: String, hint: String? = nil) {
    issues.add(.error, subpath(key), place(key), message, hint: hint)
  }

  func string(_ key: String) -> String? {
    guard let json = members[key] else { return nil }
    guard case .string(let value) = json.content else {
      complain(key, "a string was expected, not \(json.kind)")
      return nil
    }
    return value
  }

  func bool(_ key: String) -> Bool? {
    guard let json = members[key] else { return nil }
    guard case .bool(let value) = json.content else {
      complain(key, "true or false was expected, not \(json.kind)")
      return nil
    }
    return value
  }

  /// A number, or a string such as `"0x15b7"`.
  func integer<T: FixedWidthInteger>(_ key: String, _ type: T.Type = T.self) -> T? {
    guard let json = members[key] else { return nil }
    let text: String
    switch json.content {
    case .number(let number): text = number
    case .string(let string): text = string
    default:
      complain(key, "a number was expected, not \(json.kind)")
      return nil
    }
    // Decode wide, then check: a number that is out of range deserves to be called that.
    guard let wide = text.kernelInteger(Int64.self) else {
      complain(
        key, "\"\(text.prefix(40))\" is no integer", hint: "write 32, \"32\" or \"0x20\"")
      return nil
    }
    guard let value = T(exactly: wide) else {
      complain(key, "\(text) is out of range: \(T.min) to \(T.max)")
      return nil
    }
    return value
  }

  /// One of a set of words.
  func word<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type = T.self) -> T?
  where T.RawValue == String {
    guard let text = string(key) else { return nil }
    if let value = T(rawValue: text) { return value }
    let words = T.allCases.map(\.rawValue)
    complain(
      key, "unknown value \"\(text.prefix(60))\"",
      hint: nearestName(to: text, in: words).map { "did you mean \"\($0)\"?" }
        ?? "known values: " + words.joined(separator: ", "))
    return nil
  }

  func array(_ key: String) -> [(path: String, json: LocatedJSON)] {
    guard let json = members[key] else { return [] }
    guard case .array(let elements) = json.content else {
      complain(key, "an array was expected, not \(json.kind)")
      return []
    }
    return elements.enumerated().map { ("\(subpath(key))[\($0.offset)]", $0.element) }
  }

  func strings(_ key: String) -> [String] {
    array(key).compactMap { element in
      if case .string(let value) = element.json.content { return value }
      issues.add(
        .error, element.path, element.json.position,
        "a string was expected, not \(element.json.kind)")
      return nil
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
