// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import Synchronization

/// Doorbells in registers that the host writes, in pages that it has mapped, or in buffers in its memory.
extension Controller {
  // MARK: Values

  @inline(__always)
  func doorbell(submission queue: Int) -> UInt32 {
    bufferedDoorbell(queue, completion: false) ?? doorbellRegister(queue, completion: false)
  }

  @inline(__always)
  func doorbell(completion queue: Int) -> UInt32 {
    bufferedDoorbell(queue, completion: true) ?? doorbellRegister(queue, completion: true)
  }

  @inline(__always)
  func doorbellRegister(_ queue: Int, completion: Bool) -> UInt32 {
    let index = 2 * queue + (completion ? 1 : 0)
    if let doorbellWords = unsafe doorbellWords {
      return unsafe doorbellWords[index].load(ordering: .acquiring)
    }
    return bar[Register.doorbells / 4 + index]
  }

  @inline(__always)
  mutating func setDoorbellRegister(_ queue: Int, completion: Bool, _ value: UInt32) {
    let index = 2 * queue + (completion ? 1 : 0)
    if let doorbellWords = unsafe doorbellWords {
      return unsafe doorbellWords[index].store(value, ordering: .releasing)
    }
    bar[Register.doorbells / 4 + index] = value
  }

  mutating func clearDoorbell(submission queue: Int) {
    clearBufferedDoorbell(queue)
    setDoorbellRegister(queue, completion: false, 0)
  }

  mutating func clearDoorbell(completion queue: Int) {
    setDoorbellRegister(queue, completion: true, 0)
  }

  /// A host before may have left values in the pages, and the next one's first may be the same.
  mutating func clearDoorbellPages() {
    guard doorbellPages != nil else { return }
    for queue in submissions.indices {
      setDoorbellRegister(queue, completion: false, 0)
      setDoorbellRegister(queue, completion: true, 0)
    }
  }

  // MARK: Writes

  mutating func writeDoorbell(_ offset: Int, _ value: UInt32) {
    let index = (offset - Register.doorbells) / 4
    let queue = index / 2
    guard queue < submissions.count else {
      // The drivers' BARs are memory.
      if doorbellPages == nil { bar[offset / 4] = value }
      return
    }
    let isCompletion = index & 1 != 0
    let old = doorbellRegister(queue, completion: isCompletion)
    setDoorbellRegister(queue, completion: isCompletion, value)
    let isLive = isCompletion ? completions[queue].isLive : submissions[queue].isLive
    guard isLive else { return B.reportDoorbell(&self, .register) }
    if !isCompletion {
      if isEnabled { B.submissionDoorbell(&self, queue) }
    } else if B.ignoresInvalidHeads, value & 0xffff >= completions[queue].depth {
      // As if it had not been written.
      setDoorbellRegister(queue, completion: true, old)
      B.reportDoorbell(&self, .value)
    } else {
      if doorbellPages != nil {
        completions[queue].acknowledged = doorbellRegister(queue, completion: true)
      }
      B.completionDoorbell(&self, queue)
    }
  }

  // MARK: Looking

  /// Commands were found, with or without a doorbell write: poll for more. (The admin queue has no buffers.)
  mutating func beginPolling(after queue: Int) {
    guard doorbellPages != nil || doorbellBuffers != nil && queue > 0 else { return }
    polling.sawCommands(at: now)
    doorbellBuffers?.isArmed = false
  }

  /// The time of the controller's next unconditional poll.
  var doorbellBuffersDue: VirtualTime {
    guard let doorbellBuffers, !doorbellBuffers.isArmed else { return heldInterruptDue }
    return min(polling.windowEnd, heldInterruptDue)
  }

  /// The time of the controller's next poll, in real time.
  var nextLook: VirtualTime {
    if doorbellPages != nil, isEnabled { return min(polling.nextLook(from: now), heldInterruptDue) }
    guard let doorbellBuffers, !doorbellBuffers.isArmed else { return heldInterruptDue }
    return now
  }

  mutating func pollDoorbells() {
    if doorbellPages != nil { pollDoorbellPages() } else { pollDoorbellBuffers() }
    if heldInterruptDue != .never { checkHeldInterrupts() }
  }

  private mutating func pollDoorbellPages() {
    guard isEnabled else { return }
    for queue in completions.indices where completions[queue].isLive {
      let head = doorbellRegister(queue, completion: true)
      if head != completions[queue].acknowledged {
        if head & 0xffff < completions[queue].depth {
          completions[queue].acknowledged = head
        } else {
          setDoorbellRegister(queue, completion: true, completions[queue].acknowledged)
          B.reportDoorbell(&self, .value)
        }
      }
      if !completions[queue].waiting.isEmpty { post(to: queue) }
    }
    for queue in submissions.indices where submissions[queue].isLive {
      if doorbellRegister(queue, completion: false) & 0xffff != submissions[queue].head {
        fetch(from: queue)
      }
    }
    polling.looked(at: now)
  }

  // MARK: Interrupts

  /// The time for which an interrupt may be held: until the host consumes the entries of the previous one, or for its next command.
  private static var interruptHold: UInt64 { 100_000 }

  /// Interrupts the host, unless it has a pending interrupt, or is about to submit more.
  ///
  /// An interrupt is pending while the host has not moved the head since: the host will find the new entries with the old. A host that has
  /// consumed several entries at once is likely to submit as many commands, one after the other; an interrupt after the first would only
  /// delay the others. The interrupt is held for three quarters of them, so that it arrives while the last ones are being submitted.
  ///
  /// Only if heads are visible immediately; held interrupts are checked again until the head moves.
  mutating func raiseOrHold(_ queue: Int) {
    guard queue > 0,
      doorbellPages != nil || doorbellBuffers != nil && !submissions[queue].leavesBuffers
    else { return raise(queue) }
    let head = doorbell(completion: queue) & 0xffff
    _ = completions[queue].observe(head: head)
    if completions[queue].isCoalescing {
      coalesce(queue)
    } else if completions[queue].interruptDue == .never {
      hold(queue)
    }
  }

  private mutating func coalesce(_ queue: Int) {
    if completions[queue].hasCoalesced { raiseHeld(queue) } else { hold(queue) }
  }

  private mutating func hold(_ queue: Int) {
    completions[queue].interruptDue = VirtualTime(
      nanoseconds: now.nanoseconds &+ Self.interruptHold)
    heldInterruptDue = min(heldInterruptDue, completions[queue].interruptDue)
  }

  private mutating func raiseHeld(_ queue: Int) {
    completions[queue].interruptDue = .never
    completions[queue].isCoalescing = false
    raise(queue)
  }

  private mutating func checkHeldInterrupts() {
    heldInterruptDue = .never
    for queue in completions.indices where completions[queue].interruptDue != .never {
      let head = doorbell(completion: queue) & 0xffff
      let hasMoved = completions[queue].observe(head: head)
      if head == completions[queue].tail {
        // The host has consumed all entries.
        completions[queue].interruptDue = .never
      } else if completions[queue].interruptDue <= now {
        raiseHeld(queue)
      } else if hasMoved {
        coalesce(queue)
      } else {
        heldInterruptDue = min(heldInterruptDue, completions[queue].interruptDue)
      }
    }
  }
}

/// An error that a doorbell write causes, as the error event has it (AEI).
/// - Source: NVM Express Base 2.1, 5.1.2.
enum DoorbellError: UInt8 {
  /// The doorbell of a queue that does not exist.
  case register = 0
  /// A value beyond the queue.
  case value = 1
}
