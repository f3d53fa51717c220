// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI
internal import Synchronization

/// Fetching commands, posting completions, raising interrupts.
extension Controller {
  // MARK: Submission

  /// Fetches and executes the commands of a queue, and posts completions.
  mutating func fetch(from queue: Int) {
    guard isEnabled, submissions[queue].isLive else { return }
    let tail = doorbell(submission: queue) & 0xffff
    let depth = submissions[queue].depth
    guard tail < depth else { return B.invalidTail(&self, tail, of: queue) }
    guard submissions[queue].head == tail || B.canFetch(&self) else { return }
    let first = submissions[queue].head
    var used: UInt64 = 0
    while submissions[queue].isLive, isEnabled, submissions[queue].head != tail {
      let head = submissions[queue].head
      guard
        let command = load(
          from: submissions[queue].address &+ UInt64(head) &<< submissions[queue].entryShift)
      else {
        // The host's memory is missing; the drivers retry at the next poll.
        break
      }
      submissions[queue].head = head + 1 == depth ? 0 : head + 1
      trace(
        .command(
          queue: UInt16(queue), id: command.id, opcode: command.opcode,
          namespace: command.namespaceID))
      B.didFetch(&self)
      let target = B.completionQueue(self, of: queue)
      if queue == 0 { executeAdmin(command) } else { executeIO(command, on: UInt16(queue)) }
      if target < 64 { used |= 1 << UInt64(target) } else { post(to: target) }
    }
    if submissions[queue].head != first { beginPolling(after: queue) }
    while used != 0 {
      let target = used.trailingZeroBitCount
      used &= used - 1
      post(to: target)
    }
  }

  private func load(from address: UInt64) -> SubmissionEntry? {
    let inPlace = memory.withBytes(at: address, count: 64) { bytes in
      var words = InlineArray<16, UInt32>(repeating: 0)
      for index in 0..<16 {
        words[index] = UInt32(
          littleEndian: unsafe bytes.unsafeLoadUnaligned(
            fromByteOffset: 4 * index, as: UInt32.self))
      }
      return SubmissionEntry(dwords: words)
    }
    return inPlace ?? loadAcross(address)
  }

  /// An entry that is in more than one region.
  private func loadAcross(_ address: UInt64) -> SubmissionEntry? {
    var words = InlineArray<16, UInt32>(repeating: 0)
    var span = words.mutableSpan
    let isThere: Void? = unsafe span.withUnsafeMutableBytes { bytes in
      try? unsafe memory.read(at: address, into: bytes)
    }
    return isThere == nil ? nil : SubmissionEntry(dwords: words)
  }

  // MARK: Completion

  /// Queues the completion of a command.
  mutating func complete(_ completion: Completion) {
    let queue = B.completionQueue(self, of: Int(completion.queue))
    guard queue < completions.count, completions[queue].isLive else { return }
    if B.writesCompletionsAtOnce, completions[queue].waiting.isEmpty, !isFull(queue) {
      write(completion, to: queue)
      completions[queue].posted += 1
      return
    }
    completions[queue].waiting.append(completion)
  }

  /// Writes pending completions to the host's memory, as far as there is room, and raises their interrupts.
  mutating func post(to queue: Int) {
    guard queue < completions.count, completions[queue].isLive else { return }
    // The entries that were written at once.
    var posted = completions[queue].posted
    completions[queue].posted = 0
    if completions[queue].waiting.isEmpty {
      if posted > 0 { B.didPostBatch(&self, to: queue, count: posted) }
      return
    }
    let before = posted
    for completion in completions[queue].waiting {
      if isFull(queue) { break }
      write(completion, to: queue)
      posted += 1
      B.didPost(&self, to: queue)
    }
    if posted - before == completions[queue].waiting.count {
      completions[queue].waiting.removeAll(keepingCapacity: true)
    } else {
      B.keepWaiting(&self, queue, written: posted - before)
    }
    B.didPostBatch(&self, to: queue, count: posted)
  }

  private func isFull(_ queue: Int) -> Bool {
    let next = completions[queue].tail + 1
    let head = doorbell(completion: queue) & 0xffff
    return head == (next == completions[queue].depth && !B.ignoresWrap(self) ? 0 : next)
  }

  private mutating func write(_ completion: Completion, to queue: Int) {
    let source = Int(completion.queue)
    let tail = completions[queue].tail
    let head = source < submissions.count ? submissions[source].head : 0
    let phase: UInt16 = completions[queue].phase ? 1 : 0
    // The last word has the phase: once it is visible, the host may read the entry.
    let address = completions[queue].address &+ UInt64(tail) &<< completions[queue].entryShift
    let middle = completion.isBlank ? 0 : head | UInt32(completion.queue) << 16
    let id = completion.isBlank ? 0 : UInt32(completion.commandID)
    let last = id | UInt32(completion.status.rawValue << 1 | phase) << 16
    let inPlace: Void? = memory.withMutableBytes(at: address, count: 16) { bytes in
      bytes.storeBytes(of: completion.result.littleEndian, as: UInt64.self)
      bytes.storeBytes(of: middle.littleEndian, toByteOffset: 8, as: UInt32.self)
      atomicMemoryFence(ordering: .releasing)
      bytes.storeBytes(of: last.littleEndian, toByteOffset: 12, as: UInt32.self)
    }
    if inPlace == nil { writeAcross(completion.result, middle, last, to: address) }
    trace(
      .completion(
        queue: completion.queue, id: completion.commandID, status: completion.status,
        result: completion.result))
    if tail + 1 == completions[queue].depth {
      completions[queue].tail = 0
      completions[queue].phase.toggle()
    } else {
      completions[queue].tail += 1
    }
  }

  /// An entry that is in more than one region, or elsewhere: whole, since a message carries it whole.
  private func writeAcross(_ result: UInt64, _ middle: UInt32, _ last: UInt32, to address: UInt64) {
    let words = (result.littleEndian, middle.littleEndian, last.littleEndian)
    unsafe withUnsafeBytes(of: words) { bytes in
      // A host that has no memory there gets no completion.
      try? unsafe memory.write(at: address, from: bytes)
    }
  }

  // MARK: Interrupts

  mutating func raise(_ queue: Int) {
    let vector = completions[queue].vector
    guard Int(vector) < model.interrupts.vectors else {
      return log(.error, B.failedInterrupt(self, queue))
    }
    guard !B.isMasked(self, vector) else { return }
    trace(.interrupt(vector: vector))
    effects.interrupts.append(vector)
  }
}
