// SPDX-License-Identifier: Apache-2.0

/// A register file by byte: its reset values, and the bits that a host can change.
struct RegisterBlock: Sendable {
  private(set) var initial: [UInt8]

  /// The bits that a host can write.
  private(set) var writable: [UInt8]

  /// The bits that a function-level reset leaves alone.
  private(set) var preserved: [UInt8]

  init(count: Int) {
    initial = Array(repeating: 0, count: count)
    writable = initial
    preserved = initial
  }

  /// Defines a little-endian register at a byte offset; traps past the end.
  mutating func define<T: FixedWidthInteger & UnsignedInteger>(
    _ offset: Int, _ value: T, writable: T = 0, preserved: T = 0
  ) {
    initial.setInteger(value, at: offset)
    self.writable.setInteger(writable, at: offset)
    self.preserved.setInteger(preserved, at: offset)
  }
}

extension Array<UInt8> {
  /// The little-endian integer at a byte offset; traps past the end.
  func integer<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type, at offset: Int) -> T {
    (0..<T.bitWidth / 8).reduce(0) { $0 | T(self[offset + $1]) << (8 * $1) }
  }

  /// Replaces the little-endian integer at a byte offset; traps past the end.
  mutating func setInteger<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at offset: Int) {
    for index in 0..<T.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}
