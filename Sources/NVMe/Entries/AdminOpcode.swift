// SPDX-License-Identifier: Apache-2.0

/// An opcode on the admin queue.
/// - Source: NVM Express Base 2.1, 5.
public struct AdminOpcode: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var deleteIOSubmissionQueue: Self { Self(rawValue: 0x00) }
  @inlinable public static var createIOSubmissionQueue: Self { Self(rawValue: 0x01) }
  @inlinable public static var getLogPage: Self { Self(rawValue: 0x02) }
  @inlinable public static var deleteIOCompletionQueue: Self { Self(rawValue: 0x04) }
  @inlinable public static var createIOCompletionQueue: Self { Self(rawValue: 0x05) }
  @inlinable public static var identify: Self { Self(rawValue: 0x06) }
  @inlinable public static var abort: Self { Self(rawValue: 0x08) }
  @inlinable public static var setFeatures: Self { Self(rawValue: 0x09) }
  @inlinable public static var getFeatures: Self { Self(rawValue: 0x0a) }
  @inlinable public static var asyncEventRequest: Self { Self(rawValue: 0x0c) }
  @inlinable public static var namespaceManagement: Self { Self(rawValue: 0x0d) }
  @inlinable public static var firmwareCommit: Self { Self(rawValue: 0x10) }
  @inlinable public static var firmwareImageDownload: Self { Self(rawValue: 0x11) }
  @inlinable public static var deviceSelfTest: Self { Self(rawValue: 0x14) }
  @inlinable public static var namespaceAttachment: Self { Self(rawValue: 0x15) }
  @inlinable public static var keepAlive: Self { Self(rawValue: 0x18) }
  @inlinable public static var directiveSend: Self { Self(rawValue: 0x19) }
  @inlinable public static var directiveReceive: Self { Self(rawValue: 0x1a) }
  @inlinable public static var virtualizationManagement: Self { Self(rawValue: 0x1c) }
  @inlinable public static var nvmeMISend: Self { Self(rawValue: 0x1d) }
  @inlinable public static var nvmeMIReceive: Self { Self(rawValue: 0x1e) }
  @inlinable public static var capacityManagement: Self { Self(rawValue: 0x20) }
  @inlinable public static var discoveryInformationManagement: Self { Self(rawValue: 0x21) }
  @inlinable public static var fabricZoningReceive: Self { Self(rawValue: 0x22) }
  @inlinable public static var lockdown: Self { Self(rawValue: 0x24) }
  @inlinable public static var fabricZoningLookup: Self { Self(rawValue: 0x25) }
  @inlinable public static var clearExportedResource: Self { Self(rawValue: 0x28) }
  @inlinable public static var fabricZoningSend: Self { Self(rawValue: 0x29) }
  @inlinable public static var createExportedSubsystem: Self { Self(rawValue: 0x2a) }
  @inlinable public static var manageExportedSubsystem: Self { Self(rawValue: 0x2d) }
  @inlinable public static var manageExportedNamespace: Self { Self(rawValue: 0x31) }
  @inlinable public static var manageExportedPort: Self { Self(rawValue: 0x35) }
  @inlinable public static var sendDiscoveryLogPage: Self { Self(rawValue: 0x39) }
  @inlinable public static var trackSend: Self { Self(rawValue: 0x3d) }
  @inlinable public static var trackReceive: Self { Self(rawValue: 0x3e) }
  @inlinable public static var migrationSend: Self { Self(rawValue: 0x41) }
  @inlinable public static var migrationReceive: Self { Self(rawValue: 0x42) }
  @inlinable public static var controllerDataQueue: Self { Self(rawValue: 0x45) }
  @inlinable public static var doorbellBufferConfig: Self { Self(rawValue: 0x7c) }
  /// Fabrics commands; their type is in the NSID's first byte.
  @inlinable public static var fabrics: Self { Self(rawValue: 0x7f) }
  @inlinable public static var formatNVM: Self { Self(rawValue: 0x80) }
  @inlinable public static var securitySend: Self { Self(rawValue: 0x81) }
  @inlinable public static var securityReceive: Self { Self(rawValue: 0x82) }
  @inlinable public static var sanitize: Self { Self(rawValue: 0x84) }
  @inlinable public static var getLBAStatus: Self { Self(rawValue: 0x86) }

  public var name: String? {
    switch self {
    case .deleteIOSubmissionQueue: "Delete I/O Submission Queue"
    case .createIOSubmissionQueue: "Create I/O Submission Queue"
    case .getLogPage: "Get Log Page"
    case .deleteIOCompletionQueue: "Delete I/O Completion Queue"
    case .createIOCompletionQueue: "Create I/O Completion Queue"
    case .identify: "Identify"
    case .abort: "Abort"
    case .setFeatures: "Set Features"
    case .getFeatures: "Get Features"
    case .asyncEventRequest: "Asynchronous Event Request"
    case .namespaceManagement: "Namespace Management"
    case .firmwareCommit: "Firmware Commit"
    case .firmwareImageDownload: "Firmware Image Download"
    case .deviceSelfTest: "Device Self-test"
    case .namespaceAttachment: "Namespace Attachment"
    case .keepAlive: "Keep Alive"
    case .directiveSend: "Directive Send"
    case .directiveReceive: "Directive Receive"
    case .virtualizationManagement: "Virtualization Management"
    case .nvmeMISend: "NVMe-MI Send"
    case .nvmeMIReceive: "NVMe-MI Receive"
    case .capacityManagement: "Capacity Management"
    case .discoveryInformationManagement: "Discovery Information Management"
    case .fabricZoningReceive: "Fabric Zoning Receive"
    case .lockdown: "Lockdown"
    case .fabricZoningLookup: "Fabric Zoning Lookup"
    case .clearExportedResource: "Clear Exported NVM Resource Configuration"
    case .fabricZoningSend: "Fabric Zoning Send"
    case .createExportedSubsystem: "Create Exported NVM Subsystem"
    case .manageExportedSubsystem: "Manage Exported NVM Subsystem"
    case .manageExportedNamespace: "Manage Exported Namespace"
    case .manageExportedPort: "Manage Exported Port"
    case .sendDiscoveryLogPage: "Send Discovery Log Page"
    case .trackSend: "Track Send"
    case .trackReceive: "Track Receive"
    case .migrationSend: "Migration Send"
    case .migrationReceive: "Migration Receive"
    case .controllerDataQueue: "Controller Data Queue"
    case .doorbellBufferConfig: "Doorbell Buffer Config"
    case .fabrics: "Fabrics Commands"
    case .formatNVM: "Format NVM"
    case .securitySend: "Security Send"
    case .securityReceive: "Security Receive"
    case .sanitize: "Sanitize"
    case .getLBAStatus: "Get LBA Status"
    default: nil
    }
  }
}
