// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: fetching, completing, interrupts (nvmet_pci_epf.md, 9, 10).
@Suite struct NVMetPCIEPFQueueTests {
  private static var flush: Host.Entry { Host.Entry(opcode: 0, namespace: 1) }

  // MARK: nvmet_pci_epf.md, 9

  // nvmet_pci_epf.md, 9
  @Test(
    "submission",
    arguments: [
      NVMetPCIEPFRow("16 bits of the tail doorbell count") { host in
        host.submitSilently(flush, to: 1)
        host.write(0x1008, 0x0001_0001)
        #expect(host.reap(1)?.1.status == 0)
      },
      // nvmet_pci_epf.md#doorbell-beyond-queue-loops
      NVMetPCIEPFRow("a tail beyond the queue is diagnosed, and nothing is executed") { host in
        host.submitSilently(flush, to: 1)
        host.write(0x1008, 64)
        host.pass(20)
        #expect(host.diagnoses.map(\.fault).contains("nvmet_pci_epf: tail doorbell"))
        #expect(host.number(at: host.completions(of: 1)) == 0)
        #expect(host.interrupts.last == 0)
      },
      NVMetPCIEPFRow("SQHD is the head when the completion is posted") { host in
        for _ in 0..<3 { host.submitSilently(flush, to: 1) }
        host.ring(1)
        for _ in 0..<3 { #expect(host.reap(1)?.1.submissionHead == 3) }
        host.submit(flush, to: 1)
        #expect(host.reap(1)?.1.submissionHead == 4)
      },
      NVMetPCIEPFRow("a queue goes round") { host in
        for _ in 0..<200 { #expect(host.status(of: flush, on: 1) == 0) }
      },
      NVMetPCIEPFRow("all queues are served") { host in
        #expect(host.makeQueues(2) && host.makeQueues(3))
        for queue in 1...3 { host.submitSilently(flush, to: queue) }
        for queue in [3, 2, 1] { host.ring(queue) }
        for queue in 1...3 { #expect(host.reap(queue)?.1.queue == UInt16(queue)) }
      },
      NVMetPCIEPFRow("more than a burst of commands is served") { host in
        for _ in 0..<40 { host.submitSilently(flush, to: 1) }
        host.ring(1)
        host.pass(5)
        for _ in 0..<40 { #expect(host.reap(1)?.1.status == 0) }
      },
    ])
  func submission(_ row: NVMetPCIEPFRow) throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1))
    try row.act(host)
  }

  // nvmet_pci_epf.md, 9
  @Test("a fetch that fails is retried until the memory is mapped")
  func fetchRetry() throws {
    let host = nvmetPCIEPF()
    let address: UInt64 = 1 << 32
    let completions = host.page()
    #expect(
      host.status(of: .init(opcode: 5, prp1: completions, words: [0x001f_0001, 0x0001_0003])) == 0)
    #expect(
      host.status(of: .init(opcode: 1, prp1: address, words: [0x001f_0001, 0x0001_0001])) == 0)
    host.write(0x1008, 1)
    host.pass(100)
    #expect(host.number(at: completions + 8) == 0)
    try host.memory.add(at: address, count: 4096)
    // A flush of namespace 1.
    try host.memory.store(UInt32(0x0042_0000), at: address)
    try host.memory.store(UInt32(1), at: address + 4)
    host.pass(20)
    #expect(host.number(at: completions + 8) == 0x0001_0042_0001_0001)
  }

  // nvmet_pci_epf.md, 9
  @Test("polled continuously until 5 s have passed without a command, then every 5 ms")
  func polling() {
    let host = nvmetPCIEPF()
    #expect(host.getFeature(7)?.status == 0)
    /// Whether the completion of a slot is there.
    func isPosted(_ slot: UInt64) -> Bool {
      host.number(at: host.completions(of: 0) + 16 * slot + 8) != 0
    }
    host.pass(4900)
    host.submit(.init(opcode: 0x0a, words: [7]))
    #expect(isPosted(1), "at once")
    host.pass(5100)
    host.submit(.init(opcode: 0x0a, words: [7]))
    #expect(!isPosted(2), "not before its tick")
    host.pass(5)
    #expect(isPosted(2))
  }

  // nvmet_pci_epf.md, 9
  @Test("after enable, the first poll is within 5 ms")
  func firstPoll() {
    let host = nvmetPCIEPF()
    host.submit(.init(opcode: 0x0a, words: [7]))
    host.pass(5)
    #expect(host.number(at: host.completions(of: 0) + 8) != 0)
  }

  // MARK: nvmet_pci_epf.md, 10: completions

  // nvmet_pci_epf.md, 10
  @Test("an entry has the result, SQHD, SQID, CID, and a phase that begins with 1 and turns")
  func entry() throws {
    let host = nvmetPCIEPF()
    for round in 0..<3 {
      for slot in 0..<Int(Host.adminDepth) {
        let id = host.submit(.init(opcode: 0x0a, words: [7]))
        host.pass(5)
        let address = host.completions(of: 0) + UInt64(16 * slot)
        let head = (slot + 1) % Int(Host.adminDepth)
        #expect(host.number(at: address) == 0x0003_0003)
        #expect(host.number(at: address + 8, 4) == UInt64(head))
        #expect(
          host.number(at: address + 12, 4) == UInt64(id) | UInt64(round % 2 == 0 ? 1 << 16 : 0))
        _ = try #require(host.reap())
      }
    }
  }

  // nvmet_pci_epf.md, 10; nvmet_pci_epf.md#completion-queue-of-same-id
  @Test(
    "a completion goes to the queue of the submission queue's id; as the spec, to its own",
    arguments: [true, false])
  func sameID(_ isSame: Bool) {
    let host = nvmetPCIEPF(without: isSame ? nil : .completionQueueOfSameID)
    #expect(host.makeQueues(1))
    #expect(host.createSubmissionQueue(2, on: 1) == 0)
    host.submit(Self.flush, to: 2)
    #expect(host.reap(1)?.1.queue == (isSame ? nil : 2))
    // With a queue of the same number, the completion is in it.
    #expect(host.createCompletionQueue(3) == 0)
    #expect(host.createSubmissionQueue(3, on: 1) == 0)
    host.submit(Self.flush, to: 3)
    #expect(host.reap(isSame ? 3 : 1)?.1.queue == 3)
  }

  /// A completion queue of 4 entries behind a submission queue of 64.
  private func smallQueue(_ quirk: Quirk? = nil) -> (Host, UInt64) {
    let host = nvmetPCIEPF(without: quirk)
    #expect(host.createCompletionQueue(1, depth: 4) == 0)
    #expect(host.createSubmissionQueue(1, on: 1) == 0)
    return (host, host.completions(of: 1))
  }

  /// The ids that are in the completion queue's memory.
  private func ids(_ host: Host, _ address: UInt64) -> [UInt64] {
    (0..<4).map { host.number(at: address + UInt64(16 * $0) + 12, 2) }
  }

  // nvmet_pci_epf.md, 10; nvmet_pci_epf.md#full-test-without-wrap
  @Test(
    "without the wrap, a full queue with head 0 is not found full; as the spec, entries wait",
    arguments: [true, false])
  func overwritten(_ isQuirk: Bool) throws {
    let (host, address) = smallQueue(isQuirk ? nil : .fullTestWithoutWrap)
    // The submission queue is where createSubmissionQueue has put it: entries by hand, ids 1 to 6.
    let submissions = try #require(host.submissions(of: 1))
    for id in 0..<6 {
      try host.memory.store(UInt32(id + 1) << 16, at: submissions + UInt64(64 * id))
      try host.memory.store(UInt32(1), at: submissions + UInt64(64 * id) + 4)
    }
    host.write(0x1008, 6)
    host.pass(20)
    #expect(ids(host, address) == (isQuirk ? [5, 6, 3, 4] : [1, 2, 3, 0]))
    host.write(0x100c, 3)
    host.pass(1)
    if !isQuirk { #expect(ids(host, address) == [5, 6, 3, 4]) }
  }

  // nvmet_pci_epf.md, 10
  @Test("elsewhere a full queue is found; it is tried again each millisecond")
  func full() throws {
    let (host, address) = smallQueue()
    let submissions = try #require(host.submissions(of: 1))
    for id in 0..<6 {
      try host.memory.store(UInt32(id + 1) << 16, at: submissions + UInt64(64 * id))
      try host.memory.store(UInt32(1), at: submissions + UInt64(64 * id) + 4)
    }
    // Head 2: entries 0 and 1 seem to be the host's.
    host.write(0x100c, 2)
    host.write(0x1008, 6)
    host.pass(20)
    #expect(ids(host, address) == [1, 0, 0, 0])
    host.write(0x100c, 3)
    #expect(ids(host, address) == [1, 0, 0, 0], "not before its tick")
    host.pass(1)
    #expect(ids(host, address) == [1, 2, 0, 0])
  }

  // MARK: nvmet_pci_epf.md, 10: interrupts

  struct Interrupts: Sendable, CustomTestStringConvertible {
    var testDescription: String { "\(count) \(isAdmin ? "admin" : "I/O") completions, \(setting)" }
    var isAdmin = false
    var setting: String
    /// Set Features before: identifier and value.
    var feature: (UInt32, UInt32)?
    var count: Int
    var interrupts: Int
  }

  static let runs: [Interrupts] =
    [(1, 2), (2, 3), (11, 12)].map {
      Interrupts(isAdmin: true, setting: "one each and one at the end", count: $0, interrupts: $1)
    }
    + [(1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (20, 3)].map {
      Interrupts(setting: "every eighth and at the end", count: $0, interrupts: $1)
    }
    + [(1, 2), (8, 9), (20, 21)].map {
      Interrupts(
        setting: "coalescing disabled", feature: (9, 0x1_0001), count: $0, interrupts: $1)
    }
    + [(1, 1), (3, 2), (4, 2), (5, 3)].map {
      Interrupts(setting: "threshold 2", feature: (8, 1), count: $0, interrupts: $1)
    }
    + [(20, 1)].map {
      Interrupts(setting: "threshold 256", feature: (8, 0xff), count: $0, interrupts: $1)
    }

  // nvmet_pci_epf.md, 10
  @Test("interrupts of a run of completions", arguments: runs)
  func interrupts(_ row: Interrupts) throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1))
    if let (feature, value) = row.feature {
      #expect(host.setFeature(feature, value)?.status == 0)
    }
    host.pass(20)
    host.forgetInterrupts()
    let queue = row.isAdmin ? 0 : 1
    for _ in 0..<row.count {
      host.submitSilently(
        row.isAdmin ? .init(opcode: 0x0a, words: [7]) : Self.flush, to: queue)
    }
    host.ring(queue)
    host.pass(20)
    #expect(host.interrupts == [UInt16](repeating: UInt16(queue), count: row.interrupts))
  }

  // nvmet_pci_epf.md, 10
  @Test("a queue without IEN raises none")
  func interruptsDisabled() throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1, interrupts: false))
    host.forgetInterrupts()
    #expect(host.status(of: Self.flush, on: 1) == 0)
    #expect(host.interrupts.isEmpty)
  }

  // nvmet_pci_epf.md, 10; nvmet_pci_epf.md#vector-not-checked
  @Test(
    "any vector is taken, and raising it fails; as the spec, it is refused",
    arguments: [8, 9, 1000, 0xffff] as [UInt32])
  func badVector(_ vector: UInt32) throws {
    let host = nvmetPCIEPF()
    #expect(host.createCompletionQueue(2, vector: vector) == 0)
    #expect(host.createSubmissionQueue(2, on: 2) == 0)
    host.forgetInterrupts()
    #expect(host.status(of: Self.flush, on: 2) == 0)
    #expect(host.interrupts.isEmpty)
    #expect(host.log.last == "CQ[2]: Failed to raise IRQ (err=-22)")
    // Its settings are there all the same.
    #expect(host.setFeature(9, 0x1_0000 | vector)?.status == 0)
    #expect(host.getFeature(9, vector)?.result == UInt64(0x1_0000 | vector))
    let withoutQuirk = nvmetPCIEPF(without: .vectorNotChecked)
    #expect(withoutQuirk.createCompletionQueue(2, vector: vector) == 0x4108)
  }

  // nvmet_pci_epf.md, 10
  @Test("settings belong to a slot: the next queue has them, independent of its vector")
  func slots() {
    let host = nvmetPCIEPF()
    #expect(host.createCompletionQueue(1, vector: 1) == 0)
    #expect(host.setFeature(9, 0x1_0001)?.status == 0)
    #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
    #expect(host.getFeature(9, 1)?.status == 0x4002)
    #expect(host.createCompletionQueue(1, vector: 5) == 0)
    #expect(host.getFeature(9, 5)?.result == 0x1_0005)
    // Two queues of one vector share it, and the one that stays keeps it.
    #expect(host.createCompletionQueue(2, vector: 5) == 0)
    #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
    #expect(host.getFeature(9, 5)?.result == 0x1_0005)
    #expect(host.createCompletionQueue(3, vector: 6) == 0)
    #expect(host.getFeature(9, 6)?.result == 6)
  }

  /// Hears the pin.
  private final class Machine: HostInterface {
    let memory = HostMemory(count: 1 << 20)
    var levels: [Bool] = []
    func intx(asserted: Bool) { levels.append(asserted) }
    func interrupt(vector: Int) { levels = [] }
  }

  // nvmet_pci_epf.md, 10
  @Test("a host that has enabled neither MSI nor MSI-X hears INTx, each time as a pulse")
  func pin() {
    let machine = Machine()
    let function = NVMeFunction(
      documentedModel(.nvmetPCIEPF), memory: machine.memory, deviceID: 1)
    function.host = machine
    // Memory space and bus master.
    function.writeConfiguration(offset: 4, width: .word, value: 6)
    function.linkUp()
    func write(_ offset: UInt64, _ value: UInt32) {
      withUnsafeBytes(of: value.littleEndian) { function.writeBAR(0, offset: offset, from: $0) }
    }
    for (offset, value) in [
      (0x24, 0x000f_000f), (0x28, 0x1_0000), (0x30, 0x2_0000), (0x14, 0x0046_0001),
    ] as [(UInt64, UInt32)] { write(offset, value) }
    function.advance(to: .init(nanoseconds: 20_000_000))
    // An entry of zeroes is Delete SQ 0: it fails, and that is a completion.
    write(0x1000, 1)
    function.advance(to: .init(nanoseconds: 40_000_000))
    #expect(machine.levels == [true, false, true, false])
  }
}
