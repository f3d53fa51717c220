// SPDX-License-Identifier: Apache-2.0

/// Splits a command line into words as a shell does it, without expanding anything. Comments and line continuations are dropped.
enum CommandWords {
  struct Word {
    var text: String
    var position: TextPosition
  }

  /// - Throws: ``ProfileIssues`` for an unterminated quote and for shell expansions.
  static func split(_ line: String) throws(ProfileIssues) -> [Word] {
    // A file of an editor may begin with a byte order mark.
    let line = line.first == "\u{feff}" ? String(line.dropFirst()) : line
    let prompt = promptLength(of: line)
    var words: [Word] = []
    var current: Word?
    var quote: (mark: Character, position: TextPosition)?
    var isEscaped = false
    var isComment = false
    var column = 0
    func refuse(
      _ position: TextPosition, _ message: String, hint: String? = nil
    ) -> ProfileIssues {
      ProfileIssues([
        ProfileIssue(.error, path: "", position: position, message: message, hint: hint)
      ])
    }
    for character in line {
      column += 1
      if column <= prompt { continue }
      let position = TextPosition(line: 1, column: column)
      func add(_ text: String) {
        var word = current ?? Word(text: "", position: position)
        word.text += text
        current = word
      }
      if isComment {
        isComment = !character.isNewline
        continue
      }
      if isEscaped {
        if !character.isNewline { add(String(character)) }
        isEscaped = false
        continue
      }
      if let open = quote {
        if character == open.mark {
          quote = nil
        } else if character == "\\", open.mark == "\"" {
          isEscaped = true
        } else if "$`".contains(character), open.mark == "\"" {
          throw refuse(position, "\"\(character)\" is shell syntax: write the value itself")
        } else {
          add(String(character))
        }
        continue
      }
      switch character {
      case " ", "\t", "\n", "\r", "\r\n":
        if let word = current { words.append(word) }
        current = nil
      case "'", "\"":
        add("")
        quote = (character, position)
      case "\\": isEscaped = true
      case "#" where current == nil && !words.isEmpty: isComment = true
      case ";", "|", "&", "<", ">", "(", ")":
        throw refuse(
          position, "\"\(character)\" is shell syntax that runs or connects other commands",
          hint:
            "give the script's own command line: without what precedes or follows it, pipes, redirections and a & at the end; a \"\(character)\" in a value needs quotes"
        )
      case "$", "`", "*", "?":
        throw refuse(
          position, "\"\(character)\" is shell syntax: write the value itself, or quote it")
      default: add(String(character))
      }
    }
    if let quote { throw refuse(quote.position, "unterminated quote") }
    if let word = current { words.append(word) }
    return words
  }

  /// The characters of a shell's prompt at the beginning of a line that was copied from a terminal: `$ `, `# `, `root@rock-5b:~# `.
  private static func promptLength(of line: String) -> Int {
    guard let mark = line.firstIndex(where: { $0 == "$" || $0 == "#" }) else { return 0 }
    let end = line.index(after: mark)
    guard end < line.endIndex, line[end] == " " else { return 0 }
    let host = line[..<mark].drop { $0 == " " || $0 == "\t" }
    let isPrompt = host.isEmpty || host.contains("@") && !host.contains(" ")
    return isPrompt ? line.distance(from: line.startIndex, to: end) : 0
  }
}
