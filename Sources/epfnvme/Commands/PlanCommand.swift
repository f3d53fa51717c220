// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show what setup would do and why; change nothing.",
    discussion: "--format shell prints a script of plain commands: sh SCRIPT up, sh SCRIPT down.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, shell }

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(help: "text, json or shell.") var format: Format = .text

  func run() throws {
    try global.run {
      let located = try source.located()
      try Self.show(global.provisioner().plan(located), format, source.name, global)
    }
  }

  static func show(_ plan: Plan, _ format: Format, _ file: String, _ global: GlobalOptions) {
    switch global.json ? .json : format {
    case .json: print(plan.json.prettyText)
    case .shell: print(plan.shellScript, terminator: "")
    case .text:
      for warning in plan.warnings { global.terminal.complain(warning, in: file) }
      print(plan.text(global.terminal))
    }
  }
}
