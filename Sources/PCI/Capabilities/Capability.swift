// SPDX-License-Identifier: Apache-2.0

/// A capability of the PCI-compatible configuration space.
///
/// A configuration space links its capabilities in the given order.
/// - Source: PCIe Base 5.0, 7.5.1.1.11.
public enum Capability: Hashable, Sendable {
  case powerManagement(PowerManagement)
  case msi(MSI)
  case msix(MSIX)
  case pciExpress(PCIExpress)

  /// The value of the first byte of a capability.
  /// - Source: `include/uapi/linux/pci_regs.h`, `PCI_CAP_LIST_ID`.
  public enum ID: UInt8, Sendable {
    /// `PCI_CAP_ID_PM`
    case powerManagement = 0x01
    /// `PCI_CAP_ID_MSI`
    case msi = 0x05
    /// `PCI_CAP_ID_EXP`
    case pciExpress = 0x10
    /// `PCI_CAP_ID_MSIX`
    case msix = 0x11
  }

  public var id: ID {
    switch self {
    case .powerManagement: .powerManagement
    case .msi: .msi
    case .msix: .msix
    case .pciExpress: .pciExpress
    }
  }

  var layout: any CapabilityLayout {
    switch self {
    case .powerManagement(let capability): capability
    case .msi(let capability): capability
    case .msix(let capability): capability
    case .pciExpress(let capability): capability
    }
  }
}

/// The layout of a capability in the configuration space, and the effect of writes to it.
protocol CapabilityLayout {
  /// The length in bytes, with the two bytes of ID and link.
  var byteCount: Int { get }

  /// Defines all registers after ID and link.
  /// - Parameter base: where the capability starts, in bytes.
  func define(in registers: inout RegisterBlock, at base: Int)

  /// Stores a byte whose read-only bits have their old values.
  /// - Parameters:
  /// - written: the byte from the host, including read-only bits.
  /// - new: the byte to store.
  /// - byte: the current byte.
  ///   - offset: the byte's offset in the capability.
  func store(written: UInt8, new: UInt8, to byte: inout UInt8, at offset: Int) -> Change
}
