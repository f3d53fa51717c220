// SPDX-License-Identifier: Apache-2.0

/// The registers of the board's device in BAR 0, by their offset in bytes.
/// - Source: endpoint-link.md, 2.
enum LinkRegister {
  static let magic: UInt64 = 0x00
  static let version: UInt64 = 0x04
  static let features: UInt64 = 0x08
  static let events: UInt64 = 0x0C
  static let acknowledge: UInt64 = 0x10
  static let result: UInt64 = 0x14
  static let shared: UInt64 = 0x18
  static let mailbox: UInt64 = 0x20
  static let interrupt: UInt64 = 0x24
  static let window: UInt64 = 0x28
  static let map: UInt64 = 0x30
  static let unmap: UInt64 = 0x38
  static let transfer: UInt64 = 0x3C
  static let synchronize: UInt64 = 0x40
}

/// The constant values of the board's device.
/// - Source: endpoint-link.md, 1.
enum BoardDevice {
  static let vendorID: UInt16 = 0x1B36
  static let deviceID: UInt16 = 0x7E9C
  static let interfaceVersion: UInt8 = 1
  static let classCode: UInt32 = 0x06_8000
  /// "EPLK"
  static let magic: UInt32 = 0x4B4C_5045

  static let eventVector = 0
  static let transferVector = 1
  static let vectors = 2

  static let registerBAR = 0
  static let windowBAR = 2
  static let tableBAR = 4
  static let smallBARSize: UInt64 = 4096
  static let pendingBitsOffset: UInt64 = 0x800
  static let pageSize: UInt64 = 4096

  /// More windows are refused.
  static let maximumWindows = 4096
  /// The longest transfer, bytes; a longer one fails.
  static let maximumTransfer: UInt32 = 16 << 20
}

/// The page in the board's memory that both sides access, by offsets in bytes.
/// - Source: endpoint-link.md, 3.
enum SharedPage {
  static let size: UInt64 = 4096
  static let hostState: UInt64 = 0x000
  static let mailbox: UInt64 = 0x100
  static let mailboxByteCount = 48
  static let transfers: UInt64 = 0x200
  static let transferStride: UInt64 = 64
  static let transferCount: UInt32 = 56
  static let transferByteCount = 32
  static let transferStatus: UInt64 = 28
}

/// The events that the board reads.
/// - Source: endpoint-link.md, 4.
public struct LinkEvents: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let linkDown = Self(rawValue: 1 << 0)
  public static let linkUp = Self(rawValue: 1 << 1)
  /// PERST# is asserted: the endpoint controller is not usable (deinit).
  public static let perstAsserted = Self(rawValue: 1 << 2)
  /// PERST# is deasserted (init).
  public static let perstDeasserted = Self(rawValue: 1 << 3)

  static let all: Self = [.linkDown, .linkUp, .perstAsserted, .perstDeasserted]
}

/// The host's configuration of a function, as the board reads it in the shared page.
/// - Source: endpoint-link.md, 3.
public struct HostState: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let linkUp = Self(rawValue: 1 << 0)
  public static let busMaster = Self(rawValue: 1 << 1)
  public static let memorySpace = Self(rawValue: 1 << 2)
  public static let msiEnabled = Self(rawValue: 1 << 3)
  public static let msixEnabled = Self(rawValue: 1 << 4)
  public static let intxNotDisabled = Self(rawValue: 1 << 5)
  public static let msixMasked = Self(rawValue: 1 << 6)

  /// The number of MSI vectors that the host granted, a power of two.
  static func grantedMSI(_ vectors: Int) -> Self {
    Self(rawValue: UInt32(vectors.trailingZeroBitCount) << 8)
  }
}
