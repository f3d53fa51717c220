// SPDX-License-Identifier: Apache-2.0

/// A capability of the extended configuration space, from offset 100h on.
///
/// A configuration space links its extended capabilities in the given order.
/// - Source: PCIe Base 5.0, 7.6.3.
public enum ExtendedCapability: Hashable, Sendable {
  case addressTranslation(AddressTranslation)

  /// The low 16 bits of an extended capability.
  /// - Source: `include/uapi/linux/pci_regs.h`, `PCI_EXT_CAP_ID`.
  public enum ID: UInt16, Sendable, CustomStringConvertible {
    /// `PCI_EXT_CAP_ID_ATS`
    case addressTranslation = 0x000f

    /// The abbreviation of the specification: `ATS`.
    public var description: String {
      switch self {
      case .addressTranslation: "ATS"
      }
    }
  }

  public var id: ID {
    switch self {
    case .addressTranslation: .addressTranslation
    }
  }

  /// The length in bytes, with the header of four bytes.
  var byteCount: Int {
    switch self {
    case .addressTranslation: AddressTranslation.byteCount
    }
  }

  /// Defines the header with the link to the next capability, and all registers.
  /// - Parameters:
  ///   - base: where the capability starts, in bytes.
  ///   - next: where the next one starts; 0 after the last one.
  func define(in registers: inout RegisterBlock, at base: Int, next: Int) {
    registers.define(base, UInt32(id.rawValue) | 1 << 16 | UInt32(next) << 20)
    switch self {
    case .addressTranslation(let capability): capability.define(in: &registers, at: base)
    }
  }
}

/// Address Translation Services: the function asks the host's IOMMU for translations and keeps them.
///
/// This module neither translates nor answers invalidations; a host finds the capability and can enable it.
/// - Source: PCIe Base 5.0, 10.5.1; `include/uapi/linux/pci_regs.h`, `PCI_ATS_CAP`.
public struct AddressTranslation: Hashable, Sendable {
  static let byteCount = 8

  /// The invalidations that the function accepts before it applies backpressure, 1 to 32.
  public var queueDepth: Int

  public init(queueDepth: Int = 32) { self.queueDepth = queueDepth }

  func define(in registers: inout RegisterBlock, at base: Int) {
    // 0 is 32.
    registers.define(base + 4, UInt16(truncatingIfNeeded: queueDepth & 0x1f))
    // The smallest translation unit, and Enable.
    registers.define(base + 6, UInt16(0), writable: 0x801f)
  }
}
