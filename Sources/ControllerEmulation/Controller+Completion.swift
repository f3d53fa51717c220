// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI
internal import Synchronization

/// The end of a command: its completion entry and interrupt.
extension Controller {
  /// A command fails before its execution, since its data cannot be transferred.
  mutating func fail(_ command: SubmissionEntry, on queue: UInt16, _ status: Status) {
    finish(
      command, on: queue, .failure(B.statusOfFailedTransfer(self, status)),
      isBlank: B.blanksFailures(self))
  }

  mutating func finish(
    _ command: SubmissionEntry, on queue: UInt16, _ outcome: Outcome, isBlank: Bool = false
  ) {
    var completion = Completion(
      queue: queue, commandID: command.id, status: Status.success, isBlank: isBlank)
    switch outcome {
    case .none: return
    case .done(let status, let result):
      completion.status = status
      completion.result = result
    case .refused(let status):
      completion.status = status
      B.logRefusal(&self, command, on: queue, status)
    case .data:
      completion.status = copyToHost()
      if completion.status != .success {
        completion.status = B.statusOfFailedTransfer(self, completion.status)
      }
    }
    if completion.status != Status.success {
      B.logFailure(&self, command, on: queue, completion.status)
      if completion.status.hasMore { errorLog.add(command, queue, completion.status) }
    }
    complete(completion)
  }

  // MARK: Posting

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
