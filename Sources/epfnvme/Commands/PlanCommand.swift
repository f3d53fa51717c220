// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show the steps of setup and their reasons; change nothing.",
    discussion: """
      --format shell prints a script of plain commands: run it with the argument up or down.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, shell }

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(help: "The format (default: text).") var format: Format?

  func validate() throws {
    if global.json, let format, format != .json {
      throw ValidationError(
        "--json and --format \(format.rawValue) are different formats: use one of them.")
    }
  }

  func run() throws {
    try global.run(inJSON: format == .json) {
      let located = try source.located()
      let provisioner = try global.provisioner(for: located.profile)
      try Self.show(provisioner.plan(located), format, source.name, global)
    }
  }

  static func show(_ plan: Plan, _ format: Format?, _ file: String, _ global: GlobalOptions) {
    switch global.json ? .json : format ?? .text {
    case .json: print(plan.json.prettyText)
    case .shell: print(plan.shellScript, terminator: "")
    case .text:
      for warning in plan.warnings { global.terminal.complain(warning, in: file) }
      print(plan.text(global.terminal))
    }
  }
}
