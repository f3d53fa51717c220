// SPDX-License-Identifier: Apache-2.0
internal import Provisioning

/// The steps of a run as they happen, on standard error: one line per step, or one live line on a terminal.
final class ProgressView {
  private let terminal: Terminal
  private let isLive: Bool
  private var live = LiveLine()

  init(_ terminal: Terminal) {
    self.terminal = terminal
    isLive = Terminal.isInteractive && !terminal.isVerbose
  }

  func show(_ progress: Progress) {
    guard !terminal.isQuiet else { return }
    switch progress {
    case .planned: break
    case .begins(let number, let count, let step):
      if isLive { replace("[\(number)/\(count)] \(step.operation.sentence)") }
    case .done(let number, let count, let step):
      let reason =
        terminal.isVerbose ? terminal.paintError("  \(Symbols.dash) \(step.reason)", .dim) : ""
      if isLive {
        if number == count { finish() }
      } else {
        line("[\(number)/\(count)] \(step.operation.sentence)\(reason)")
      }
    case .failed(let number, let count, let step, _):
      finish()
      line(terminal.paintError("[\(number)/\(count)] failed: \(step.operation.sentence)", .red))
    case .undoing(let operation):
      if isLive { replace("undo: \(operation.sentence)") }
    case .undone(let operation):
      if isLive {
        replace("undo: \(operation.sentence)")
      } else {
        line("undo: \(operation.sentence)")
      }
    case .cannotUndo(let operation, let error):
      finish()
      line(terminal.paintError("cannot \(operation.sentence): \(error.message)", .red))
    case .kept(let sentence):
      finish()
      line(terminal.paintError("kept: ", .yellow) + sentence)
    case .continuesAfterSignal(let signal):
      finish()
      line(
        terminal.paintError("\(Signals.name(of: signal)): ", .yellow)
          + "continues to the end; another signal stops it")
    }
  }

  /// Clears the live line.
  func finish() { live.clear() }

  private func line(_ text: String) { Terminal.printLine(text) }

  private func replace(_ text: String) { live.show(text) }
}
