// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// A JSON document in memory; objects keep the order of their keys.
///
/// Results, plans and journals use it, so that text and JSON are printed from the same value.
public enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// A number that is no 64-bit integer, as it was written.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  public struct Member: Hashable, Sendable {
    public var key: String
    public var value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The first value of a key of an object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  public var stringValue: String? {
    guard case .string(let value) = self else { return nil }
    return value
  }

  public var integerValue: Int64? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  public var boolValue: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  public var arrayValue: [JSONValue]? {
    guard case .array(let value) = self else { return nil }
    return value
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }

  public init(_ value: some BinaryInteger) {
    self = Int64(exactly: value).map { .integer($0) } ?? .number("\(value)")
  }

  /// A string of a number in hexadecimal, as identifiers are read everywhere else: `0x15b7`.
  static func hexadecimal(_ value: some BinaryInteger, digits: Int = 4) -> JSONValue {
    .string(Numbers.hexadecimal(value, digits: digits))
  }

  /// A string, or null.
  public init(_ value: String?) {
    self = value.map { .string($0) } ?? .null
  }
}

extension JSONValue {
  /// The text on one line.
  public var compactText: String {
    var text = ""
    append(to: &text, indent: nil)
    return text
  }

  /// The text with an indentation of two blanks per level.
  public var prettyText: String {
    var text = ""
    append(to: &text, indent: 0)
    return text
  }

  private func append(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .number(let value): text += value
    case .string(let value): Self.append(quoted: value, to: &text)
    case .array(let elements):
      Self.append(elements, between: "[", and: "]", to: &text, indent: indent) {
        $0.append(to: &$1, indent: $2)
      }
    case .object(let members):
      Self.append(members, between: "{", and: "}", to: &text, indent: indent) {
        Self.append(quoted: $0.key, to: &$1)
        $1 += indent == nil ? ":" : ": "
        $0.value.append(to: &$1, indent: $2)
      }
    }
  }

  private static func append<Element>(
    _ elements: [Element], between open: String, and close: String, to text: inout String,
    indent: Int?, each: (Element, inout String, Int?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + 2 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      each(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }

  private static func append(quoted value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        text += "\\u" + hexadecimalDigits(scalar.value, count: 4)
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
