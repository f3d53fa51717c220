// SPDX-License-Identifier: Apache-2.0

/// A feature (FID), with the names of nvme-cli.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct FeatureID: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var arbitration: Self { Self(rawValue: 0x01) }
  @inlinable public static var powerManagement: Self { Self(rawValue: 0x02) }
  @inlinable public static var blockRangeType: Self { Self(rawValue: 0x03) }
  @inlinable public static var temperatureThreshold: Self { Self(rawValue: 0x04) }
  @inlinable public static var errorRecovery: Self { Self(rawValue: 0x05) }
  @inlinable public static var volatileWriteCache: Self { Self(rawValue: 0x06) }
  @inlinable public static var numberOfQueues: Self { Self(rawValue: 0x07) }
  @inlinable public static var interruptCoalescing: Self { Self(rawValue: 0x08) }
  @inlinable public static var interruptVectorConfiguration: Self { Self(rawValue: 0x09) }
  @inlinable public static var writeAtomicity: Self { Self(rawValue: 0x0a) }
  @inlinable public static var asyncEventConfiguration: Self { Self(rawValue: 0x0b) }
  @inlinable public static var autonomousPowerStates: Self { Self(rawValue: 0x0c) }
  @inlinable public static var hostMemoryBuffer: Self { Self(rawValue: 0x0d) }
  @inlinable public static var timestamp: Self { Self(rawValue: 0x0e) }
  @inlinable public static var keepAliveTimer: Self { Self(rawValue: 0x0f) }
  @inlinable public static var thermalManagement: Self { Self(rawValue: 0x10) }
  @inlinable public static var nonOperationalPowerStates: Self { Self(rawValue: 0x11) }
  @inlinable public static var readRecoveryLevel: Self { Self(rawValue: 0x12) }
  @inlinable public static var predictableLatencyConfig: Self { Self(rawValue: 0x13) }
  @inlinable public static var predictableLatencyWindow: Self { Self(rawValue: 0x14) }
  @inlinable public static var blockStatusInterval: Self { Self(rawValue: 0x15) }
  @inlinable public static var hostBehavior: Self { Self(rawValue: 0x16) }
  @inlinable public static var sanitizeConfig: Self { Self(rawValue: 0x17) }
  @inlinable public static var enduranceGroupEvents: Self { Self(rawValue: 0x18) }
  @inlinable public static var commandSetProfile: Self { Self(rawValue: 0x19) }
  @inlinable public static var spinupControl: Self { Self(rawValue: 0x1a) }
  @inlinable public static var powerLossSignaling: Self { Self(rawValue: 0x1b) }
  @inlinable public static var performanceCharacteristics: Self { Self(rawValue: 0x1c) }
  @inlinable public static var flexibleDataPlacement: Self { Self(rawValue: 0x1d) }
  @inlinable public static var flexibleDataPlacementEvents: Self { Self(rawValue: 0x1e) }
  @inlinable public static var namespaceAdminLabel: Self { Self(rawValue: 0x1f) }
  @inlinable public static var controllerDataQueue: Self { Self(rawValue: 0x21) }
  @inlinable public static var enhancedControllerMetadata: Self { Self(rawValue: 0x7d) }
  @inlinable public static var controllerMetadata: Self { Self(rawValue: 0x7e) }
  @inlinable public static var namespaceMetadata: Self { Self(rawValue: 0x7f) }
  @inlinable public static var softwareProgress: Self { Self(rawValue: 0x80) }
  @inlinable public static var hostIdentifier: Self { Self(rawValue: 0x81) }
  @inlinable public static var reservationNotificationMask: Self { Self(rawValue: 0x82) }
  @inlinable public static var reservationPersistence: Self { Self(rawValue: 0x83) }
  @inlinable public static var namespaceWriteProtection: Self { Self(rawValue: 0x84) }
  @inlinable public static var bootPartitionWriteProtection: Self { Self(rawValue: 0x85) }

  public var name: String? {
    switch self {
    case .arbitration: "Arbitration"
    case .powerManagement: "Power Management"
    case .blockRangeType: "LBA Range Type"
    case .temperatureThreshold: "Temperature Threshold"
    case .errorRecovery: "Error Recovery"
    case .volatileWriteCache: "Volatile Write Cache"
    case .numberOfQueues: "Number of Queues"
    case .interruptCoalescing: "Interrupt Coalescing"
    case .interruptVectorConfiguration: "Interrupt Vector Configuration"
    case .writeAtomicity: "Write Atomicity Normal"
    case .asyncEventConfiguration: "Async Event Configuration"
    case .autonomousPowerStates: "Autonomous Power State Transition"
    case .hostMemoryBuffer: "Host Memory Buffer"
    case .timestamp: "Timestamp"
    case .keepAliveTimer: "Keep Alive Timer"
    case .thermalManagement: "Host Controlled Thermal Management"
    case .nonOperationalPowerStates: "Non-Operational Power State Config"
    case .readRecoveryLevel: "Read Recovery Level"
    case .predictableLatencyConfig: "Predictable Latency Mode Config"
    case .predictableLatencyWindow: "Predictable Latency Mode Window"
    case .blockStatusInterval: "LBA Status Interval"
    case .hostBehavior: "Host Behavior"
    case .sanitizeConfig: "Sanitize"
    case .enduranceGroupEvents: "Endurance Event Group Configuration"
    case .commandSetProfile: "I/O Command Set Profile"
    case .spinupControl: "Spinup Control"
    case .powerLossSignaling: "Power Loss Signaling Config"
    case .performanceCharacteristics: "Performance Characteristics"
    case .flexibleDataPlacement: "Flexible Direct Placement"
    case .flexibleDataPlacementEvents: "Flexible Direct Placement Events"
    case .namespaceAdminLabel: "Namespace Admin Label"
    case .controllerDataQueue: "Controller Data Queue"
    case .enhancedControllerMetadata: "Enhanced Controller Metadata"
    case .controllerMetadata: "Controller Metadata"
    case .namespaceMetadata: "Namespace Metadata"
    case .softwareProgress: "Software Progress"
    case .hostIdentifier: "Host Identifier"
    case .reservationNotificationMask: "Reservation Notification Mask"
    case .reservationPersistence: "Reservation Persistence"
    case .namespaceWriteProtection: "Namespace Write Protect"
    case .bootPartitionWriteProtection: "Boot Partition Write Protection Config"
    default: nil
    }
  }
}
