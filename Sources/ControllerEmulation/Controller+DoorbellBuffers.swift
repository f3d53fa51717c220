// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI
internal import Synchronization

/// Doorbells of I/O queues in the host's memory: the host writes them there, and writes the doorbell registers only when the controller has
/// requested it. Only a reference controller that supports it has them.
///
/// After a command the controller polls them for a while; then it requests a doorbell write, and sleeps.
/// - Source: NVM Express Base 2.1, 5.2.5 and annex B.5.
struct DoorbellBuffers {
  /// The address of the doorbells, in the layout of the registers; one page each.
  var shadow: UInt64
  /// The address of the event indices, with the values at which a doorbell write is requested.
  var eventIndexes: UInt64
  /// Whether they are in directly accessible memory. If each access is a message, a doorbell write is cheaper than polling.
  var isMapped: Bool
  /// Whether it has requested a doorbell write.
  var isArmed = true

  /// The offset of a doorbell in both.
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
    let isMapped = memory.withBytes(at: shadow, count: Int(pageSize)) { _ in } != nil
    doorbellBuffers = DoorbellBuffers(shadow: shadow, eventIndexes: indexes, isMapped: isMapped)
    // They continue from the values of the registers.
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

  /// Writes a doorbell's shadow and event index; missing memory is ignored.
  private func publish(_ queue: Int, completion: Bool, _ value: UInt32) {
    guard let buffers = doorbellBuffers else { return }
    let offset = DoorbellBuffers.offset(queue, completion: completion)
    try? memory.store(value, at: buffers.shadow &+ offset)
    requestDoorbell(queue, completion: completion, beyond: value)
  }

  /// Requests a doorbell write when the doorbell changes from a value.
  private func requestDoorbell(_ queue: Int, completion: Bool, beyond value: UInt32) {
    guard let buffers = doorbellBuffers else { return }
    let offset = DoorbellBuffers.offset(queue, completion: completion)
    try? memory.store(value, at: buffers.eventIndexes &+ offset)
  }

  /// A doorbell in the host's memory; nil if there is none.
  @inline(__always)
  func bufferedDoorbell(_ queue: Int, completion: Bool) -> UInt32? {
    guard let buffers = doorbellBuffers, queue > 0, !submissions[queue].leavesBuffers else {
      return nil
    }
    return try? memory.load(
      at: buffers.shadow &+ DoorbellBuffers.offset(queue, completion: completion), as: UInt32.self)
  }

  /// Reads every doorbell in the host's memory; requests doorbell writes when the polling time is over.
  mutating func pollDoorbellBuffers() {
    guard let buffers = doorbellBuffers, !buffers.isArmed else { return }
    fetchBuffered()
    guard doorbellBuffers != nil, now >= polling.windowEnd || !buffers.isMapped else { return }
    for queue in submissions.indices.dropFirst() where submissions[queue].isLive {
      requestDoorbell(queue, completion: false, beyond: submissions[queue].head)
      // Free entries of a full queue require a doorbell write.
      guard !completions[queue].waiting.isEmpty else { continue }
      requestDoorbell(queue, completion: true, beyond: doorbell(completion: queue))
    }
    doorbellBuffers?.isArmed = true
    // The host reads the index after its write, so at least one side observes the other's write.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    fetchBuffered()
  }

  private mutating func fetchBuffered() {
    for queue in submissions.indices.dropFirst() where submissions[queue].isLive {
      let target = B.completionQueue(self, of: queue)
      if !completions[target].waiting.isEmpty { post(to: target) }
      guard let tail = bufferedDoorbell(queue, completion: false),
        tail & 0xffff != submissions[queue].head
      else { continue }
      atomicMemoryFence(ordering: .acquiring)
      fetch(from: queue)
    }
  }
}
