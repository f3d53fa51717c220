// SPDX-License-Identifier: Apache-2.0

/// A manual page in the language of man(7).
struct Roff {
  private(set) var text = ""

  /// A macro with its arguments, in which a dash is a hyphen.
  mutating func macro(_ name: String, _ arguments: String...) {
    let words = arguments.map {
      "\"\($0.replacing("\\", with: "\\e").replacing("\"", with: "\\(dq"))\""
    }
    text += ([".\(name)"] + words).joined(separator: " ") + "\n"
  }

  /// Lines that already are roff.
  mutating func raw(_ line: String) { text += line + "\n" }

  mutating func section(_ title: String) { macro("SH", title) }

  /// Text in paragraphs as the help has it: empty lines between them, examples indented.
  mutating func prose(_ source: String, afterHeading: Bool = true) {
    var isFirst = afterHeading
    for block in Self.blocks(source) {
      switch block {
      case .paragraph(let words):
        if !isFirst { raw(".PP") }
        line(words)
      case .example(let lines):
        example(lines)
      }
      isFirst = false
    }
  }

  /// Lines as they are, apart from the text around them.
  mutating func example(_ lines: [String]) {
    raw(".PP\n.RS 4\n.nf")
    for example in lines { raw(Self.marked(example)) }
    raw(".fi\n.RE")
  }

  /// Text that is filled; `code` is bold.
  mutating func line(_ words: String) {
    var line = ""
    // Short lines make the source readable and avoid warnings of mandoc.
    for word in Self.marked(words).split(separator: " ") {
      if !line.isEmpty, line.utf8.count + word.utf8.count > 78 {
        raw(line)
        line = ""
      }
      line += line.isEmpty ? Self.guarded(String(word)) : " \(word)"
    }
    raw(line)
  }

  private static func marked(_ words: String) -> String {
    var escaped = ""
    for (index, part) in Self.escaped(words).split(separator: "`", omittingEmptySubsequences: false)
      .enumerated()
    { escaped += index % 2 == 1 ? "\\fB\(part)\\fP" : part }
    return guarded(escaped)
  }

  /// A line that begins with these is a request.
  private static func guarded(_ line: String) -> String {
    line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
  }

  static func bold(_ words: String) -> String { "\\fB\(escaped(words))\\fP" }
  static func italic(_ words: String) -> String { "\\fI\(escaped(words))\\fP" }

  static func escaped(_ words: String) -> String {
    words.replacing("\\", with: "\\e").replacing("-", with: "\\-")
  }

  private enum Block {
    case paragraph(String)
    case example([String])
  }

  private static func blocks(_ source: String) -> [Block] {
    var blocks: [Block] = []
    var isApart = true
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy({ $0 == " " }) {
        isApart = true
        continue
      }
      let isExample = line.hasPrefix("  ")
      switch (isExample, blocks.last) {
      case (true, .example(let lines)?):
        blocks[blocks.count - 1] = .example(
          lines + (isApart ? [""] : []) + [String(line.dropFirst(2))])
      case (true, _): blocks.append(.example([String(line.dropFirst(2))]))
      case (false, .paragraph(let words)?) where !isApart:
        blocks[blocks.count - 1] = .paragraph(words + " " + line)
      case (false, _): blocks.append(.paragraph(String(line)))
      }
      isApart = false
    }
    return blocks
  }
}
