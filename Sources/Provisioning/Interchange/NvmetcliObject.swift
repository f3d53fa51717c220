// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// One object of nvmetcli's JSON with its groups laid flat: `addr: { trtype }` is the attribute `addr_trtype` again.
///
/// These files may be edited by hand, so numbers and booleans are accepted as texts.
struct NvmetcliObject {
  let path: String
  let position: TextPosition
  /// By attribute.
  private(set) var places: [String: TextPosition] = [:]
  private(set) var texts: [Profile.RawAttribute] = []

  private var lists: [String: LocatedJSON] = [:]
  private let issues: IssueCollector

  /// - Parameter lists: keys whose values are arrays of other objects.
  init?(
    _ json: LocatedJSON, _ path: String, _ issues: IssueCollector, lists: [String] = []
  ) {
    guard case .object(let members) = json.content else {
      issues.add(.error, path, json.position, "an object was expected, not \(json.kind)")
      return nil
    }
    self.path = path
    self.issues = issues
    position = json.position
    for member in members {
      if lists.contains(member.key) {
        self.lists[member.key] = member.value
      } else if case .object(let group) = member.value.content {
        for inner in group {
          take("\(member.key)_\(inner.key)", "\(path).\(member.key).\(inner.key)", inner.value)
        }
      } else {
        take(member.key, "\(path).\(member.key)", member.value)
      }
    }
  }

  private mutating func take(_ name: String, _ path: String, _ json: LocatedJSON) {
    places[name] = json.position
    let text: String
    switch json.content {
    case .string(let value): text = value
    case .number(let value): text = value
    case .bool(let value): text = value ? "1" : "0"
    case .null: return
    case .array, .object:
      issues.add(.error, path, json.position, "a string was expected, not \(json.kind)")
      return
    }
    // nvmetcli writes an ANA group both ways, and restores the one outside of the group last.
    texts.removeAll { $0.name == name }
    texts.append(Profile.RawAttribute(name: name, text: text))
  }

  func list(_ key: String) -> LocatedJSON? { lists[key] }
  func place(_ attribute: String) -> TextPosition { places[attribute] ?? position }

  /// Everything but the names of the object itself.
  func attributes(except names: [String]) -> [Profile.RawAttribute] {
    texts.filter { !names.contains($0.name) }
  }

  /// The text that names the object; an issue if it is missing.
  func name(_ key: String) -> String? {
    if let found = texts.first(where: { $0.name == key }) { return found.text }
    // A value that is not a text has been reported already.
    if places[key] == nil { issues.add(.error, path, position, "the key \"\(key)\" is missing") }
    return nil
  }

  /// The number that names the object; an issue if it is missing.
  func number<T: FixedWidthInteger>(_ key: String) -> T? {
    guard let text = name(key) else { return nil }
    guard let wide = text.kernelInteger(Int64.self), let value = T(exactly: wide) else {
      issues.add(
        .error, "\(path).\(key)", place(key),
        "\"\(text.prefix(40))\" is not a number from \(T.min) to \(T.max)")
      return nil
    }
    return value
  }

  func tell(_ problems: [AttributeTexts.Problem]) {
    for problem in problems {
      issues.add(.error, "\(path).\(problem.attribute)", place(problem.attribute), problem.message)
    }
  }
}
