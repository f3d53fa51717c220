// SPDX-License-Identifier: Apache-2.0

/// LAVA's test case signals, as lines for the console.
///
/// In a LAVA job `lava-test-case` does the same by a call; ``arguments(_:)`` are its arguments.
/// - Source: LAVA documentation, "Writing a LAVA test definition": `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=… RESULT=…>`.
package struct LAVAWriter: ReportWriter {
  package init() {}

  package func begin(_ report: TestReport, count: Int) -> String { "" }

  package func note(_ text: String) -> String { "\(text.singleLine)\n" }

  package func result(_ result: TestReport.Result) -> String {
    var text = ""
    if let reason = result.outcome.reason { text += "\(result.id): \(reason.singleLine)\n" }
    for line in result.details { text += "\(result.id): \(line.singleLine)\n" }
    for line in result.kernelLog { text += "\(result.id): kernel: \(line.singleLine)\n" }
    return text + Self.signal(result.id, result.outcome.lavaResult, nil)
  }

  package func end(_ report: TestReport) -> String {
    report.measurements.map { Self.signal($0.id, "pass", $0) }.joined()
  }

  private static func signal(
    _ id: String, _ result: String, _ measurement: TestReport.Measurement?
  ) -> String {
    var text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=\(id) RESULT=\(result)"
    if let measurement {
      text += " UNITS=\(measurement.unit) MEASUREMENT=\(measurement.median.shortText)"
    }
    return text + ">\n"
  }

  /// The arguments of `lava-test-case` for a result.
  package static func arguments(_ result: TestReport.Result) -> [String] {
    [result.id, "--result", result.outcome.lavaResult]
  }

  /// The arguments of `lava-test-case` for a measurement.
  package static func arguments(_ measurement: TestReport.Measurement) -> [String] {
    [
      measurement.id, "--result", "pass", "--measurement", measurement.median.shortText, "--units",
      measurement.unit,
    ]
  }
}

extension TestReport.Outcome {
  var lavaResult: String {
    switch self {
    case .passed: "pass"
    case .failed, .timedOut: "fail"
    case .skipped: "skip"
    }
  }
}
