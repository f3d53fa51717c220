// SPDX-License-Identifier: Apache-2.0

/// Arbitration (feature 01h), CDW11 and completion DW0.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct Arbitration: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt8>.burst.number,
      BitField<Self, UInt8>.lowWeight.number,
      BitField<Self, UInt8>.mediumWeight.number,
      BitField<Self, UInt8>.highWeight.number,
    ]
  }
}

extension BitField where Owner == Arbitration, Value == UInt8 {
  /// Commands at a time from a queue (AB): 2^AB, 111b without limit.
  @inlinable public static var burst: Self { Self("AB", 0...2) }

  /// The weight of the low priority class (LPW), 0's based.
  @inlinable public static var lowWeight: Self { Self("LPW", 8...15) }

  /// The weight of the medium priority class (MPW), 0's based.
  @inlinable public static var mediumWeight: Self { Self("MPW", 16...23) }

  /// The weight of the high priority class (HPW), 0's based.
  @inlinable public static var highWeight: Self { Self("HPW", 24...31) }
}
