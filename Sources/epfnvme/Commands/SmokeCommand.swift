// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import HostTools
internal import Provisioning

struct SmokeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "smoke", abstract: "Set up, verify and tear down a profile on this board, for CI.",
    discussion: """
      Setup, check, link bounces, check, teardown, search for leftovers. After a failure and after SIGINT or SIGTERM the \
      profile is torn down and every report is completed; the report of a run that could not begin has the case "begin" \
      with the reason. A case that the hardware does not support is skipped, with the reason. Case ids never change \
      (--list-cases).

        epfnvme smoke board.json --repeat 20 --bounces 3
        epfnvme smoke board.json --format junit --output smoke.xml

      With --role the machine that sees the disk takes part, and both sides report one result: run board on the board and \
      host on that machine, with the same profile. They exchange messages in a LAVA MultiNode job, in a directory that \
      both can access (--exchange), or through a command that runs epfnvme on the other machine (--peer). The host removes \
      a disk that it had before from its bus and rescans, since the board was started again, and removes it before the \
      board is torn down. Without --role, the bounce of a controller that a host has enabled is refused, and the case \
      fails, unless --force is given:

        board# epfnvme smoke --role board board.json
        host#  epfnvme smoke --role host board.json --peer 'ssh board epfnvme'

      Exit code 0: passed; 1: a case failed; 4: all cases skipped; 129, 130, 143: interrupted; 73: a report could not be \
      written; any other: the run could not begin, with the code of setup.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @OptionGroup var reports: ReportOptions

  @Option(
    name: .customLong("repeat"), help: ArgumentHelp("The number of runs.", valueName: "count"))
  var runs = 1
  @Option(
    help: ArgumentHelp(
      "How often each run stops and starts the endpoint controller.", valueName: "count"))
  var bounces = 1
  @Option(
    help: ArgumentHelp("How long to watch the link after the bounces.", valueName: "seconds"))
  var hold = 0.5
  @Flag(help: "Keep the profile set up after the last run.") var keep = false
  @Flag(help: "Fail when the link does not come up; by default that case is skipped.")
  var requireLink = false
  @OptionGroup var sides: SideOptions
  @Flag(
    help:
      "First tear down an existing setup of the profile, and bounce a controller that a host has enabled."
  )
  var force = false
  @Flag(help: "List the cases and their meanings.") var listCases = false

  func validate() throws {
    if global.json, !reports.format.isEmpty {
      throw ValidationError(
        "--json cannot be combined with --format: replace --json with --format json.")
    }
    guard (1...100_000).contains(runs) else { throw ValidationError("--repeat takes 1 to 100000.") }
    guard hold >= 0, hold <= 86400 else {
      throw ValidationError("--hold takes 0 to 86400 seconds.")
    }
    guard (0...1000).contains(bounces) else { throw ValidationError("--bounces takes 0 to 1000.") }
  }

  func run() throws {
    if listCases { return list() }
    try global.run {
      Signals.remember()
      // First of all, so that a run that cannot begin has its reports, too.
      let outputs = try reports.open(json: global.json, subject: source.name)
      var known = TestReport(suite: "smoke", subject: source.name)
      do {
        let located = try source.located()
        known.subject = located.profile.name
        known.profile = source.text
        if sides.role == .host {
          try host(located, outputs)
        } else {
          try board(located, outputs, &known)
        }
      } catch {
        if error is Ending || outputs.hasEnded { throw error }
        try explain(error, in: outputs, known)
      }
    }
  }

  private func board(
    _ located: Profile.Located, _ outputs: ReportOutputs, _ known: inout TestReport
  ) throws {
    let provisioner = try global.provisioner(for: located.profile)
    known.describe(provisioner, text: source.text, version: EPFNVMe.version)
    let board = try sides.board(located.profile.name, runs: runs, keeps: keep, provisioner.run)
    do throws(ProvisioningError) {
      if force, try provisioner.names().contains(located.profile.name) {
        var options = Provisioner.TeardownOptions()
        options.force = true
        _ = try provisioner.tearDown(located.profile.name, options: options) { _ in }
      }
      var options = Smoke.Options()
      options.runs = runs
      options.bounces = bounces
      options.bouncesEnabled = force || board != nil
      options.hold = .seconds(hold)
      options.keeps = keep
      options.requiresLink = requireLink
      let view = SmokeView(global.terminal, outputs)
      let smoke = Smoke(
        provisioner, located,
        prediction: try BoardPrediction(
          located, on: provisioner, usual: global.emulatedRelease(for: located.profile)),
        options: options,
        hostPart: hostPart(board)
      ) { view.hear($0) }
      smoke.report.describe(provisioner, text: source.text, version: EPFNVMe.version)
      outputs.begin(smoke.report, count: smoke.caseIDs.count)
      let result = try smoke.run()
      view.finish(result)
      try outputs.end(result)
      try board?.finish(result)
      known = result
    } catch {
      // Otherwise the other side would wait for this board.
      if !outputs.hasEnded { try? board?.finish(known.withoutResults(because: error)) }
      throw error
    }
    if known.exitCode != 0 { throw Ending(code: known.exitCode) }
  }

  /// Completes every report of a run that could not begin, and ends with the exit code of the reason.
  private func explain(
    _ error: any Error, in outputs: ReportOutputs, _ known: TestReport
  ) throws {
    let report = known.withoutResults(because: error)
    do { try outputs.end(without: report) } catch { global.terminal.complain(error) }
    // Standard output has its one document: the failure is in it.
    guard outputs.usesStandardOutput else { throw error }
    switch error {
    case let error as ProvisioningError: global.terminal.complain(error)
    case let located as LocatedIssues:
      for issue in located.issues.issues { global.terminal.complain(issue, in: located.file) }
    default: Terminal.printLine(EPFNVMe.fullMessage(for: error))
    }
    throw Ending(code: report.exitCode)
  }

  private func hostPart(_ board: BoardSide?) -> Smoke.HostPart? {
    guard let board else { return nil }
    return { (run) throws(ProvisioningError) in try board.hostPart(run) }
  }

  /// The host's side: the results of this machine for the disk.
  private func host(_ located: Profile.Located, _ outputs: ReportOutputs) throws {
    let side = try global.hostSide(located, disk: sides.host)
    let limit = Duration.seconds(global.timeout ?? 5)
    let peer = HostPeer(
      try sides.exchange(RunDirectory()), located.profile.name, limit: sides.limit)
    var report = try peer.run { (run, staysUp) in
      global.terminal.note("the board is up: run \(run)")
      return side.smoke(within: limit, sides.dataTest, staysUp: staysUp)
    }
    report.profile = source.text
    outputs.begin(report, count: report.results.count)
    for result in report.results { outputs.result(result) }
    global.terminal.note("\(report.subject): \(report.summary)")
    try outputs.end(report)
    if report.exitCode != 0 { throw Ending(code: report.exitCode) }
  }

  private func list() {
    let cases =
      SmokeCase.allCases.map { ($0.rawValue, $0.meaning) }
      + HostSmokeCase.allCases.map { ($0.rawValue, $0.meaning) }
      + [(TestReport.beginID, TestReport.beginMeaning)]
    guard !global.json else {
      let json = cases.map { (id, meaning) -> JSONValue in
        ["id": .string(id), "meaning": .string(meaning)]
      }
      return print(JSONValue.array(json).prettyText)
    }
    for (id, meaning) in cases { print("\(id): \(meaning)") }
  }
}

/// A run as it happens, on standard error where standard output has something else.
final class SmokeView {
  private let terminal: Terminal
  private let outputs: ReportOutputs

  init(_ terminal: Terminal, _ outputs: ReportOutputs) {
    self.terminal = terminal
    self.outputs = outputs
  }

  func hear(_ event: Smoke.Event) {
    switch event {
    case .note(let text):
      outputs.note(text)
      if !outputs.usesStandardOutput { terminal.note(Terminal.printable(text)) }
    case .result(let result):
      outputs.result(result)
      guard !outputs.usesStandardOutput else { return }
      let reason = result.outcome.reason.map { ": \($0)" } ?? ""
      terminal.note(Terminal.printable("\(result.outcome.word) \(result.id)\(reason)"))
    }
  }

  func finish(_ report: TestReport) {
    terminal.note("\(report.subject): \(report.summary)")
  }
}
