// SPDX-License-Identifier: Apache-2.0

/// Create I/O Completion Queue.
/// - Source: NVM Express Base 2.1, 5.2.1.
@frozen public struct CompletionQueueRequest: Hashable, Sendable {
  /// QID.
  public var id: Int
  /// QSIZE: entries, 0's based.
  public var size: UInt32
  /// PRP1.
  public var address: UInt64
  /// PC.
  public var isContiguous: Bool
  /// IEN.
  public var raisesInterrupts: Bool
  /// IV.
  public var vector: UInt16

  @inlinable public init(
    id: Int, size: UInt32, address: UInt64, isContiguous: Bool = true,
    raisesInterrupts: Bool = false, vector: UInt16 = 0
  ) {
    self.id = id
    self.size = size
    self.address = address
    self.isContiguous = isContiguous
    self.raisesInterrupts = raisesInterrupts
    self.vector = vector
  }

  @inlinable public init(_ command: SubmissionEntry) {
    self.init(
      id: Int(command.queueID), size: command.dwords[10] >> 16, address: command.prp1,
      isContiguous: command.dwords[11] & 1 != 0, raisesInterrupts: command.dwords[11] & 2 != 0,
      vector: UInt16(truncatingIfNeeded: command.dwords[11] >> 16))
  }

  /// The command, without an identifier.
  public var command: SubmissionEntry {
    let flags: UInt32 = (isContiguous ? 1 : 0) | (raisesInterrupts ? 2 : 0)
    return SubmissionEntry(
      opcode: AdminOpcode.createIOCompletionQueue.rawValue, id: 0, prp1: address,
      words: [size << 16 | UInt32(UInt16(truncatingIfNeeded: id)), UInt32(vector) << 16 | flags])
  }
}

/// Create I/O Submission Queue.
/// - Source: NVM Express Base 2.1, 5.2.2.
@frozen public struct SubmissionQueueRequest: Hashable, Sendable {
  /// QID.
  public var id: Int
  /// QSIZE: entries, 0's based.
  public var size: UInt32
  /// PRP1.
  public var address: UInt64
  /// PC.
  public var isContiguous: Bool
  /// CQID.
  public var completionQueue: Int

  @inlinable public init(
    id: Int, size: UInt32, address: UInt64, isContiguous: Bool = true, completionQueue: Int
  ) {
    self.id = id
    self.size = size
    self.address = address
    self.isContiguous = isContiguous
    self.completionQueue = completionQueue
  }

  @inlinable public init(_ command: SubmissionEntry) {
    self.init(
      id: Int(command.queueID), size: command.dwords[10] >> 16, address: command.prp1,
      isContiguous: command.dwords[11] & 1 != 0, completionQueue: Int(command.dwords[11] >> 16))
  }

  /// The command, without an identifier.
  public var command: SubmissionEntry {
    let queue = UInt32(UInt16(truncatingIfNeeded: completionQueue))
    return SubmissionEntry(
      opcode: AdminOpcode.createIOSubmissionQueue.rawValue, id: 0, prp1: address,
      words: [
        size << 16 | UInt32(UInt16(truncatingIfNeeded: id)), queue << 16 | (isContiguous ? 1 : 0),
      ])
  }
}
