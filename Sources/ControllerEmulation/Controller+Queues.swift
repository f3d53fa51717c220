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
    guard tail < depth else {
      if model.behaviour == .reference {
        // The queue waits for a valid value, at its register.
        setDoorbellRegister(queue, completion: false, submissions[queue].head)
        submissions[queue].leavesBuffers = true
        reportDoorbell(.value)
      } else {
        diagnose(
          // pci_epf_nvme.md, 13, Q15; nvmet_pci_epf.md, 20, Q8
          "\(model.behaviour.rawValue): tail doorbell",
          "tail doorbell \(tail) of submission queue \(queue) is beyond its \(depth) entries: the driver would fetch forever"
        )
      }
      return
    }
    guard submissions[queue].head == tail || canFetch() else { return }
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
      if model.behaviour == .nvmetPCIEPF {
        busyUntil = now + VirtualTime.Milliseconds(5000)
        keepAlive.hasSeenCommand = true
      }
      let target = completionQueue(of: queue)
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

  /// The completion queue of a submission queue.
  func completionQueue(of queue: Int) -> Int {
    // nvmet finds the completion queue by the submission queue's id.
    model.behaviour == .nvmetPCIEPF && has(.completionQueueOfSameID)
      ? queue : Int(submissions[queue].completionQueue)
  }

  // MARK: Completion

  /// Queues the completion of a command.
  mutating func complete(_ completion: Completion) {
    let queue = completionQueue(of: Int(completion.queue))
    guard queue < completions.count, completions[queue].isLive else { return }
    if model.behaviour == .reference, completions[queue].waiting.isEmpty, !isFull(queue) {
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
      if posted > 0 { decideInterrupt(queue, isLast: true) }
      return
    }
    let before = posted
    for completion in completions[queue].waiting {
      if isFull(queue) { break }
      write(completion, to: queue)
      posted += 1
      decideInterrupt(queue, isLast: false)
    }
    let isWhole = posted - before == completions[queue].waiting.count
    if isWhole || (model.behaviour == .pciEPFNVMe && has(.lostCompletions)) {
      // `pci_epf_nvme` drops completions without room.
      completions[queue].waiting.removeAll(keepingCapacity: true)
    } else {
      completions[queue].waiting.removeFirst(posted - before)
      if model.behaviour != .reference {
        completions[queue].due = now + VirtualTime.Milliseconds(1)
      }
    }
    if posted > 0 || model.behaviour == .pciEPFNVMe { decideInterrupt(queue, isLast: true) }
  }

  private func isFull(_ queue: Int) -> Bool {
    let next = completions[queue].tail + 1
    let head = doorbell(completion: queue) & 0xffff
    // Both drivers compare without the wrap, and so may overwrite the entry at the end of the queue.
    let ignoresWrap =
      switch model.behaviour {
      case .pciEPFNVMe: has(.lostCompletions)
      case .nvmetPCIEPF: has(.fullTestWithoutWrap)
      case .reference: false
      }
    return head == (next == completions[queue].depth && !ignoresWrap ? 0 : next)
  }

  private mutating func write(_ completion: Completion, to queue: Int) {
    let source = Int(completion.queue)
    let tail = completions[queue].tail
    let head = source < submissions.count ? submissions[source].head : 0
    let phase: UInt16 = completions[queue].phase ? 1 : 0
    // The last word has the phase: once it is visible, the host may read the entry.
    let address = completions[queue].address &+ UInt64(tail) &<< completions[queue].entryShift
    let middle = head | UInt32(completion.queue) << 16
    let last = UInt32(completion.commandID) | UInt32(completion.status.rawValue << 1 | phase) << 16
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

  /// Whether an entry, or the end of a batch, raises an interrupt.
  private mutating func decideInterrupt(_ queue: Int, isLast: Bool) {
    guard
      completions[queue].raisesInterrupts
        || (model.behaviour == .pciEPFNVMe && has(.interruptEnableIgnored))
    else { return }
    let slot = completions[queue].slot
    switch model.behaviour {
    // One for the batch.
    case .pciEPFNVMe: if isLast { raise(queue) }
    case .reference: if isLast { raiseOrHold(queue) }
    case .nvmetPCIEPF:
      // The admin queue, and vectors without coalescing: one each and one at the end.
      guard queue > 0, !coalescing.vectors[slot].isDisabled else { return raise(queue) }
      if isLast {
        if coalescing.vectors[slot].count > 0 { raise(queue) }
        coalescing.vectors[slot].count = 0
      } else {
        coalescing.vectors[slot].count += 1
        if coalescing.vectors[slot].count >= coalescing.threshold {
          coalescing.vectors[slot].count = 0
          raise(queue)
        }
      }
    }
  }

  /// Whether the reference controller's pin is asserted: a queue has entries that the host has not acknowledged, and vector 0 is not
  /// masked.
  /// - Source: NVM Express PCIe Transport 1.1, 3.5.1.
  var assertsPin: Bool {
    guard bar[Register.interruptMaskSet.offset / 4] & 1 == 0 else { return false }
    return completions.indices.contains { queue in
      completions[queue].isLive && completions[queue].raisesInterrupts
        && doorbell(completion: queue) & 0xffff != completions[queue].tail
    }
  }

  mutating func raise(_ queue: Int) {
    let vector = completions[queue].vector
    guard Int(vector) < model.interrupts.vectors else {
      return log(.error, "CQ[\(queue)]: Failed to raise IRQ (err=-22)")
    }
    // A mask register counts for pins and MSI only.
    if model.behaviour == .reference, case .msix = model.interrupts {
    } else if model.behaviour == .reference,
      vector < 32, bar[Register.interruptMaskSet.offset / 4] >> UInt32(vector) & 1 != 0
    {
      return
    }
    trace(.interrupt(vector: vector))
    effects.interrupts.append(vector)
  }
}

/// The index of a vector's settings.
extension Controller {
  /// The slot for a new completion queue. `nvmet_pci_epf` has as many slots as queues and assigns them in order of creation, independent of
  /// the vectors; others have one for each vector.
  mutating func takeSlot(for vector: UInt16) -> Int {
    guard model.behaviour == .nvmetPCIEPF else {
      return min(Int(vector), coalescing.vectors.count - 1)
    }
    return coalescing.take(vector)
  }

  mutating func giveSlot(of queue: Int) {
    if model.behaviour == .nvmetPCIEPF { coalescing.give(completions[queue].slot) }
  }

  /// The slot of a vector that some completion queue has.
  func slot(of vector: UInt16) -> Int? {
    completions.first { $0.isLive && $0.vector == vector }?.slot
  }
}

/// Interrupt coalescing and arbitration as features set them.
struct CoalescingState {
  struct Vector {
    /// Whose slot it is while completion queues refer to it; nvmet_pci_epf only.
    var vector: UInt16 = 0
    var references = 0
    var count = 0
    /// Interrupt Vector Configuration, CD.
    var isDisabled = false
  }

  /// Completions for an interrupt.
  var threshold = 8
  /// Arbitration burst as Get Features shows it. Queues are served one after the other, each until it is empty: since commands take no
  /// time, the burst has no visible effect.
  var burstExponent: UInt32 = 3
  var vectors: [Vector] = []

  /// nvmet_pci_epf resets both; the disabled state of a vector is kept.
  mutating func resetAtEnable() {
    threshold = 8
    burstExponent = 3
    for vector in vectors.indices { vectors[vector].count = 0 }
  }

  /// The slot in use for a vector, or a free one. There are as many as completion queues, so that one is free.
  mutating func take(_ vector: UInt16) -> Int {
    var slot = 0
    for index in vectors.indices.reversed() where vectors[index].references == 0 { slot = index }
    for index in vectors.indices
    where vectors[index].references > 0 && vectors[index].vector == vector { slot = index }
    if vectors[slot].references == 0 {
      vectors[slot].vector = vector
      vectors[slot].count = 0
    }
    vectors[slot].references += 1
    return slot
  }

  mutating func give(_ slot: Int) {
    if vectors[slot].references > 0 { vectors[slot].references -= 1 }
  }

  mutating func releaseAll() {
    for vector in vectors.indices { vectors[vector].references = 0 }
  }

  mutating func reset() {
    resetAtEnable()
    for vector in vectors.indices { vectors[vector].isDisabled = false }
  }
}
