// SPDX-License-Identifier: Apache-2.0

/// A completion queue entry, 16 bytes.
/// - Source: NVM Express Base 2.1, 4.2.1.
public struct CompletionEntry: Hashable, Sendable {
  /// The length in bytes.
  @inlinable public static var byteCount: Int { 16 }

  /// The command-specific result, DW0 and DW1: DW0 is the low half.
  public var result: UInt64
  /// The submission queue's head (SQHD): how far the controller has read.
  public var submissionHead: UInt16
  /// The submission queue (SQID).
  public var submissionQueueID: UInt16
  /// The command (CID).
  public var commandID: UInt16
  /// The status field with the phase tag in bit 0.
  public var statusAndPhase: UInt16

  @inlinable public init(
    result: UInt64 = 0, submissionHead: UInt16, submissionQueueID: UInt16, commandID: UInt16,
    status: Status = .success, phase: Bool
  ) {
    self.result = result
    self.submissionHead = submissionHead
    self.submissionQueueID = submissionQueueID
    self.commandID = commandID
    self.statusAndPhase = status.rawValue << 1 | (phase ? 1 : 0)
  }

  /// Loads an entry from the first 16 bytes; traps if there are fewer.
  @inlinable public init(_ bytes: RawSpan) {
    result = bytes.load(UInt64.self, at: 0)
    submissionHead = bytes.load(UInt16.self, at: 8)
    submissionQueueID = bytes.load(UInt16.self, at: 10)
    commandID = bytes.load(UInt16.self, at: 12)
    statusAndPhase = bytes.load(UInt16.self, at: 14)
  }

  /// Stores the entry as the first 16 bytes; traps if there are fewer.
  ///
  /// The phase tag is in the last dword: a controller with a concurrent host stores ``lastDword`` separately, last.
  @inlinable public func store(into bytes: inout MutableRawSpan) {
    bytes.store(result, at: 0)
    bytes.store(submissionHead, at: 8)
    bytes.store(submissionQueueID, at: 10)
    bytes.store(lastDword, at: 12)
  }

  /// DW0, the result of most commands.
  @inlinable public var dw0: UInt32 {
    get { UInt32(truncatingIfNeeded: result) }
    set { result = result & ~0xffff_ffff | UInt64(newValue) }
  }

  /// DW1.
  @inlinable public var dw1: UInt32 {
    get { UInt32(truncatingIfNeeded: result >> 32) }
    set { result = result & 0xffff_ffff | UInt64(newValue) << 32 }
  }

  /// DW3: CID, phase tag and status.
  @inlinable public var lastDword: UInt32 { UInt32(statusAndPhase) << 16 | UInt32(commandID) }

  /// The status of the command.
  @inlinable public var status: Status {
    get { Status(rawValue: statusAndPhase >> 1) }
    set { statusAndPhase = newValue.rawValue << 1 | statusAndPhase & 1 }
  }

  /// The phase tag (P): the entry is new if it differs from the last pass's.
  @inlinable public var phase: Bool {
    get { statusAndPhase & 1 == 1 }
    set { statusAndPhase = statusAndPhase & ~1 | (newValue ? 1 : 0) }
  }
}
