// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// The part of a long table or property test that is run.
public enum TestScale {
  /// `EPFNVME_TEST_SCALE=full`: all of it; otherwise a short form.
  public static let isFull: Bool =
    unsafe getenv("EPFNVME_TEST_SCALE").map { unsafe String(cString: $0) } == "full"

  /// All of a table's cases or, in the short form, every nth one.
  /// - Parameter offset: shifts the choice, so that tables of several profiles cover different cases.
  public static func some<Cases: Collection>(
    of cases: Cases, oneIn n: Int, offset: Int = 0
  ) -> [Cases.Element] {
    if isFull { return Array(cases) }
    return cases.enumerated().compactMap { $0.offset % n == offset % n ? $0.element : nil }
  }
}
