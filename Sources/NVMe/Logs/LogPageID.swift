// SPDX-License-Identifier: Apache-2.0

/// A log page (LID), with the names of nvme-cli.
/// - Source: NVM Express Base 2.1, 5.1.12.
public struct LogPageID: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var supportedLogPages: Self { Self(rawValue: 0x00) }
  @inlinable public static var errorInformation: Self { Self(rawValue: 0x01) }
  @inlinable public static var health: Self { Self(rawValue: 0x02) }
  @inlinable public static var firmwareSlots: Self { Self(rawValue: 0x03) }
  @inlinable public static var changedNamespaces: Self { Self(rawValue: 0x04) }
  @inlinable public static var commandEffects: Self { Self(rawValue: 0x05) }
  @inlinable public static var deviceSelfTest: Self { Self(rawValue: 0x06) }
  @inlinable public static var telemetryHost: Self { Self(rawValue: 0x07) }
  @inlinable public static var telemetryController: Self { Self(rawValue: 0x08) }
  @inlinable public static var enduranceGroup: Self { Self(rawValue: 0x09) }
  @inlinable public static var predictableLatency: Self { Self(rawValue: 0x0a) }
  @inlinable public static var predictableLatencyEvents: Self { Self(rawValue: 0x0b) }
  @inlinable public static var namespaceAccess: Self { Self(rawValue: 0x0c) }
  @inlinable public static var persistentEvents: Self { Self(rawValue: 0x0d) }
  @inlinable public static var blockStatus: Self { Self(rawValue: 0x0e) }
  @inlinable public static var enduranceGroupEvents: Self { Self(rawValue: 0x0f) }
  @inlinable public static var mediaUnitStatus: Self { Self(rawValue: 0x10) }
  @inlinable public static var capacityConfigurations: Self { Self(rawValue: 0x11) }
  @inlinable public static var featureEffects: Self { Self(rawValue: 0x12) }
  @inlinable public static var managementCommandEffects: Self { Self(rawValue: 0x13) }
  @inlinable public static var lockdown: Self { Self(rawValue: 0x14) }
  @inlinable public static var bootPartition: Self { Self(rawValue: 0x15) }
  @inlinable public static var rotationalMedia: Self { Self(rawValue: 0x16) }
  @inlinable public static var dispersedNamespaces: Self { Self(rawValue: 0x17) }
  @inlinable public static var managementAddresses: Self { Self(rawValue: 0x18) }
  @inlinable public static var eyeOpening: Self { Self(rawValue: 0x19) }
  @inlinable public static var reachabilityGroups: Self { Self(rawValue: 0x1a) }
  @inlinable public static var reachabilityAssociations: Self { Self(rawValue: 0x1b) }
  @inlinable public static var changedAllocatedNamespaces: Self { Self(rawValue: 0x1c) }
  @inlinable public static var dataPlacementConfigurations: Self { Self(rawValue: 0x20) }
  @inlinable public static var reclaimUnitHandleUsage: Self { Self(rawValue: 0x21) }
  @inlinable public static var dataPlacementStatistics: Self { Self(rawValue: 0x22) }
  @inlinable public static var dataPlacementEvents: Self { Self(rawValue: 0x23) }
  @inlinable public static var discovery: Self { Self(rawValue: 0x70) }
  @inlinable public static var hostDiscovery: Self { Self(rawValue: 0x71) }
  @inlinable public static var verificationDiscovery: Self { Self(rawValue: 0x72) }
  @inlinable public static var pullModelRequests: Self { Self(rawValue: 0x73) }
  @inlinable public static var reservationNotification: Self { Self(rawValue: 0x80) }
  @inlinable public static var sanitizeStatus: Self { Self(rawValue: 0x81) }
  @inlinable public static var changedZones: Self { Self(rawValue: 0xbf) }

  public var name: String? {
    switch self {
    case .supportedLogPages: "Supported Log Pages"
    case .errorInformation: "Error Information"
    case .health: "SMART / Health Information"
    case .firmwareSlots: "Firmware Slot Information"
    case .changedNamespaces: "Changed Namespace List"
    case .commandEffects: "Commands Supported and Effects"
    case .deviceSelfTest: "Device Self-test"
    case .telemetryHost: "Telemetry Host-Initiated"
    case .telemetryController: "Telemetry Controller-Initiated"
    case .enduranceGroup: "Endurance Group Information"
    case .predictableLatency: "Predictable Latency Per NVM Set"
    case .predictableLatencyEvents: "Predictable Latency Event Aggregate"
    case .namespaceAccess: "Asymmetric Namespace Access"
    case .persistentEvents: "Persistent Event Log"
    case .blockStatus: "LBA Status Information"
    case .enduranceGroupEvents: "Endurance Group Event Aggregate"
    case .mediaUnitStatus: "Media Unit Status"
    case .capacityConfigurations: "Supported Capacity Configuration List"
    case .featureEffects: "Feature Identifiers Supported and Effects"
    case .managementCommandEffects: "NVMe-MI Commands Supported and Effects"
    case .lockdown: "Command and Feature Lockdown"
    case .bootPartition: "Boot Partition"
    case .rotationalMedia: "Rotational Media Information"
    case .dispersedNamespaces: "Dispersed Namespace Participating NVM Subsystems"
    case .managementAddresses: "Management Address List"
    case .eyeOpening: "Physical Interface Receiver Eye Opening Measurement"
    case .reachabilityGroups: "Reachability Groups"
    case .reachabilityAssociations: "Reachability Associations"
    case .changedAllocatedNamespaces: "Changed Allocated Namespace List"
    case .dataPlacementConfigurations: "FDP Configurations"
    case .reclaimUnitHandleUsage: "Reclaim Unit Handle Usage"
    case .dataPlacementStatistics: "FDP Statistics"
    case .dataPlacementEvents: "FDP Events"
    case .discovery: "Discovery"
    case .hostDiscovery: "Host Discovery"
    case .verificationDiscovery: "AVE Discovery"
    case .pullModelRequests: "Pull Model DDC Request"
    case .reservationNotification: "Reservation Notification"
    case .sanitizeStatus: "Sanitize Status"
    case .changedZones: "Changed Zone List"
    default: nil
    }
  }
}
