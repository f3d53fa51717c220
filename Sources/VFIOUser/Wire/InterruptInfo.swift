// SPDX-License-Identifier: Apache-2.0

/// The kinds of interrupts by their numbers.
/// - Source: `include/uapi/linux/vfio.h`, `VFIO_PCI_INTX_IRQ_INDEX`.
enum InterruptKind: Int, CaseIterable {
  case line = 0
  case msi = 1
  case msix = 2
  case error = 3
  case request = 4
}

/// The number of interrupts of a kind (DEVICE_GET_IRQ_INFO), the same structure both ways.
/// - Source: vfio-user protocol, "VFIO_USER_DEVICE_GET_IRQ_INFO" (vfio-user.md, 4.7).
struct InterruptInfo: WireStructure {
  static let byteCount = 16

  /// - Source: `include/uapi/linux/vfio.h`, `VFIO_IRQ_INFO_EVENTFD` and following.
  struct Flags: OptionSet, Hashable {
    var rawValue: UInt32
    static let events = Self(rawValue: 1 << 0)
    static let maskable = Self(rawValue: 1 << 1)
    static let automasked = Self(rawValue: 1 << 2)
  }

  /// Offset 0: in a request the room for the reply, in a reply its size.
  var argumentSize = UInt32(byteCount)
  /// Offset 4.
  var flags: Flags = []
  /// Offset 8: an ``InterruptKind``.
  var index: UInt32
  /// Offset 12: the number of interrupts of this kind.
  var count: UInt32 = 0

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = Flags(rawValue: body.integer(at: start + 4))
    index = body.integer(at: start + 8)
    count = body.integer(at: start + 12)
  }

  init(_ kind: InterruptKind, flags: Flags, count: Int) {
    self.flags = flags
    index = UInt32(kind.rawValue)
    self.count = UInt32(count)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags.rawValue)
    bytes.append(littleEndian: index)
    bytes.append(littleEndian: count)
  }
}

/// A change of the interrupts of a kind (DEVICE_SET_IRQS), with descriptors for ``Data/events``; for ``Data/flags`` a byte a vector
/// follows. The reply has no body.
/// - Source: vfio-user protocol, "VFIO_USER_DEVICE_SET_IRQS" (vfio-user.md, 4.8).
struct InterruptSetting: WireStructure {
  static let byteCount = 20

  /// The data of the request: none, a byte a vector, or an event counter a vector.
  enum Data: UInt32 { case none = 1, flags = 2, events = 4 }
  enum Action: UInt32 { case mask = 8, unmask = 16, trigger = 32 }

  /// Offset 0: the size of the structure and of the bytes that follow.
  var argumentSize: UInt32
  /// Offset 4: bits 0 to 2 are the ``Data``, bits 3 to 5 the ``Action``.
  var flags: UInt32
  /// Offset 8: an ``InterruptKind``.
  var index: UInt32
  /// Offset 12: the first vector.
  var start: UInt32
  /// Offset 16: the number of vectors.
  var count: UInt32

  /// Nil unless exactly one is set.
  var data: Data? { Data(rawValue: flags & 0b111) }
  /// Nil unless exactly one is set.
  var action: Action? { Action(rawValue: flags & 0b111000) }
  var hasUnknownFlags: Bool { flags & ~0b111111 != 0 }
  var vectors: Range<Int> { Int(start)..<Int(start) + Int(count) }

  /// - Parameter following: the number of bytes behind the structure.
  init(
    _ action: Action, _ data: Data, index: Int, start: Int, count: Int, following: Int
  ) {
    argumentSize = UInt32(Self.byteCount + following)
    flags = action.rawValue | data.rawValue
    self.index = UInt32(index)
    self.start = UInt32(start)
    self.count = UInt32(count)
  }

  init(wholeIn body: WireBytes, at start: Int) {
    argumentSize = body.integer(at: start)
    flags = body.integer(at: start + 4)
    index = body.integer(at: start + 8)
    self.start = body.integer(at: start + 12)
    count = body.integer(at: start + 16)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: argumentSize)
    bytes.append(littleEndian: flags)
    bytes.append(littleEndian: index)
    bytes.append(littleEndian: start)
    bytes.append(littleEndian: count)
  }
}
