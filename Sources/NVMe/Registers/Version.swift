// SPDX-License-Identifier: Apache-2.0

/// Version (VS), offset 08h, 32 bits; read only. Identify Controller's VER has the same layout.
/// - Source: NVM Express Base 2.1, 3.1.4.2.
public struct Version: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt8>.tertiary.number,
      BitField<Self, UInt8>.minor.number,
      BitField<Self, UInt16>.major.number,
    ]
  }

  @inlinable public init(_ major: UInt16, _ minor: UInt8, _ tertiary: UInt8 = 0) {
    self.init(rawValue: UInt32(major) << 16 | UInt32(minor) << 8 | UInt32(tertiary))
  }

  /// As the specification's title has it, for example `2.1.0`.
  public var text: String {
    "\(rawValue >> 16).\(rawValue >> 8 & 0xff).\(rawValue & 0xff)"
  }
}

extension BitField where Owner == Version, Value == UInt8 {
  /// The tertiary version (TER).
  @inlinable public static var tertiary: Self { Self("TER", 0...7) }

  /// The minor version (MNR).
  @inlinable public static var minor: Self { Self("MNR", 8...15) }
}

extension BitField where Owner == Version, Value == UInt16 {
  /// The major version (MJR).
  @inlinable public static var major: Self { Self("MJR", 16...31) }
}
