// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

extension Plan {
  /// The plan as text.
  func text(_ terminal: Terminal) -> String {
    guard changesAnything else { return "Nothing to do: the machine matches \"\(name)\"." }
    var lines = [
      "Plan for \"\(name)\"" + (driver.map { " with \($0)" } ?? "") + ": \(steps.count) steps"
    ]
    var lastReason: String?
    let width = "\(steps.count)".count
    for (index, step) in steps.enumerated() {
      if step.reason != lastReason {
        lines.append(terminal.paint("  # \(step.reason)", .dim))
        lastReason = step.reason
      }
      let number = "\(index + 1)"
      let pad = String(repeating: " ", count: width - number.count)
      lines.append("  \(pad)\(number)  \(Terminal.printable(step.operation.sentence))")
      if let disruption = step.disruption {
        lines.append(
          terminal.paint(
            "  " + String(repeating: " ", count: width) + "  ! disruptive: \(disruption)", .yellow))
      }
    }
    if !disruptions.isEmpty {
      lines.append(
        terminal.paint("\(disruptions.count) disruptive steps: setup requires --force", .yellow))
    }
    return lines.joined(separator: "\n")
  }
}
