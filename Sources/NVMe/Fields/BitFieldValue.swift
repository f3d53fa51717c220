// SPDX-License-Identifier: Apache-2.0

/// A value of a bit field, which is represented by its bits.
public protocol BitFieldValue: Hashable, Sendable {
  init(bits: UInt64)
  var bits: UInt64 { get }
}

extension BitFieldValue where Self: FixedWidthInteger & UnsignedInteger {
  @inlinable public init(bits: UInt64) { self.init(truncatingIfNeeded: bits) }
  @inlinable public var bits: UInt64 { UInt64(truncatingIfNeeded: self) }
}

extension UInt8: BitFieldValue {}
extension UInt16: BitFieldValue {}
extension UInt32: BitFieldValue {}
extension UInt64: BitFieldValue {}

extension Bool: BitFieldValue {
  @inlinable public init(bits: UInt64) { self = bits != 0 }
  @inlinable public var bits: UInt64 { self ? 1 : 0 }
}
