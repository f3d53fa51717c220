// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// One line at the bottom of a terminal, on standard error, that is replaced again and again.
struct LiveLine {
  private var isOpen = false

  mutating func show(_ text: String) {
    Terminal.raw("\r\u{1b}[K" + String(Terminal.printable(text).prefix(Terminal.columns - 1)))
    isOpen = true
  }

  /// Clears the line.
  mutating func clear() {
    guard isOpen else { return }
    Terminal.raw("\r\u{1b}[K")
    isOpen = false
  }
}

extension Terminal {
  static var columns: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else {
      return 80
    }
    return Int(size.ws_col)
  }
}
