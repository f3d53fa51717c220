// SPDX-License-Identifier: Apache-2.0

/// Whether a function works.
/// - Source: PCIe Base 5.0, 5.3.1.
public enum PowerState: UInt8, Sendable {
  case d0 = 0
  /// The function responds to configuration accesses only, and sends nothing.
  case d3Hot = 3
}

/// PCI power management: D0 and D3hot, no D1, no D2, no PME.
/// - Source: PCIe Base 5.0, 7.5.2; `include/uapi/linux/pci_regs.h`, `PCI_PM_PMC`, `PCI_PM_CTRL`.
public struct PowerManagement: Hashable, Sendable {
  /// Whether the function keeps its state from D3hot to D0 (`PCI_PM_CTRL_NO_SOFT_RESET`).
  public let keepsState: Bool

  public init(keepsState: Bool = true) { self.keepsState = keepsState }

  static let controlOffset = 0x04
  private static let stateMask: UInt8 = 0b11

  static func state(in bytes: [UInt8], at base: Int) -> PowerState {
    // `store` accepts no other state.
    PowerState(rawValue: bytes[base + controlOffset] & stateMask) ?? .d0
  }
}

extension PowerManagement: CapabilityLayout {
  var byteCount: Int { 8 }

  func define(in registers: inout RegisterBlock, at base: Int) {
    registers.define(base + 0x02, UInt16(3))  // version 3 is PCI PM 1.2
    registers.define(
      base + Self.controlOffset, UInt16(keepsState ? 1 << 3 : 0), writable: UInt16(Self.stateMask))
  }

  func store(written: UInt8, new: UInt8, to byte: inout UInt8, at offset: Int) -> Change {
    // A state that the function lacks is discarded (PCIe Base 5.0, 7.5.2.2).
    guard PowerState(rawValue: new & Self.stateMask) != nil, new != byte else { return [] }
    byte = new
    return .powerState
  }
}
