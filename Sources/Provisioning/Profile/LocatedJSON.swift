// SPDX-License-Identifier: Apache-2.0

/// A JSON document in which every value has its location, for errors.
///
/// Comments (`//` to the end of the line, `/* … */`) are allowed; duplicate keys, nesting beyond 64 levels and
/// documents beyond 4 MiB are errors.
public struct LocatedJSON: Sendable {
  public indirect enum Content: Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([LocatedJSON])
    case object([Member])
  }

  public struct Member: Sendable {
    public var key: String
    public var keyPosition: TextPosition
    public var value: LocatedJSON
  }

  public var content: Content
  public var position: TextPosition

  /// - Throws: ``ProfileIssue`` at the first character that does not fit.
  public init(parsing bytes: [UInt8]) throws(ProfileIssue) {
    var parser = JSONParser(bytes)
    self = try parser.document()
  }

  init(_ content: Content, _ position: TextPosition) {
    self.content = content
    self.position = position
  }

  /// A value that was not read from a text; its locations are undefined.
  init(_ value: JSONValue) {
    let content: Content =
      switch value {
      case .null: .null
      case .bool(let value): .bool(value)
      case .integer(let value): .number("\(value)")
      case .number(let text): .number(text)
      case .string(let text): .string(text)
      case .array(let elements): .array(elements.map { LocatedJSON($0) })
      case .object(let members):
        .object(
          members.map {
            Member(
              key: $0.key, keyPosition: TextPosition(line: 0, column: 0),
              value: LocatedJSON($0.value))
          })
      }
    self.init(content, TextPosition(line: 0, column: 0))
  }

  /// The kind of the value, for messages.
  var kind: String {
    switch content {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The value without its places.
  public var value: JSONValue {
    switch content {
    case .null: .null
    case .bool(let value): .bool(value)
    case .number(let text): Int64(text).map { .integer($0) } ?? .number(text)
    case .string(let value): .string(value)
    case .array(let elements): .array(elements.map(\.value))
    case .object(let members):
      .object(members.map { JSONValue.Member($0.key, $0.value.value) })
    }
  }
}

/// A place in a text, both numbers from 1; the column counts characters.
public struct TextPosition: Hashable, Sendable {
  public var line: Int
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}
