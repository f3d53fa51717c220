// SPDX-License-Identifier: Apache-2.0

/// A base address register: a window of host physical addresses that a function decodes.
///
/// Always memory: I/O space is left out, as endpoints do today.
/// - Source: PCIe Base 5.0, 7.5.1.2.1; `include/uapi/linux/pci_regs.h`, `PCI_BASE_ADDRESS_0`.
public struct BAR: Hashable, Sendable {
  /// The length of the window in bytes, a power of two.
  public let size: UInt64

  /// Whether the window can have a 64-bit address; it then uses this register and the next one.
  public let is64Bit: Bool

  /// Whether reads have no side effects and writes may be merged.
  public let isPrefetchable: Bool

  /// - Precondition: the size is a power of two from 16 bytes, up to 2 GiB in 32 bits.
  public init(size: UInt64, is64Bit: Bool = true, isPrefetchable: Bool = false) {
    precondition(size >= 16 && size.nonzeroBitCount == 1, "a BAR is a power of two from 16 bytes")
    precondition(is64Bit || size <= 1 << 31, "a 32-bit BAR has at most 2 GiB")
    self.size = size
    self.is64Bit = is64Bit
    self.isPrefetchable = isPrefetchable
  }

  static func offset(_ index: Int) -> Int { HeaderOffset.firstBAR + 4 * index }

  /// The address bits that a host can set. The others read zero, from which the host determines the size.
  private var addressMask: UInt64 { ~(size - 1) }

  func define(in registers: inout RegisterBlock, index: Int) {
    let attributes: UInt32 = (is64Bit ? 0b100 : 0) | (isPrefetchable ? 0b1000 : 0)
    registers.define(
      Self.offset(index), attributes, writable: UInt32(truncatingIfNeeded: addressMask))
    guard is64Bit else { return }
    registers.define(Self.offset(index + 1), UInt32(0), writable: UInt32(addressMask >> 32))
  }

  /// The address in the registers' bytes, of which the low four bits are attributes.
  func address(in bytes: [UInt8], index: Int) -> UInt64 {
    let raw =
      is64Bit
      ? bytes.integer(UInt64.self, at: Self.offset(index))
      : UInt64(bytes.integer(UInt32.self, at: Self.offset(index)))
    return raw & addressMask
  }
}
