// SPDX-License-Identifier: Apache-2.0

/// Interrupt Coalescing (feature 08h), CDW11 and completion DW0.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct InterruptCoalescing: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt8>.threshold.number,
      BitField<Self, UInt8>.time.number,
    ]
  }
}

extension BitField where Owner == InterruptCoalescing, Value == UInt8 {
  /// Completions before an interrupt (THR), 0's based.
  @inlinable public static var threshold: Self { Self("THR", 0...7) }

  /// The maximum delay of an interrupt (TIME), in units of 100 microseconds; 0 for none.
  @inlinable public static var time: Self { Self("TIME", 8...15) }
}
