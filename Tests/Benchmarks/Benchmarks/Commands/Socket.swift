// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import ServedHost
import VFIOUser

/// A served controller: its registers are behind a socket, its host's memory is mapped on both sides.
final class SocketPath: RegisterPath {
  private let machine: ServedMachine
  private let client: Client
  private let shared: SharedMemory
  private let event: Client.Event
  let memory: HostMemory
  /// Completions are looked for after an interrupt only.
  private let isInterrupted: Bool

  struct NoMemory: Error {}

  init(isInterrupted: Bool, personality: Personality = .strict) throws {
    machine = try ServedMachine(personality) {
      $0.ioQueues = 1
      $0.targetIOQueues = 1
      $0.maximumTransfer = 128 << 10
    }
    guard let shared = SharedMemory(count: Bench.memoryCount), let event = Client.Event() else {
      throw NoMemory()
    }
    (self.shared, self.event, self.isInterrupted) = (shared, event, isInterrupted)
    memory = HostMemory()
    try memory.add(at: 0, backing: shared.bytes)
    client = try Client(connectingTo: machine.socket, memory: memory)
    try client.map(shared, at: 0)
    for vector in 0...1 { try client.setEvents([event], index: 2, start: vector) }
    // Memory space and bus master, then MSI-X.
    try client.write(region: 7, offset: 4, [6, 0])
    var next = try client.read(region: 7, offset: 0x34, count: 1)[0]
    while next != 0 {
      let capability = try client.read(region: 7, offset: UInt64(next), count: 4)
      if capability[0] == 0x11 {
        try client.write(
          region: 7, offset: UInt64(next) + 2, [capability[2], capability[3] | 0x80])
      }
      next = capability[1]
    }
  }

  func write(_ offset: Int, _ value: UInt32) {
    let bytes = (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
    do {
      try client.write(region: 0, offset: UInt64(offset), bytes, isPosted: true)
    } catch { fatalError("register \(offset): \(error)") }
  }

  var status: UInt32 {
    // A controller may take its time to become ready.
    for _ in 0..<100_000 {
      if let bytes = try? client.read(region: 0, offset: 0x1c, count: 4), bytes[0] & 1 == 1 {
        return 1
      }
    }
    return 0
  }

  var isRemote: Bool { true }

  func awaitCompletion() {
    while isInterrupted, event.take() == 0 {}
  }

  func settle() {}
}
