// SPDX-License-Identifier: Apache-2.0

/// Knows which bytes of a client's memory the server reads after a write to BAR 0.
protocol MemoryFollower {
  /// - Parameters:
  ///   - bytes: what is written.
  ///   - read: records bytes of the client's memory, and returns them; nil where it has none.
  mutating func follow(
    offset: Int, _ bytes: [UInt8], read: (_ address: UInt64, _ count: Int) -> [UInt8]?)
}

/// Follows the submission queues of an NVMe host.
struct QueueFollower: MemoryFollower {
  private struct Queue {
    var base: UInt64
    var size: UInt32
    var tail: UInt32 = 0
  }
  private var queues: [UInt32: Queue] = [:]
  private var registers = [UInt8](repeating: 0, count: 0x40)

  mutating func follow(offset: Int, _ bytes: [UInt8], read: (UInt64, Int) -> [UInt8]?) {
    if offset + bytes.count <= registers.count {
      registers.replaceSubrange(offset..<offset + bytes.count, with: bytes)
      // The controller's configuration: enabled, its queues are new.
      guard offset == 0x14 else { return }
      queues = [
        0: Queue(base: registers.wide(at: 0x28), size: (registers.word(at: 0x24) & 0xfff) + 1)
      ]
    } else if offset >= 0x1000, offset % 8 == 0 {
      rung(UInt32(offset - 0x1000) / 8, bytes.word(at: 0), read)
    }
  }

  private mutating func rung(_ number: UInt32, _ tail: UInt32, _ read: (UInt64, Int) -> [UInt8]?) {
    guard var queue = queues[number], tail < queue.size else { return }
    while queue.tail != tail {
      let address = queue.base + 64 * UInt64(queue.tail)
      queue.tail = (queue.tail + 1) % queue.size
      guard let entry = read(address, 64) else { continue }
      // Create I/O Submission Queue.
      if number == 0, entry[0] == 1 {
        let word = entry.word(at: 40)
        queues[word & 0xffff] = Queue(base: entry.wide(at: 24), size: (word >> 16) + 1)
      }
    }
    queues[number] = queue
  }
}

/// Follows the shared page of a board: its mailbox and its DMA descriptors.
/// - Source: endpoint-link.md, 3.
struct SharedPageFollower: MemoryFollower {
  private var registers = [UInt8](repeating: 0, count: 0x40)

  mutating func follow(offset: Int, _ bytes: [UInt8], read: (UInt64, Int) -> [UInt8]?) {
    guard offset + bytes.count <= registers.count else { return }
    registers.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    let page = registers.wide(at: 0x18)
    switch offset {
    case 0x20: _ = read(page + 0x100, 48)
    case 0x3c: _ = read(page + 0x200 + 64 * UInt64(bytes.word(at: 0)), 32)
    default: break
    }
  }
}

/// For a client in whose memory the server reads nothing.
struct NoFollower: MemoryFollower {
  func follow(offset: Int, _ bytes: [UInt8], read: (UInt64, Int) -> [UInt8]?) {}
}
