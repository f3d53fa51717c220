// SPDX-License-Identifier: Apache-2.0
import LibC
import Synchronization

/// Names the session that is under way when the process traps.
enum CrashReport {
  /// The number of the current session.
  static let session = Atomic<Int>(0)

  static func install() {
    // Only what a signal handler may do: it does not allocate.
    let report: @convention(c) (CInt) -> Void = { number in
      signal(number, SIG_DFL)
      var rest = CrashReport.session.load(ordering: .relaxed)
      var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
      withUnsafeMutableBytes(of: &digits) { bytes in
        var start = bytes.count - 1
        bytes[start] = UInt8(ascii: "\n")
        repeat {
          start -= 1
          bytes[start] = UInt8(ascii: "0") + UInt8(rest % 10)
          rest /= 10
        } while rest > 0 && start > 0
        let text: StaticString = "the process ends in session "
        _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
        _ = write(2, bytes.baseAddress.map { $0 + start }, bytes.count - start)
      }
    }
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT] { signal(number, report) }
  }
}
