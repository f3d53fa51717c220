// SPDX-License-Identifier: Apache-2.0

/// Controller Status (CSTS), offset 1Ch, 32 bits.
/// - Source: NVM Express Base 2.1, 3.1.4.6.
public struct ControllerStatus: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, Bool>.ready.number,
      BitField<Self, Bool>.fatal.number,
      BitField<Self, ShutdownStatus>.shutdown.number,
      BitField<Self, Bool>.subsystemResetOccurred.number,
      BitField<Self, Bool>.processingPaused.number,
      BitField<Self, Bool>.subsystemShutdown.number,
    ]
  }
}

extension BitField where Owner == ControllerStatus, Value == Bool {
  /// Whether the controller processes commands (RDY).
  @inlinable public static var ready: Self { Self("RDY", bit: 0) }

  /// Whether a fatal error stopped the controller (CFS).
  @inlinable public static var fatal: Self { Self("CFS", bit: 1) }

  /// Whether an NVM subsystem reset happened (NSSRO); the host clears it by writing 1.
  @inlinable public static var subsystemResetOccurred: Self { Self("NSSRO", bit: 4) }

  /// Whether command processing pauses for a firmware activation (PP).
  @inlinable public static var processingPaused: Self { Self("PP", bit: 5) }

  /// Whether SHST is about the NVM subsystem rather than the controller (ST).
  @inlinable public static var subsystemShutdown: Self { Self("ST", bit: 6) }
}

extension BitField where Owner == ControllerStatus, Value == ShutdownStatus {
  /// The progress of a shutdown (SHST).
  @inlinable public static var shutdown: Self { Self("SHST", 2...3) }
}
