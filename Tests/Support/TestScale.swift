// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// The part of a long table or property test that is run.
public enum TestScale {
  /// `EPFNVME_TEST_SCALE=full`: all of it; otherwise a short form.
  public static let isFull: Bool =
    unsafe getenv("EPFNVME_TEST_SCALE").map { unsafe String(cString: $0) } == "full"
}
