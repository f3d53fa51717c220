// SPDX-License-Identifier: Apache-2.0

/// A controller property in BAR 0, by its byte offset.
/// - Source: NVM Express Base 2.1, 3.1.4; the doorbells are ``DoorbellIndex``.
public struct Register: Code {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Controller Capabilities (CAP), 64 bits.
  @inlinable public static var capabilities: Self { Self(rawValue: 0x00) }
  /// Version (VS).
  @inlinable public static var version: Self { Self(rawValue: 0x08) }
  /// Interrupt Mask Set (INTMS); a function with MSI-X leaves it alone.
  @inlinable public static var interruptMaskSet: Self { Self(rawValue: 0x0c) }
  /// Interrupt Mask Clear (INTMC).
  @inlinable public static var interruptMaskClear: Self { Self(rawValue: 0x10) }
  /// Controller Configuration (CC).
  @inlinable public static var configuration: Self { Self(rawValue: 0x14) }
  /// Controller Status (CSTS).
  @inlinable public static var status: Self { Self(rawValue: 0x1c) }
  /// NVM Subsystem Reset (NSSR): a write of 4E564D65h resets.
  @inlinable public static var subsystemReset: Self { Self(rawValue: 0x20) }
  /// Admin Queue Attributes (AQA).
  @inlinable public static var adminQueueAttributes: Self { Self(rawValue: 0x24) }
  /// Admin Submission Queue Base Address (ASQ), 64 bits.
  @inlinable public static var adminSubmissionQueue: Self { Self(rawValue: 0x28) }
  /// Admin Completion Queue Base Address (ACQ), 64 bits.
  @inlinable public static var adminCompletionQueue: Self { Self(rawValue: 0x30) }
  /// Controller Memory Buffer Location (CMBLOC).
  @inlinable public static var memoryBufferLocation: Self { Self(rawValue: 0x38) }
  /// Controller Memory Buffer Size (CMBSZ).
  @inlinable public static var memoryBufferSize: Self { Self(rawValue: 0x3c) }
  /// Boot Partition Information (BPINFO).
  @inlinable public static var bootPartitionInformation: Self { Self(rawValue: 0x40) }
  /// Boot Partition Read Select (BPRSEL).
  @inlinable public static var bootPartitionReadSelect: Self { Self(rawValue: 0x44) }
  /// Boot Partition Memory Buffer Location (BPMBL), 64 bits.
  @inlinable public static var bootPartitionMemoryBuffer: Self { Self(rawValue: 0x48) }
  /// Controller Memory Buffer Memory Space Control (CMBMSC), 64 bits.
  @inlinable public static var memoryBufferSpaceControl: Self { Self(rawValue: 0x50) }
  /// Controller Memory Buffer Status (CMBSTS).
  @inlinable public static var memoryBufferStatus: Self { Self(rawValue: 0x58) }
  /// Controller Memory Buffer Elasticity Buffer Size (CMBEBS).
  @inlinable public static var memoryBufferElasticity: Self { Self(rawValue: 0x5c) }
  /// Controller Memory Buffer Sustained Write Throughput (CMBSWTP).
  @inlinable public static var memoryBufferThroughput: Self { Self(rawValue: 0x60) }
  /// NVM Subsystem Shutdown (NSSD).
  @inlinable public static var subsystemShutdown: Self { Self(rawValue: 0x64) }
  /// Controller Ready Timeouts (CRTO).
  @inlinable public static var readyTimeouts: Self { Self(rawValue: 0x68) }
  /// Persistent Memory Region Capabilities (PMRCAP).
  @inlinable public static var persistentMemoryCapabilities: Self { Self(rawValue: 0xe00) }
  /// Persistent Memory Region Control (PMRCTL).
  @inlinable public static var persistentMemoryControl: Self { Self(rawValue: 0xe04) }
  /// Persistent Memory Region Status (PMRSTS).
  @inlinable public static var persistentMemoryStatus: Self { Self(rawValue: 0xe08) }
  /// Persistent Memory Region Elasticity Buffer Size (PMREBS).
  @inlinable public static var persistentMemoryElasticity: Self { Self(rawValue: 0xe0c) }
  /// Persistent Memory Region Sustained Write Throughput (PMRSWTP).
  @inlinable public static var persistentMemoryThroughput: Self { Self(rawValue: 0xe10) }
  /// Persistent Memory Region Memory Space Control Lower (PMRMSCL).
  @inlinable public static var persistentMemorySpaceLower: Self { Self(rawValue: 0xe14) }
  /// Persistent Memory Region Memory Space Control Upper (PMRMSCU).
  @inlinable public static var persistentMemorySpaceUpper: Self { Self(rawValue: 0xe18) }

  /// The first doorbell, in bytes: SQ0TDBL.
  @inlinable public static var doorbells: Int { 0x1000 }

  /// The offset in BAR 0, in bytes.
  @inlinable public var offset: Int { Int(rawValue) }

  /// Every register, by offset.
  public static var all: [Self] {
    [
      .capabilities, .version, .interruptMaskSet, .interruptMaskClear, .configuration, .status,
      .subsystemReset, .adminQueueAttributes, .adminSubmissionQueue, .adminCompletionQueue,
      .memoryBufferLocation, .memoryBufferSize, .bootPartitionInformation,
      .bootPartitionReadSelect, .bootPartitionMemoryBuffer, .memoryBufferSpaceControl,
      .memoryBufferStatus, .memoryBufferElasticity, .memoryBufferThroughput, .subsystemShutdown,
      .readyTimeouts, .persistentMemoryCapabilities, .persistentMemoryControl,
      .persistentMemoryStatus, .persistentMemoryElasticity, .persistentMemoryThroughput,
      .persistentMemorySpaceLower, .persistentMemorySpaceUpper,
    ]
  }

  /// The length in bytes: 8 or 4.
  @inlinable public var byteCount: Int {
    switch self {
    case .capabilities, .adminSubmissionQueue, .adminCompletionQueue, .bootPartitionMemoryBuffer,
      .memoryBufferSpaceControl:
      8
    default: 4
    }
  }

  /// The abbreviation of the specification, for example `CSTS`.
  public var abbreviation: String? { words?.abbreviation }

  /// The name, as in `nvme show-regs`.
  public var name: String? { words?.name }

  private var words: (abbreviation: String, name: String)? {
    switch self {
    case .capabilities: ("CAP", "Controller Capabilities")
    case .version: ("VS", "Version")
    case .interruptMaskSet: ("INTMS", "Interrupt Vector Mask Set")
    case .interruptMaskClear: ("INTMC", "Interrupt Vector Mask Clear")
    case .configuration: ("CC", "Controller Configuration")
    case .status: ("CSTS", "Controller Status")
    case .subsystemReset: ("NSSR", "NVM Subsystem Reset")
    case .adminQueueAttributes: ("AQA", "Admin Queue Attributes")
    case .adminSubmissionQueue: ("ASQ", "Admin Submission Queue Base Address")
    case .adminCompletionQueue: ("ACQ", "Admin Completion Queue Base Address")
    case .memoryBufferLocation: ("CMBLOC", "Controller Memory Buffer Location")
    case .memoryBufferSize: ("CMBSZ", "Controller Memory Buffer Size")
    case .bootPartitionInformation: ("BPINFO", "Boot Partition Information")
    case .bootPartitionReadSelect: ("BPRSEL", "Boot Partition Read Select")
    case .bootPartitionMemoryBuffer: ("BPMBL", "Boot Partition Memory Buffer Location")
    case .memoryBufferSpaceControl: ("CMBMSC", "Controller Memory Buffer Memory Space Control")
    case .memoryBufferStatus: ("CMBSTS", "Controller Memory Buffer Status")
    case .memoryBufferElasticity: ("CMBEBS", "Controller Memory Buffer Elasticity Buffer Size")
    case .memoryBufferThroughput:
      ("CMBSWTP", "Controller Memory Buffer Sustained Write Throughput")
    case .subsystemShutdown: ("NSSD", "NVM Subsystem Shutdown")
    case .readyTimeouts: ("CRTO", "Controller Ready Timeouts")
    case .persistentMemoryCapabilities: ("PMRCAP", "Persistent Memory Region Capabilities")
    case .persistentMemoryControl: ("PMRCTL", "Persistent Memory Region Control")
    case .persistentMemoryStatus: ("PMRSTS", "Persistent Memory Region Status")
    case .persistentMemoryElasticity:
      ("PMREBS", "Persistent Memory Region Elasticity Buffer Size")
    case .persistentMemoryThroughput:
      ("PMRSWTP", "Persistent Memory Region Sustained Write Throughput")
    case .persistentMemorySpaceLower:
      ("PMRMSCL", "Persistent Memory Region Memory Space Control Lower")
    case .persistentMemorySpaceUpper:
      ("PMRMSCU", "Persistent Memory Region Memory Space Control Upper")
    default: nil
    }
  }
}
