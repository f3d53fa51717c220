// SPDX-License-Identifier: Apache-2.0

/// Programs that run another one, such as sudo, and variables in front of a command.
enum CommandPrefix {
  /// How a program takes the command that it runs.
  private struct Program {
    /// Options that take the next word as their value.
    var values: Set<String> = []
    /// Words between the options and the command, such as the mask of taskset.
    var operands = 0
    /// Options whose value is a command line in one word.
    var commands: Set<String> = []
    /// Whether the command can only be the value of an option.
    var needsCommandOption = false
  }

  private static let shell = Program(values: ["-o", "+o", "-O", "--rcfile"], commands: ["-c"])
  private static let su = Program(
    values: ["-s", "--shell", "-g", "--group", "-G", "--supp-group", "-w"],
    commands: ["-c", "--command", "--session-command"], needsCommandOption: true)

  private static let programs: [String: Program] = [
    "sudo": Program(values: [
      "-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "--close-from", "-D",
      "--chdir", "-R", "--chroot", "-T", "--command-timeout", "-U", "--other-user", "-r", "--role",
      "-t", "--type",
    ]),
    "doas": Program(values: ["-u", "-C"]), "pkexec": Program(values: ["--user"]),
    "env": Program(
      values: ["-u", "--unset", "-C", "--chdir"], commands: ["-S", "--split-string"]),
    "nice": Program(values: ["-n", "--adjustment"]),
    "ionice": Program(values: ["-c", "-n", "--class", "--classdata"]),
    "chrt": Program(values: ["-T", "-P", "-D"], operands: 1), "taskset": Program(operands: 1),
    "timeout": Program(values: ["-k", "--kill-after", "-s", "--signal"], operands: 1),
    "flock": Program(
      values: ["-w", "--timeout", "-E"], operands: 1, commands: ["-c", "--command"]),
    "numactl": Program(values: ["-N", "-C", "-m", "-i", "-p", "--cpunodebind", "--physcpubind"]),
    "systemd-run": Program(values: [
      "-u", "--unit", "-p", "--property", "-M", "--machine", "-H", "--host", "-E", "--setenv",
      "--uid", "--gid", "--nice", "--slice", "--working-directory", "--description",
      "--service-type", "--background",
    ]),
    "systemd-inhibit": Program(values: ["--what", "--who", "--why", "--mode"]),
    "stdbuf": Program(values: ["-i", "-o", "-e"]), "strace": Program(values: ["-o", "-e", "-s"]),
    "bash": shell, "sh": shell, "dash": shell, "ash": shell, "zsh": shell, "ksh": shell,
    "su": su,
    "runuser": Program(
      values: su.values.union(["-u", "--user"]), commands: su.commands),
    "nohup": Program(), "setsid": Program(), "time": Program(values: ["-f", "-o"]),
    "exec": Program(values: ["-a"]), "command": Program(), "busybox": Program(),
    "unbuffer": Program(),
  ]

  /// Programs that run a command where this machine's paths and devices have other meanings, or several times.
  private static let others: [String: String] = [
    "ssh": "runs the command on another machine", "chroot": "runs the command below another root",
    "nsenter": "runs the command in other namespaces",
    "unshare": "runs the command in other namespaces",
    "docker": "runs the command in a container", "podman": "runs the command in a container",
    "systemd-nspawn": "runs the command in a container",
    "machinectl": "runs the command in a container", "kubectl": "runs the command in a container",
    "xargs": "takes words of the command from its input", "watch": "repeats the command",
    "eval": "evaluates its words as a shell does", "parallel": "runs several commands",
    "at": "takes the command from its input", "script": "records the command",
  ]

  /// The words from the script's name on.
  /// - Throws: ``ProfileIssues`` that name a program whose command cannot be taken for one that is typed here.
  static func removed(
    from words: [CommandWords.Word]
  ) throws(ProfileIssues) -> [CommandWords.Word] {
    var rest = words[...]
    while let word = rest.first {
      if isAssignment(word.text) {
        rest.removeFirst()
        continue
      }
      let name = word.text.split(separator: "/").last.map(String.init) ?? ""
      if let reason = others[name] {
        throw refuse(
          word, "\(name) \(reason)", hint: "give the command line of the script itself")
      }
      guard let program = programs[name] else { break }
      rest.removeFirst()
      guard let inner = try command(of: program, &rest) else {
        guard !program.needsCommandOption else {
          throw refuse(
            word, "\(name) runs a shell, and no command without the option -c",
            hint: "give the command line of the script itself")
        }
        continue
      }
      rest = inner[...]
    }
    return Array(rest)
  }

  /// Takes a program's options and operands.
  /// - Returns: the words of the command in an option; nil if the command follows.
  private static func command(
    of program: Program, _ rest: inout ArraySlice<CommandWords.Word>
  ) throws(ProfileIssues) -> [CommandWords.Word]? {
    while let option = rest.first {
      let isOption = option.text.hasPrefix("-") || option.text.hasPrefix("+")
      // su takes its user before or between the options.
      guard isOption || program.needsCommandOption else { break }
      rest.removeFirst()
      guard isOption, option.text != "-" else { continue }
      if option.text == "--" { break }
      if let command = joined(option, program.commands) { return try split(command) }
      if names(option.text, program.commands), let command = rest.first {
        return try split(command)
      }
      if program.values.contains(option.text), !rest.isEmpty { rest.removeFirst() }
    }
    rest.removeFirst(min(program.operands, rest.count))
    // flock has the option after its operand.
    if program.operands > 0, let option = rest.first, names(option.text, program.commands),
      let command = rest.dropFirst().first
    {
      return try split(command)
    }
    return nil
  }

  /// Whether a word is an option of a set, or several letters of which the last one is: `-lc`.
  private static func names(_ text: String, _ options: Set<String>) -> Bool {
    if options.contains(text) { return true }
    guard let last = text.last, text.hasPrefix("-"), !text.hasPrefix("--") else { return false }
    return text.count > 2 && options.contains("-\(last)")
  }

  /// The value of `--command=VALUE`.
  private static func joined(
    _ word: CommandWords.Word, _ options: Set<String>
  ) -> CommandWords.Word? {
    guard let (name, value) = word.cutAtEqualSign, options.contains(name.text) else { return nil }
    return value
  }

  /// The words of a command line in one word, with their columns where it has no quotes of its own.
  private static func split(
    _ command: CommandWords.Word
  ) throws(ProfileIssues) -> [CommandWords.Word] {
    func moved(_ position: TextPosition) -> TextPosition {
      TextPosition(
        line: command.position.line, column: command.position.column + position.column)
    }
    do {
      return try CommandWords.split(command.text).map {
        CommandWords.Word(text: $0.text, position: moved($0.position))
      }
    } catch {
      throw ProfileIssues(
        error.issues.map { issue in
          var issue = issue
          issue.position = issue.position.map(moved)
          return issue
        })
    }
  }

  private static func refuse(
    _ word: CommandWords.Word, _ message: String, hint: String
  ) -> ProfileIssues {
    ProfileIssues([
      ProfileIssue(.error, path: "", position: word.position, message: message, hint: hint)
    ])
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

extension CommandWords.Word {
  /// An option and its value: `--name=value`; nil for another word.
  var cutAtEqualSign: (name: Self, value: Self)? {
    guard text.hasPrefix("--"), let cut = text.firstIndex(of: "=") else { return nil }
    let after = text.index(after: cut)
    let column = position.column + text.distance(from: text.startIndex, to: after)
    return (
      Self(text: String(text[..<cut]), position: position),
      Self(
        text: String(text[after...]), position: TextPosition(line: position.line, column: column))
    )
  }
}
