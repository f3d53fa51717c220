// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// The parser of JSON with comments, which knows the line and column of every value.
struct JSONParser {
  private static let maximumDepth = 64
  private static let maximumSize = 4 << 20

  private let bytes: [UInt8]
  private var offset = 0
  private var line = 1
  private var lineStart = 0
  /// UTF-8 continuation bytes since the start of the line: they do not count as columns.
  private var continuations = 0
  private var depth = 0
  private var path: [String] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(ProfileIssue) -> LocatedJSON {
    guard bytes.count <= Self.maximumSize else {
      throw issue("the document is larger than \(Self.maximumSize >> 20) MiB")
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
      offset = 3
      lineStart = 3
    }
    try skipBlanks()
    let root = try value()
    try skipBlanks()
    guard offset == bytes.count else { throw issue("text after the end of the document") }
    return root
  }

  private var position: TextPosition {
    TextPosition(line: line, column: offset - lineStart - continuations + 1)
  }

  private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private func issue(_ message: String, at place: TextPosition? = nil) -> ProfileIssue {
    ProfileIssue(
      .error, path: path.isEmpty ? "" : path.joined(), position: place ?? position,
      message: message)
  }

  private mutating func advance() {
    let byte = bytes[offset]
    offset += 1
    if byte == UInt8(ascii: "\n") {
      line += 1
      lineStart = offset
      continuations = 0
    } else if byte & 0xc0 == 0x80 {
      continuations += 1
    }
  }

  private mutating func skipBlanks() throws(ProfileIssue) {
    while let byte = current {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
        advance()
      case UInt8(ascii: "/"):
        try skipComment()
      default:
        return
      }
    }
  }

  private mutating func skipComment() throws(ProfileIssue) {
    let start = position
    advance()
    switch current {
    case UInt8(ascii: "/"):
      while let byte = current, byte != UInt8(ascii: "\n") { advance() }
    case UInt8(ascii: "*"):
      advance()
      while true {
        guard let byte = current else { throw issue("unterminated comment", at: start) }
        advance()
        if byte == UInt8(ascii: "*"), current == UInt8(ascii: "/") {
          advance()
          return
        }
      }
    default:
      throw issue("a value or a comment was expected after \"/\"", at: start)
    }
  }

  private mutating func value() throws(ProfileIssue) -> LocatedJSON {
    let start = position
    guard let byte = current else { throw issue("the document ends where a value was expected") }
    switch byte {
    case UInt8(ascii: "{"): return try object(start)
    case UInt8(ascii: "["): return try array(start)
    case UInt8(ascii: "\""): return LocatedJSON(.string(try string()), start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return LocatedJSON(.number(try number()), start)
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
      return LocatedJSON(try word(), start)
    default:
      throw issue("\(Self.shown(byte)) cannot start a value")
    }
  }

  private mutating func word() throws(ProfileIssue) -> LocatedJSON.Content {
    let start = position
    let from = offset
    while let byte = current, byte.isLetter { advance() }
    let text = String(decoding: bytes[from..<offset], as: UTF8.self)
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    default:
      let shown = text.count > 24 ? text.prefix(24) + "..." : Substring(text)
      throw issue("\"\(shown)\" is not a JSON value; quote strings", at: start)
    }
  }

  private mutating func number() throws(ProfileIssue) -> String {
    let start = position
    let from = offset
    while let byte = current, byte.isNumberPart { advance() }
    let text = String(decoding: bytes[from..<offset], as: UTF8.self)
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      throw issue("JSON has no hexadecimal numbers: write \"\(text)\" in quotes", at: start)
    }
    guard text.count <= 64, Self.isNumber(text) else {
      throw issue("\"\(text.prefix(24))\" is not a JSON number", at: start)
    }
    return text
  }

  private static func isNumber(_ text: String) -> Bool {
    var rest = Substring(text)
    func digits(_ rest: inout Substring) -> Int {
      let run = rest.prefix { $0.isASCII && $0.isNumber }
      rest.removeFirst(run.count)
      return run.count
    }
    if rest.first == "-" { rest.removeFirst() }
    if rest.first == "0" {
      rest.removeFirst()
    } else if digits(&rest) == 0 {
      return false
    }
    if rest.first == "." {
      rest.removeFirst()
      if digits(&rest) == 0 { return false }
    }
    if rest.first == "e" || rest.first == "E" {
      rest.removeFirst()
      if rest.first == "+" || rest.first == "-" { rest.removeFirst() }
      if digits(&rest) == 0 { return false }
    }
    return rest.isEmpty
  }

  private mutating func string() throws(ProfileIssue) -> String {
    let start = position
    advance()
    var content: [UInt8] = []
    while true {
      guard let byte = current else { throw issue("unterminated string", at: start) }
      switch byte {
      case UInt8(ascii: "\""):
        advance()
        guard let text = String(validating: content, as: UTF8.self) else {
          throw issue("this string is not UTF-8", at: start)
        }
        return text
      case UInt8(ascii: "\\"):
        content.append(contentsOf: try escape().utf8)
      case 0..<0x20:
        throw issue("a string contains a control character (\(Self.shown(byte)))", at: position)
      default:
        content.append(byte)
        advance()
      }
    }
  }

  private mutating func escape() throws(ProfileIssue) -> Character {
    let start = position
    advance()
    guard let byte = current else { throw issue("the document ends inside a string", at: start) }
    advance()
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var unit = try fourDigits(start)
      if (0xd800..<0xdc00).contains(unit), current == UInt8(ascii: "\\") {
        advance()
        guard current == UInt8(ascii: "u") else {
          throw issue("unpaired surrogate", at: start)
        }
        advance()
        let low = try fourDigits(start)
        guard (0xdc00..<0xe000).contains(low) else {
          throw issue("unpaired surrogate", at: start)
        }
        unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(unit) else {
        throw issue("unpaired surrogate", at: start)
      }
      return Character(scalar)
    default:
      throw issue("\"\\\(Self.shown(byte))\" is not a valid escape sequence", at: start)
    }
  }

  private mutating func fourDigits(_ start: TextPosition) throws(ProfileIssue) -> UInt32 {
    let from = offset
    for _ in 0..<4 where current != nil { advance() }
    let text = String(decoding: bytes[from..<offset], as: UTF8.self)
    guard text.utf8.count == 4, text.allSatisfy(\.isHexDigit), let unit = UInt32(text, radix: 16)
    else { throw issue("four hexadecimal digits were expected after \"\\u\"", at: start) }
    return unit
  }

  private mutating func enter() throws(ProfileIssue) {
    depth += 1
    guard depth <= Self.maximumDepth else {
      throw issue("nested deeper than \(Self.maximumDepth) levels")
    }
    advance()
    try skipBlanks()
  }

  private mutating func array(_ start: TextPosition) throws(ProfileIssue) -> LocatedJSON {
    try enter()
    defer { depth -= 1 }
    var elements: [LocatedJSON] = []
    while current != UInt8(ascii: "]") {
      path.append("[\(elements.count)]")
      elements.append(try value())
      path.removeLast()
      try separator(before: UInt8(ascii: "]"), opened: start, "array")
    }
    advance()
    return LocatedJSON(.array(elements), start)
  }

  private mutating func object(_ start: TextPosition) throws(ProfileIssue) -> LocatedJSON {
    try enter()
    defer { depth -= 1 }
    var members: [LocatedJSON.Member] = []
    var lines: [String: Int] = [:]
    while current != UInt8(ascii: "}") {
      let place = position
      guard current == UInt8(ascii: "\"") else {
        throw issue(
          current == nil ? "unterminated object" : "a key in double quotes was expected",
          at: current == nil ? start : place)
      }
      let key = try string()
      if let first = lines.updateValue(place.line, forKey: key) {
        throw issue(
          "duplicate key \"\(key)\" (first on line \(first))",
          at: place)
      }
      try skipBlanks()
      guard current == UInt8(ascii: ":") else { throw issue("\":\" was expected after a key") }
      advance()
      try skipBlanks()
      path.append((path.isEmpty ? "" : ".") + key)
      members.append(LocatedJSON.Member(key: key, keyPosition: place, value: try value()))
      path.removeLast()
      try separator(before: UInt8(ascii: "}"), opened: start, "object")
    }
    advance()
    return LocatedJSON(.object(members), start)
  }

  private mutating func separator(
    before close: UInt8, opened: TextPosition, _ what: String
  ) throws(ProfileIssue) {
    try skipBlanks()
    switch current {
    case close: return
    case UInt8(ascii: ","):
      let comma = position
      advance()
      try skipBlanks()
      if current == close { throw issue("a comma before the end of the \(what)", at: comma) }
    case nil: throw issue("unterminated \(what)", at: opened)
    default: throw issue("\",\" or the end of the \(what) was expected")
    }
  }

  private static func shown(_ byte: UInt8) -> String {
    (0x20..<0x7f).contains(byte)
      ? "\"\(Character(Unicode.Scalar(byte)))\"" : "byte \(hexadecimal(byte))"
  }
}

extension UInt8 {
  fileprivate var isLetter: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
  }

  fileprivate var isNumberPart: Bool {
    isLetter || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
      || self == UInt8(ascii: "+") || self == UInt8(ascii: "-") || self == UInt8(ascii: ".")
  }
}
