// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Compare the machine with a profile, value by value.",
    discussion: """
      Looks at every module, device, attribute, link and controller that the profile means, and at the driver's complaints in the
      kernel log. Exit code 0: all as it should be; 1: something differs. --verbose shows what is right, too.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource

  func run() throws {
    try global.run {
      let located = try source.located()
      let check = try global.provisioner().check(located)
      if global.json {
        print(check.json.prettyText)
      } else if !global.quiet {
        show(check, located.profile.name)
      }
      if !check.hasPassed { throw Ending(code: 1) }
    }
  }

  private func show(_ check: Check, _ name: String) {
    let terminal = global.terminal
    for item in check.cases where global.verbose || !item.hasPassed {
      let mark = item.hasPassed ? terminal.paint("ok  ", .green) : terminal.paint("FAIL", .red)
      let actual = item.actual.map { "\"\($0)\"" } ?? "missing"
      let words = item.hasPassed ? "" : ": \(actual), should be \"\(item.expected)\""
      print("\(mark) \(Terminal.printable(item.id + words))")
      if !item.hasPassed { print(terminal.paint("     \(item.meaning)", .dim)) }
    }
    print(
      check.hasPassed
        ? "\(name): \(check.cases.count) cases, all as they should be"
        : "\(name): \(check.failures.count) of \(check.cases.count) cases differ")
  }
}
