// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` of Linux 7.2: fetching, completing, interrupts, creating and deleting queues (nvmet_pci_epf.md, 9, 10, 13).
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
      sheetModel(.nvmetPCIEPF), memory: machine.memory, deviceID: 1)
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

  // MARK: nvmet_pci_epf.md, 13

  struct Command: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Queues that are there: completion queues, and submission queues on the one with their id.
    var completions: [Int] = []
    var submissions: [Int] = []
    var opcode: UInt8
    var word10: UInt32
    var word11: UInt32 = 0
    var status: UInt16
    var log: String?
  }

  static let completionQueues: [Command] = [
    Command(testDescription: "CQ", opcode: 5, word10: 0x001f_0001, word11: 3, status: 0),
    Command(
      testDescription: "CQ of max_qid and MQES", opcode: 5, word10: 0x03ff_0004, word11: 3,
      status: 0),
    Command(
      testDescription: "CQ of two entries", opcode: 5, word10: 0x0001_0001, word11: 3, status: 0),
    Command(
      testDescription: "CQ without interrupts", opcode: 5, word10: 0x001f_0001, word11: 1,
      status: 0),
    Command(
      testDescription: "CQID 0", opcode: 5, word10: 0x001f_0000, word11: 3, status: 0x4101),
    Command(
      testDescription: "CQID > max_qid", opcode: 5, word10: 0x001f_0005, word11: 3,
      status: 0x4101),
    Command(
      testDescription: "CQID exists", completions: [1], opcode: 5, word10: 0x001f_0001, word11: 3,
      status: 0x4101),
    Command(testDescription: "QSIZE 0", opcode: 5, word10: 1, word11: 3, status: 0x4102),
    Command(
      testDescription: "QSIZE > MQES", opcode: 5, word10: 0x0400_0001, word11: 3, status: 0x4102),
    Command(testDescription: "PC 0", opcode: 5, word10: 0x001f_0001, word11: 2, status: 0x410c),
    Command(
      testDescription: "the id comes before the size", opcode: 5, word10: 5, word11: 2,
      status: 0x4101),
    Command(
      testDescription: "existence comes before the size", completions: [1], opcode: 5, word10: 1,
      word11: 2, status: 0x4101),
    Command(
      testDescription: "the size comes before PC", opcode: 5, word10: 1, word11: 2, status: 0x4102),
  ]

  static let submissionQueues: [Command] = [
    Command(
      testDescription: "SQ", completions: [1], opcode: 1, word10: 0x001f_0001,
      word11: 0x0001_0001, status: 0),
    Command(
      testDescription: "SQ on another CQ", completions: [1], opcode: 1, word10: 0x03ff_0004,
      word11: 0x0001_0001, status: 0),
    Command(
      testDescription: "SQ of any priority", completions: [1], opcode: 1, word10: 0x001f_0001,
      word11: 0x0001_0007, status: 0),
    Command(
      testDescription: "SQID 0", completions: [1], opcode: 1, word10: 0x001f_0000,
      word11: 0x0001_0001, status: 0x4101),
    Command(
      testDescription: "SQID > max_qid", completions: [1], opcode: 1, word10: 0x001f_0005,
      word11: 0x0001_0001, status: 0x4101),
    Command(
      testDescription: "SQID exists", completions: [1], submissions: [1], opcode: 1,
      word10: 0x001f_0001, word11: 0x0001_0001, status: 0x4101),
    Command(
      testDescription: "CQID 0", opcode: 1, word10: 0x001f_0001, word11: 1, status: 0x4101,
      log: "nvmet: SQ 1: Invalid CQID 0"),
    Command(
      testDescription: "CQID > max_qid", opcode: 1, word10: 0x001f_0001, word11: 0x0005_0001,
      status: 0x4101, log: "nvmet: SQ 1: Invalid CQID 5"),
    Command(
      testDescription: "CQID missing", completions: [1], opcode: 1, word10: 0x001f_0001,
      word11: 0x0002_0001, status: 0x4101, log: "nvmet: SQ 1: Invalid CQID 2"),
    Command(
      testDescription: "QSIZE 0", completions: [1], opcode: 1, word10: 1, word11: 0x0001_0001,
      status: 0x4102),
    Command(
      testDescription: "QSIZE > MQES", completions: [1], opcode: 1, word10: 0x0400_0001,
      word11: 0x0001_0001, status: 0x4102),
    Command(
      testDescription: "PC 0", completions: [1], opcode: 1, word10: 0x001f_0001,
      word11: 0x0001_0000, status: 0x410c),
    Command(
      testDescription: "the CQ comes before the size", opcode: 1, word10: 1, word11: 0x0001_0000,
      status: 0x4101, log: "nvmet: SQ 1: Invalid CQID 1"),
    Command(
      testDescription: "the size comes before PC", completions: [1], opcode: 1, word10: 1,
      word11: 0x0001_0000, status: 0x4102),
  ]

  static let deletions: [Command] = [
    Command(
      testDescription: "SQ", completions: [1], submissions: [1], opcode: 0, word10: 1, status: 0),
    Command(testDescription: "SQ 0", opcode: 0, word10: 0, status: 0x4101),
    Command(testDescription: "SQ > max_qid", opcode: 0, word10: 5, status: 0x4101),
    Command(
      testDescription: "SQ missing", completions: [1], opcode: 0, word10: 1, status: 0x4101),
    Command(testDescription: "CQ", completions: [1], opcode: 4, word10: 1, status: 0),
    Command(testDescription: "CQ 0", opcode: 4, word10: 0, status: 0x4101),
    Command(testDescription: "CQ > max_qid", opcode: 4, word10: 5, status: 0x4101),
    Command(testDescription: "CQ missing", opcode: 4, word10: 1, status: 0x4101),
    Command(
      testDescription: "CQ in use", completions: [1], submissions: [1], opcode: 4, word10: 1,
      status: 0x4101),
  ]

  // nvmet_pci_epf.md, 13
  @Test(
    "create and delete, with their checks in order",
    arguments: completionQueues + submissionQueues + deletions)
  func queue(_ row: Command) {
    let host = nvmetPCIEPF()
    for id in row.completions { #expect(host.createCompletionQueue(id) == 0) }
    for id in row.submissions { #expect(host.createSubmissionQueue(id, on: id) == 0) }
    let lines = host.log.count
    let entry = Host.Entry(
      opcode: row.opcode, prp1: host.page(4), words: [row.word10, row.word11])
    #expect(host.status(of: entry) == row.status)
    var log: [String] = []
    if let line = row.log { log.append(line) }
    if row.status != 0 {
      log.append(
        "CQ[0]: Command Admin Cmd (0x\(row.opcode)) status 0x\(String(row.status, radix: 16))")
    }
    #expect(Array(host.log.dropFirst(lines)) == log)
    #expect(host.diagnoses.isEmpty)
  }

  // nvmet_pci_epf.md, 13
  @Test("a completion queue in use stays; without its submission queue it goes")
  func deletionInOrder() {
    let host = nvmetPCIEPF()
    #expect(host.makeQueues())
    let statuses = [(4, 0x4101), (0, 0), (4, 0), (4, 0x4101)] as [(UInt8, UInt16)]
    for (opcode, status) in statuses {
      #expect(host.status(of: .init(opcode: opcode, words: [1])) == status)
    }
    #expect(host.makeQueues())
  }

  // nvmet_pci_epf.md, 13
  @Test("a queue's address is used as it is")
  func address() throws {
    let host = nvmetPCIEPF()
    let (completions, submissions) = (host.page() + 0x40, host.page() + 0x80)
    #expect(
      host.status(of: .init(opcode: 5, prp1: completions, words: [0x001f_0001, 0x0001_0003])) == 0)
    #expect(
      host.status(of: .init(opcode: 1, prp1: submissions, words: [0x001f_0001, 0x0001_0001])) == 0)
    try host.memory.store(UInt32(0x0007_0000), at: submissions)
    try host.memory.store(UInt32(1), at: submissions + 4)
    host.write(0x1008, 1)
    host.pass(20)
    #expect(host.number(at: completions + 8) == 0x0001_0007_0001_0001)
  }

  // nvmet_pci_epf.md, 13
  @Test(
    "a completion queue needs a window, and has to fit it",
    arguments: [
      (1, 1 << 16, 64, 0x4006, "Failed to map CQ 1 (err=-12)"),
      (2, 4096, 512, 0x4006, "Invalid partial mapping of queue 1"), (2, 4096, 256, 0, nil),
    ] as [(Int, UInt64, UInt32, UInt16, String?)])
  func mapping(_ count: Int, _ size: UInt64, _ depth: UInt32, _ status: UInt16, _ line: String?) {
    let host = nvmetPCIEPF { $0.windows = OutboundWindows(count: count, size: size) }
    #expect(host.createCompletionQueue(1, depth: depth) == status)
    if let line { #expect(host.log.contains(line)) }
  }

  // nvmet_pci_epf.md, 13; nvmet_pci_epf.md#queue-id-beyond-arrays
  @Test(
    "ids between the driver's queues and max_qid are refused and diagnosed, not followed",
    arguments: [5, 6, 8] as [UInt32])
  func beyondArrays(_ id: UInt32) {
    let host = nvmetPCIEPF { $0.targetIOQueues = 8 }
    // The host may ask for them: this is what it is told.
    #expect(host.getFeature(7)?.result == 0x0007_0007)
    #expect(host.makeQueues(1))
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0000 | id, 3])) == 0x4101)
    #expect(
      host.status(of: .init(opcode: 1, prp1: host.page(), words: [0x001f_0000 | id, 0x0001_0001]))
        == 0x4101)
    #expect(host.diagnoses.map(\.fault) == ["nvmet_pci_epf: queue id", "nvmet_pci_epf: queue id"])
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0009, 3])) == 0x4101)
    #expect(host.diagnoses.count == 2, "beyond max_qid the core says it")
  }
}
