// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// The part of a long table or property test that is run.
public enum TestScale {
  /// `EPFNVME_TEST_SCALE`: `full` for the full form of tables and property tests, `campaign` also for every case of the fault campaign.
  private static let name: String? =
    unsafe getenv("EPFNVME_TEST_SCALE").map { unsafe String(cString: $0) }

  /// Whether tables and property tests have their full form.
  public static let isFull: Bool = name == "full" || isCampaign
  /// Whether the fault campaign has every case.
  public static let isCampaign: Bool = name == "campaign"

  /// All of a table's cases or, in the short form, every nth one.
  /// - Parameters:
  ///   - full: in the full form every such one; the campaign has all.
  ///   - offset: shifts the choice, so that tables of several profiles cover different cases.
  public static func some<Cases: Collection>(
    of cases: Cases, oneIn n: Int, full: Int = 1, offset: Int = 0
  ) -> [Cases.Element] {
    let n = isCampaign ? 1 : isFull ? full : n
    return cases.enumerated().compactMap { $0.offset % n == offset % n ? $0.element : nil }
  }
}
