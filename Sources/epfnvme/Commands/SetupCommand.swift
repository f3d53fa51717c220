// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct SetupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup", abstract: "Apply a profile in one transaction.",
    discussion: """
      Without a profile: one null_blk namespace behind one function, adjusted by the options below. A second run changes \
      nothing. A change that a host would notice needs --force.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource

  @Flag(help: "Also make changes that a host would notice.")
  var force = false

  @Option(
    help: ArgumentHelp(
      """
      Wait this long for block devices, files and addresses of the profile that the machine does not have yet. A simulated \
      kernel gets none by itself: waiting helps there only if another process changes its file.
      """,
      valueName: "seconds"))
  var waitFor: Double?

  @Flag(help: "Only show the plan, like the plan command.")
  var dryRun = false

  func validate() throws {
    if let waitFor, !(waitFor >= 0 && waitFor <= 86400) {
      throw ValidationError("--wait-for takes 0 to 86400 seconds.")
    }
  }

  func run() throws {
    try global.run {
      let located = try source.located()
      var provisioner = try global.provisioner(for: located.profile)
      if dryRun {
        try PlanCommand.show(provisioner.plan(located), nil, source.name, global)
        return
      }
      if let waitFor { provisioner.inputTimeout = .seconds(waitFor) }
      Signals.remember()
      let view = ProgressView(global.terminal)
      defer { view.finish() }
      let outcome = try provisioner.setUp(located, force: force) { progress in
        if case .planned(let plan) = progress {
          for warning in plan.warnings where !global.quiet {
            global.terminal.complain(warning, in: source.name)
          }
        } else if !global.json {
          view.show(progress)
        }
      }
      view.finish()
      if outcome.changed { Output.hasChanged("\(outcome.plan.name) is set up") }
      show(outcome)
    }
  }

  private func show(_ outcome: Provisioner.Outcome) {
    let plan = outcome.plan
    if global.json {
      let json: JSONValue = [
        "name": .string(plan.name), "driver": JSONValue(plan.driver),
        "changed": .bool(outcome.changed), "recovered": .bool(outcome.recovered),
        "interruptedAt": JSONValue(outcome.interruption?.step),
        "adopted": .bool(plan.isAdoption),
        "steps": JSONValue(plan.steps.count),
        "milliseconds": JSONValue(outcome.elapsed.milliseconds),
        "warnings": .array(plan.warnings.map(\.json)),
      ]
      print(json.prettyText)
      return
    }
    guard !global.quiet else { return }
    if let interruption = outcome.interruption {
      global.terminal.note(
        "an interrupted earlier run was rolled back first: it \(interruption.sentence)")
    }
    let driver = plan.driver.map { " with \($0)" } ?? ""
    print(
      outcome.changed
        ? "\(plan.name): set up\(driver), \(plan.steps.count) steps in \(outcome.elapsed.milliseconds) ms"
        : plan.isAdoption
          ? "\(plan.name): everything exists; the lost journal was rewritten"
          : "\(plan.name): nothing to do")
  }
}

extension Duration {
  var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
