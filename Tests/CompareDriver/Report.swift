// SPDX-License-Identifier: Apache-2.0
import LibC

/// The differences between the real driver and its emulation.
struct Report {
  /// Things that were compared.
  private(set) var compared = 0
  private(set) var differences = 0

  /// Prints a difference: its name, and what each did; or that both did the same, if that is of use.
  mutating func compare(
    _ name: String, real: String, emulated: String, printsSame: Bool = true
  ) {
    compared += 1
    guard real != emulated else {
      if printsSame { print("same", name, real, separator: "\t") }
      return
    }
    differences += 1
    print("difference", name, real, emulated, separator: "\t")
    fflush(nil)
  }

  /// A line with the counts.
  func write() { print("compared", compared, differences, separator: "\t") }
}
