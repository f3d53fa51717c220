// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// The formats that a report can have.
package enum ReportFormat: String, Sendable, CaseIterable {
  /// The format of the kernel's tests, version 1.
  case ktap
  /// Test Anything Protocol, version 14.
  case tap
  /// JUnit XML, as Jenkins reads it.
  case junit
  /// LAVA's signals on the console.
  case lava
  case json
  /// One self-contained page.
  case html

  /// Whether it is written line by line during the run, not in one piece at its end.
  package var growsWithRun: Bool {
    switch self {
    case .ktap, .tap, .lava: true
    case .junit, .json, .html: false
    }
  }

  package func writer() -> any ReportWriter {
    switch self {
    case .ktap: KTAPWriter()
    case .tap: TAPWriter()
    case .junit: WholeReportWriter(text: JUnit.text)
    case .lava: LAVAWriter()
    case .json: WholeReportWriter { $0.json.prettyText + "\n" }
    case .html: WholeReportWriter(text: HTMLReport.text)
    }
  }
}

/// Text for a report that grows with the run. Values that are not known before the end are written at the end.
package protocol ReportWriter: Sendable {
  /// - Parameter count: the number of results.
  mutating func begin(_ report: TestReport, count: Int) -> String
  /// A note between two results.
  mutating func note(_ text: String) -> String
  mutating func result(_ result: TestReport.Result) -> String
  mutating func end(_ report: TestReport) -> String
}

/// A format that is written in one piece.
struct WholeReportWriter: ReportWriter {
  let text: @Sendable (TestReport) -> String

  func begin(_ report: TestReport, count: Int) -> String { "" }
  func note(_ text: String) -> String { "" }
  func result(_ result: TestReport.Result) -> String { "" }
  func end(_ report: TestReport) -> String { text(report) }
}

extension String {
  /// One line, without control characters: what a line-based format can hold.
  var singleLine: String {
    String(
      unicodeScalars.map { scalar in
        scalar.value < 0x20 || scalar.value == 0x7f || (0x80...0x9f).contains(scalar.value)
          ? " " : Character(scalar)
      })
  }
}

extension Duration {
  /// Milliseconds.
  package var inMilliseconds: Double {
    Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
  }
}

extension Double {
  /// At most three digits after the point, and no more than are needed: `12`, `0.25`.
  var shortText: String {
    let thousandths = (self * 1000).rounded()
    guard thousandths.magnitude < 1e15 else { return "\(self)" }
    let whole = Int64(thousandths)
    var text = String(whole.magnitude % 1000)
    text = String(repeating: "0", count: 3 - text.count) + text
    while text.last == "0" { text.removeLast() }
    let sign = whole < 0 ? "-" : ""
    return sign + String(whole.magnitude / 1000) + (text.isEmpty ? "" : ".\(text)")
  }
}
