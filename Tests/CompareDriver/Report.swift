// SPDX-License-Identifier: Apache-2.0

/// What the real driver does differently than its emulation.
struct Report {
  /// Things that were compared.
  private(set) var compared = 0
  /// Name, and what each did.
  private(set) var differences: [(name: String, real: String, emulated: String)] = []

  mutating func compare(_ name: String, real: String, emulated: String) {
    compared += 1
    if real != emulated { differences.append((name, real, emulated)) }
  }

  /// One line a difference, fields separated by tabs, and a line with the count.
  func write() {
    for difference in differences {
      print("difference", difference.name, difference.real, difference.emulated, separator: "\t")
    }
    print("compared", compared, differences.count, separator: "\t")
  }
}
