// SPDX-License-Identifier: Apache-2.0

/// Completion DW0 of Asynchronous Event Request.
/// - Source: NVM Express Base 2.1, 5.1.2.
public struct AsyncEvent: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt8>.type.number,
      BitField<Self, UInt8>.information.number,
      BitField<Self, LogPageID>.logPage.number,
    ]
  }
}

extension BitField where Owner == AsyncEvent, Value == UInt8 {
  /// The type (AET): 0 error, 1 SMART / health, 2 notice, 6 I/O command specific, 7 vendor specific.
  @inlinable public static var type: Self { Self("AET", 0...2) }

  /// The event within the type (AEI).
  @inlinable public static var information: Self { Self("AEI", 8...15) }
}

extension BitField where Owner == AsyncEvent, Value == LogPageID {
  /// The log page to read, which allows the next event (LPI).
  @inlinable public static var logPage: Self { Self("LPI", 16...23) }
}
