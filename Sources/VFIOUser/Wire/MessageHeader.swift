// SPDX-License-Identifier: Apache-2.0

/// A message's kind, as both sides number them.
/// - Source: vfio-user protocol, "Commands" (vfio-user.md, 3).
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

/// The 16 bytes that every message begins with.
/// - Source: vfio-user protocol, "Header" (vfio-user.md, 2).
struct MessageHeader: WireStructure {
  static let byteCount = 16

  /// Offset 0: chosen by the sender of the request, repeated in the reply.
  var id: UInt16
  /// Offset 2: a ``Command``, repeated in the reply.
  var command: UInt16
  /// Offset 4: header and body, bytes.
  var size: UInt32
  /// Offset 8: bits 0 to 3 the type (0 a request, 1 a reply), bit 4 no reply wanted, bit 5 an error.
  var flags: UInt32
  /// Offset 12: an errno when ``isError`` is set.
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

  init(wholeIn body: WireBytes, at start: Int) {
    id = body.integer(at: start)
    command = body.integer(at: start + 2)
    size = body.integer(at: start + 4)
    flags = body.integer(at: start + 8)
    error = body.integer(at: start + 12)
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
