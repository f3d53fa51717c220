// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// How much of a long test is run.
public enum TestScale {
  /// `EPFNVME_TEST_SCALE=full`: everything, however long it takes.
  public static var isFull: Bool {
    unsafe getenv("EPFNVME_TEST_SCALE").map { unsafe String(cString: $0) } == "full"
  }
}
