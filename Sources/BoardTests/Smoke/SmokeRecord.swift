// SPDX-License-Identifier: Apache-2.0

/// The outcomes of every case in every run, and their summary.
struct SmokeRecord {
  private struct Item {
    var run: Int
    var outcome: TestReport.Outcome
    var details: [String]
    var kernelLog: [String]
    var duration: Duration
  }

  /// The number of runs.
  let runs: Int
  /// The present run, from 1.
  var run = 1
  private var items: [String: [Item]] = [:]

  init(runs: Int) { self.runs = runs }

  mutating func add(
    _ id: String, _ outcome: TestReport.Outcome, details: [String], kernelLog: [String],
    duration: Duration
  ) {
    items[id, default: []].append(
      Item(
        run: run, outcome: outcome, details: details, kernelLog: kernelLog, duration: duration))
  }

  /// Whether the case has its outcome of the present run.
  func hasOutcome(_ id: String) -> Bool { items[id]?.last?.run == run }

  /// The outcome of the present run.
  func outcome(_ id: String) -> TestReport.Outcome? {
    items[id]?.last.flatMap { $0.run == run ? $0.outcome : nil }
  }

  /// Whether any case failed in the present run.
  var runHasFailed: Bool {
    items.values.contains { $0.last.map { $0.run == run && $0.outcome.isFailure } ?? false }
  }

  /// A case over all runs: failed when one run failed, passed when one passed and none failed.
  func result(_ id: String, meaning: String) -> TestReport.Result {
    let all = items[id] ?? []
    let failures = all.filter(\.outcome.isFailure)
    var result = TestReport.Result(
      id: id, meaning: meaning, outcome: .skipped("the run ended before it"))
    result.duration = all.reduce(.zero) { $0 + $1.duration }
    if let first = failures.first {
      result.outcome = first.outcome
      result.details = first.details
      result.kernelLog = first.kernelLog
      if runs > 1 {
        let count = "in \(failures.count) of \(all.count) runs, first in run \(first.run)"
        switch first.outcome {
        case .failed(let reason): result.outcome = .failed("\(reason) (\(count))")
        case .timedOut(let reason): result.outcome = .timedOut("\(reason) (\(count))")
        case .passed, .skipped: break
        }
      }
    } else if let passed = all.last(where: { $0.outcome == .passed }) {
      result.outcome = .passed
      result.details = passed.details
    } else if let last = all.last {
      result.outcome = last.outcome
    }
    return result
  }
}
