// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show how this machine differs from a profile, and which fixes disrupt a host.",
    discussion: """
      Lists what setup would create, change or remove, each with its reason and with what a host would notice, and objects \
      of others inside the profile's own objects, which setup does not touch. Where setup would refuse the profile on this \
      machine, the reason follows. Nothing is changed.

      Exit code 0: no difference; 1: something differs, or setup would refuse the profile.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource

  func run() throws {
    try global.run {
      let located = try source.located()
      let provisioner = try global.provisioner(for: located.profile)
      let differences = try provisioner.differences(located)
      let refusal = provisioner.refusal(of: located)
      let name = located.profile.name
      if global.json {
        let json: JSONValue = [
          "name": .string(name), "same": .bool(differences.isEmpty),
          "differences": .array(differences.map(\.json)),
          "refusal": refusal.map { Failure($0).value } ?? .null,
        ]
        print(json.prettyText)
      } else if !global.quiet {
        for difference in differences { show(difference) }
        print(summary(differences, name, refusal))
      }
      if !differences.isEmpty || refusal != nil { throw Ending(code: 1) }
    }
  }

  private func show(_ difference: Difference) {
    let terminal = global.terminal
    let expected = difference.expected.map { "\"\($0)\"" } ?? ""
    let actual = difference.actual.map { "\"\($0)\"" } ?? "missing"
    let (mark, words): (String, String) =
      switch difference.kind {
      case .missing:
        (terminal.paint("+", .green), "\(difference.id): missing, should be \(expected)")
      case .different, .lost:
        (terminal.paint("~", .yellow), "\(difference.id): \(actual), should be \(expected)")
      case .obsolete: (terminal.paint("-", .red), difference.id)
      case .foreign: (terminal.paint("?", .cyan), difference.id)
      }
    print("\(mark) \(Terminal.printable(words))")
    print(terminal.paint("    \(Terminal.printable(difference.meaning))", .dim))
    if !difference.isFixedBySetup { print("    setup does not change it") }
    for disruption in difference.disruptions {
      print("    fixing it disrupts a host: \(Terminal.printable(disruption))")
    }
  }

  private func count(_ differences: [Difference]) -> String {
    switch differences.count {
    case 0: "no difference"
    case 1: "1 difference"
    default: "\(differences.count) differences"
    }
  }

  private func summary(
    _ differences: [Difference], _ name: String, _ refusal: ProvisioningError?
  ) -> String {
    if let refusal {
      let hint = refusal.hint.map { "\n  hint: \($0)" } ?? ""
      return Terminal.printable(
        "\(name): \(count(differences)); setup refuses it: \(refusal.message)\(hint)")
    }
    guard !differences.isEmpty else { return "\(name): the machine matches the profile" }
    let disrupting = differences.filter { !$0.disruptions.isEmpty }.count
    return disrupting == 0
      ? "\(name): \(count(differences)); no fix disrupts a host"
      : "\(name): \(count(differences)); fixing \(disrupting) of them disrupts a host: setup requires --force"
  }
}
