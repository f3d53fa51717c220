// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI
internal import Synchronization

/// Doorbells of I/O queues in the host's memory: the host writes them there, and rings the real ones only when the controller has asked for
/// that. Only a strict controller that offers it has them.
///
/// After a command the controller looks at them by itself for a while; then it asks to be rung, and sleeps.
/// - Source: NVM Express Base 2.1, 5.2.5 and annex B.5.
struct DoorbellBuffers {
  /// Where the doorbells are, in the layout of the real ones; a page each.
  var shadow: UInt64
  /// Where the controller says which value it wants to be rung for.
  var eventIndexes: UInt64
  /// The controller looks at the buffers by itself until then.
  var pollsUntil = VirtualTime.zero
  /// Whether it has asked to be rung.
  var isArmed = true

  /// How long it looks after a command; about what waking a sleeping server costs.
  static let pollNanoseconds: UInt64 = 50_000
}

extension Controller {
  /// Doorbell Buffer Config.
  mutating func configureDoorbellBuffers(_ command: SubmissionEntry) -> Outcome {
    let (shadow, indexes) = (command.prp1, command.prp2)
    guard shadow % pageSize == 0, indexes % pageSize == 0, shadow != 0, indexes != 0 else {
      return .failure(.invalidField)
    }
    doorbellBuffers = DoorbellBuffers(shadow: shadow, eventIndexes: indexes)
    // They go on where the real ones stand.
    for queue in submissions.indices.dropFirst() {
      submissions[queue].leavesBuffers = false
      publish(0x1000 + 8 * queue, bar[(Register.doorbells + 8 * queue) / 4])
      publish(0x1000 + 8 * queue + 4, bar[(Register.doorbells + 8 * queue + 4) / 4])
    }
    return .success
  }

  /// A queue begins with doorbells of zero.
  mutating func clearDoorbellBuffers(of queue: Int) {
    guard doorbellBuffers != nil, queue > 0 else { return }
    publish(0x1000 + 8 * queue, 0)
  }

  /// Writes a doorbell's shadow and event index; memory that is not there takes nothing.
  private func publish(_ offset: Int, _ value: UInt32) {
    guard let buffers = doorbellBuffers else { return }
    let place = UInt64(offset - Register.doorbells)
    try? memory.store(value, at: buffers.shadow &+ place)
    try? memory.store(value, at: buffers.eventIndexes &+ place)
  }

  /// A doorbell in the host's memory; nil when there is none.
  @inline(__always)
  func bufferedDoorbell(_ queue: Int, completion: Bool) -> UInt32? {
    guard let buffers = doorbellBuffers, queue > 0, !submissions[queue].leavesBuffers else {
      return nil
    }
    return try? memory.load(
      at: buffers.shadow &+ UInt64(8 * queue + (completion ? 4 : 0)), as: UInt32.self)
  }

  /// The host is at work: its doorbells are looked at for a while.
  mutating func beginPolling() {
    guard doorbellBuffers != nil else { return }
    doorbellBuffers?.isArmed = false
    doorbellBuffers?.pollsUntil = VirtualTime(
      nanoseconds: now.nanoseconds &+ DoorbellBuffers.pollNanoseconds)
  }

  /// When the buffers are looked at next by itself.
  var buffersDue: VirtualTime {
    guard let buffers = doorbellBuffers, !buffers.isArmed else { return .never }
    return buffers.pollsUntil
  }

  /// Looks at every doorbell in the host's memory; asks to be rung when the time for looking is over.
  mutating func pollDoorbellBuffers() {
    guard let buffers = doorbellBuffers, !buffers.isArmed else { return }
    fetchBuffered()
    guard let pollsUntil = doorbellBuffers?.pollsUntil, now >= pollsUntil else { return }
    for queue in submissions.indices.dropFirst() where submissions[queue].isLive {
      try? memory.store(
        submissions[queue].head, at: buffers.eventIndexes &+ UInt64(8 * queue))
      // Room in a full queue is worth a ring.
      guard !completions[queue].waiting.isEmpty else { continue }
      try? memory.store(
        doorbell(completion: queue), at: buffers.eventIndexes &+ UInt64(8 * queue + 4))
    }
    doorbellBuffers?.isArmed = true
    // The host reads the index behind its own write: one of the two sees the other.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    fetchBuffered()
  }

  private mutating func fetchBuffered() {
    for queue in submissions.indices.dropFirst() where submissions[queue].isLive {
      let target = completionQueue(of: queue)
      if !completions[target].waiting.isEmpty { post(to: target) }
      guard let tail = bufferedDoorbell(queue, completion: false),
        tail & 0xffff != submissions[queue].head
      else { continue }
      atomicMemoryFence(ordering: .acquiring)
      fetch(from: queue)
    }
  }
}
