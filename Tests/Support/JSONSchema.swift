// SPDX-License-Identifier: Apache-2.0
public import Provisioning

/// As much of JSON Schema (draft 2020-12) as the published schemas use.
///
/// A keyword that it does not know is an error of the test, not something to pass over.
public final class JSONSchema {
  private let document: JSONValue
  /// The schemas of other files, by the files' names.
  private let others: [String: JSONSchema]
  private var patterns: [String: Regex<AnyRegexOutput>] = [:]
  /// Keywords of the schema that were met and are not known.
  public private(set) var unknown: Set<String> = []
  /// The declared properties that valid values have had so far: `#/$defs/plan/properties/name`.
  public private(set) var seen: Set<String> = []

  public init(_ document: JSONValue, others: [String: JSONSchema] = [:]) {
    self.document = document
    self.others = others
  }

  /// The paths at which a value does not fit.
  public func violations(_ value: JSONValue) -> [String] { violations(value, document, "", "#") }

  /// The paths at which a value does not fit a definition of `$defs`.
  public func violations(_ value: JSONValue, as definition: String) -> [String] {
    guard let schema = document["$defs"]?[definition] else {
      return ["no definition \(definition)"]
    }
    return violations(value, schema, "", "#/$defs/\(definition)")
  }

  /// The properties that a definition declares, with those of the definitions that it refers to, as ``seen`` has them.
  public func properties(of definition: String) -> Set<String> {
    var found: Set<String> = []
    var followed: Set<String> = []
    func walk(_ schema: JSONValue, _ pointer: String) {
      if case .array(let elements) = schema {
        for (index, element) in elements.enumerated() { walk(element, "\(pointer)/\(index)") }
      }
      guard case .object(let members) = schema else { return }
      for member in members {
        switch (member.key, member.value) {
        case ("$ref", .string(let target)) where target.hasPrefix("#/$defs/"):
          let name = String(target.dropFirst("#/$defs/".count))
          guard followed.insert(name).inserted else { continue }
          walk(document["$defs"]?[name] ?? .null, target)
        case ("properties", .object(let properties)):
          for property in properties {
            let place = "\(pointer)/properties/\(property.key)"
            found.insert(place)
            walk(property.value, place)
          }
        default: walk(member.value, "\(pointer)/\(member.key)")
        }
      }
    }
    followed.insert(definition)
    walk(document["$defs"]?[definition] ?? .null, "#/$defs/\(definition)")
    return found
  }

  private static let silent: Set<String> = [
    "$schema", "title", "description", "default", "$defs", "additionalProperties",
  ]

  private func violations(
    _ value: JSONValue, _ schema: JSONValue, _ path: String, _ pointer: String
  ) -> [String] {
    guard case .object(let keywords) = schema else { return [] }
    var found: [String] = []
    for keyword in keywords where !Self.silent.contains(keyword.key) {
      let rule = keyword.value
      switch keyword.key {
      case "$ref":
        found += violations(value, at: rule.stringValue ?? "", path)
      case "anyOf": found += alternatives(value, rule.arrayValue ?? [], path, pointer)
      case "items":
        for (index, element) in (value.arrayValue ?? []).enumerated() {
          found += violations(element, rule, "\(path)[\(index)]", "\(pointer)/items")
        }
      case "properties": found += members(value, schema, rule, path, pointer)
      case "propertyNames":
        if case .object(let members) = value {
          for member in members {
            found += violations(
              .string(member.key), rule, "\(path).\(member.key)", "\(pointer)/propertyNames")
          }
        }
      default: if !fits(value, keyword.key, rule) { found.append(path) }
      }
    }
    if schema["properties"] == nil { found += members(value, schema, [:], path, pointer) }
    return found
  }

  /// Against what a `$ref` names: a definition of this document, or another file.
  private func violations(_ value: JSONValue, at reference: String, _ path: String) -> [String] {
    let prefix = "#/$defs/"
    if reference.hasPrefix(prefix),
      let schema = document["$defs"]?[String(reference.dropFirst(prefix.count))]
    {
      return violations(value, schema, path, reference)
    }
    guard let other = others[reference] else {
      unknown.insert("$ref \(reference)")
      return []
    }
    let found = other.violations(value)
    unknown.formUnion(other.unknown)
    return found.map { path.isEmpty ? $0 : "\(path).\($0)" }
  }

  /// Those of the alternative with the fewest, when none fits.
  private func alternatives(
    _ value: JSONValue, _ schemas: [JSONValue], _ path: String, _ pointer: String
  ) -> [String] {
    var best: [String]?
    for (index, schema) in schemas.enumerated() {
      let before = seen
      let found = violations(value, schema, path, "\(pointer)/anyOf/\(index)")
      if found.isEmpty { return [] }
      seen = before
      if found.count < best?.count ?? .max { best = found }
    }
    return best ?? []
  }

  private func members(
    _ value: JSONValue, _ schema: JSONValue, _ properties: JSONValue, _ path: String,
    _ pointer: String
  ) -> [String] {
    guard case .object(let members) = value else { return [] }
    return members.flatMap { member -> [String] in
      let place = path.isEmpty ? member.key : "\(path).\(member.key)"
      if let rule = properties[member.key] {
        let property = "\(pointer)/properties/\(member.key)"
        seen.insert(property)
        return violations(member.value, rule, place, property)
      }
      switch schema["additionalProperties"] {
      case nil: return []
      case .bool(let allowed)?: return allowed ? [] : [place]
      case let rule?:
        return violations(member.value, rule, place, "\(pointer)/additionalProperties")
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
    case "not": return !violations(value, rule, "", "").isEmpty
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
