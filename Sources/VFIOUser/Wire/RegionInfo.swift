// SPDX-License-Identifier: Apache-2.0

/// The numbers of the regions of a PCI device: 0 to 5 are the BARs.
/// - Source: `include/uapi/linux/vfio.h`, `VFIO_PCI_BAR0_REGION_INDEX` and following: BARs 0 to 5, ROM, configuration space, VGA.
enum RegionIndex {
  static let configuration = 7
  static let count = 9
}

/// A region's size and properties (DEVICE_GET_REGION_INFO), the same structure both ways; a reply may continue with a capability
/// (``SparseAreas``), and has a descriptor for a region that can be mapped.
/// - Source: vfio-user protocol, "VFIO_USER_DEVICE_GET_REGION_INFO" (vfio-user.md, 4.5).
struct RegionInfo: WireStructure {
  static let byteCount = 32

  struct Flags: OptionSet, Hashable {
    var rawValue: UInt32
    static let read = Self(rawValue: 1 << 0)
    static let write = Self(rawValue: 1 << 1)
    static let map = Self(rawValue: 1 << 2)
    /// Capabilities follow.
    static let capabilities = Self(rawValue: 1 << 3)
  }

  /// Offset 0: in a request the room for the reply; in a reply the size that it needs, capabilities included.
  var argumentSize: UInt32
  /// Offset 4.
  var flags: Flags = []
  /// Offset 8: a ``RegionIndex``.
  var index: UInt32
  /// Offset 12: the offset of the first capability; 0 for none.
  var capabilityOffset: UInt32 = 0
  /// Offset 16: bytes; 0 for a region that does not exist.
  var size: UInt64 = 0
  /// Offset 24: where the region begins in the file of the descriptor.
  var offset: UInt64 = 0

  init(argumentSize: Int, index: UInt32) {
    self.argumentSize = UInt32(argumentSize)
    self.index = index
  }

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = Flags(rawValue: body.integer(at: start + 4))
    index = body.integer(at: start + 8)
    capabilityOffset = body.integer(at: start + 12)
    size = body.integer(at: start + 16)
    offset = body.integer(at: start + 24)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags.rawValue)
    bytes.append(littleEndian: index)
    bytes.append(littleEndian: capabilityOffset)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: offset)
  }
}
