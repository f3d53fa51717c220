// SPDX-License-Identifier: Apache-2.0

/// Controller Configuration (CC), offset 14h, 32 bits.
/// - Source: NVM Express Base 2.1, 3.1.4.5.
public struct ControllerConfiguration: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, Bool>.enable.number,
      BitField<Self, CommandSetSelection>.commandSet.number,
      BitField<Self, UInt8>.memoryPageSize.number,
      BitField<Self, ArbitrationMechanism>.arbitration.number,
      BitField<Self, ShutdownNotification>.shutdown.number,
      BitField<Self, UInt8>.submissionEntrySize.number,
      BitField<Self, UInt8>.completionEntrySize.number,
      BitField<Self, Bool>.readyWithoutMedia.number,
    ]
  }

  /// The host's page in bytes.
  @inlinable public var pageSize: UInt64 { 4096 << UInt64(self[.memoryPageSize]) }
}

extension BitField where Owner == ControllerConfiguration, Value == Bool {
  /// Whether the host has enabled the controller (EN); 1 to 0 resets it.
  @inlinable public static var enable: Self { Self("EN", bit: 0) }

  /// Whether the controller may become ready before its media (CRIME).
  @inlinable public static var readyWithoutMedia: Self { Self("CRIME", bit: 24) }
}

extension BitField where Owner == ControllerConfiguration, Value == CommandSetSelection {
  /// The I/O command sets (CSS); changed only while EN is 0.
  @inlinable public static var commandSet: Self { Self("CSS", 4...6) }
}

extension BitField where Owner == ControllerConfiguration, Value == UInt8 {
  /// The host's page (MPS): 2^(12 + MPS) bytes.
  @inlinable public static var memoryPageSize: Self { Self("MPS", 7...10) }

  /// The size of I/O submission entries (IOSQES): 2^IOSQES bytes.
  @inlinable public static var submissionEntrySize: Self { Self("IOSQES", 16...19) }

  /// The size of I/O completion entries (IOCQES): 2^IOCQES bytes.
  @inlinable public static var completionEntrySize: Self { Self("IOCQES", 20...23) }
}

extension BitField where Owner == ControllerConfiguration, Value == ArbitrationMechanism {
  /// The arbitration of queues (AMS).
  @inlinable public static var arbitration: Self { Self("AMS", 11...13) }
}

extension BitField where Owner == ControllerConfiguration, Value == ShutdownNotification {
  /// Whether the host shuts down (SHN).
  @inlinable public static var shutdown: Self { Self("SHN", 14...15) }
}
