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
  /// Whether they are in memory that is reached at once. Where a look is a message, being rung costs less than looking.
  var isNear: Bool
  /// Whether it has asked to be rung.
  var isArmed = true

  /// Where a doorbell is in both.
  static func offset(_ queue: Int, completion: Bool) -> UInt64 {
    UInt64(8 * queue + (completion ? 4 : 0))
  }
}

extension Controller {
  /// Doorbell Buffer Config.
  mutating func configureDoorbellBuffers(_ command: SubmissionEntry) -> Outcome {
    let (shadow, indexes) = (command.prp1, command.prp2)
    guard shadow % pageSize == 0, indexes % pageSize == 0, shadow != 0, indexes != 0 else {
      return .failure(.invalidField)
    }
    let isNear = memory.withBytes(at: shadow, count: Int(pageSize)) { _ in } != nil
    doorbellBuffers = DoorbellBuffers(shadow: shadow, eventIndexes: indexes, isNear: isNear)
    // They go on where the real ones stand.
    for queue in submissions.indices.dropFirst() {
      submissions[queue].leavesBuffers = false
      publish(queue, completion: false, doorbellRegister(queue, completion: false))
      publish(queue, completion: true, doorbellRegister(queue, completion: true))
    }
    return .success
  }

  /// A queue begins with a doorbell of zero.
  mutating func clearBufferedDoorbell(_ queue: Int) {
    guard doorbellBuffers != nil, queue > 0 else { return }
    publish(queue, completion: false, 0)
  }

  /// Writes a doorbell's shadow and event index; memory that is not there takes nothing.
  private func publish(_ queue: Int, completion: Bool, _ value: UInt32) {
    guard let buffers = doorbellBuffers else { return }
    let offset = DoorbellBuffers.offset(queue, completion: completion)
    try? memory.store(value, at: buffers.shadow &+ offset)
    askToBeRung(queue, completion: completion, beyond: value)
  }

  /// Wants a doorbell rung when it moves on from a value.
  private func askToBeRung(_ queue: Int, completion: Bool, beyond value: UInt32) {
    guard let buffers = doorbellBuffers else { return }
    let offset = DoorbellBuffers.offset(queue, completion: completion)
    try? memory.store(value, at: buffers.eventIndexes &+ offset)
  }

  /// A doorbell in the host's memory; nil when there is none.
  @inline(__always)
  func bufferedDoorbell(_ queue: Int, completion: Bool) -> UInt32? {
    guard let buffers = doorbellBuffers, queue > 0, !submissions[queue].leavesBuffers else {
      return nil
    }
    return try? memory.load(
      at: buffers.shadow &+ DoorbellBuffers.offset(queue, completion: completion), as: UInt32.self)
  }

  /// Looks at every doorbell in the host's memory; asks to be rung when the time for looking is over.
  mutating func lookAtDoorbellBuffers() {
    guard let buffers = doorbellBuffers, !buffers.isArmed else { return }
    fetchBuffered()
    guard doorbellBuffers != nil, now >= polling.windowEnd || !buffers.isNear else { return }
    for queue in submissions.indices.dropFirst() where submissions[queue].isLive {
      askToBeRung(queue, completion: false, beyond: submissions[queue].head)
      // Room in a full queue is worth a ring.
      guard !completions[queue].waiting.isEmpty else { continue }
      askToBeRung(queue, completion: true, beyond: doorbell(completion: queue))
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
