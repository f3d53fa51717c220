// SPDX-License-Identifier: Apache-2.0

/// The constant values of a function's configuration header: type 0, one function.
/// - Source: PCIe Base 5.0, 7.5.1.1 and 7.5.1.2; `include/uapi/linux/pci_regs.h`, `PCI_STD_HEADER_SIZEOF`.
public struct Header: Hashable, Sendable {
  /// The INTx line that a function pulls.
  public enum InterruptPin: UInt8, Sendable {
    case none, a, b, c, d
  }

  public var vendorID: UInt16
  public var deviceID: UInt16
  public var revisionID: UInt8

  /// Base class, subclass and programming interface in bits 23:16, 15:8 and 7:0: `0x010802` is NVMe.
  public var classCode: UInt32
  public var subsystemVendorID: UInt16
  public var subsystemID: UInt16
  public var interruptPin: InterruptPin

  /// The initial value of the cache line size register, which a host can write.
  public var cacheLineSize: UInt8

  /// - Precondition: the class code has 24 bits.
  public init(
    vendorID: UInt16, deviceID: UInt16, revisionID: UInt8 = 0, classCode: UInt32,
    subsystemVendorID: UInt16 = 0, subsystemID: UInt16 = 0, interruptPin: InterruptPin = .a,
    cacheLineSize: UInt8 = 0
  ) {
    precondition(classCode >> 24 == 0, "a class code has 24 bits")
    self.vendorID = vendorID
    self.deviceID = deviceID
    self.revisionID = revisionID
    self.classCode = classCode
    self.subsystemVendorID = subsystemVendorID
    self.subsystemID = subsystemID
    self.interruptPin = interruptPin
    self.cacheLineSize = cacheLineSize
  }
}

/// The offsets of the registers of a type 0 header, in bytes from the start of the configuration space.
/// - Source: PCIe Base 5.0, figure 7-10; `include/uapi/linux/pci_regs.h`, `PCI_VENDOR_ID` and on.
public enum HeaderOffset {
  public static let vendorID = 0x00
  public static let deviceID = 0x02
  public static let command = 0x04
  public static let status = 0x06
  public static let revisionID = 0x08
  public static let classCode = 0x09
  public static let cacheLineSize = 0x0C
  public static let firstBAR = 0x10
  public static let subsystemVendorID = 0x2C
  public static let subsystemID = 0x2E
  public static let capabilitiesPointer = 0x34
  public static let interruptLine = 0x3C
  public static let interruptPin = 0x3D

  /// The first byte after the header.
  public static let end = 0x40
}

extension Header {
  func define(in registers: inout RegisterBlock) {
    registers.define(HeaderOffset.vendorID, vendorID)
    registers.define(HeaderOffset.deviceID, deviceID)
    registers.define(HeaderOffset.command, UInt16(0), writable: CommandRegister.writable.rawValue)
    registers.define(HeaderOffset.revisionID, classCode << 8 | UInt32(revisionID))
    registers.define(HeaderOffset.cacheLineSize, cacheLineSize, writable: 0xFF)
    registers.define(HeaderOffset.subsystemVendorID, subsystemVendorID)
    registers.define(HeaderOffset.subsystemID, subsystemID)
    registers.define(
      HeaderOffset.interruptLine, UInt8(0), writable: interruptPin == .none ? 0 : 0xFF)
    registers.define(HeaderOffset.interruptPin, interruptPin.rawValue)
  }
}
