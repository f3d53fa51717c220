// SPDX-License-Identifier: Apache-2.0
package import Provisioning

extension TestReport {
  package var json: JSONValue {
    [
      "suite": .string(suite), "subject": .string(subject), "started": .string(started),
      "verdict": .string(verdict), "exitCode": JSONValue(exitCode),
      "signal": signal.map { JSONValue($0) } ?? .null,
      "passed": JSONValue(passedCount), "failed": JSONValue(failures.count),
      "skipped": JSONValue(skipped.count), "runs": JSONValue(runs),
      "elapsed": Self.figure(elapsed.inMilliseconds, "ms"),
      "machine": .object(machine.map { .init($0.name, .string($0.value)) }),
      "results": .array(results.map(\.json)),
      "measurements": .array(
        measurements.map {
          [
            "id": .string($0.id), "unit": .string($0.unit),
            "median": .number($0.median.shortText),
            "values": .array($0.values.map { .number($0.shortText) }),
          ]
        }),
    ]
  }

  /// `passed`, `failed`, `skipped` or `interrupted`.
  package var verdict: String {
    if signal != nil { return "interrupted" }
    if !failures.isEmpty { return "failed" }
    return passedCount == 0 ? "skipped" : "passed"
  }

  private static func figure(_ value: Double, _ unit: String) -> JSONValue {
    ["value": .number(value.shortText), "unit": .string(unit)]
  }
}

extension TestReport.Result {
  /// Also the format of messages in a two-sided run.
  var json: JSONValue {
    [
      "id": .string(id), "meaning": .string(meaning), "outcome": .string(outcome.word),
      "reason": JSONValue(outcome.reason),
      "milliseconds": .number(duration.inMilliseconds.shortText),
      "details": .array(details.map { .string($0) }),
      "kernelLog": .array(kernelLog.map { .string($0) }),
    ]
  }
}

extension TestReport.Outcome {
  /// `passed`, `failed`, `timed-out` or `skipped`.
  package var word: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .timedOut: "timed-out"
    case .skipped: "skipped"
    }
  }
}
