// SPDX-License-Identifier: Apache-2.0

/// Asynchronous Event Configuration (feature 0Bh), CDW11 and completion DW0.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct AsyncEventConfiguration: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt8>.criticalWarnings.number,
      BitField<Self, Bool>.namespaceAttributes.number,
      BitField<Self, Bool>.firmwareActivation.number,
      BitField<Self, Bool>.telemetryLog.number,
      BitField<Self, Bool>.namespaceAccess.number,
      BitField<Self, Bool>.predictableLatency.number,
      BitField<Self, Bool>.blockStatus.number,
      BitField<Self, Bool>.enduranceGroup.number,
      BitField<Self, Bool>.subsystemShutdown.number,
      BitField<Self, Bool>.discoveryLog.number,
    ]
  }
}

extension BitField where Owner == AsyncEventConfiguration, Value == UInt8 {
  /// Critical warnings of the SMART log that raise an event (SHCW).
  @inlinable public static var criticalWarnings: Self { Self("SHCW", 0...7) }
}

extension BitField where Owner == AsyncEventConfiguration, Value == Bool {
  /// Whether a changed namespace raises a notice (NAN).
  @inlinable public static var namespaceAttributes: Self { Self("NAN", bit: 8) }

  /// Whether the start of a firmware activation raises a notice (FAN).
  @inlinable public static var firmwareActivation: Self { Self("FAN", bit: 9) }

  /// Whether a changed telemetry log raises a notice (TLN).
  @inlinable public static var telemetryLog: Self { Self("TLN", bit: 10) }

  /// Whether a changed ANA state raises a notice (ANACN).
  @inlinable public static var namespaceAccess: Self { Self("ANACN", bit: 11) }

  /// Whether a predictable latency event raises a notice (PLEAN).
  @inlinable public static var predictableLatency: Self { Self("PLEAN", bit: 12) }

  /// Whether new LBA status information raises a notice (LSIAN).
  @inlinable public static var blockStatus: Self { Self("LSIAN", bit: 13) }

  /// Whether an endurance group event raises a notice (EGEAN).
  @inlinable public static var enduranceGroup: Self { Self("EGEAN", bit: 14) }

  /// Whether a normal NVM subsystem shutdown raises a notice (NNSSHDN).
  @inlinable public static var subsystemShutdown: Self { Self("NNSSHDN", bit: 15) }

  /// Whether a changed discovery log raises a notice (DLPCN).
  @inlinable public static var discoveryLog: Self { Self("DLPCN", bit: 31) }
}
