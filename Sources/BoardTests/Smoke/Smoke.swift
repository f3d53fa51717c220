// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import KernelEvents
package import Provisioning
internal import SystemPackage

/// Sets up, verifies and tears down a profile on a board: setup, check, link bounces, check, teardown, leftovers; once or repeatedly.
///
/// The teardown is always executed, also after a signal.
package final class Smoke {
  package struct Options: Sendable {
    /// The number of runs.
    package var runs = 1
    /// The number of stops and starts of the endpoint controller in each run.
    package var bounces = 1
    /// Whether the last run leaves everything up.
    package var keeps = false
    /// The time for which the link is monitored after the last bounce.
    package var hold: Duration = .milliseconds(500)
    /// Whether a controller is bounced although a host has enabled it. Such a host must remove the device and rescan, as the host's
    /// part of a two-sided run does.
    package var bouncesEnabled = false
    /// Whether a missing link is a failure instead of a skip.
    package var requiresLink = false
    package init() {}
  }

  /// An event of the run.
  package enum Event: Sendable {
    /// A note.
    case note(String)
    /// A case has its final result.
    case result(TestReport.Result)
  }

  /// The host's part while everything is up: its results of a run.
  package typealias HostPart = (_ run: Int) throws(ProvisioningError) -> [TestReport.Result]

  let provisioner: Provisioner
  let located: Profile.Located
  let prediction: BoardPrediction?
  let options: Options
  let watch: KernelWatch
  private let hear: (Event) -> Void
  private let hostPart: HostPart?

  var record: SmokeRecord
  /// The report so far; the caller may add properties of the machine.
  package var report: TestReport
  private var isFinalRun = false
  private var emitted = 0
  private var begin: Duration = .zero
  var controllers: [String] = []
  /// The position in the kernel log when the endpoint controller was started.
  var startMark: KernelLogMark?
  var runMark: KernelLogMark?
  var linkWasUp = false
  private var seen = 0

  /// - Parameters:
  /// - prediction: the prediction of the emulation; nil for a profile without functions.
  ///   - hostPart: of a two-sided run.
  package init(
    _ provisioner: Provisioner, _ located: Profile.Located, prediction: BoardPrediction?,
    options: Options, hostPart: HostPart? = nil, hear: @escaping (Event) -> Void
  ) {
    self.provisioner = provisioner
    self.located = located
    self.prediction = prediction
    self.options = options
    self.hear = hear
    self.hostPart = hostPart
    watch = KernelWatch(
      provisioner.machine.log, driver: prediction?.driver ?? "",
      release: provisioner.machine.facts.release)
    record = SmokeRecord(runs: options.runs)
    report = TestReport(suite: "smoke", subject: located.profile.name)
    report.runs = options.runs
  }

  /// The ids of the results, in order.
  package var caseIDs: [String] {
    var ids = SmokeCase.allCases.map(\.rawValue)
    guard hostPart != nil else { return ids }
    // The host runs its part before the teardown.
    ids.insert(contentsOf: HostSmokeCase.allCases.map(\.rawValue), at: ids.count - 2)
    return ids
  }

  var now: Duration { provisioner.machine.clock.now }
  /// Since the run began.
  var time: Duration { now - begin }
  var isInterrupted: Bool { Signals.caught != nil }

  // MARK: Running

  /// - Throws: ``ProvisioningError`` when nothing was done: no privileges, locked, already set up.
  package func run() throws(ProvisioningError) -> TestReport {
    let name = located.profile.name
    guard try !provisioner.names().contains(name) else {
      throw ProvisioningError(
        .disruptive, "\"\(name)\" is completely or partly set up: the run would take it down",
        operation: "smoke", path: provisioner.run.journalPath(name).string,
        hint: "epfnvme teardown \(name), or --force")
    }
    let start = now
    for number in 1...max(1, options.runs) {
      record.run = number
      isFinalRun = number == options.runs
      try oneRun()
      let outcome = record.runHasFailed ? "failed" : "done"
      if options.runs > 1 { hear(.note("run \(number) of \(options.runs): \(outcome)")) }
      let isClean = !(record.outcome(SmokeCase.cleanTeardown.rawValue)?.isFailure ?? false)
      if isInterrupted || !isClean { break }
    }
    isFinalRun = true
    emit(all: true)
    report.signal = Signals.caught
    // The signal's exit code means that everything is torn down.
    let isDown = !(record.outcome(SmokeCase.cleanTeardown.rawValue)?.isFailure ?? false)
    if isInterrupted, !isDown { report.failureCode = 76 }
    report.elapsed = now - start
    return report
  }

  private func oneRun() throws(ProvisioningError) {
    begin = now
    runMark = watch.mark()
    startMark = nil
    linkWasUp = false
    seen = 0
    let showsThis = report.failures.isEmpty
    if showsThis { report.timeline = [] }
    let before = Footprint(provisioner)
    if hasEndpointController() {
      let isUp = try setUp()
      if isUp {
        whileUp()
        tearDown(before)
      } else {
        skipRest(isInterrupted ? interruption : "setup did not succeed", upTo: .cleanTeardown)
        compare(with: before)
      }
    } else {
      for id in caseIDs { finish(id, .skipped("requires an endpoint controller")) }
    }
    checkKernel()
    if showsThis { takeLog() }
  }

  var interruption: String { "interrupted by signal \(Signals.caught ?? 0)" }

  private func whileUp() {
    awaitLink()
    checkMachine()
    comparePrediction()
    report.tree = provisioner.snapshot().text
    bounce()
    checkStability()
    askHost()
  }

  private func askHost() {
    guard let hostPart else { return }
    guard !isInterrupted else { return skipRest(interruption, upTo: .cleanTeardown) }
    let start = time
    do {
      for result in try hostPart(record.run)
      where HostSmokeCase(rawValue: result.id) != nil && !record.hasOutcome(result.id) {
        record.add(
          result.id, result.outcome, details: result.details, kernelLog: result.kernelLog,
          duration: result.duration)
      }
    } catch {
      finish(
        HostSmokeCase.found.rawValue,
        error.kind == .timedOut ? .timedOut(error.message) : .failed(error.message))
    }
    skipRest("the host did not report it", upTo: .cleanTeardown)
    emit(all: false)
    addSpan("the host's part", from: start)
  }

  // MARK: Recording

  /// The outcome of a case in this run.
  func finish(
    _ item: SmokeCase, _ outcome: TestReport.Outcome, details: [String] = [],
    since mark: KernelLogMark? = nil, began: Duration? = nil
  ) {
    finish(item.rawValue, outcome, details: details, since: mark, began: began)
  }

  private func finish(
    _ id: String, _ outcome: TestReport.Outcome, details: [String] = [],
    since mark: KernelLogMark? = nil, began: Duration? = nil
  ) {
    guard !record.hasOutcome(id) else { return }
    let lines = outcome.isFailure ? watch.lines(since: mark).suffix(40).map(\.text) : []
    record.add(
      id, outcome, details: details, kernelLog: lines,
      duration: began.map { now - $0 } ?? .zero)
    emit(all: false)
  }

  /// Cases without an outcome could not run.
  func skipRest(_ reason: String, upTo end: SmokeCase) {
    for id in caseIDs.prefix(while: { $0 != end.rawValue }) { finish(id, .skipped(reason)) }
  }

  /// Passes on final results, in the order of the report.
  private func emit(all: Bool) {
    guard isFinalRun else { return }
    let ids = caseIDs
    while emitted < ids.count, all || record.hasOutcome(ids[emitted]) {
      let id = ids[emitted]
      let meaning =
        SmokeCase(rawValue: id)?.meaning ?? HostSmokeCase(rawValue: id)?.meaning ?? ""
      let result = record.result(id, meaning: meaning)
      report.results.append(result)
      hear(.result(result))
      emitted += 1
    }
  }

  func measure(_ id: String, _ value: Duration) {
    let milliseconds = value.inMilliseconds
    if let index = report.measurements.firstIndex(where: { $0.id == id }) {
      report.measurements[index].values.append(milliseconds)
    } else {
      report.measurements.append(.init(id: id, unit: "ms", values: [milliseconds]))
    }
  }

  // MARK: The time line

  func addSpan(_ label: String, from start: Duration, hasFailed: Bool = false) {
    var span = TestReport.Span(.step, label, start: start, end: time)
    span.hasFailed = hasFailed
    report.timeline.append(span)
    noteStates()
  }

  /// The controller's states that the driver reported since the last call; their time is that of the call.
  func noteStates() {
    let lines = watch.lines(since: runMark)
    for line in lines.dropFirst(seen) {
      guard let state = KernelWatch.state(line.text) else { continue }
      closeState()
      report.timeline.append(.init(.state, state, start: time, end: time))
    }
    seen = lines.count
  }

  private func closeState() {
    guard let last = report.timeline.lastIndex(where: { $0.kind == .state }) else { return }
    report.timeline[last].end = time
  }

  private func takeLog() {
    noteStates()
    closeState()
    report.kernelLog = watch.lines(since: runMark).map {
      .init(level: $0.level, text: $0.text, isRelevant: KernelWatch.isRelevant($0))
    }
  }
}
