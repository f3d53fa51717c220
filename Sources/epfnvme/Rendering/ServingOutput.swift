// SPDX-License-Identifier: Apache-2.0
internal import ProfileEmulation
internal import Provisioning

/// The output of `serve`: messages, and figures as a live line, as regular lines or as JSON.
final class ServingOutput: ServingView {
  private let name: String
  private let terminal: Terminal
  private let isJSON: Bool
  private let isLive: Bool
  /// Whether regular figures are the result; else they are messages.
  private let hasResult: Bool
  /// Seconds between two reports; nil for none.
  let interval: Double?
  private(set) var isLineOpen = false

  init(
    _ name: String, _ terminal: Terminal, isJSON: Bool, interval: Double?, hasResult: Bool
  ) {
    self.name = name
    self.terminal = terminal
    self.isJSON = isJSON
    self.hasResult = hasResult
    isLive = interval == nil && !isJSON && !terminal.isQuiet && Terminal.isInteractive
    self.interval = interval ?? (isLive ? 1 : nil)
  }

  func note(_ text: String) {
    closeLine()
    terminal.note(Terminal.printable("\(name): \(text)"))
  }

  /// Ends the live line.
  func closeLine() {
    guard isLineOpen else { return }
    isLineOpen = false
    Terminal.raw("\r\u{1b}[K")
  }

  func show(_ figures: ServingFigures) {
    let seconds = figures.seconds
    if isJSON {
      let json: JSONValue = [
        "event": "statistics", "state": .string(figures.state),
        "ioQueues": JSONValue(figures.ioQueues), "seconds": .number(Self.decimal(seconds, 3)),
        "commands": .number("\(figures.commands)"), "bytesRead": .number("\(figures.bytesRead)"),
        "bytesWritten": .number("\(figures.bytesWritten)"),
      ]
      _ = Output.emit(json.compactText)
      return
    }
    let iops = Int(Double(figures.commands) / seconds)
    let text =
      "\(name): \(figures.state), \(figures.ioQueues) I/O queues, \(iops) IOPS, "
      + "read \(Self.decimal(Double(figures.bytesRead) / seconds / 1e6, 1)) MB/s, "
      + "written \(Self.decimal(Double(figures.bytesWritten) / seconds / 1e6, 1)) MB/s"
    guard isLive else {
      if hasResult { _ = Output.emit(text) } else { Terminal.printLine(text) }
      return
    }
    Terminal.raw("\r\u{1b}[K" + text)
    isLineOpen = true
  }

  private static func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((value * Double(scale)).rounded())
    let rest = String(whole % scale)
    return "\(whole / scale)." + String(repeating: "0", count: digits - rest.count) + rest
  }
}
