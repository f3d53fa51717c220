// SPDX-License-Identifier: Apache-2.0

/// The result of a run of test cases: the source of every report format.
package struct TestReport: Sendable {
  package enum Outcome: Sendable, Hashable {
    case passed
    /// Why.
    case failed(String)
    /// A timeout: the expected event and the limit.
    case timedOut(String)
    /// The missing requirement.
    case skipped(String)

    package var isFailure: Bool {
      switch self {
      case .failed, .timedOut: true
      case .passed, .skipped: false
      }
    }

    package var reason: String? {
      switch self {
      case .passed: nil
      case .failed(let reason), .timedOut(let reason), .skipped(let reason): reason
      }
    }
  }

  /// One case, over all runs.
  package struct Result: Sendable, Hashable {
    /// Stable: no numbers, paths or addresses.
    package var id: String
    /// The meaning of a pass.
    package var meaning: String
    package var outcome: Outcome
    /// Checked values or differences, one per line.
    package var details: [String] = []
    /// The kernel's lines since the step began; of a failure.
    package var kernelLog: [String] = []
    /// The duration in all runs.
    package var duration: Duration = .zero

    package init(id: String, meaning: String, outcome: Outcome) {
      self.id = id
      self.meaning = meaning
      self.outcome = outcome
    }
  }

  /// A measurement of a run, with its unit; one value for each run so far.
  package struct Measurement: Sendable, Hashable {
    /// `setup-time`.
    package var id: String
    /// `ms`, `MB/s`.
    package var unit: String
    /// In the order of the runs; never empty.
    package var values: [Double]

    package init(id: String, unit: String, values: [Double]) {
      self.id = id
      self.unit = unit
      self.values = values
    }

    /// The middle value, the lower one of two.
    package var median: Double { values.sorted()[(values.count - 1) / 2] }
  }

  /// Something on the time line of a run.
  package struct Span: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable { case step, state }
    package var kind: Kind
    /// A step's sentence, or a state: `link up`, `enabled`.
    package var label: String
    /// Since the run began.
    package var start: Duration
    package var end: Duration
    package var hasFailed = false

    package init(_ kind: Kind, _ label: String, start: Duration, end: Duration) {
      self.kind = kind
      self.label = label
      self.start = start
      self.end = end
    }
  }

  /// A line of the kernel's log, and whether it is about the endpoint.
  package struct LogLine: Sendable, Hashable {
    package var level: UInt8
    package var text: String
    package var isRelevant: Bool

    package init(level: UInt8, text: String, isRelevant: Bool) {
      self.level = level
      self.text = text
      self.isRelevant = isRelevant
    }
  }

  /// `smoke`.
  package var suite: String
  /// The profile's name.
  package var subject: String
  /// Properties of the machine by name: kernel, host name, controller …
  package var machine: [(name: String, value: String)] = []
  /// `2026-11-24T14:35:02Z`.
  package var started = ""
  package var elapsed: Duration = .zero
  package var runs = 1
  package var results: [Result] = []
  package var measurements: [Measurement] = []
  /// The run that is shown: the first one that failed, or the last.
  package var timeline: [Span] = []
  package var kernelLog: [LogLine] = []
  /// configfs while everything was up, as indented text.
  package var tree = ""
  /// The profile as it was given.
  package var profile = ""
  /// The signal that ended the run early.
  package var signal: CInt?
  /// The exit code when the run could not begin, or when a second signal stopped its teardown.
  package var failureCode: CInt?

  package init(suite: String, subject: String) {
    self.suite = suite
    self.subject = subject
  }

  package var failures: [Result] { results.filter(\.outcome.isFailure) }
  package var skipped: [Result] {
    results.filter { if case .skipped = $0.outcome { true } else { false } }
  }
  package var passedCount: Int { results.count - failures.count - skipped.count }

  /// The exit code: 0, 1 (a case failed), 4 (all skipped), 128 plus the signal's number, or the reason why the run could not begin.
  package var exitCode: CInt {
    if let failureCode { return failureCode }
    if let signal { return 128 + signal }
    if !failures.isEmpty { return 1 }
    return passedCount == 0 ? 4 : 0
  }

  /// The id of the only case of a run that could not begin or did not end. It is stable, like those of ``SmokeCase``.
  package static let beginID = "begin"
  package static let beginMeaning =
    "the run could start; present only in the report of a run that could not, or that has not ended"

  /// The same report with only the reason why there are no results.
  package func withoutResults(
    _ reason: String, details: [String] = [], kernelLog: [String] = []
  ) -> TestReport {
    var report = self
    var result = Result(
      id: Self.beginID, meaning: Self.beginMeaning, outcome: .failed(reason.singleLine))
    result.details = details
    result.kernelLog = kernelLog
    report.results = [result]
    return report
  }

  /// `12 passed, 1 failed, 2 skipped`.
  package var summary: String {
    "\(passedCount) passed, \(failures.count) failed, \(skipped.count) skipped"
  }
}
