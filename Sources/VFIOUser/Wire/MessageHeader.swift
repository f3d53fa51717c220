// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// A message's kind, as both sides number them.
/// - Source: vfio-user protocol, "Commands".
enum Command: UInt16, CaseIterable {
  case version = 1
  case mapDMA = 2
  case unmapDMA = 3
  case deviceInfo = 4
  case regionInfo = 5
  case regionDescriptors = 6
  case interruptInfo = 7
  case setInterrupts = 8
  case readRegion = 9
  case writeRegion = 10
  /// The server reads the client's memory; the client replies.
  case readDMA = 11
  /// The server writes to the client's memory; the client replies.
  case writeDMA = 12
  case reset = 13
  case writeRegions = 15
  case feature = 16
}

/// The 16 bytes that every message begins with, little-endian.
struct MessageHeader: Hashable {
  static let byteCount = 16

  /// Chosen by the sender of the request, repeated in the reply.
  var id: UInt16
  var command: UInt16
  /// Header and body, bytes.
  var size: UInt32
  var flags: UInt32
  /// An errno when ``isError`` is set.
  var error: UInt32 = 0

  private static let replyFlag: UInt32 = 1
  private static let noReplyFlag: UInt32 = 1 << 4
  private static let errorFlag: UInt32 = 1 << 5

  var isReply: Bool { flags & 0xf == Self.replyFlag }
  var wantsNoReply: Bool { flags & Self.noReplyFlag != 0 }
  var isError: Bool { flags & Self.errorFlag != 0 }

  init(request command: Command, id: UInt16, bodyCount: Int, wantsNoReply: Bool = false) {
    self.id = id
    self.command = command.rawValue
    size = UInt32(Self.byteCount + bodyCount)
    flags = wantsNoReply ? Self.noReplyFlag : 0
  }

  /// The reply to a request; with an errno, its refusal.
  init(replyTo request: MessageHeader, bodyCount: Int, errno: CInt = 0) {
    id = request.id
    command = request.command
    size = UInt32(Self.byteCount + bodyCount)
    flags = errno == 0 ? Self.replyFlag : Self.replyFlag | Self.errorFlag
    error = UInt32(errno)
  }

  /// - Precondition: there are 16 bytes.
  init(_ bytes: some RandomAccessCollection<UInt8>) {
    let words = WireBytes(Array(bytes))
    id = words.integer(at: 0)
    command = words.integer(at: 2)
    size = words.integer(at: 4)
    flags = words.integer(at: 8)
    error = words.integer(at: 12)
  }

  func append(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: id)
    bytes.append(littleEndian: command)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: flags)
    bytes.append(littleEndian: error)
  }
}

/// A whole message as it was received.
struct Message {
  var header: MessageHeader
  var body: WireBytes
  /// The descriptors of the message; closed unless retained.
  var descriptors: [OpenDescriptor]

  var command: Command? { Command(rawValue: header.command) }
}

/// A body's bytes; integers in it are little-endian and need not be aligned.
struct WireBytes {
  var bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  /// - Precondition: its bytes are there.
  func integer<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Value {
    var value: Value = 0
    for index in (0..<MemoryLayout<Value>.size).reversed() {
      value = value << 8 | Value(bytes[offset + index])
    }
    return value
  }

  /// - Throws: EINVAL when the body is shorter.
  func require(_ count: Int) throws(Refusal) {
    guard bytes.count >= count else { throw Refusal(EINVAL) }
  }
}

extension [UInt8] {
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    var rest = value
    for _ in 0..<MemoryLayout<Value>.size {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}

/// The refusal of a request: the errno for its sender.
struct Refusal: Error, Hashable {
  var errno: CInt
  init(_ errno: CInt) { self.errno = errno }
}
