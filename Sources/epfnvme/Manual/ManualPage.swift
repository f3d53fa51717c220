// SPDX-License-Identifier: Apache-2.0

/// The manual page of a command, from its definition and from what all pages share.
struct ManualPage {
  let command: CommandInfo
  let root: CommandInfo
  /// As the page's foot shows it: `2026-01-31`.
  let date: String

  var fileName: String { "\(command.pageName).1" }

  /// In the language of man(7).
  var text: String {
    var page = Roff()
    page.raw(".\\\" SPDX-License-Identifier: Apache-2.0")
    page.macro(
      "TH", command.pageName.uppercased(), "1", date, "epfnvme \(EPFNVMe.version)",
      "epfnvme manual")
    // No hyphenation and no stretched spaces, so that commands can be copied.
    page.raw(".nh\n.ad l")
    page.section("NAME")
    page.raw("\(Roff.escaped(command.pageName)) \\- \(Roff.escaped(summary))")
    page.section("SYNOPSIS")
    synopsis(&page)
    page.section("DESCRIPTION")
    page.line(command.abstract)
    page.prose(isRoot ? EPFNVMe.introduction : command.discussion, afterHeading: false)
    if !command.subcommands.isEmpty { commands(&page) }
    options(&page)
    examples(&page)
    exitStatus(&page)
    if isRoot { filesAndEnvironment(&page) }
    seeAlso(&page)
    return page.text
  }

  private var isRoot: Bool { command.words.count == 1 }

  /// The abstract without its full stop, as whatis(1) requires.
  private var summary: String {
    command.abstract.hasSuffix(".") ? String(command.abstract.dropLast()) : command.abstract
  }

  private func synopsis(_ page: inout Roff) {
    var line = [Roff.bold(command.words.joined(separator: " "))]
    if !command.subcommands.isEmpty { line.append(Roff.italic("command")) }
    line.append("[\(Roff.italic("options"))]")
    for argument in command.arguments where argument.kind == .positional {
      let name = Roff.italic(argument.valueName) + (argument.isRepeating ? " ..." : "")
      line.append(argument.isOptional ? "[\(name)]" : name)
    }
    page.raw(line.joined(separator: " "))
  }

  private func commands(_ page: inout Roff) {
    page.section("COMMANDS")
    for item in command.subcommands {
      page.raw(".TP")
      page.raw(reference(item.pageName))
      page.line(item.abstract)
    }
  }

  // MARK: Options

  private func options(_ page: inout Roff) {
    let common = root.commonOptions
    let own = command.arguments.filter { option in
      !common.contains { $0.kind == option.kind && $0.names == option.names }
    }
    if isRoot {
      page.section("GENERAL OPTIONS")
      page.line("All commands accept these options.")
      for option in common { item(option, &page) }
      return
    }
    page.section("OPTIONS")
    for option in own { item(option, &page) }
    if !own.isEmpty { page.raw(".PP") }
    let names = common.compactMap(\.names.last).map(Roff.bold)
    page.raw("The general options, described in \(Roff.bold("epfnvme"))(1):")
    page.raw(names.joined(separator: ", ") + ".")
  }

  private func item(_ option: ArgumentInfo, _ page: inout Roff) {
    page.raw(".TP")
    let value = option.kind == .option ? " " + Roff.italic(option.valueName) : ""
    page.raw(
      option.kind == .positional
        ? Roff.italic(option.valueName)
        : option.names.map { Roff.bold($0) + value }.joined(separator: ", "))
    page.line(option.abstract)
    if let discussion = option.discussion { page.line(discussion) }
    // The words of most options name their values already.
    let unnamed = option.values.filter { !option.abstract.contains($0) }
    if !unnamed.isEmpty { page.line("Values: \(option.values.joined(separator: ", ")).") }
    if let value = option.defaultValue, option.kind == .option { page.line("Default: \(value).") }
  }

  // MARK: What pages share

  private func examples(_ page: inout Roff) {
    let examples = ManualExample.all[command.pageName] ?? []
    guard !examples.isEmpty else { return }
    page.section("EXAMPLES")
    for (index, example) in examples.enumerated() {
      if index > 0 { page.raw(".PP") }
      page.line(example.text)
      page.example(example.lines)
    }
  }

  private func exitStatus(_ page: inout Roff) {
    page.section("EXIT STATUS")
    for row in ExitCodes.table {
      page.raw(".TP\n\(Roff.bold(row.code))")
      page.line(row.meaning + ".")
    }
    guard isRoot else { return }
    page.raw(".PP")
    page.line(
      "With `--json`, a failure or a usage error is reported as an object `error` on standard output: code, operation, path, value, errno, message, hint and kernel log lines."
    )
  }

  private func filesAndEnvironment(_ page: inout Roff) {
    for (title, rows) in [("FILES", Self.files), ("ENVIRONMENT", Self.environment)] {
      page.section(title)
      for (name, meaning) in rows {
        page.raw(".TP\n\(title == "FILES" ? Roff.italic(name) : Roff.bold(name))")
        page.line(meaning)
      }
    }
  }

  private static let files = [
    (
      "/run/epfnvme/NAME.json",
      "The journal of the objects that setup created for the profile, mode 0600; teardown removes them."
    ),
    ("/run/epfnvme/lock", "The lock that serializes changes to the machine."),
    (
      "/run/epfnvme/exchange",
      "The directory in which both sides of smoke exchange messages, unless --exchange names another."
    ),
    ("/etc/epfnvme/NAME.json", "The profile that the systemd unit epfnvme@NAME.service sets up."),
    ("/sys/kernel/config", "configfs, with nvmet, pci_ep and nullb; setup mounts it."),
    (
      "PREFIX/share/epfnvme",
      "The shipped profiles, and the schemas of profiles and of JSON output; PREFIX is /usr/local unless set at installation."
    ),
  ]

  private static let environment = [
    ("EPFNVME_KERNEL", "The kernel to work on when --kernel is not given."),
    (
      "EPFNVME_LAVA_CACHE",
      "The file to which lava\u{2d}wait writes messages; /tmp/lava_multi_node_cache.txt by default."
    ),
    ("LC_ALL, LC_CTYPE, LANG", "The locale; the output is ASCII unless it is UTF-8."),
    ("NO_COLOR", "When set, no colour, unless --color always is given."),
    ("TERM", "With the value dumb: no colour and no moving text."),
  ]

  private func seeAlso(_ page: inout Roff) {
    var pages = isRoot ? root.all.dropFirst().map(\.pageName) : ["epfnvme"]
    if command.words.count == 3 { pages.append(command.words.dropLast().joined(separator: "-")) }
    pages += command.subcommands.map(\.pageName).filter { !pages.contains($0) }
    page.section("SEE ALSO")
    for (index, name) in pages.enumerated() {
      page.raw(reference(name) + (index < pages.count - 1 ? "," : ""))
    }
  }

  /// `.BR name (1)`.
  private func reference(_ name: String) -> String { ".BR \(Roff.escaped(name)) (1)" }
}
