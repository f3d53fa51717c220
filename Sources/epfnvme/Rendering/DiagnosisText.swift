// SPDX-License-Identifier: Apache-2.0
internal import Doctor

/// A diagnosis as text: findings by severity, then the facts that were found and what could not be inspected.
struct DiagnosisText {
  let diagnosis: MachineDiagnosis
  let terminal: Terminal
  /// Whether only findings are printed.
  var isBrief = false

  var text: String {
    var lines: [String] = []
    for severity in Finding.Severity.allCases {
      for finding in diagnosis.findings where finding.severity == severity {
        add(finding, to: &lines)
      }
    }
    if !isBrief {
      if !diagnosis.found.isEmpty { lines.append(terminal.paint("found", .bold)) }
      let width = diagnosis.found.map(\.name.count).max() ?? 0
      for fact in diagnosis.found {
        lines.append(
          Terminal.printable(
            "  \(fact.name)\(String(repeating: " ", count: width - fact.name.count + 2))\(fact.value)"
          ))
      }
      if !diagnosis.notInspected.isEmpty {
        lines.append(terminal.paint("not inspected", .bold))
        for item in diagnosis.notInspected {
          lines.append(Terminal.printable("  \(item.what): \(item.reason)"))
        }
      }
    }
    lines.append(summary)
    return lines.joined(separator: "\n")
  }

  private func add(_ finding: Finding, to lines: inout [String]) {
    let style: Terminal.Style =
      switch finding.severity {
      case .error: .red
      case .warning: .yellow
      case .note: .cyan
      }
    let mark = terminal.paint(finding.severity.rawValue, style)
    let subject = Terminal.printable(finding.subject)
    lines.append("\(mark): \(terminal.paint(finding.id.rawValue, .bold)): \(subject)")
    let evidence = finding.evidence.map { "found    \($0.path): \($0.text)" }
    for line in evidence + ["meaning  \(finding.explanation)", "fix      \(finding.remedy)"] {
      lines.append("    " + Terminal.printable(line))
    }
  }

  private var summary: String {
    let counts = Finding.Severity.allCases.map { severity in
      let count = diagnosis.count(severity)
      return "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
    }
    let subject =
      diagnosis.profile.map { "\($0) on \(diagnosis.machine)" } ?? diagnosis.machine
    let problem =
      switch diagnosis.role {
      case .board: "cannot be an NVMe endpoint"
      case .host: "has a problem with an NVMe device"
      }
    let verdict =
      diagnosis.isFit
      ? diagnosis.count(.warning) == 0 ? "no problem found" : "no error found" : problem
    return "\(subject) (\(diagnosis.release)): \(counts.joined(separator: ", ")); \(verdict)"
  }
}
