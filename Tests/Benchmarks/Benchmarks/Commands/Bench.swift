// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI

/// A reference controller with queue pairs, and a host that keeps them busy with little overhead: entries written in place, one doorbell
/// per batch.
final class Bench {
  enum Work { case flush, read(bytes: Int), write(bytes: Int) }

  let controller: any EmulatedController
  let memory: HostMemory
  private let depth: Int
  private var tails: [Int]
  private var heads: [Int]
  private var phases: [UInt32]

  private static let data: UInt64 = 64 << 20
  private static let list: UInt64 = 48 << 20

  init(_ backend: Backend, queues: Int = 1, depth: Int = 1024) {
    var model = ControllerModel(.reference)
    model.ioQueues = queues
    model.targetIOQueues = queues
    model.namespaces = [Namespace(id: 1, backend: backend)]
    model.maximumTransfer = 128 << 10
    memory = HostMemory(count: 128 << 20)
    controller = model.makeController(memory: memory)
    self.depth = depth
    tails = Array(repeating: 0, count: queues + 1)
    heads = tails
    phases = Array(repeating: 1, count: queues + 1)
    start(queues)
  }

  private func submissions(_ queue: Int) -> UInt64 { UInt64(1 + queue) << 20 }
  private func completions(_ queue: Int) -> UInt64 { UInt64(17 + queue) << 20 }

  private func register(_ offset: Int, _ value: UInt32) {
    controller.writeRegister(offset, value, at: .zero)
  }

  private func start(_ queues: Int) {
    controller.linkUp(at: .zero)
    register(0x24, 0x00ff_00ff)
    register(0x28, UInt32(submissions(0)))
    register(0x30, UInt32(completions(0)))
    register(0x14, 0x0046_0001)
    precondition(controller.readRegister(0x1c) == 1)
    for queue in 1...queues {
      let size = UInt32(depth - 1) << 16 | UInt32(queue)
      put(queue: 0, opcode: 5, words: [size, UInt32(queue) << 16 | 3], prp1: completions(queue))
      finish(queue: 0, count: 1, size: 256)
      put(queue: 0, opcode: 1, words: [size, UInt32(queue) << 16 | 1], prp1: submissions(queue))
      finish(queue: 0, count: 1, size: 256)
    }
    // A page list of 32 pages from the second on.
    for page in 1..<32 {
      try? memory.store(Self.data + UInt64(page) * 4096, at: Self.list + UInt64(page - 1) * 8)
    }
  }

  private func put(
    queue: Int, opcode: UInt32, words: [UInt32] = [], prp1: UInt64 = 0, prp2: UInt64 = 0
  ) {
    let entry = submissions(queue) + UInt64(tails[queue]) * 64
    for offset in 0..<16 { try? memory.store(UInt32(0), at: entry + UInt64(4 * offset)) }
    try? memory.store(opcode, at: entry)
    try? memory.store(UInt32(1), at: entry + 4)
    try? memory.store(prp1, at: entry + 24)
    try? memory.store(prp2, at: entry + 32)
    for (index, word) in words.enumerated() {
      try? memory.store(word, at: entry + 40 + UInt64(4 * index))
    }
    tails[queue] = (tails[queue] + 1) % (queue == 0 ? 256 : depth)
  }

  /// Fills every place of the queues with the same command, so that what is measured is the controller.
  func prepare(_ work: Work) {
    // Blocks that were never written are all one page of zeroes: what is read has been written before.
    if case .read(let bytes) = work {
      prepare(.write(bytes: bytes))
      run(queue: 1, batch: depth - 1)
    }
    for queue in 1..<tails.count {
      for _ in 0..<depth {
        switch work {
        case .flush: put(queue: queue, opcode: 0)
        case .read(let bytes), .write(let bytes):
          let opcode: UInt32 = if case .read = work { 2 } else { 1 }
          put(
            queue: queue, opcode: opcode, words: [0, 0, UInt32(bytes / 512 - 1)], prp1: Self.data,
            prp2: bytes > 8192 ? Self.list : 0)
        }
      }
    }
  }

  /// Rings for a batch and takes its completions.
  func run(queue: Int, batch: Int) {
    tails[queue] = (tails[queue] + batch) % depth
    finish(queue: queue, count: batch, size: depth)
  }

  private func finish(queue: Int, count: Int, size: Int) {
    register(0x1000 + 8 * queue, UInt32(tails[queue]))
    for _ in 0..<count {
      let last = try? memory.load(
        at: completions(queue) + UInt64(heads[queue]) * 16 + 12, as: UInt32.self)
      // New, and successful: a failing command is no measure.
      guard let last, last >> 16 == phases[queue] else {
        fatalError("queue \(queue): completion \(String(last ?? 0, radix: 16))")
      }
      heads[queue] += 1
      if heads[queue] == size {
        heads[queue] = 0
        phases[queue] ^= 1
      }
    }
    register(0x1004 + 8 * queue, UInt32(heads[queue]))
    controller.takeEffects { _ in }
  }
}
