// SPDX-License-Identifier: Apache-2.0

/// The bits of the command register that a host can set; the others are always zero.
/// - Source: PCIe Base 5.0, 7.5.1.1.3; `include/uapi/linux/pci_regs.h`, `PCI_COMMAND`.
public struct CommandRegister: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The function responds to accesses to its memory BARs (`PCI_COMMAND_MEMORY`).
  public static let memorySpace = Self(rawValue: 1 << 1)

  /// The function may read and write host memory, which includes MSI and MSI-X (`PCI_COMMAND_MASTER`).
  public static let busMaster = Self(rawValue: 1 << 2)

  /// The function must not assert INTx (`PCI_COMMAND_INTX_DISABLE`).
  public static let interruptDisable = Self(rawValue: 1 << 10)

  static let writable: Self = [.memorySpace, .busMaster, .interruptDisable]
}

/// The bits of the status register that a function of this module can show.
/// - Source: PCIe Base 5.0, 7.5.1.1.4; `include/uapi/linux/pci_regs.h`, `PCI_STATUS`.
enum StatusRegister {
  /// An INTx interrupt is pending in the function, whether or not it may assert the line.
  static let interrupt: UInt8 = 1 << 3

  /// The capabilities pointer is valid.
  static let capabilitiesList: UInt8 = 1 << 4
}
