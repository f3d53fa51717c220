// SPDX-License-Identifier: Apache-2.0

/// The part of a region that is read or written (REGION_READ, REGION_WRITE). Data follows in a write and in the reply to a read; the
/// reply to a write is this structure alone.
/// - Source: vfio-user protocol, "VFIO_USER_REGION_READ" (vfio-user.md, 4.9).
struct RegionAccess: WireStructure {
  static let byteCount = 16

  /// Offset 0: bytes from the start of the region.
  var offset: UInt64
  /// Offset 8: a ``RegionIndex``.
  var region: UInt32
  /// Offset 12: bytes.
  var count: UInt32

  init(region: Int, offset: UInt64, count: Int) {
    self.offset = offset
    self.region = UInt32(region)
    self.count = UInt32(count)
  }

  init(wholeIn body: WireBytes, at start: Int) {
    offset = body.integer(at: start)
    region = body.integer(at: start + 8)
    count = body.integer(at: start + 12)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: offset)
    bytes.append(littleEndian: region)
    bytes.append(littleEndian: count)
  }
}

/// The number of writes in one message (REGION_WRITE_MULTI); the writes follow, 24 bytes each: a ``RegionAccess`` and 8 bytes of data.
/// The reply is this structure alone.
/// - Source: vfio-user protocol, "VFIO_USER_REGION_WRITE_MULTI" (vfio-user.md, 4.11).
struct RegionWrites: WireStructure {
  static let byteCount = 8
  /// The most data of one write, bytes; there is room for so many.
  static let dataByteCount = 8
  /// The most writes in one message.
  static let limit: UInt64 = 200

  /// Offset 0.
  var count: UInt64

  init(count: UInt64) { self.count = count }

  init(wholeIn body: WireBytes, at start: Int) { count = body.integer(at: start) }

  func append(to bytes: inout [UInt8]) { bytes.append(littleEndian: count) }

  private static let entryByteCount = RegionAccess.byteCount + dataByteCount

  /// The offset in the body of a write's ``RegionAccess``.
  static func offset(ofWrite index: Int) -> Int { byteCount + entryByteCount * index }
}
