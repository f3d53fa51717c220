// SPDX-License-Identifier: Apache-2.0
import Histogram
import LibC
import NVMe
import PCI
import Synchronization
import VFIOUser

/// A host that does nothing but read as fast as it can: entries that are written once, doorbells by stores, completions by looking.
final class PollingHost {
  struct Failure: Error { var message: String }

  static let diskBytes = 64 << 20

  private let client: Client
  private let shared: SharedMemory
  private let doorbells: MappedRegion
  private let interrupt: Client.Event

  // Where things are in the host's memory.
  private static let submissions = (admin: 0x1_0000, io: 0x2_0000)
  private static let completions = (admin: 0x1_8000, io: 0x6_0000)
  private static let data = 1 << 20
  private static let depth = 1024

  /// Of the admin queue and the I/O queue.
  private var tail = [0, 0]
  private var head = [0, 0]
  private var phase: [UInt32] = [1, 1]
  /// When the command in each place was sent.
  private var sent = [UInt64](repeating: 0, count: depth)

  init(connectingTo socket: String) throws {
    guard let shared = SharedMemory(count: 64 << 20), let interrupt = Client.Event() else {
      throw Failure(message: "no memory")
    }
    client = try Client(connectingTo: socket, memory: HostMemory())
    try client.map(shared, at: 0)
    guard let doorbells = try client.map(region: 0) else {
      throw Failure(message: "the doorbells cannot be mapped: serve --reference --mapped-doorbells")
    }
    (self.shared, self.doorbells, self.interrupt) = (shared, doorbells, interrupt)
  }

  // MARK: Bringing it up

  func start() throws {
    try client.write(region: 7, offset: 4, [6, 0])
    try client.setEvents([interrupt], index: 2, start: 1)
    try enableMSIX()
    try setRegister(.adminQueueAttributes, 63 << 16 | 63)
    try setRegister(.adminSubmissionQueue, UInt32(Self.submissions.admin))
    try setRegister(.adminCompletionQueue, UInt32(Self.completions.admin))
    try setRegister(.configuration, 0x0046_0001)
    while try client.read(region: 0, offset: UInt64(Register.status.offset), count: 4)[0] & 1 == 0 {
      usleep(100)
    }
    let size = UInt32(Self.depth - 1) << 16 | 1
    try runAdmin(5, Self.completions.io, [size, 1 << 16 | 3])
    try runAdmin(1, Self.submissions.io, [size, 1 << 16 | 1])
  }

  private func enableMSIX() throws {
    let space = try client.read(region: 7, offset: 0, count: 256)
    var place = Int(space[0x34])
    while place != 0, space[place] != 0x11 { place = Int(space[place + 1]) }
    guard place != 0 else { throw Failure(message: "no MSI-X") }
    try client.write(
      region: 7, offset: UInt64(place + 2), [space[place + 2], space[place + 3] | 0x80])
  }

  private func setRegister(_ register: Register, _ value: UInt32) throws {
    try client.write(
      region: 0, offset: UInt64(register.offset),
      (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
  }

  private func runAdmin(_ opcode: UInt32, _ prp: Int, _ words: [UInt32]) throws {
    put(Self.submissions.admin, tail[0], opcode, prp, words)
    tail[0] = (tail[0] + 1) % 64
    ring(0, completion: false, tail[0])
    while !isNext(0) {}
    try take(0, Self.completions.admin, depth: 64)
    ring(0, completion: true, head[0])
  }

  private func put(_ queue: Int, _ place: Int, _ opcode: UInt32, _ prp: Int, _ words: [UInt32]) {
    let entry = queue + 64 * place
    for offset in 0..<16 { store(0, at: entry + 4 * offset) }
    store(opcode | UInt32(place) << 16, at: entry)
    store(1, at: entry + 4)
    store(UInt32(prp), at: entry + 24)
    for (index, word) in words.enumerated() { store(word, at: entry + 40 + 4 * index) }
  }

  private func store(_ value: UInt32, at offset: Int) {
    shared.bytes.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
  }

  /// Writes the disk and leaves reads of so many bytes in all places of the queue, of blocks all over it.
  func prepare(bytes: Int) throws {
    for offset in 0..<128 << 10 {
      shared.bytes[Self.data + offset] = UInt8(truncatingIfNeeded: offset &* 31)
    }
    fill(opcode: 1, bytes: 4096)
    for _ in 0..<Self.diskBytes / 4096 / Self.depth + 1 {
      for _ in 0..<Self.depth / 32 {
        submit(32)
        var done = 0
        while done < 32 { done += try reap { _ in } }
      }
    }
    fill(opcode: 2, bytes: bytes)
  }

  private func fill(opcode: UInt32, bytes: Int) {
    let blocks = UInt32(bytes / 512)
    for place in 0..<Self.depth {
      // Prime to the disk's size: all over it.
      let block = UInt32(place * 127 % (Self.diskBytes / bytes)) * blocks
      put(
        Self.submissions.io, place, opcode, Self.data + bytes * (place % 32),
        [block, 0, blocks - 1])
    }
  }

  // MARK: Reading

  /// Keeps so many reads under way.
  /// - Returns: reads a second.
  func pollReads(
    depth: Int, nanoseconds: UInt64, into histogram: inout Histogram<UInt64>
  ) throws -> Double {
    let begin = monotonic()
    var now = begin
    var (submitted, done) = (0, 0)
    func stamp(_ count: Int) {
      for index in 0..<count { sent[(tail[1] + index) % Self.depth] = now }
    }
    stamp(depth)
    submit(depth)
    submitted = depth
    while done < submitted {
      guard isNext(1) else { continue }
      // Once a batch: reading the clock takes as long as a good part of a command.
      now = monotonic()
      let taken = try reap { place in histogram.record(now - sent[place]) }
      done += taken
      guard now - begin < nanoseconds else { continue }
      stamp(taken)
      submit(taken)
      submitted += taken
    }
    return Double(done) * 1e9 / Double(monotonic() - begin)
  }

  /// Sends one read after the other and sleeps until its interrupt.
  /// - Returns: reads a second.
  func awaitReads(nanoseconds: UInt64, into histogram: inout Histogram<UInt64>) throws -> Double {
    _ = interrupt.take()
    let begin = monotonic()
    var now = begin
    var done = 0
    while now - begin < nanoseconds {
      submit(1)
      var taken = 0
      while taken == 0 {
        guard interrupt.wait(milliseconds: 1000) else { throw Failure(message: "no interrupt") }
        _ = interrupt.take()
        taken = try reap { _ in }
      }
      done += 1
      let end = monotonic()
      histogram.record(end - now)
      now = end
    }
    return Double(done) * 1e9 / Double(now - begin)
  }

  private func submit(_ count: Int) {
    tail[1] = (tail[1] + count) % Self.depth
    ring(1, completion: false, tail[1])
  }

  /// Takes what has completed.
  private func reap(_ body: (_ place: Int) -> Void) throws -> Int {
    var count = 0
    while isNext(1) {
      body(try take(1, Self.completions.io, depth: Self.depth))
      count += 1
    }
    if count > 0 { ring(1, completion: true, head[1]) }
    return count
  }

  /// Whether the next place of a completion queue has an entry.
  private func isNext(_ queue: Int) -> Bool {
    let base = queue == 0 ? Self.completions.admin : Self.completions.io
    return last(base + 16 * head[queue]) >> 16 & 1 == phase[queue]
  }

  /// An entry's last word, which is written last.
  private func last(_ entry: Int) -> UInt32 {
    let value = shared.bytes.load(fromByteOffset: entry + 12, as: UInt32.self)
    // Later loads are not executed before it.
    atomicMemoryFence(ordering: .acquiring)
    return value
  }

  /// - Returns: the place of the command.
  @discardableResult
  private func take(_ queue: Int, _ base: Int, depth: Int) throws -> Int {
    let word = last(base + 16 * head[queue])
    guard word >> 17 == 0 else {
      throw Failure(message: "queue \(queue): status 0x\(String(word >> 17, radix: 16))")
    }
    head[queue] += 1
    if head[queue] == depth {
      head[queue] = 0
      phase[queue] ^= 1
    }
    return Int(word & 0xffff)
  }

  private func ring(_ queue: Int, completion: Bool, _ value: Int) {
    let offset = Register.doorbells + 8 * queue + (completion ? 4 : 0)
    _ = doorbells.store(UInt32(value), at: UInt64(offset))
  }
}
