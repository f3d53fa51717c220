// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// The status of a command: the 15 bits of the status field above the phase tag.
///
/// SC in bits 7:0, SCT in 10:8, CRD in 12:11, M in 13, DNR in 14.
/// - Source: NVM Express Base 2.1, 4.2.3.
@frozen public struct Status: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Status code type and code, without the bits DNR and M, as used by ``name``.
  @inlinable public var code: UInt16 { rawValue & 0x7ff }
  /// Do Not Retry: the same command would fail again.
  @inlinable public var isFinal: Bool { rawValue & 0x4000 != 0 }
  /// More: the Error Information log has the location of the error.
  @inlinable public var hasMore: Bool { rawValue & 0x2000 != 0 }
  @inlinable public var isSuccess: Bool { rawValue == 0 }

  /// The same status with the More bit.
  @inlinable public var withMore: Status { Status(rawValue: rawValue | 0x2000) }
  /// The same status without the Do Not Retry bit.
  @inlinable public var retriable: Status { Status(rawValue: rawValue & ~0x4000) }

  /// A failure that is final.
  @inlinable init(final code: UInt16) { rawValue = 0x4000 | code }

  // Generic command status; failures with Do Not Retry.
  @inlinable public static var success: Status { Status(rawValue: 0) }
  @inlinable public static var invalidOpcode: Status { Status(final: 0x01) }
  @inlinable public static var invalidField: Status { Status(final: 0x02) }
  @inlinable public static var dataTransferError: Status { Status(final: 0x04) }
  @inlinable public static var internalError: Status { Status(final: 0x06) }
  @inlinable public static var invalidNamespace: Status { Status(final: 0x0b) }
  @inlinable public static var sequenceError: Status { Status(final: 0x0c) }
  @inlinable public static var invalidSGLLength: Status { Status(final: 0x0f) }
  @inlinable public static var invalidSGLType: Status { Status(final: 0x11) }
  @inlinable public static var invalidPRPOffset: Status { Status(final: 0x13) }
  @inlinable public static var invalidKeepAliveTimeout: Status { Status(final: 0x1a) }
  @inlinable public static var writeProtected: Status { Status(final: 0x20) }
  @inlinable public static var lbaOutOfRange: Status { Status(final: 0x80) }
  @inlinable public static var capacityExceeded: Status { Status(final: 0x81) }
  // Command specific status.
  @inlinable public static var invalidCompletionQueue: Status { Status(final: 0x100) }
  @inlinable public static var invalidQueueID: Status { Status(final: 0x101) }
  @inlinable public static var invalidQueueSize: Status { Status(final: 0x102) }
  @inlinable public static var tooManyEventRequests: Status { Status(final: 0x105) }
  @inlinable public static var invalidVector: Status { Status(final: 0x108) }
  @inlinable public static var invalidLogPage: Status { Status(final: 0x109) }
  @inlinable public static var invalidQueueDeletion: Status { Status(final: 0x10c) }
  // Media and data integrity errors.
  @inlinable public static var unrecoveredReadError: Status { Status(final: 0x281) }
  @inlinable public static var deallocatedBlock: Status { Status(final: 0x287) }
  @inlinable public static var accessDenied: Status { Status(final: 0x286) }
  // Path related status.
  @inlinable public static var internalPathError: Status { Status(final: 0x300) }
  @inlinable public static var accessPersistentLoss: Status { Status(final: 0x301) }
  @inlinable public static var accessInaccessible: Status { Status(final: 0x302) }
  @inlinable public static var accessTransition: Status { Status(final: 0x303) }
}

extension Status: CustomStringConvertible {
  /// The name and the number: `Invalid Field in Command (0x4002)`.
  public var description: String {
    isSuccess ? "success" : "\(name ?? "error") (\(hexadecimal(rawValue)))"
  }

  /// The specification's name; nil for reserved and vendor-specific codes.
  /// - Source: NVM Express Base 2.1, 4.2.3.1 to 4.2.3.4; NVM Command Set 1.1, 1.5.
  public var name: String? { Self.names[code] }

  private static let names: [UInt16: String] = [
    0x000: "Successful Completion",
    0x001: "Invalid Command Opcode",
    0x002: "Invalid Field in Command",
    0x003: "Command ID Conflict",
    0x004: "Data Transfer Error",
    0x005: "Commands Aborted due to Power Loss Notification",
    0x006: "Internal Error",
    0x007: "Command Abort Requested",
    0x008: "Command Aborted due to SQ Deletion",
    0x009: "Command Aborted due to Failed Fused Command",
    0x00a: "Command Aborted due to Missing Fused Command",
    0x00b: "Invalid Namespace or Format",
    0x00c: "Command Sequence Error",
    0x00d: "Invalid SGL Segment Descriptor",
    0x00e: "Invalid Number of SGL Descriptors",
    0x00f: "Data SGL Length Invalid",
    0x010: "Metadata SGL Length Invalid",
    0x011: "SGL Descriptor Type Invalid",
    0x012: "Invalid Use of Controller Memory Buffer",
    0x013: "PRP Offset Invalid",
    0x014: "Atomic Write Unit Exceeded",
    0x015: "Operation Denied",
    0x016: "SGL Offset Invalid",
    0x018: "Host Identifier Inconsistent Format",
    0x019: "Keep Alive Timer Expired",
    0x01a: "Keep Alive Timeout Invalid",
    0x01b: "Command Aborted due to Preempt and Abort",
    0x01c: "Sanitize Failed",
    0x01d: "Sanitize In Progress",
    0x01e: "SGL Data Block Granularity Invalid",
    0x01f: "Command Not Supported for Queue in CMB",
    0x020: "Namespace is Write Protected",
    0x021: "Command Interrupted",
    0x022: "Transient Transport Error",
    0x023: "Command Prohibited by Command and Feature Lockdown",
    0x024: "Admin Command Media Not Ready",
    0x080: "LBA Out of Range",
    0x081: "Capacity Exceeded",
    0x082: "Namespace Not Ready",
    0x083: "Reservation Conflict",
    0x084: "Format In Progress",
    0x100: "Completion Queue Invalid",
    0x101: "Invalid Queue Identifier",
    0x102: "Invalid Queue Size",
    0x103: "Abort Command Limit Exceeded",
    0x105: "Asynchronous Event Request Limit Exceeded",
    0x106: "Invalid Firmware Slot",
    0x107: "Invalid Firmware Image",
    0x108: "Invalid Interrupt Vector",
    0x109: "Invalid Log Page",
    0x10a: "Invalid Format",
    0x10b: "Firmware Activation Requires Conventional Reset",
    0x10c: "Invalid Queue Deletion",
    0x10d: "Feature Identifier Not Saveable",
    0x10e: "Feature Not Changeable",
    0x10f: "Feature Not Namespace Specific",
    0x110: "Firmware Activation Requires NVM Subsystem Reset",
    0x111: "Firmware Activation Requires Controller Level Reset",
    0x112: "Firmware Activation Requires Maximum Time Violation",
    0x113: "Firmware Activation Prohibited",
    0x114: "Overlapping Range",
    0x115: "Namespace Insufficient Capacity",
    0x116: "Namespace Identifier Unavailable",
    0x118: "Namespace Already Attached",
    0x119: "Namespace Is Private",
    0x11a: "Namespace Not Attached",
    0x11b: "Thin Provisioning Not Supported",
    0x11c: "Controller List Invalid",
    0x11d: "Device Self-test In Progress",
    0x11e: "Boot Partition Write Prohibited",
    0x11f: "Invalid Controller Identifier",
    0x120: "Invalid Secondary Controller State",
    0x121: "Invalid Number of Controller Resources",
    0x122: "Invalid Resource Identifier",
    0x123: "Sanitize Prohibited While Persistent Memory Region is Enabled",
    0x124: "ANA Group Identifier Invalid",
    0x125: "ANA Attach Failed",
    0x180: "Conflicting Attributes",
    0x181: "Invalid Protection Information",
    0x182: "Attempted Write to Read Only Range",
    0x280: "Write Fault",
    0x281: "Unrecovered Read Error",
    0x282: "End-to-end Guard Check Error",
    0x283: "End-to-end Application Tag Check Error",
    0x284: "End-to-end Reference Tag Check Error",
    0x285: "Compare Failure",
    0x286: "Access Denied",
    0x287: "Deallocated or Unwritten Logical Block",
    0x300: "Internal Path Error",
    0x301: "Asymmetric Access Persistent Loss",
    0x302: "Asymmetric Access Inaccessible",
    0x303: "Asymmetric Access Transition",
    0x360: "Controller Pathing Error",
    0x370: "Host Pathing Error",
    0x371: "Command Aborted By Host",
  ]
}

/// The number in the status field, for tables.
extension Status: ExpressibleByIntegerLiteral {
  @inlinable public init(integerLiteral value: UInt16) { self.init(rawValue: value) }
}
