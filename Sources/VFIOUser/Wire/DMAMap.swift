// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// A request to make a piece of the client's memory accessible (DMA_MAP), with at most one descriptor. The reply has no body.
/// - Source: vfio-user protocol, "VFIO_USER_DMA_MAP" (vfio-user.md, 4.2).
struct DMAMap: WireStructure {
  static let byteCount = 32

  /// Offset 0: the size of the structure.
  var argumentSize = UInt32(byteCount)
  /// Offset 4: bits 0 and 1 are the access; bits 2 and 3 the supported uses of a descriptor.
  var flags: UInt32
  /// Offset 8: where the piece begins in the file of the descriptor.
  var offset: UInt64
  /// Offset 16: the address in the guest.
  var address: UInt64
  /// Offset 24: bytes.
  var count: UInt64

  var access: HostMemory.Access { HostMemory.Access(rawValue: UInt8(flags & 0b11)) }
  var hasUnknownFlags: Bool { flags & ~0b1111 != 0 }

  init(address: UInt64, count: UInt64, offset: UInt64, access: HostMemory.Access) {
    flags = UInt32(access.rawValue)
    self.offset = offset
    self.address = address
    self.count = count
  }

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = body.integer(at: start + 4)
    offset = body.integer(at: start + 8)
    address = body.integer(at: start + 16)
    count = body.integer(at: start + 24)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags)
    bytes.append(littleEndian: offset)
    bytes.append(littleEndian: address)
    bytes.append(littleEndian: count)
  }
}

/// A request to withdraw a piece of memory, or all of it (DMA_UNMAP). The reply repeats it.
/// - Source: vfio-user protocol, "VFIO_USER_DMA_UNMAP" (vfio-user.md, 4.3).
struct DMAUnmap: WireStructure {
  static let byteCount = 24

  struct Flags: OptionSet, Hashable {
    var rawValue: UInt32
    /// Return a bitmap of the pages that were written.
    static let dirtyPages = Self(rawValue: 1 << 0)
    /// All pieces; address and count are 0.
    static let all = Self(rawValue: 1 << 1)
  }

  /// Offset 0: the size of the structure.
  var argumentSize = UInt32(byteCount)
  /// Offset 4.
  var flags: Flags = []
  /// Offset 8: the address in the guest.
  var address: UInt64
  /// Offset 16: bytes.
  var count: UInt64

  init(address: UInt64, count: UInt64) {
    self.address = address
    self.count = count
  }

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = Flags(rawValue: body.integer(at: start + 4))
    address = body.integer(at: start + 8)
    count = body.integer(at: start + 16)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags.rawValue)
    bytes.append(littleEndian: address)
    bytes.append(littleEndian: count)
  }
}
