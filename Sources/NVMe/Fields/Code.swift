// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// A number with names in the specification; other values are also allowed.
public protocol Code: RawRepresentable, BitFieldValue, ByteFieldValue, CustomStringConvertible
where RawValue: FixedWidthInteger & UnsignedInteger & BitFieldValue & ByteFieldValue {
  init(rawValue: RawValue)

  /// The name in the specification; nil for a reserved or vendor-specific value.
  var name: String? { get }
}

extension Code {
  @inlinable public init(bits: UInt64) { self.init(rawValue: RawValue(bits: bits)) }
  @inlinable public var bits: UInt64 { rawValue.bits }

  @inlinable public static func == (left: Self, right: Self) -> Bool {
    left.rawValue == right.rawValue
  }

  /// The name, or the number in hexadecimal.
  public var description: String {
    name ?? hexadecimal(rawValue, digits: RawValue.bitWidth / 4)
  }
}
