// SPDX-License-Identifier: Apache-2.0

/// KTAP version 1.
///
/// Diagnostics precede their result, as in kselftest.
/// - Source: `Documentation/dev-tools/ktap.rst`.
struct KTAPWriter: ReportWriter {
  private var number = 0

  func begin(_ report: TestReport, count: Int) -> String {
    "KTAP version 1\n# \(report.suite) \(report.subject.singleLine)\n1..\(count)\n"
  }

  func note(_ text: String) -> String { "# \(text.singleLine)\n" }

  mutating func result(_ result: TestReport.Result) -> String {
    number += 1
    var text = ""
    for line in result.details { text += "# \(line.singleLine)\n" }
    for line in result.kernelLog { text += "# kernel: \(line.singleLine)\n" }
    let verdict = result.outcome.isFailure ? "not ok" : "ok"
    text += "\(verdict) \(number) \(result.id)"
    switch result.outcome {
    case .passed: break
    case .failed(let reason): text += " # \(reason.singleLine)"
    case .timedOut(let reason): text += " # TIMEOUT \(reason.singleLine)"
    case .skipped(let reason): text += " # SKIP \(reason.singleLine)"
    }
    return text + "\n"
  }

  func end(_ report: TestReport) -> String {
    var text = ""
    for measurement in report.measurements { text += "# \(measurement.sentence)\n" }
    if let signal = report.signal { text += "# ended by signal \(signal)\n" }
    return text
      + "# Totals: pass:\(report.passedCount) fail:\(report.failures.count) xfail:0 xpass:0 "
      + "skip:\(report.skipped.count) error:0\n"
  }
}

/// TAP version 14: diagnostics are YAML after the result.
/// - Source: testanything.org, TAP 14 specification.
struct TAPWriter: ReportWriter {
  private var number = 0

  func begin(_ report: TestReport, count: Int) -> String {
    "TAP version 14\n# \(report.suite) \(report.subject.singleLine)\n1..\(count)\n"
  }

  func note(_ text: String) -> String { "# \(text.singleLine)\n" }

  mutating func result(_ result: TestReport.Result) -> String {
    number += 1
    var text =
      "\(result.outcome.isFailure ? "not ok" : "ok") \(number) - \(Self.escaped(result.id))"
    if case .skipped(let reason) = result.outcome { text += " # SKIP \(Self.escaped(reason))" }
    text += "\n  ---\n  duration_ms: \(result.duration.inMilliseconds.shortText)\n"
    switch result.outcome {
    case .failed(let reason): text += "  severity: fail\n  message: \(Self.quoted(reason))\n"
    case .timedOut(let reason): text += "  severity: timeout\n  message: \(Self.quoted(reason))\n"
    case .passed, .skipped: break
    }
    text += Self.list("details", result.details) + Self.list("kernel_log", result.kernelLog)
    return text + "  ...\n"
  }

  func end(_ report: TestReport) -> String {
    var text = ""
    for measurement in report.measurements { text += "# \(measurement.sentence)\n" }
    if let signal = report.signal { text += "# ended by signal \(signal)\n" }
    return text
  }

  /// A `#` would begin a directive.
  private static func escaped(_ text: String) -> String {
    text.singleLine.replacing("\\", with: "\\\\").replacing("#", with: "\\#")
  }

  /// A YAML scalar in double quotes.
  private static func quoted(_ text: String) -> String {
    "\"" + text.singleLine.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  private static func list(_ key: String, _ lines: [String]) -> String {
    guard !lines.isEmpty else { return "" }
    return "  \(key):\n" + lines.map { "    - \(quoted($0))\n" }.joined()
  }
}

extension TestReport.Measurement {
  /// `setup-time: 12.5 ms`, `setup-time: 12.5 ms (median of 20, 11 to 30)`.
  var sentence: String {
    let text = "\(id): \(median.shortText) \(unit)"
    guard values.count > 1, let least = values.min(), let most = values.max() else { return text }
    return text + " (median of \(values.count), \(least.shortText) to \(most.shortText))"
  }
}
