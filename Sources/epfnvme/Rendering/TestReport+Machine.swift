// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Checks
internal import LibC
internal import KernelEvents
internal import Provisioning

extension TestReport {
  /// The machine and the time of a report.
  mutating func describe(_ provisioner: Provisioner, text: String) {
    let machine = provisioner.machine
    let controllers = machine.endpointControllers().sorted().joined(separator: ", ")
    self.machine = [
      ("host name", Self.hostName), ("machine", machine.label),
      ("kernel", machine.facts.release), ("processors", "\(machine.facts.onlineCPUs)"),
      ("page size", "\(machine.facts.pageSize) bytes"),
      ("endpoint controllers", controllers.isEmpty ? "none" : controllers),
      ("epfnvme", EPFNVMe.version),
    ]
    started = Self.now
    profile = text
  }

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

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "unknown" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// UTC, as ISO 8601 has it.
  private static var now: String {
    var seconds = time(nil)
    var parts = tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ value: CInt) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
