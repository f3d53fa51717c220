// SPDX-License-Identifier: Apache-2.0

/// The YAML of configuration files, as located JSON: block mappings and sequences, quoted and plain scalars of one line, flow collections
/// of one line, comments.
///
/// Tags, anchors, aliases, block scalars and several documents are errors, located like all others. Plain scalars other than `true`,
/// `false` and `null` are strings, since files write numbers and names alike without quotes.
/// - Source: YAML 1.2.2, 7.3, 7.4, 8.2.
struct YAMLText {
  private struct Line {
    var number: Int
    /// Characters before the content.
    var indentation: Int
    var content: Substring
  }

  private var lines: [Line] = []
  private var next = 0
  private static let maximumDepth = 64
  private static let byteOrderMark: Character = "\u{feff}"

  /// - Throws: ``ProfileIssue`` at the first character that does not fit.
  static func parse(_ bytes: [UInt8]) throws(ProfileIssue) -> LocatedJSON {
    guard bytes.count <= 4 << 20, let text = String(validating: bytes, as: UTF8.self) else {
      throw issue(1, 1, "is not UTF-8 text of at most 4 MiB")
    }
    var parser = YAMLText()
    try parser.split(text)
    guard let first = parser.lines.first else {
      return LocatedJSON(.null, TextPosition(line: 1, column: 1))
    }
    let value = try parser.block(first.indentation, depth: 0)
    if let rest = parser.line { throw parser.issue(rest, "does not belong to what precedes it") }
    return value
  }

  private static func issue(_ line: Int, _ column: Int, _ message: String) -> ProfileIssue {
    ProfileIssue(
      .error, path: "", position: TextPosition(line: line, column: column), message: message)
  }

  private func issue(_ line: Line, _ message: String) -> ProfileIssue {
    Self.issue(line.number, line.indentation + 1, message)
  }

  // MARK: Lines

  private mutating func split(_ text: String) throws(ProfileIssue) {
    // CR LF is one character.
    let all = text.drop { $0 == Self.byteOrderMark }.split(omittingEmptySubsequences: false) {
      $0 == "\n" || $0 == "\r\n" || $0 == "\r"
    }
    for (index, line) in all.enumerated() {
      let content = Self.withoutComment(line.drop { $0 == " " })
      guard let first = content.first else { continue }
      if first == "\t" {
        throw Self.issue(index + 1, 1, "is indented with a tab; YAML uses spaces")
      }
      if content.count == line.count {
        if first == "%" { continue }
        if content == "..." { break }
        if content == "---" {
          guard lines.isEmpty else { throw Self.issue(index + 1, 1, "begins a second document") }
          continue
        }
      }
      lines.append(
        Line(
          number: index + 1, indentation: line.count - line.drop { $0 == " " }.count,
          content: content))
    }
  }

  /// Without a comment and the blanks before it.
  private static func withoutComment(_ text: Substring) -> Substring {
    var quote: Character?
    var previous: Character = " "
    var end = text.endIndex
    for index in text.indices {
      let character = text[index]
      if let open = quote {
        if character == open, !(open == "\"" && previous == "\\") { quote = nil }
      } else if "\"'".contains(character), " \t[{,:".contains(previous) {
        quote = character
      } else if character == "#", previous.isBlank {
        end = index
        break
      }
      previous = character
    }
    var kept = text[..<end]
    while let last = kept.last, last.isBlank { kept.removeLast() }
    return kept
  }

  private var line: Line? { next < lines.count ? lines[next] : nil }

  // MARK: Blocks

  private mutating func block(_ indentation: Int, depth: Int) throws(ProfileIssue) -> LocatedJSON {
    guard let line else { return LocatedJSON(.null, TextPosition(line: 1, column: 1)) }
    guard depth < Self.maximumDepth else { throw issue(line, "is nested too deeply") }
    if Self.isItem(line.content) {
      let value = try sequence(indentation, depth)
      try checkIndentation(indentation)
      return value
    }
    if try Self.key(line) != nil { return try mapping(indentation, depth) }
    next += 1
    var scalar = YAMLScalar(line.content, line.number, line.indentation)
    return try scalar.value()
  }

  private static func isItem(_ content: Substring) -> Bool {
    isIndicator("-", of: content)
  }

  /// Whether a line begins with an indicator, which a blank or the end of the line follows.
  private static func isIndicator(_ indicator: Character, of content: Substring) -> Bool {
    content.first == indicator && content.dropFirst().first?.isBlank != false
  }

  /// A key of its own line, as libyaml writes those of more than 128 characters.
  private static func isExplicitKey(_ content: Substring) -> Bool {
    content.count > 1 && isIndicator("?", of: content)
  }

  /// The items at an indentation; the caller checks what follows, which below a key is the next key.
  private mutating func sequence(
    _ indentation: Int, _ depth: Int
  ) throws(ProfileIssue) -> LocatedJSON {
    let position = position
    var elements: [LocatedJSON] = []
    while let line, line.indentation == indentation, Self.isItem(line.content) {
      elements.append(try afterIndicator(line, depth))
    }
    if let line, line.indentation > indentation {
      throw issue(line, "is neither a key nor an item like those above it")
    }
    return LocatedJSON(.array(elements), position)
  }

  /// The value after a dash, or after the colon of an explicit key.
  private mutating func afterIndicator(_ line: Line, _ depth: Int) throws(ProfileIssue)
    -> LocatedJSON
  {
    let rest = line.content.dropFirst().drop(while: \.isBlank)
    guard rest.isEmpty else {
      // The value continues the line, as if it were below the indicator.
      let column = line.indentation + line.content.count - rest.count
      lines[next] = Line(number: line.number, indentation: column, content: rest)
      return try block(column, depth: depth + 1)
    }
    next += 1
    return try nested(deeperThan: line.indentation, line, depth)
  }

  private mutating func mapping(
    _ indentation: Int, _ depth: Int
  ) throws(ProfileIssue) -> LocatedJSON {
    let position = position
    var members: [LocatedJSON.Member] = []
    while let line, line.indentation == indentation, !Self.isItem(line.content),
      let (key, rest) = try Self.key(line)
    {
      if let first = members.first(where: { $0.key == key }) {
        throw issue(line, "duplicate key (first on line \(first.keyPosition.line))")
      }
      let place = TextPosition(line: line.number, column: indentation + 1)
      next += 1
      let value: LocatedJSON
      if Self.isExplicitKey(line.content) {
        if let below = self.line, below.indentation == indentation,
          Self.isIndicator(":", of: below.content)
        {
          value = try afterIndicator(below, depth)
        } else {
          value = LocatedJSON(.null, place)
        }
      } else if rest.isEmpty {
        // A sequence may have the indentation of its key.
        if let below = self.line, below.indentation == indentation, Self.isItem(below.content) {
          value = try sequence(indentation, depth + 1)
        } else {
          value = try nested(deeperThan: indentation, line, depth)
        }
      } else {
        let column = indentation + line.content.count - rest.count
        var scalar = YAMLScalar(rest, line.number, column)
        value = try scalar.value()
        if let below = self.line, below.indentation > indentation {
          throw issue(below, "continues a value of the line above, which is not supported")
        }
      }
      members.append(LocatedJSON.Member(key: key, keyPosition: place, value: value))
    }
    try checkIndentation(indentation)
    return LocatedJSON(.object(members), position)
  }

  private var position: TextPosition {
    TextPosition(line: line?.number ?? 1, column: (line?.indentation ?? 0) + 1)
  }

  /// The value below a key or a dash; null if there is none.
  private mutating func nested(
    deeperThan indentation: Int, _ above: Line, _ depth: Int
  ) throws(ProfileIssue) -> LocatedJSON {
    guard let line, line.indentation > indentation else {
      return LocatedJSON(
        .null, TextPosition(line: above.number, column: above.indentation + above.content.count))
    }
    return try block(line.indentation, depth: depth + 1)
  }

  private func checkIndentation(_ indentation: Int) throws(ProfileIssue) {
    guard let line, line.indentation >= indentation else { return }
    throw issue(line, "is neither a key nor an item like those above it")
  }

  /// A key and the text after its colon; no text for an explicit key.
  private static func key(_ line: Line) throws(ProfileIssue) -> (String, Substring)? {
    if isExplicitKey(line.content) {
      let text = line.content.dropFirst(2).drop(while: \.isBlank)
      var scalar = YAMLScalar(
        text, line.number, line.indentation + line.content.count - text.count)
      let key = try scalar.value()
      guard case .string(let name) = key.content else {
        throw issue(line.number, line.indentation + 1, "a key must be a text, not \(key.kind)")
      }
      return (name, "")
    }
    var scalar = YAMLScalar(line.content, line.number, line.indentation)
    return try scalar.key()
  }
}

/// Scalars and flow collections within one line.
struct YAMLScalar {
  private var rest: Substring
  private let start: Substring
  private let line: Int
  private let column: Int

  /// - Parameter column: characters before the text.
  init(_ text: Substring, _ line: Int, _ column: Int) {
    rest = text
    start = text
    self.line = line
    self.column = column
  }

  private var position: TextPosition {
    TextPosition(line: line, column: column + start.count - rest.count + 1)
  }

  private func issue(_ message: String) -> ProfileIssue {
    ProfileIssue(.error, path: "", position: position, message: message)
  }

  /// The whole text as one value.
  mutating func value() throws(ProfileIssue) -> LocatedJSON {
    let value = try element(isInFlow: false, depth: 0)
    guard rest.isEmpty else { throw issue("\"\(rest.prefix(20))\" follows a value") }
    return value
  }

  /// A key and the text after its colon; nil if the text is a value.
  mutating func key() throws(ProfileIssue) -> (String, Substring)? {
    if let quote = rest.first, "\"'".contains(quote) {
      let key = try quoted()
      guard rest.first == ":" else { return nil }
      rest.removeFirst()
      return (key, rest.drop(while: \.isBlank))
    }
    guard let first = rest.first, !"[{".contains(first) else { return nil }
    for index in rest.indices where rest[index] == ":" {
      let after = rest.index(after: index)
      guard after == rest.endIndex || rest[after].isBlank else { continue }
      return (String(rest[..<index]), rest[after...].drop(while: \.isBlank))
    }
    return nil
  }

  private mutating func element(
    isInFlow: Bool, depth: Int
  ) throws(ProfileIssue) -> LocatedJSON {
    guard depth < 64 else { throw issue("is nested too deeply") }
    skipBlanks()
    let position = position
    switch rest.first {
    case "\"", "'": return LocatedJSON(.string(try quoted()), position)
    case "[":
      return LocatedJSON(
        .array(try members(end: "]", depth).map(\.value)), position)
    case "{": return LocatedJSON(.object(try members(end: "}", depth)), position)
    case "&", "*", "!": throw issue("anchors, aliases and tags are not supported")
    case "|", ">": throw issue("texts of several lines are not supported")
    default: return LocatedJSON(plain(isInFlow), position)
    }
  }

  private mutating func plain(_ isInFlow: Bool) -> LocatedJSON.Content {
    var text = isInFlow ? rest.prefix { !",]}".contains($0) } : rest
    rest = rest[text.endIndex...]
    while text.last?.isBlank == true { text.removeLast() }
    switch text {
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case "null", "Null", "NULL", "~", "": return .null
    default: return .string(String(text))
    }
  }

  /// The elements of a flow collection; those of a sequence have empty keys.
  private mutating func members(
    end: Character, _ depth: Int
  ) throws(ProfileIssue) -> [LocatedJSON.Member] {
    rest.removeFirst()
    var found: [LocatedJSON.Member] = []
    while true {
      skipBlanks()
      if rest.first == end { break }
      let place = position
      var key = ""
      if end == "}" {
        if let quote = rest.first, "\"'".contains(quote) {
          key = try quoted()
        } else {
          let name = rest.prefix { !":,}".contains($0) }
          rest = rest[name.endIndex...]
          key = String(name)
        }
        skipBlanks()
        guard rest.first == ":" else { throw issue("\":\" was expected") }
        rest.removeFirst()
        guard !found.contains(where: { $0.key == key }) else { throw issue("duplicate key") }
      }
      found.append(
        .init(
          key: key, keyPosition: place, value: try element(isInFlow: true, depth: depth + 1)))
      skipBlanks()
      if rest.first == "," {
        rest.removeFirst()
      } else if rest.first != end {
        throw issue("\",\" or \"\(end)\" was expected on this line")
      }
    }
    rest.removeFirst()
    skipBlanks()
    return found
  }

  private mutating func skipBlanks() { rest = rest.drop(while: \.isBlank) }

  private mutating func quoted() throws(ProfileIssue) -> String {
    let quote = rest.removeFirst()
    var text = ""
    while let character = rest.popFirst() {
      if character == quote {
        guard quote == "'", rest.first == "'" else {
          skipBlanks()
          return text
        }
        rest.removeFirst()
        text.append("'")
      } else if character == "\\", quote == "\"" {
        text.append(try escaped())
      } else {
        text.append(character)
      }
    }
    throw issue("a quoted text does not end on its line")
  }

  private static let escapes: [Character: Character] = [
    "n": "\n", "t": "\t", "r": "\r", "\"": "\"", "\\": "\\", "/": "/", "0": "\0", " ": " ",
  ]

  private mutating func escaped() throws(ProfileIssue) -> Character {
    guard let kind = rest.popFirst() else { throw issue("an escape is incomplete") }
    if let character = Self.escapes[kind] { return character }
    let counts: [Character: Int] = ["x": 2, "u": 4, "U": 8]
    guard let count = counts[kind] else { throw issue("unknown escape \"\\\(kind)\"") }
    let digits = rest.prefix(count)
    guard digits.count == count, digits.allSatisfy(\.isHexDigit),
      let number = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(number)
    else { throw issue("an escape needs \(count) hexadecimal digits of a character") }
    rest = rest.dropFirst(count)
    return Character(scalar)
  }
}

extension Character {
  /// A space or a tab, which separate values within a line.
  fileprivate var isBlank: Bool { self == " " || self == "\t" }
}
