// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: creating and deleting queues (nvmet_pci_epf.md, 13).
@Suite struct NVMetPCIEPFQueueCommandTests {
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
