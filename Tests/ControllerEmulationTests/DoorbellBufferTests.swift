// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// Doorbells in the host's memory: NVM Express Base 2.1, 5.2.5 and annex B.5.
@Suite struct DoorbellBufferTests {
  /// A reference controller with one I/O queue pair of 64 entries, and its doorbells in memory.
  private struct Machine {
    let host: Host
    let shadow: UInt64
    let indexes: UInt64
    private var tail: UInt32 = 0

    init() throws {
      var model = documentedModel(.reference)
      model.offersDoorbellBuffers = true
      host = Host(model)
      host.enable()
      try #require(host.makeQueues(1, depth: 64))
      (shadow, indexes) = (host.page(), host.page())
      #expect(host.status(of: .init(opcode: 0x7c, prp1: shadow, prp2: indexes)) == 0)
    }

    func value(_ base: UInt64, _ place: UInt64) -> UInt32 {
      (try? host.memory.load(at: base + place, as: UInt32.self)) ?? .max
    }

    /// A Flush by the host's rule: the doorbell goes to memory, and to the register only when the controller wants that.
    /// - Returns: whether it was rung.
    mutating func flush() -> Bool {
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      let old = tail
      tail = (tail + 1) % 64
      try? host.memory.store(tail, at: shadow + 8)
      let event = value(indexes, 8)
      let (new16, old16) = (UInt16(tail), UInt16(old))
      guard new16 &- UInt16(truncatingIfNeeded: event) &- 1 < new16 &- old16 else { return false }
      host.ring(1)
      return true
    }

    /// So many of them, one after the other, whose entries the host leaves.
    mutating func flush(_ count: Int, nanosecondsEach: UInt64) {
      for _ in 0..<count {
        _ = flush()
        host.pass(nanoseconds: nanosecondsEach)
      }
    }

    /// The host has taken the entries before this one.
    func move(head: UInt32) throws { try host.memory.store(head, at: shadow + 12) }

    /// So many of them, whose entries the host takes at once.
    mutating func flushAndTake(_ count: Int) throws {
      flush(count, nanosecondsEach: 5_000)
      try move(head: tail)
    }

    /// The number of interrupts of the I/O queue.
    var interrupts: Int { host.interrupts.count { $0 == 1 } }
  }

  @Test("a controller reports the support, and refuses the command without it")
  func offer() throws {
    let machine = try Machine()
    let (_, data) = machine.host.identify(1)
    #expect(data[256] == 0 && data[257] == 1)
    let (_, effects) = machine.host.logPage(5, bytes: 4096)
    #expect(effects[4 * 0x7c] & 1 == 1)
    for behaviour in Behaviour.allCases {
      let other = Host(documentedModel(behaviour))
      other.enable()
      let status = other.status(of: .init(opcode: 0x7c, prp1: other.page(), prp2: other.page()))
      #expect(status.map { $0 & 0xff } == 1)
    }
  }

  @Test(
    "buffers that are not page-aligned are an invalid field",
    arguments: [(0x8004, 0x9000), (0x8000, 0x9010), (0, 0x9000), (0x8000, 0)] as [(UInt64, UInt64)])
  func misplaced(_ shadow: UInt64, _ indexes: UInt64) throws {
    let machine = try Machine()
    #expect(
      machine.host.status(of: .init(opcode: 0x7c, prp1: shadow, prp2: indexes)).map { $0 & 0xff }
        == 2)
  }

  @Test(
    "the first command writes the doorbell, those that follow immediately do not, and all complete")
  func quietWhileBusy() throws {
    var machine = try Machine()
    var rings: [Bool] = []
    for _ in 0..<10 {
      rings.append(machine.flush())
      machine.host.pass(nanoseconds: 10_000)
      #expect(machine.host.reap(1) != nil)
      // (reap rings for completions only.)
    }
    #expect(rings[0])
    #expect(rings.dropFirst().allSatisfy { !$0 })
  }

  @Test("after a pause the controller has requested a doorbell write, and sleeps")
  func ringAfterPause() throws {
    var machine = try Machine()
    let isRung = machine.flush()
    #expect(isRung)
    machine.host.pass(nanoseconds: 60_000)
    #expect(machine.value(machine.indexes, 8) == 1)
    #expect(machine.host.controller.nextWork == .never)
    let isRungAgain = machine.flush()
    #expect(isRungAgain)
    #expect(machine.host.reap(1) != nil && machine.host.reap(1) != nil)
  }

  @Test("the polling time follows the time between the host's commands")
  func adapts() throws {
    var machine = try Machine()
    var rings: [Bool] = []
    for _ in 0..<10 {
      rings.append(machine.flush())
      machine.host.pass(nanoseconds: 500_000)
      #expect(machine.host.reap(1) != nil)
    }
    // Rung at first; from then on it has been awaited.
    #expect(rings.prefix(2) == [true, true] && rings.dropFirst(2).allSatisfy { !$0 })
    // A long pause ends that.
    machine.host.pass(nanoseconds: 50_000_000)
    #expect(machine.host.controller.nextWork == .never)
    let isRung = machine.flush()
    #expect(isRung)
    machine.host.pass(nanoseconds: 200_000)
    #expect(machine.host.controller.nextWork == .never)
  }

  @Test("a host with a pending interrupt gets no second one")
  func interruptUnderWay() throws {
    var machine = try Machine()
    let before = machine.interrupts
    machine.flush(5, nanosecondsEach: 5_000)
    #expect(machine.interrupts == before + 1)
    // It takes all five: nothing is left to tell.
    for _ in 0..<5 { #expect(machine.host.reap(1) != nil) }
    try machine.move(head: 5)
    machine.host.pass(nanoseconds: 1_000_000)
    #expect(machine.interrupts == before + 1)
  }

  @Test("a host that consumes entries one at a time is interrupted for each immediately")
  func interruptForEach() throws {
    var machine = try Machine()
    let before = machine.interrupts
    for count in 1...10 {
      machine.flush(1, nanosecondsEach: 1_000)
      #expect(machine.interrupts == before + count)
      try machine.move(head: UInt32(count))
      machine.host.pass(nanoseconds: 10_000)
    }
  }

  @Test("a host that consumed four entries at once is interrupted when three more are pending")
  func interruptForSeveral() throws {
    var machine = try Machine()
    let before = machine.interrupts
    try machine.flushAndTake(4)
    machine.flush(2, nanosecondsEach: 20_000)
    #expect(machine.interrupts == before + 1)
    machine.flush(1, nanosecondsEach: 1_000)
    #expect(machine.interrupts == before + 2)
    // The fourth arrives while that interrupt is pending.
    machine.flush(1, nanosecondsEach: 1_000)
    #expect(machine.interrupts == before + 2)
  }

  @Test("a host that submits fewer than it consumed is interrupted 100 µs after the last")
  func interruptForFewer() throws {
    var machine = try Machine()
    let before = machine.interrupts
    try machine.flushAndTake(8)
    machine.flush(2, nanosecondsEach: 60_000)
    #expect(machine.interrupts == before + 1)
    machine.host.pass(nanoseconds: 99_000)
    #expect(machine.interrupts == before + 1)
    machine.host.pass(nanoseconds: 1_000)
    #expect(machine.interrupts == before + 2)
    machine.host.pass(nanoseconds: 10_000_000)
    #expect(machine.interrupts == before + 2)
    #expect(machine.host.controller.nextWork == .never)
  }

  @Test("an invalid head does not delay an interrupt further", arguments: [64, 0xffff, .max])
  func wrongHead(_ head: UInt32) throws {
    var machine = try Machine()
    machine.flush(1, nanosecondsEach: 1_000)
    let before = machine.interrupts
    try machine.move(head: head)
    machine.flush(2, nanosecondsEach: 1_000)
    machine.host.pass(nanoseconds: 100_000)
    #expect(machine.interrupts > before)
    for _ in 0..<3 { #expect(machine.host.reap(1) != nil) }
  }

  @Test("a host that consumed only some of the entries is interrupted for the rest")
  func interruptForTheRest() throws {
    var machine = try Machine()
    let before = machine.interrupts
    machine.flush(5, nanosecondsEach: 5_000)
    try machine.move(head: 2)
    machine.host.pass(nanoseconds: 1_000)
    #expect(machine.interrupts == before + 2)
  }

  @Test("a host that does not move the head is interrupted again after 100 µs")
  func interruptHold() throws {
    var machine = try Machine()
    let before = machine.interrupts
    machine.flush(2, nanosecondsEach: 1_000)
    machine.host.pass(nanoseconds: 90_000)
    #expect(machine.interrupts == before + 1)
    // Also when it looks no longer for commands.
    #expect(machine.host.controller.nextWork != .never)
    machine.host.pass(nanoseconds: 10_000)
    #expect(machine.interrupts == before + 2)
    machine.host.pass(nanoseconds: 10_000_000)
    #expect(machine.interrupts == before + 2)
    #expect(machine.host.controller.nextWork == .never)
  }

  @Test("every command of a long run through the ring completes, with or without a doorbell write")
  func wrap() throws {
    var machine = try Machine()
    var rung = 0
    for round in 0..<500 {
      if machine.flush() { rung += 1 }
      machine.host.pass(nanoseconds: round % 7 == 0 ? 3_000_000 : 5_000)
      let (_, completion) = try #require(machine.host.reap(1))
      #expect(completion.status == 0)
      // Heads, too, are in memory.
      try machine.move(head: UInt32((round + 1) % 64))
    }
    #expect(rung > 0 && rung < 250)
  }

  @Test("an invalid tail is reported once, and the register is used from then on")
  func wrongTail() throws {
    var machine = try Machine()
    let event = machine.host.submit(.init(opcode: 0x0c))
    let isRung = machine.flush()
    #expect(isRung)
    #expect(machine.host.reap(1) != nil)
    try machine.host.memory.store(UInt32(64), at: machine.shadow + 8)
    machine.host.pass(nanoseconds: 10_000)
    let (found, completion) = try #require(machine.host.reap())
    #expect(found == event && completion.result == 0x1_0100)
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
  }

  @Test("a reset of the controller drops them, and does not access the host's memory any more")
  func reset() throws {
    var machine = try Machine()
    let isRung = machine.flush()
    #expect(isRung)
    machine.host.write(0x14, 0)
    try machine.host.memory.store(UInt32(0xaaaa_aaaa), at: machine.indexes + 8)
    try machine.host.memory.store(UInt32(0xaaaa_aaaa), at: machine.shadow + 8)
    machine.host.enable()
    try #require(machine.host.makeQueues(1, depth: 64))
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    machine.host.pass(10)
    #expect(machine.value(machine.indexes, 8) == 0xaaaa_aaaa)
    #expect(machine.value(machine.shadow, 8) == 0xaaaa_aaaa)
  }

  @Test("with buffers outside the host's memory the registers are used")
  func unreachable() throws {
    let machine = try Machine()
    #expect(
      machine.host.status(of: .init(opcode: 0x7c, prp1: 1 << 40, prp2: 1 << 41)) == 0)
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
  }
}
