// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI

/// Fetching commands from submission queues.
extension Controller {
  /// Fetches and executes the commands of a queue, and posts completions.
  mutating func fetch(from queue: Int) {
    guard isEnabled, !hasCrashed, submissions[queue].isLive else { return }
    let tail = doorbell(submission: queue) & 0xffff
    let depth = submissions[queue].depth
    guard tail < depth else { return B.invalidTail(&self, tail, of: queue) }
    guard submissions[queue].head == tail || B.canFetch(&self) else { return }
    let first = submissions[queue].head
    var used: UInt64 = 0
    while submissions[queue].isLive, isEnabled, !hasCrashed, submissions[queue].head != tail {
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
}
