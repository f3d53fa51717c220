// SPDX-License-Identifier: Apache-2.0

/// A submission queue entry, its 64 bytes as the host wrote them.
/// - Source: NVM Express Base 2.1, 4.1.1.
struct Command {
  var words: InlineArray<16, UInt32>

  var opcode: UInt8 { UInt8(truncatingIfNeeded: words[0]) }
  /// FUSE in bits 1:0, PSDT in bits 7:6.
  var flags: UInt8 { UInt8(truncatingIfNeeded: words[0] >> 8) }
  var id: UInt16 { UInt16(truncatingIfNeeded: words[0] >> 16) }
  var namespaceID: UInt32 { words[1] }
  var prp1: UInt64 { UInt64(words[6]) | UInt64(words[7]) << 32 }
  var prp2: UInt64 { UInt64(words[8]) | UInt64(words[9]) << 32 }
  var cdw10: UInt32 { words[10] }
  var cdw11: UInt32 { words[11] }
  var cdw12: UInt32 { words[12] }
  /// First logical block of an I/O command.
  var firstBlock: UInt64 { UInt64(words[10]) | UInt64(words[11]) << 32 }
  /// Logical blocks of an I/O command.
  var blockCount: UInt64 { UInt64(words[12] & 0xffff) + 1 }
  var usesSGL: Bool { flags & 0xc0 != 0 }
  var isFused: Bool { flags & 3 != 0 }
}

/// A piece of host memory that a command's data go to or come from.
struct Segment: Hashable {
  var address: UInt64
  var count: Int
}

/// Values of the status field that the drivers, nvmet and a strict controller answer; DNR is 0x4000, MORE 0x2000.
/// - Source: NVM Express Base 2.1, 4.2.3; the fact sheets of both drivers.
enum Answer {
  static let success: UInt16 = 0
  static let invalidOpcode: UInt16 = 0x4001
  static let invalidField: UInt16 = 0x4002
  static let dataTransferError: UInt16 = 0x4004
  static let internalError: UInt16 = 0x4006
  static let invalidNamespace: UInt16 = 0x400b
  static let sequenceError: UInt16 = 0x400c
  static let invalidSGLType: UInt16 = 0x4011
  static let invalidPRPOffset: UInt16 = 0x4013
  static let lbaOutOfRange: UInt16 = 0x4080
  static let capacityExceeded: UInt16 = 0x4081
  static let invalidCompletionQueue: UInt16 = 0x4100
  static let invalidQueueID: UInt16 = 0x4101
  static let invalidQueueSize: UInt16 = 0x4102
  static let tooManyEventRequests: UInt16 = 0x4105
  static let invalidVector: UInt16 = 0x4108
  static let invalidLogPage: UInt16 = 0x4109
  static let invalidQueueDeletion: UInt16 = 0x410c
  /// Added by nvmet's core to what it refuses itself: it has recorded where the error is.
  static let more: UInt16 = 0x2000
}
