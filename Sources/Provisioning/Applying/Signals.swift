// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// SIGINT and SIGTERM as a question that the transaction asks between two steps.
public enum Signals {
  /// From now on the two signals are remembered instead of ending the process.
  public static func remember() { epfnvme_remember_signals() }

  /// The signal that came, if one did.
  public static var caught: CInt? {
    let number = epfnvme_caught_signal()
    return number == 0 ? nil : number
  }
}
