// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// Standard output, the one way in which commands write results.
///
/// Text is collected and written in large pieces; it is written immediately on a terminal, before a message on standard error, and by
/// ``emit(_:)``. The first failure is kept: nothing is written after it, and the process ends with exit code 73 and a message. A reader
/// that closes the pipe early (`| head`) is not a failure.
///
/// One thread, that of the command, writes.
enum Output {
  private struct State {
    var pending: [UInt8] = []
    var isUsed = false
    var failure: Errno?
    var hasReaderLeft = false
    var change: String?
    var isTerminal = isatty(STDOUT_FILENO) == 1
  }

  private nonisolated(unsafe) static var state = State()

  /// Whether output is still possible.
  static var isOpen: Bool { unsafe state.failure == nil && !state.hasReaderLeft }

  /// Whether a write failed, other than for a reader that has left.
  static var hasFailed: Bool { unsafe state.failure != nil }

  static func add(_ text: String) {
    guard isOpen, !text.isEmpty else { return }
    unsafe state.pending += text.utf8
    if unsafe state.isTerminal || state.pending.count >= 65536 { flush() }
  }

  /// Writes a line immediately, for readers that follow the output.
  /// - Returns: false when the reader has left, or when it cannot be written.
  static func emit(_ line: String, terminator: String = "\n") -> Bool {
    add(line + terminator)
    flush()
    return isOpen
  }

  static func flush() {
    guard isOpen, unsafe !state.pending.isEmpty else { return }
    let bytes = unsafe state.pending
    unsafe state.pending = []
    unsafe state.isUsed = true
    do { try StandardDescriptors.write(bytes, to: STDOUT_FILENO) } catch {
      if error == .brokenPipe || error == .connectionReset {
        unsafe state.hasReaderLeft = true
      } else {
        unsafe state.failure = error
      }
    }
  }

  /// Records the changes of the command, for the case that its result cannot be written: `disk is set up`.
  static func hasChanged(_ sentence: String) { unsafe state.change = sentence }

  /// Writes the remaining text and closes the descriptor; some file systems report only then that they are full.
  /// - Parameter code: the exit code of the command.
  /// - Returns: the exit code of the process. The exit code of an earlier failure has precedence over 73.
  static func finish(_ code: CInt) -> CInt {
    flush()
    if unsafe state.isUsed, isOpen, close(STDOUT_FILENO) != 0 {
      unsafe state.failure = Errno(rawValue: errno)
    }
    guard let failure = unsafe state.failure else { return code }
    let change = unsafe state.change
    let hint =
      if failure == .badFileDescriptor {
        "standard output is closed or not writable; --quiet suppresses results"
      } else if change != nil {
        "epfnvme status shows the current state"
      } else {
        "free some space, or write the result somewhere else"
      }
    let error = ProvisioningError(
      .cannotCreate,
      "cannot write the result to standard output: \(failure.nameAndText)"
        + (change.map { "; \($0) nevertheless" } ?? ""),
      operation: "write", path: "/dev/stdout", errno: failure, hint: hint)
    Terminal(color: .auto, isQuiet: false, isVerbose: false).complain(error)
    return [0, 1, 4].contains(code) ? error.exitCode : code
  }
}

/// Writes a result to standard output: ``Output`` in the place of the standard library's function, which ignores failures.
func print(_ text: String, terminator: String = "\n") { Output.add(text + terminator) }

@available(*, unavailable, message: "results are text: print(String)")
func print(_ items: Any..., separator: String = " ", terminator: String = "\n") {}
