// SPDX-License-Identifier: Apache-2.0

/// A field of some bits, declared once: its name in the specification, where it is, and the type of its value.
public struct BitField<Owner, Value: BitFieldValue>: Sendable {
  /// The specification's abbreviation, for example `MQES`.
  public let name: StaticString
  /// The lowest bit, counted from the start of the owner.
  public let shift: Int
  /// The width in bits, 1 to 64.
  public let width: Int

  @inlinable public init(_ name: StaticString, _ bits: ClosedRange<Int>) {
    self.init(name, shift: bits.lowerBound, width: bits.count)
  }

  @inlinable public init(_ name: StaticString, bit: Int) {
    self.init(name, shift: bit, width: 1)
  }

  @inlinable init(_ name: StaticString, shift: Int, width: Int) {
    self.name = name
    self.shift = shift
    self.width = width
  }

  /// The greatest value that fits.
  @inlinable public var mask: UInt64 { ~0 >> UInt64(64 - width) }

  /// The same field as a number, independent of its value's type, for lists of fields.
  @inlinable public var number: BitField<Owner, UInt64> {
    BitField<Owner, UInt64>(name, shift: shift, width: width)
  }
}
