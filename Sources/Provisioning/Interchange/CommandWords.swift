// SPDX-License-Identifier: Apache-2.0

/// Splits a command line into words as a shell does it, without expanding anything.
enum CommandWords {
  struct Word {
    var text: String
    var position: TextPosition
  }

  /// - Throws: ``ProfileIssues`` for an unterminated quote and for shell expansions.
  static func split(_ line: String) throws(ProfileIssues) -> [Word] {
    var words: [Word] = []
    var current: Word?
    var quote: (mark: Character, position: TextPosition)?
    var isEscaped = false
    var column = 0
    func refuse(_ position: TextPosition, _ message: String) -> ProfileIssues {
      ProfileIssues([ProfileIssue(.error, path: "", position: position, message: message)])
    }
    for character in line {
      column += 1
      let position = TextPosition(line: 1, column: column)
      func add(_ text: String) {
        var word = current ?? Word(text: "", position: position)
        word.text += text
        current = word
      }
      if isEscaped {
        add(String(character))
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
      case " ", "\t", "\n":
        if let word = current { words.append(word) }
        current = nil
      case "'", "\"":
        add("")
        quote = (character, position)
      case "\\": isEscaped = true
      case "$", "`", ";", "|", "&", "<", ">", "(", ")", "*", "?":
        throw refuse(
          position, "\"\(character)\" is shell syntax: write the value itself, or quote it")
      default: add(String(character))
      }
    }
    if let quote { throw refuse(quote.position, "unterminated quote") }
    if let word = current { words.append(word) }
    return words
  }
}
