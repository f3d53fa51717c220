// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import LibC
internal import Provisioning

extension TestReport {
  /// The same report with only the error, and its exit code.
  func withoutResults(because error: any Error) -> TestReport {
    var report: TestReport
    switch error {
    case let error as ProvisioningError:
      let leftovers = error.leftovers.map { "left over: \($0)" }
      let hints = error.hint.map { ["hint: \($0)"] } ?? []
      report = withoutResults(
        error.message, details: leftovers + hints, kernelLog: error.kernelLog)
      report.failureCode = error.exitCode
      report.signal = error.signal
    case let located as LocatedIssues:
      let texts = located.issues.issues.map { $0.text(file: located.file) }
      report = withoutResults(texts.first ?? "malformed profile", details: texts)
      report.failureCode = EX_DATAERR
    default:
      report = withoutResults(EPFNVMe.message(for: error))
      report.failureCode = EX_USAGE
    }
    return report
  }
}
