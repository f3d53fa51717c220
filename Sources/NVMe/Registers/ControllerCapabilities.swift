// SPDX-License-Identifier: Apache-2.0

/// Controller Capabilities (CAP), offset 00h, 64 bits; read only.
/// - Source: NVM Express Base 2.1, 3.1.4.1.
public struct ControllerCapabilities: PackedWord {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt16>.maximumQueueEntries.number,
      BitField<Self, Bool>.requiresContiguousQueues.number,
      BitField<Self, UInt8>.arbitrationMechanisms.number,
      BitField<Self, UInt8>.timeout.number,
      BitField<Self, UInt8>.doorbellStride.number,
      BitField<Self, Bool>.supportsSubsystemReset.number,
      BitField<Self, Bool>.supportsNVMCommandSet.number,
      BitField<Self, Bool>.supportsIOCommandSets.number,
      BitField<Self, Bool>.supportsNoIOCommandSet.number,
      BitField<Self, Bool>.supportsBootPartitions.number,
      BitField<Self, UInt8>.powerScope.number,
      BitField<Self, UInt8>.minimumPageSize.number,
      BitField<Self, UInt8>.maximumPageSize.number,
      BitField<Self, Bool>.supportsPersistentMemory.number,
      BitField<Self, Bool>.supportsMemoryBuffer.number,
      BitField<Self, Bool>.supportsSubsystemShutdown.number,
      BitField<Self, Bool>.readyWithMedia.number,
      BitField<Self, Bool>.readyWithoutMedia.number,
      BitField<Self, Bool>.supportsShutdownEnhancements.number,
    ]
  }

  /// The command sets supported as the specification's one field (CSS), bits 44:37.
  @inlinable public var commandSets: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 37) }
}

extension BitField where Owner == ControllerCapabilities, Value == UInt16 {
  /// The most entries of a queue (MQES), 0's based; at least 1.
  @inlinable public static var maximumQueueEntries: Self { Self("MQES", 0...15) }
}

extension BitField where Owner == ControllerCapabilities, Value == Bool {
  /// Whether queues must be physically contiguous (CQR).
  @inlinable public static var requiresContiguousQueues: Self { Self("CQR", bit: 16) }

  /// Whether NSSR works (NSSRS).
  @inlinable public static var supportsSubsystemReset: Self { Self("NSSRS", bit: 36) }

  /// Whether the NVM command set is supported (CSS bit 0).
  @inlinable public static var supportsNVMCommandSet: Self { Self("NCSS", bit: 37) }

  /// Whether CC.CSS may be 110b, with several I/O command sets (CSS bit 6).
  @inlinable public static var supportsIOCommandSets: Self { Self("IOCSS", bit: 43) }

  /// Whether there may be no I/O command set (CSS bit 7).
  @inlinable public static var supportsNoIOCommandSet: Self { Self("NOIOCSS", bit: 44) }

  /// Whether boot partitions are supported (BPS).
  @inlinable public static var supportsBootPartitions: Self { Self("BPS", bit: 45) }

  /// Whether there is a persistent memory region (PMRS).
  @inlinable public static var supportsPersistentMemory: Self { Self("PMRS", bit: 56) }

  /// Whether there is a controller memory buffer (CMBS).
  @inlinable public static var supportsMemoryBuffer: Self { Self("CMBS", bit: 57) }

  /// Whether NSSD works (NSSS).
  @inlinable public static var supportsSubsystemShutdown: Self { Self("NSSS", bit: 58) }

  /// Whether the controller can become ready with its media (CRMS bit 0).
  @inlinable public static var readyWithMedia: Self { Self("CRWMS", bit: 59) }

  /// Whether the controller can become ready before its media (CRMS bit 1).
  @inlinable public static var readyWithoutMedia: Self { Self("CRIMS", bit: 60) }

  /// Whether NVM subsystem shutdown has its enhancements (NSSES).
  @inlinable public static var supportsShutdownEnhancements: Self { Self("NSSES", bit: 61) }
}

extension BitField where Owner == ControllerCapabilities, Value == UInt8 {
  /// Arbitration mechanisms beyond round robin (AMS): bit 0 weighted with urgent class, bit 1 vendor specific.
  @inlinable public static var arbitrationMechanisms: Self { Self("AMS", 17...18) }

  /// The timeout of CSTS.RDY after a change of CC.EN (TO), in units of 500 ms.
  @inlinable public static var timeout: Self { Self("TO", 24...31) }

  /// The distance of doorbells (DSTRD): 2^(2 + DSTRD) bytes.
  @inlinable public static var doorbellStride: Self { Self("DSTRD", 32...35) }

  /// The controller power scope (CPS): 0 not reported, 1 controller, 2 domain, 3 NVM subsystem.
  @inlinable public static var powerScope: Self { Self("CPS", 46...47) }

  /// The smallest host page (MPSMIN): 2^(12 + MPSMIN) bytes.
  @inlinable public static var minimumPageSize: Self { Self("MPSMIN", 48...51) }

  /// The largest host page (MPSMAX): 2^(12 + MPSMAX) bytes.
  @inlinable public static var maximumPageSize: Self { Self("MPSMAX", 52...55) }
}
