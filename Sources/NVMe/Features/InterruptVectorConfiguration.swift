// SPDX-License-Identifier: Apache-2.0

/// Interrupt Vector Configuration (feature 09h), CDW11 and completion DW0.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct InterruptVectorConfiguration: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt16>.vector.number,
      BitField<Self, Bool>.disablesCoalescing.number,
    ]
  }
}

extension BitField where Owner == InterruptVectorConfiguration, Value == UInt16 {
  /// The vector (IV).
  @inlinable public static var vector: Self { Self("IV", 0...15) }
}

extension BitField where Owner == InterruptVectorConfiguration, Value == Bool {
  /// Whether the vector's interrupts are not coalesced (CD).
  @inlinable public static var disablesCoalescing: Self { Self("CD", bit: 16) }
}
