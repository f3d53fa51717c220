// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// A submission queue as the controller sees it.
struct SubmissionQueue {
  var isLive = false
  /// Host physical address of entry 0.
  var address: UInt64 = 0
  /// Entries.
  var depth: UInt32 = 0
  /// Entries are 2^entryShift bytes apart: 64, or what CC.IOSQES says of an I/O queue.
  var entryShift: UInt64 = 6
  /// The next entry to fetch.
  var head: UInt32 = 0
  var completionQueue: UInt16 = 0
  /// When it is looked at next.
  var due = VirtualTime.never
  /// Until then a new tail is seen at once.
  var spinsUntil = VirtualTime.zero
  /// A doorbell in the host's memory had a value that none has: only the real one counts from then on.
  var leavesBuffers = false
}

/// A completion queue as the controller sees it.
struct CompletionQueue {
  var isLive = false
  var address: UInt64 = 0
  var depth: UInt32 = 0
  /// Entries are 2^entryShift bytes apart: 16, or what CC.IOCQES says of an I/O queue.
  var entryShift: UInt64 = 4
  /// The next entry to write.
  var tail: UInt32 = 0
  var phase = true
  var vector: UInt16 = 0
  /// Where ``CoalescingState`` has the vector.
  var slot = 0
  var raisesInterrupts = true
  /// How many submission queues complete here, plus one for the queue itself with pci_epf_nvme.
  var references = 0
  /// Completions that found the queue full.
  var waiting: [Completion] = []
  /// When those are tried again.
  var due = VirtualTime.never
  /// The head as it was looked at last, where the host can map it.
  var acknowledged: UInt32 = 0
  /// The head as it was seen last where interrupts are decided.
  var lastHead: UInt32 = 0
  /// How many entries the host took when the head moved.
  var taken: UInt32 = 1
  /// The head has moved, and there has been no interrupt since.
  var isGathering = true
  /// When a held interrupt is raised in any case; ``VirtualTime/never`` when there is none.
  var interruptDue = VirtualTime.never

  /// Entries written at once, since the last interrupt decision.
  var posted = 0

  /// Looks at the head.
  /// - Returns: whether the host has moved it: it has taken entries.
  mutating func sees(_ head: UInt32) -> Bool {
    guard head != lastHead else { return false }
    taken = distance(from: lastHead, to: head)
    lastHead = head
    isGathering = true
    return true
  }

  /// Whether as many entries wait for the host as make an interrupt. Wraps, since a head is what the host says it is.
  var hasGathered: Bool { distance(from: lastHead, to: tail) &* 4 >= taken &* 3 }

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
}
