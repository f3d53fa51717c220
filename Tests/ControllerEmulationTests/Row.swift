// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import Testing

/// A row of a table in the reference: its words, and a look at whether the controller does so.
struct Row: Sendable, CustomTestStringConvertible {
  var name: String
  var check: @Sendable () throws -> Void

  init(_ name: String, _ check: @escaping @Sendable () throws -> Void) {
    self.name = name
    self.check = check
  }

  var testDescription: String { name }
}

extension Host {
  /// A part of a register: bits `low` to `high`.
  func bits(_ value: some BinaryInteger, _ range: ClosedRange<Int>) -> UInt64 {
    UInt64(truncatingIfNeeded: value) >> UInt64(range.lowerBound)
      & ((1 << UInt64(range.count)) - 1)
  }
}
