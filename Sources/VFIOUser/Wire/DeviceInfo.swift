// SPDX-License-Identifier: Apache-2.0

/// The numbers of regions and of interrupt kinds of the device (DEVICE_GET_INFO), the same structure both ways.
/// - Source: vfio-user protocol, "VFIO_USER_DEVICE_GET_INFO" (vfio-user.md, 4.4).
struct DeviceInfo: WireStructure {
  static let byteCount = 16

  struct Flags: OptionSet, Hashable {
    var rawValue: UInt32
    static let supportsReset = Self(rawValue: 1 << 0)
    static let isPCI = Self(rawValue: 1 << 1)
  }

  /// Offset 0: in a request the room for the reply, in a reply its size.
  var argumentSize = UInt32(byteCount)
  /// Offset 4.
  var flags: Flags
  /// Offset 8.
  var regions: UInt32
  /// Offset 12: the number of kinds of interrupts.
  var interruptKinds: UInt32

  init(flags: Flags, regions: Int, interruptKinds: Int) {
    self.flags = flags
    self.regions = UInt32(regions)
    self.interruptKinds = UInt32(interruptKinds)
  }

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = Flags(rawValue: body.integer(at: start + 4))
    regions = body.integer(at: start + 8)
    interruptKinds = body.integer(at: start + 12)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags.rawValue)
    bytes.append(littleEndian: regions)
    bytes.append(littleEndian: interruptKinds)
  }
}
