// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The controller's state of a submission queue.
struct SubmissionQueue {
  var isLive = false
  /// Host physical address of entry 0.
  var address: UInt64 = 0
  /// Entries.
  var depth: UInt32 = 0
  /// Entries are 2^entryShift bytes apart: 64, or as set by CC.IOSQES for an I/O queue.
  var entryShift: UInt64 = 6
  /// The next entry to fetch.
  var head: UInt32 = 0
  var completionQueue: UInt16 = 0
  /// The time of its next poll.
  var due = VirtualTime.never
  /// Until then a new tail is found immediately.
  var spinsUntil = VirtualTime.zero
  /// A doorbell in the host's memory had an invalid value: only the register is used from then on.
  var leavesBuffers = false
}

/// The controller's state of a completion queue.
struct CompletionQueue {
  var isLive = false
  var address: UInt64 = 0
  var depth: UInt32 = 0
  /// Entries are 2^entryShift bytes apart: 16, or as set by CC.IOCQES for an I/O queue.
  var entryShift: UInt64 = 4
  /// The next entry to write.
  var tail: UInt32 = 0
  var phase = true
  var vector: UInt16 = 0
  /// The index of the vector in ``CoalescingState``.
  var slot = 0
  var raisesInterrupts = true
  /// The number of submission queues that use this queue, plus one for the queue itself.
  var references = 0
  /// Completions that are not in the queue yet: a driver posts those of a batch together, and a full queue keeps them back.
  var waiting: [Completion] = []
  /// The time of the next retry.
  var due = VirtualTime.never
  /// The head at the last poll, if the host can map it.
  var acknowledged: UInt32 = 0
  /// The head at the last interrupt decision.
  var lastHead: UInt32 = 0
  /// The number of entries that the host consumed at the last change of the head.
  var taken: UInt32 = 1
  /// The head has moved, and there has been no interrupt since.
  var isCoalescing = true
  /// The deadline of a held interrupt; ``VirtualTime/never`` if there is none.
  var interruptDue = VirtualTime.never

  /// Entries written at once, since the last interrupt decision.
  var posted = 0

  /// Reads the head.
  /// - Returns: whether the host has moved it: it has taken entries.
  mutating func observe(head: UInt32) -> Bool {
    guard head != lastHead else { return false }
    taken = distance(from: lastHead, to: head)
    lastHead = head
    isCoalescing = true
    return true
  }

  /// Whether enough entries are pending for an interrupt. Wraps, since the host controls the head.
  var hasCoalesced: Bool { distance(from: lastHead, to: tail) &* 4 >= taken &* 3 }

  private func distance(from start: UInt32, to end: UInt32) -> UInt32 {
    end >= start ? end - start : end &+ depth &- start
  }
}

/// The end of a command, on its way to a completion queue.
struct Completion {
  var result: UInt64 = 0
  var queue: UInt16
  var commandID: UInt16
  /// The 15 bits of the status field, DNR at bit 14.
  var status: Status
  /// Whether the entry has no SQID, SQHD and CID.
  var isBlank = false
}
