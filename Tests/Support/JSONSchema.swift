// SPDX-License-Identifier: Apache-2.0
public import Provisioning

/// As much of JSON Schema (draft 2020-12) as the published schema of profiles uses.
///
/// A keyword that it does not know is an error of the test, not something to pass over.
public final class JSONSchema {
  private let document: JSONValue
  private var patterns: [String: Regex<AnyRegexOutput>] = [:]
  /// Keywords of the schema that were met and are not known.
  public private(set) var unknown: Set<String> = []

  public init(_ document: JSONValue) { self.document = document }

  /// The paths at which a value does not fit.
  public func violations(_ value: JSONValue) -> [String] { violations(value, document, "") }

  private static let silent: Set<String> = [
    "$schema", "title", "description", "default", "$defs", "additionalProperties",
  ]

  private func violations(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
    guard case .object(let keywords) = schema else { return [] }
    var found: [String] = []
    for keyword in keywords where !Self.silent.contains(keyword.key) {
      let rule = keyword.value
      switch keyword.key {
      case "$ref":
        let name = String((rule.stringValue ?? "").dropFirst("#/$defs/".count))
        found += violations(value, document["$defs"]?[name] ?? .null, path)
      case "items":
        for (index, element) in (value.arrayValue ?? []).enumerated() {
          found += violations(element, rule, "\(path)[\(index)]")
        }
      case "properties": found += members(value, schema, rule, path)
      case "propertyNames":
        if case .object(let members) = value {
          for member in members {
            found += violations(.string(member.key), rule, "\(path).\(member.key)")
          }
        }
      default: if !fits(value, keyword.key, rule) { found.append(path) }
      }
    }
    if schema["properties"] == nil { found += members(value, schema, [:], path) }
    return found
  }

  private func members(
    _ value: JSONValue, _ schema: JSONValue, _ properties: JSONValue, _ path: String
  ) -> [String] {
    guard case .object(let members) = value else { return [] }
    return members.flatMap { member -> [String] in
      let place = path.isEmpty ? member.key : "\(path).\(member.key)"
      if let rule = properties[member.key] { return violations(member.value, rule, place) }
      switch schema["additionalProperties"] {
      case nil: return []
      case .bool(let allowed)?: return allowed ? [] : [place]
      case let rule?: return violations(member.value, rule, place)
      }
    }
  }

  private func fits(_ value: JSONValue, _ keyword: String, _ rule: JSONValue) -> Bool {
    switch keyword {
    case "type":
      let types = rule.arrayValue ?? [rule]
      return types.contains { isOfType(value, $0.stringValue ?? "") }
    case "const": return value == rule
    case "enum": return (rule.arrayValue ?? []).contains(value)
    case "not": return !violations(value, rule, "").isEmpty
    case "required":
      guard case .object(let members) = value else { return true }
      return (rule.arrayValue ?? []).allSatisfy { key in
        members.contains { $0.key == key.stringValue }
      }
    case "minProperties", "maxProperties":
      guard case .object(let members) = value, let limit = rule.integerValue else { return true }
      return keyword == "minProperties" ? members.count >= limit : members.count <= limit
    case "uniqueItems":
      guard let elements = value.arrayValue else { return true }
      return Set(elements).count == elements.count
    case "minLength", "maxLength":
      guard let text = value.stringValue, let limit = rule.integerValue else { return true }
      let length = text.unicodeScalars.count
      return keyword == "minLength" ? length >= limit : length <= limit
    case "pattern":
      guard let text = value.stringValue, let pattern = rule.stringValue else { return true }
      return matches(text, pattern)
    case "minimum", "maximum":
      guard let number = double(value), let limit = double(rule) else { return true }
      if case .integer(let exact) = value, case .integer(let bound) = rule {
        return keyword == "minimum" ? exact >= bound : exact <= bound
      }
      return keyword == "minimum" ? number >= limit : number <= limit
    default:
      unknown.insert(keyword)
      return true
    }
  }

  private func double(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let text): Double(text)
    default: nil
    }
  }

  private func isOfType(_ value: JSONValue, _ type: String) -> Bool {
    switch (type, value) {
    case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array),
      ("object", .object), ("integer", .integer), ("number", .integer), ("number", .number):
      true
    // A number without a fraction is an integer, however it is written.
    case ("integer", .number):
      double(value).map { $0.isFinite && $0 == $0.rounded() } ?? false
    default: false
    }
  }

  private func matches(_ text: String, _ pattern: String) -> Bool {
    if patterns[pattern] == nil {
      patterns[pattern] = (try? Regex(pattern))?.matchingSemantics(.unicodeScalar)
    }
    guard let regex = patterns[pattern] else {
      unknown.insert("pattern \(pattern)")
      return true
    }
    return (try? regex.firstMatch(in: text)) ?? nil != nil
  }
}
