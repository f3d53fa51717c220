// SPDX-License-Identifier: Apache-2.0
package import NVMe
package import PCI

/// A submission queue and its completion queue in the host's memory, as the host uses them.
package struct QueuePair {
  /// The address of the submission queue.
  package var submissions: UInt64
  /// The address of the completion queue.
  package var completions: UInt64
  /// Entries.
  package var depth: UInt32
  /// Entries of the completion queue, if not as many.
  package var completionDepth: UInt32?
  /// The entry for the next command.
  package var tail: UInt32 = 0
  /// The entry of the next completion.
  package private(set) var head: UInt32 = 0
  /// The phase tag of a new completion.
  private var phase = true
  /// The last command.
  private(set) var latest: (id: UInt16, opcode: UInt8) = (0, 0)

  package init(
    submissions: UInt64, completions: UInt64, depth: UInt32, completionDepth: UInt32? = nil
  ) {
    self.submissions = submissions
    self.completions = completions
    self.depth = depth
    self.completionDepth = completionDepth
  }

  /// Stores a command in the submission queue; the tail moves even if the memory does not exist.
  package mutating func put(
    _ command: SubmissionEntry, in memory: HostMemory
  ) throws(HostMemoryError) {
    let address = submissions + UInt64(tail) * UInt64(SubmissionEntry.byteCount)
    tail = (tail + 1) % depth
    latest = (command.id, command.opcode)
    let entry = command.dwords
    for index in entry.indices {
      try memory.store(entry[index], at: address + UInt64(4 * index))
    }
  }

  /// Takes the next completion; nil if there is none yet.
  package mutating func take(from memory: HostMemory) throws(HostMemoryError) -> CompletionEntry? {
    let address = completions + UInt64(head) * UInt64(CompletionEntry.byteCount)
    // The last dword has the phase tag, so it is read first.
    let last = try memory.load(at: address + 12, as: UInt32.self)
    let result = try memory.load(at: address, as: UInt64.self)
    let middle = try memory.load(at: address + 8, as: UInt32.self)
    let entry = CompletionEntry(
      result: result, submissionHead: UInt16(truncatingIfNeeded: middle),
      submissionQueueID: UInt16(middle >> 16), commandID: UInt16(truncatingIfNeeded: last),
      status: Status(rawValue: UInt16(last >> 17)), phase: last >> 16 & 1 != 0)
    guard entry.phase == phase else { return nil }
    head += 1
    if head == completionDepth ?? depth {
      head = 0
      phase.toggle()
    }
    return entry
  }
}
