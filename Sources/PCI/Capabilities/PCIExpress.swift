// SPDX-License-Identifier: Apache-2.0

/// The PCI Express capability, version 2, of an endpoint.
/// - Source: PCIe Base 5.0, 7.5.3; `include/uapi/linux/pci_regs.h`, `PCI_EXP_FLAGS`.
public struct PCIExpress: Hashable, Sendable {
  /// A link speed, as the link capabilities number it.
  public enum LinkSpeed: UInt8, Sendable {
    case gen1 = 1
    case gen2, gen3, gen4, gen5
  }

  /// The longest payload in bytes: 128, 256, 512, 1024, 2048 or 4096.
  public let maximumPayload: Int

  /// Whether the host can reset the function alone (`PCI_EXP_DEVCAP_FLR`).
  public let resetsFunction: Bool
  public let linkSpeed: LinkSpeed

  /// The number of lanes: 1, 2, 4, 8 or 16.
  public let lanes: Int

  /// - Precondition: payload and lanes are among the values above.
  public init(
    maximumPayload: Int = 256, resetsFunction: Bool = true, linkSpeed: LinkSpeed = .gen3,
    lanes: Int = 4
  ) {
    precondition(
      (128...4096).contains(maximumPayload) && maximumPayload.nonzeroBitCount == 1,
      "a payload is a power of two from 128 to 4096 bytes")
    precondition(
      (1...16).contains(lanes) && lanes.nonzeroBitCount == 1,
      "a link has a power of two of lanes, up to 16")
    self.maximumPayload = maximumPayload
    self.resetsFunction = resetsFunction
    self.linkSpeed = linkSpeed
    self.lanes = lanes
  }

  /// The byte of device control that has bit 15, Initiate Function Level Reset.
  private static let initiateResetOffset = 0x09
}

extension PCIExpress: CapabilityLayout {
  var byteCount: Int { 0x3C }

  /// Registers that belong to ports with slots or to root complexes stay zero.
  /// - Source: PCIe Base 5.0, 7.5.3.2 to 7.5.3.20; 6.6.2 for what a function-level reset preserves.
  func define(in registers: inout RegisterBlock, at base: Int) {
    let payload = UInt32(maximumPayload.trailingZeroBitCount - 7)
    let speed = UInt32(linkSpeed.rawValue)
    let width = UInt32(lanes) << 4
    registers.define(base + 0x02, UInt16(2))  // version 2, endpoint, interrupt message 0

    // Device capabilities: payload, role-based error reporting, function-level reset.
    registers.define(base + 0x04, payload | 1 << 15 | (resetsFunction ? 1 << 28 : 0))
    // Device control: error reports, relaxed ordering (on), payload, no snoop (on), read request (512).
    registers.define(
      base + 0x08, UInt16(0b010 << 12 | 1 << 11 | 1 << 4), writable: 0x78FF, preserved: 0x00E0)

    // Link capabilities: speed, width, no ASPM, and the bit for ASPM Optionality Compliance.
    registers.define(base + 0x0C, speed | width | 1 << 22)
    // Link control: ASPM, read completion boundary, common clock, extended synch.
    registers.define(base + 0x10, UInt16(0), writable: 0x00CB, preserved: 0x00CB)
    // Link status: speed and width as above, on the slot's clock.
    registers.define(base + 0x12, UInt16(speed | width | 1 << 12))

    // Completion timeout: no ranges, and it can be disabled.
    registers.define(base + 0x24, UInt32(1 << 4))
    registers.define(base + 0x28, UInt16(0), writable: 1 << 4)

    // Link capabilities 2: all speeds up to the highest. Link control 2: the target speed.
    registers.define(base + 0x2C, UInt32(1) << (speed + 1) - 2)
    registers.define(base + 0x30, UInt16(speed), writable: 0xF, preserved: 0xF)
  }

  func store(written: UInt8, new: UInt8, to byte: inout UInt8, at offset: Int) -> Change {
    byte = new
    let initiates = offset == Self.initiateResetOffset && written & 1 << 7 != 0
    return initiates && resetsFunction ? .functionLevelReset : []
  }
}
