// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §9, §10 and §13: submission and completion queues, interrupts, creation and deletion.
@Suite struct MainlineQueueTests {
  static func host(
    queues: Bool = false, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Host {
    let host = MainlineRegisterTests.host(change)
    if queues { #expect(host.makeQueues()) }
    return host
  }

  private static func flush(_ host: Host, _ count: Int, on queue: Int = 1) {
    for _ in 0..<count { host.submitSilently(.init(opcode: 0, namespace: 1), to: queue) }
    host.ring(queue)
    host.pass(20)
  }

  // MARK: §9

  static let submission: [Row] = [
    Row("all queues are polled") {
      let host = Self.host()
      for id in 1...4 { #expect(host.makeQueues(id)) }
      for id in 1...4 { host.submit(.init(opcode: 0, namespace: 1), to: id) }
      for id in 1...4 { #expect(host.reap(id)?.1.status == 0) }
    },
    Row("more than a burst of 8 is served") {
      let host = Self.host(queues: true)
      Self.flush(host, 40)
      for _ in 0..<40 { #expect(host.reap(1)?.1.status == 0) }
    },
    Row("the tail is cut to 16 bits") {
      let host = Self.host(queues: true)
      host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
      host.write(0x1008, 0x7654_0001)
      #expect(host.reap(1)?.1.status == 0)
    },
    Row("Q8: a tail beyond the queue is diagnosed") {
      let host = Self.host(queues: true)
      host.write(0x1008, 64)
      host.pass(50)
      #expect(Set(host.diagnoses.map(\.row)) == ["nvmet_pci_epf Q8"])
    },
    Row("a fetch that fails is tried again for ever, and others go on") {
      let host = Self.host()
      #expect(host.createCompletionQueue(1) == 0)
      #expect(
        host.status(
          of: .init(opcode: 1, prp1: 0x7fff_ffff_0000, words: [0x001f_0001, 0x0001_0001])) == 0)
      host.write(0x1008, 1)
      host.pass(50)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    },
    Row("idle for more than 5 s: a look every 5 ms") {
      let host = Self.host(queues: true)
      host.pass(10_000)
      host.forgetInterrupts()
      host.submit(.init(opcode: 0x0a, words: [7]))
      host.pass(5)
      #expect(!host.interrupts.isEmpty)
    },
  ]

  @Test("§9: submission queues", arguments: submission)
  func submit(_ row: Row) throws { try row.check() }

  // MARK: §10

  static let completion: [Row] = [
    Row("the fields: SQHD, SQID, CID, phase from 1") {
      let host = Self.host(queues: true)
      for index in 1...5 as ClosedRange<UInt16> {
        let id = host.submit(.init(opcode: 0, namespace: 1), to: 1)
        let end = host.reap(1)
        #expect(end?.id == id)
        #expect(end?.1.submissionHead == index)
        #expect(end?.1.queue == 1)
      }
    },
    Row("the phase toggles with each pass") {
      let host = Self.host()
      #expect(host.makeQueues(depth: 3))
      for _ in 0..<20 { #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0) }
    },
    Row("full: tried again every millisecond, nothing is lost") {
      let host = Self.host()
      #expect(host.createCompletionQueue(1, depth: 4) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      // Three find room; more than four would meet Q9.
      for _ in 0..<4 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
      host.ring(1)
      for _ in 0..<4 { #expect(host.reap(1)?.1.status == 0) }
    },
    Row("Q9: at the queue's end it is not found full, and an entry is overwritten") {
      for ignoresWrap in [true, false] {
        let host = Self.host { if !ignoresWrap { $0.quirks.remove(.fullTestWithoutWrap) } }
        #expect(host.createCompletionQueue(1, depth: 4) == 0)
        #expect(host.createSubmissionQueue(1, on: 1) == 0)
        Self.flush(host, 5)
        var ended = 0
        while host.reap(1) != nil { ended += 1 }
        #expect((ended < 5) == ignoresWrap, "\(ended)")
      }
    },
    Row(
      "Q3: a completion goes to the queue of the submission queue's id; as the spec to the one named"
    ) {
      for isSameID in [true, false] {
        let host = Self.host { if !isSameID { $0.quirks.remove(.completionQueueOfSameID) } }
        #expect(host.createCompletionQueue(1) == 0)
        #expect(host.createSubmissionQueue(2, on: 1) == 0)
        host.submit(.init(opcode: 0, namespace: 1), to: 2)
        host.pass(50)
        #expect((host.reap(1) == nil) == isSameID)
      }
    },
  ]

  @Test("§10: completion queues", arguments: completion)
  func complete(_ row: Row) throws { try row.check() }

  static let interrupts: [Row] = [
    Row("admin: N + 1 for a run of N") {
      let host = Self.host()
      host.forgetInterrupts()
      for _ in 0..<5 { host.submitSilently(.init(opcode: 0x0a, words: [7]), to: 0) }
      host.ring(0)
      host.pass(20)
      #expect(host.interrupts == [UInt16](repeating: 0, count: 6))
    },
    Row("admin, one at a time: two for each") {
      let host = Self.host()
      host.forgetInterrupts()
      for _ in 0..<11 { #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0) }
      #expect(host.interrupts == [UInt16](repeating: 0, count: 22))
    },
    Row("I/O, coalescing disabled for its vector: N + 1") {
      let host = Self.host(queues: true)
      #expect(host.status(of: .init(opcode: 9, words: [9, 1 << 16 | 1])) == 0)
      host.forgetInterrupts()
      Self.flush(host, 20)
      #expect(host.interrupts == [UInt16](repeating: 1, count: 21))
    },
    Row("I/O: every eighth, and one forced at the end") {
      let host = Self.host(queues: true)
      host.forgetInterrupts()
      Self.flush(host, 20)
      #expect(host.interrupts == [1, 1, 1])
    },
    Row("I/O: none forced when the counter is 0") {
      let host = Self.host(queues: true)
      host.forgetInterrupts()
      Self.flush(host, 16)
      #expect(host.interrupts == [1, 1])
    },
    Row("the threshold is the feature's") {
      let host = Self.host(queues: true)
      #expect(host.status(of: .init(opcode: 9, words: [8, 3])) == 0)
      host.forgetInterrupts()
      Self.flush(host, 8)
      #expect(host.interrupts == [1, 1])
    },
    Row("IEN is honoured") {
      let host = Self.host()
      #expect(host.makeQueues(interrupts: false))
      host.forgetInterrupts()
      Self.flush(host, 20)
      #expect(host.interrupts == [])
    },
    Row("Q14: a vector that there is not: a line for the interrupt") {
      let host = Self.host()
      #expect(host.createCompletionQueue(1, vector: 99) == 0)
      #expect(host.createSubmissionQueue(1, on: 1) == 0)
      host.forgetInterrupts()
      Self.flush(host, 1)
      #expect(host.interrupts == [])
      #expect(host.log.contains { $0.contains("Failed to raise IRQ (err=") })
    },
  ]

  @Test("§10: interrupts", arguments: interrupts)
  func interrupt(_ row: Row) throws { try row.check() }

  // MARK: §13

  struct Creation: Sendable, CustomTestStringConvertible {
    var name: String
    var id: UInt32
    var target: UInt32 = 1
    var size: UInt32 = 31
    var flags: UInt32 = 3
    var status: UInt16
    var line: String?
    var testDescription: String { name }
  }

  static let completionQueues: [Creation] = [
    Creation(name: "good", id: 2, status: 0),
    Creation(name: "CQID 0", id: 0, status: 0x4101),
    Creation(name: "CQID beyond max_qid", id: 5, status: 0x4101),
    Creation(name: "CQID that exists", id: 1, status: 0x4101),
    Creation(name: "QSIZE 0", id: 2, size: 0, status: 0x4102),
    Creation(name: "QSIZE above MQES", id: 2, size: 1024, status: 0x4102),
    Creation(name: "PC = 0", id: 2, flags: 2, status: 0x410c),
    Creation(name: "id before size", id: 0, size: 0, status: 0x4101),
    Creation(name: "size before PC", id: 2, size: 0, flags: 2, status: 0x4102),
    Creation(name: "a vector that there is not, Q14", id: 2, target: 999, status: 0),
  ]

  @Test("§13: Create CQ, in the order of the checks", arguments: completionQueues)
  func createCompletionQueue(_ row: Creation) {
    let host = Self.host()
    #expect(host.createCompletionQueue(1) == 0)
    let entry = Host.Entry(
      opcode: 5, prp1: host.page(16),
      words: [row.size << 16 | row.id, row.target << 16 | row.flags])
    #expect(host.status(of: entry) == row.status)
  }

  static let submissionQueues: [Creation] = [
    Creation(name: "good", id: 2, flags: 1, status: 0),
    Creation(name: "SQID 0", id: 0, flags: 1, status: 0x4101),
    Creation(name: "SQID beyond max_qid", id: 5, flags: 1, status: 0x4101),
    Creation(name: "SQID that exists", id: 1, flags: 1, status: 0x4101),
    Creation(
      name: "CQID 0", id: 2, target: 0, flags: 1, status: 0x4101,
      line: "nvmet: SQ 2: Invalid CQID 0"),
    Creation(
      name: "CQID beyond max_qid", id: 2, target: 5, flags: 1, status: 0x4101,
      line: "nvmet: SQ 2: Invalid CQID 5"),
    Creation(
      name: "CQID that is missing", id: 2, target: 3, flags: 1, status: 0x4101,
      line: "nvmet: SQ 2: Invalid CQID 3"),
    Creation(name: "QSIZE 0", id: 2, size: 0, flags: 1, status: 0x4102),
    Creation(name: "QSIZE above MQES", id: 2, size: 1024, flags: 1, status: 0x4102),
    Creation(name: "PC = 0", id: 2, flags: 0, status: 0x410c),
    Creation(name: "QPRIO is taken as given", id: 2, flags: 7, status: 0),
  ]

  @Test("§13: Create SQ, in the order of the checks", arguments: submissionQueues)
  func createSubmissionQueue(_ row: Creation) {
    let host = Self.host()
    #expect(host.makeQueues())
    let entry = Host.Entry(
      opcode: 1, prp1: host.page(16),
      words: [row.size << 16 | row.id, row.target << 16 | row.flags])
    #expect(host.status(of: entry) == row.status)
    if let line = row.line { #expect(host.log.contains(line)) }
  }

  static let deletions: [Row] = [
    Row("SQ: id 0, beyond max_qid, missing") {
      let host = Self.host()
      for id in [0, 5, 1] as [UInt32] {
        #expect(host.status(of: .init(opcode: 0, words: [id])) == 0x4101, "\(id)")
      }
    },
    Row("CQ: id 0, beyond max_qid, missing") {
      let host = Self.host()
      for id in [0, 5, 1] as [UInt32] {
        #expect(host.status(of: .init(opcode: 4, words: [id])) == 0x4101, "\(id)")
      }
    },
    Row("CQ that an SQ refers to") {
      let host = Self.host(queues: true)
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x4101)
      #expect(host.status(of: .init(opcode: 0, words: [1])) == 0)
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
      #expect(host.makeQueues(), "the ids are free again")
    },
  ]

  @Test("§13: Delete", arguments: deletions)
  func delete(_ row: Row) throws { try row.check() }

  @Test(
    "§13, Q4: an id beyond the driver's arrays is refused and diagnosed",
    arguments: [1, 5] as [UInt8])
  func beyondArrays(_ opcode: UInt8) {
    let host = Self.host(queues: true) { $0.targetIOQueues = 8 }
    let entry = Host.Entry(
      opcode: opcode, prp1: host.page(), words: [0x001f_0006, 1 << 16 | 1])
    #expect(host.status(of: entry) == 0x4101)
    #expect(host.diagnoses.map(\.row) == ["nvmet_pci_epf Q4"])
  }
}
