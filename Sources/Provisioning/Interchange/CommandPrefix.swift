// SPDX-License-Identifier: Apache-2.0

/// Programs that run another one, such as sudo, and variables in front of a command.
enum CommandPrefix {
  /// The options of a program that take the next word as their value.
  private static let programs: [String: Set<String>] = [
    "sudo": [
      "-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "--close-from", "-D",
      "--chdir", "-R", "--chroot", "-T", "--command-timeout", "-U", "--other-user", "-r", "--role",
      "-t", "--type",
    ],
    "doas": ["-u", "-C"], "env": ["-u", "--unset", "-C", "--chdir"],
    "nice": ["-n", "--adjustment"],
    "ionice": ["-c", "-n", "--class", "--classdata"], "bash": ["-o", "+o"], "sh": ["-o", "+o"],
    "dash": ["-o", "+o"], "nohup": [], "setsid": [], "time": [], "exec": [], "command": [],
  ]

  /// The words from the script's name on.
  static func removed(from words: [CommandWords.Word]) -> [CommandWords.Word] {
    var rest = words[...]
    while let word = rest.first {
      if isAssignment(word.text) {
        rest.removeFirst()
        continue
      }
      let name = word.text.split(separator: "/").last.map(String.init) ?? ""
      guard let values = programs[name] else { break }
      rest.removeFirst()
      while let option = rest.first, option.text.hasPrefix("-") {
        rest.removeFirst()
        if option.text == "--" { break }
        if values.contains(option.text), !rest.isEmpty { rest.removeFirst() }
      }
    }
    return Array(rest)
  }

  /// `NAME=value`.
  private static func isAssignment(_ text: String) -> Bool {
    guard let cut = text.firstIndex(of: "="), cut != text.startIndex else { return false }
    let name = text[..<cut].utf8
    return name.allSatisfy {
      $0 == 0x5f || (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf)
    }
  }
}
