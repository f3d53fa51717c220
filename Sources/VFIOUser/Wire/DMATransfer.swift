// SPDX-License-Identifier: Apache-2.0

/// The layout of ``DMATransfer``, detected from the client's reply to a read.
/// - Source: QEMU 10.1 to 10.2 put the data at 12, behind a count of 32 bits; later ones at 16, as the protocol's text has it.
enum DMAFormat {
  case wide, narrow

  /// The size of ``DMATransfer``: the bytes before the data.
  var byteCount: Int {
    switch self {
    case .wide: 16
    case .narrow: 12
    }
  }

  /// - Parameter replyOf: bytes of the reply to a read of `count` bytes.
  init?(replyOf bytes: Int, to count: Int) {
    switch bytes - count {
    case Self.wide.byteCount: self = .wide
    case Self.narrow.byteCount: self = .narrow
    default: return nil
    }
  }
}

/// The part of the client's memory that the server reads or writes (DMA_READ, DMA_WRITE). Data follows in a write and in the reply to a
/// read; the reply to a write is this structure alone.
/// - Source: vfio-user protocol, "VFIO_USER_DMA_READ" (vfio-user.md, 4.10).
struct DMATransfer: Hashable {
  /// Offset 0: the address in the guest.
  var address: UInt64
  /// Offset 8: bytes, in 8 bytes (``DMAFormat/wide``) or 4 (``DMAFormat/narrow``). Values fit into the low 4 bytes, which are at the same
  /// offset either way.
  var count: UInt32

  init(address: UInt64, count: Int) {
    self.address = address
    self.count = UInt32(count)
  }

  /// - Returns: nil when the body is shorter than the structure.
  init?(_ body: WireBytes, _ format: DMAFormat) {
    guard body.count >= format.byteCount else { return nil }
    address = body.integer(at: 0)
    count = body.integer(at: 8)
  }

  /// The structure as the start of a body.
  /// - Parameter extra: the number of bytes to reserve behind it.
  func bytes(_ format: DMAFormat, reserving extra: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(format.byteCount + extra)
    bytes.append(littleEndian: address)
    switch format {
    case .wide: bytes.append(littleEndian: UInt64(count))
    case .narrow: bytes.append(littleEndian: count)
    }
    return bytes
  }
}
