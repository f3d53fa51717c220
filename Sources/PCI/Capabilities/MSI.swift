// SPDX-License-Identifier: Apache-2.0

/// Message signalled interrupts with 64-bit addresses.
/// - Source: PCIe Base 5.0, 7.7.1; `include/uapi/linux/pci_regs.h`, `PCI_MSI_FLAGS`.
public struct MSI: Hashable, Sendable {
  /// The number of vectors that the function requests: 1, 2, 4, 8, 16 or 32.
  public let vectors: Int

  /// Whether each vector has a mask and a pending bit (`PCI_MSI_FLAGS_MASKBIT`).
  public let masksVectors: Bool

  /// - Precondition: the number of vectors is a power of two up to 32.
  public init(vectors: Int, masksVectors: Bool = false) {
    precondition(
      (1...32).contains(vectors) && vectors.nonzeroBitCount == 1,
      "MSI has a power of two of vectors, up to 32")
    self.vectors = vectors
    self.masksVectors = masksVectors
  }

  /// The value that the host has written.
  public struct State: Hashable, Sendable {
    public let isEnabled: Bool

    /// The number of vectors that the host grants; never more than the function requested.
    public let vectors: Int
    public let address: UInt64
    public let data: UInt16

    /// The masked vectors, bit 0 for vector 0.
    public let mask: UInt32

    /// The data of a vector's message: the host's, with the vector in the low bits.
    /// - Source: PCIe Base 5.0, 6.1.4.2.
    public func data(of vector: Int) -> UInt32 {
      UInt32(data) & ~UInt32(vectors - 1) | UInt32(vector)
    }
  }

  static let pendingOffset = 0x14

  func state(in bytes: [UInt8], at base: Int) -> State {
    let control = bytes.integer(UInt16.self, at: base + 0x02)
    return State(
      isEnabled: control & 1 != 0,
      vectors: min(1 << Int(control >> 4 & 0b111), vectors),
      address: bytes.integer(UInt64.self, at: base + 0x04),
      data: bytes.integer(UInt16.self, at: base + 0x0C),
      mask: masksVectors ? bytes.integer(UInt32.self, at: base + 0x10) : 0)
  }
}

extension MSI: CapabilityLayout {
  var byteCount: Int { masksVectors ? 0x18 : 0x0E }

  func define(in registers: inout RegisterBlock, at base: Int) {
    let capable = UInt16(vectors.trailingZeroBitCount)
    registers.define(
      base + 0x02, capable << 1 | 1 << 7 | (masksVectors ? 1 << 8 : 0), writable: 0b111 << 4 | 1)
    registers.define(base + 0x04, UInt64(0), writable: ~0b11)
    registers.define(base + 0x0C, UInt16(0), writable: 0xFFFF)
    guard masksVectors else { return }
    registers.define(
      base + 0x10, UInt32(0), writable: UInt32(truncatingIfNeeded: UInt64(1) << vectors - 1))
  }

  func store(written: UInt8, new: UInt8, to byte: inout UInt8, at offset: Int) -> Change {
    guard new != byte else { return [] }
    byte = new
    return .msi
  }
}
