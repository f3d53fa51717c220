// SPDX-License-Identifier: Apache-2.0

/// The result of a run of test cases: the source of every report format.
public struct TestReport: Sendable {
  public enum Outcome: Sendable, Hashable {
    case passed
    /// Why.
    case failed(String)
    /// A timeout: the expected event and the limit.
    case timedOut(String)
    /// The missing requirement.
    case skipped(String)

    public var isFailure: Bool {
      switch self {
      case .failed, .timedOut: true
      case .passed, .skipped: false
      }
    }

    public var reason: String? {
      switch self {
      case .passed: nil
      case .failed(let reason), .timedOut(let reason), .skipped(let reason): reason
      }
    }
  }

  /// One case, over all runs.
  public struct Result: Sendable, Hashable {
    /// Stable: no numbers, paths or addresses.
    public var id: String
    /// The meaning of a pass.
    public var meaning: String
    public var outcome: Outcome
    /// Checked values or differences, one per line.
    public var details: [String] = []
    /// The kernel's lines since the step began; of a failure.
    public var kernelLog: [String] = []
    /// The duration in all runs.
    public var duration: Duration = .zero

    public init(id: String, meaning: String, outcome: Outcome) {
      self.id = id
      self.meaning = meaning
      self.outcome = outcome
    }
  }

  /// A measurement of a run, with its unit; one value for each run so far.
  public struct Measurement: Sendable, Hashable {
    /// `setup-time`.
    public var id: String
    /// `ms`, `MB/s`.
    public var unit: String
    /// In the order of the runs; never empty.
    public var values: [Double]

    public init(id: String, unit: String, values: [Double]) {
      self.id = id
      self.unit = unit
      self.values = values
    }

    /// The middle value, the lower one of two.
    public var median: Double { values.sorted()[(values.count - 1) / 2] }
  }

  /// Something on the time line of a run.
  public struct Span: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case step, state }
    public var kind: Kind
    /// A step's sentence, or a state: `link up`, `enabled`.
    public var label: String
    /// Since the run began.
    public var start: Duration
    public var end: Duration
    public var hasFailed = false

    public init(_ kind: Kind, _ label: String, start: Duration, end: Duration) {
      self.kind = kind
      self.label = label
      self.start = start
      self.end = end
    }
  }

  /// A line of the kernel's log, and whether it is about the endpoint.
  public struct LogLine: Sendable, Hashable {
    public var level: UInt8
    public var text: String
    public var isRelevant: Bool

    public init(level: UInt8, text: String, isRelevant: Bool) {
      self.level = level
      self.text = text
      self.isRelevant = isRelevant
    }
  }

  /// `smoke`.
  public var suite: String
  /// The profile's name.
  public var subject: String
  /// Properties of the machine by name: kernel, host name, controller …
  public var machine: [(name: String, value: String)] = []
  /// `2026-11-24T14:35:02Z`.
  public var started = ""
  public var elapsed: Duration = .zero
  public var runs = 1
  public var results: [Result] = []
  public var measurements: [Measurement] = []
  /// The run that is shown: the first one that failed, or the last.
  public var timeline: [Span] = []
  public var kernelLog: [LogLine] = []
  /// configfs while everything was up, as indented text.
  public var tree = ""
  /// The profile as it was given.
  public var profile = ""
  /// The signal that ended the run early.
  public var signal: CInt?
  /// The exit code when the run could not begin, or when a second signal stopped its teardown.
  public var failureCode: CInt?

  public init(suite: String, subject: String) {
    self.suite = suite
    self.subject = subject
  }

  public var failures: [Result] { results.filter(\.outcome.isFailure) }
  public var skipped: [Result] {
    results.filter { if case .skipped = $0.outcome { true } else { false } }
  }
  public var passedCount: Int { results.count - failures.count - skipped.count }

  /// The exit code: 0, 1 (a case failed), 4 (all skipped), 128 plus the signal's number, or the reason why the run could not begin.
  public var exitCode: CInt {
    if let failureCode { return failureCode }
    if let signal { return 128 + signal }
    if !failures.isEmpty { return 1 }
    return passedCount == 0 ? 4 : 0
  }

  /// The id of the only case of a run that could not begin or did not end. It is stable, like those of ``SmokeCase``.
  public static let beginID = "begin"
  public static let beginMeaning =
    "the run could start; present only in the report of a run that could not, or that has not ended"

  /// The same report with only the reason why there are no results.
  public func withoutResults(
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
  public var summary: String {
    "\(passedCount) passed, \(failures.count) failed, \(skipped.count) skipped"
  }
}
