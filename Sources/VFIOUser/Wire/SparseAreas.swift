// SPDX-License-Identifier: Apache-2.0

/// The capability of a region that can be mapped in parts: a header of 16 bytes, then 16 bytes an area.
///
/// | Offset | Size | Field |
/// |---|---|---|
/// | 0 | 2 | the capability's ID, 1 |
/// | 2 | 2 | its version, 1 |
/// | 4 | 4 | the offset of the next capability; 0 for none |
/// | 8 | 4 | the number of areas |
/// | 12 | 4 | reserved |
/// | 16 + 16 n | 8 | the area's offset in the region |
/// | 24 + 16 n | 8 | its size, bytes |
/// - Source: `include/uapi/linux/vfio.h`, `struct vfio_region_info_cap_sparse_mmap` (vfio-user.md, 4.5).
struct SparseAreas: Hashable {
  /// One area, 16 bytes.
  struct Area: Hashable {
    var offset: UInt64
    var size: UInt64
  }

  var areas: [Area]

  private static let id: UInt16 = 1
  private static let version: UInt16 = 1
  private static let headerByteCount = 16
  private static let areaByteCount = 16

  var byteCount: Int { Self.headerByteCount + Self.areaByteCount * areas.count }

  init(_ areas: [Range<UInt64>]) {
    self.areas = areas.map { Area(offset: $0.lowerBound, size: $0.upperBound - $0.lowerBound) }
  }

  /// - Parameter limit: the most areas that are accepted.
  /// - Returns: nil for another capability, for more areas, or for a body that ends before they do.
  init?(_ body: WireBytes, at start: Int, limit: Int) {
    guard body.count >= start + Self.headerByteCount, body.integer(at: start) == Self.id else {
      return nil
    }
    let count = Int(body.integer(at: start + 8) as UInt32)
    guard count <= limit,
      body.count >= start + Self.headerByteCount + Self.areaByteCount * count
    else { return nil }
    areas = (0..<count).map { index in
      let place = start + Self.headerByteCount + Self.areaByteCount * index
      return Area(offset: body.integer(at: place), size: body.integer(at: place + 8))
    }
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: Self.id)
    bytes.append(littleEndian: Self.version)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: UInt32(areas.count))
    bytes.append(littleEndian: UInt32(0))
    for area in areas {
      bytes.append(littleEndian: area.offset)
      bytes.append(littleEndian: area.size)
    }
  }
}
