// SPDX-License-Identifier: Apache-2.0

/// MSI-X: a table of messages and an array of pending bits in the function's memory.
/// - Source: PCIe Base 5.0, 7.7.2; `include/uapi/linux/pci_regs.h`, `PCI_MSIX_FLAGS`.
public struct MSIX: Hashable, Sendable {
  /// A place in the function's memory.
  public struct Location: Hashable, Sendable {
    /// The index of the base address register (BIR), 0 to 5.
    public let bar: Int

    /// The distance from the BAR's start in bytes, a multiple of 8.
    public let offset: UInt32

    /// - Precondition: the BAR exists, and the offset is a multiple of 8.
    public init(bar: Int, offset: UInt32) {
      precondition((0...5).contains(bar), "a function has BARs 0 to 5")
      precondition(offset % 8 == 0, "MSI-X structures lie on multiples of 8 bytes")
      self.bar = bar
      self.offset = offset
    }

    fileprivate var register: UInt32 { offset | UInt32(bar) }
  }

  /// The number of vectors in the table, 1 to 2048.
  public let vectors: Int
  public let table: Location
  public let pendingBits: Location

  /// - Precondition: there are 1 to 2048 vectors.
  public init(vectors: Int, table: Location, pendingBits: Location) {
    precondition((1...2048).contains(vectors), "an MSI-X table has 1 to 2048 vectors")
    self.vectors = vectors
    self.table = table
    self.pendingBits = pendingBits
  }

  /// The table's place in its BAR, in bytes: 16 a vector.
  public var tableRange: Range<UInt64> {
    let start = UInt64(table.offset)
    return start..<start + 16 * UInt64(vectors)
  }

  /// The pending bits' place in their BAR, in bytes: 8 for every 64 vectors begun.
  public var pendingBitsRange: Range<UInt64> {
    let start = UInt64(pendingBits.offset)
    return start..<start + 8 * UInt64((vectors + 63) / 64)
  }

  /// The value that the host has written.
  public struct State: Hashable, Sendable {
    public let isEnabled: Bool

    /// Whether all vectors are masked, independent of the table.
    public let isFunctionMasked: Bool
  }

  static func state(in bytes: [UInt8], at base: Int) -> State {
    let control = bytes.integer(UInt16.self, at: base + 0x02)
    return State(isEnabled: control & 1 << 15 != 0, isFunctionMasked: control & 1 << 14 != 0)
  }
}

extension MSIX: CapabilityLayout {
  var byteCount: Int { 0x0C }

  func define(in registers: inout RegisterBlock, at base: Int) {
    registers.define(base + 0x02, UInt16(vectors - 1), writable: 0b11 << 14)
    registers.define(base + 0x04, table.register)
    registers.define(base + 0x08, pendingBits.register)
  }

  func store(written: UInt8, new: UInt8, to byte: inout UInt8, at offset: Int) -> Change {
    guard new != byte else { return [] }
    byte = new
    return .msix
  }
}
