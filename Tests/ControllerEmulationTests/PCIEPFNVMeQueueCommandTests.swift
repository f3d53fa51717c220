// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `pci_epf_nvme`: creating and deleting queues (pci_epf_nvme.md, 11.1 to 11.3).
@Suite struct PCIEPFNVMeQueueCommandTests {
  // pci_epf_nvme.md, 11.1, 19.3
  @Test(
    "Create CQ decisions in their order, with five queues, 32 vectors and MQES 1023",
    arguments: [
      ("good", 1, 1, 1023, 1, 0), ("the last id", 4, 1, 31, 4, 0),
      ("CQID 0", 0, 1, 31, 0, 0x4101), ("CQID = number of queues", 5, 1, 31, 1, 0x4101),
      // pci_epf_nvme.md#noncontiguous-queue-is-invalid-queue
      ("not contiguous", 2, 0, 31, 2, 0x410c), ("QSIZE 0", 2, 1, 0, 2, 0x4102),
      ("QSIZE above MQES", 2, 1, 1024, 2, 0x4102), ("vector 32", 2, 1, 31, 32, 0x4108),
      ("the last vector", 2, 1, 31, 31, 0),
      ("id before PC", 5, 0, 31, 1, 0x4101), ("PC before size", 2, 0, 0, 2, 0x410c),
      ("size before vector", 2, 1, 0, 99, 0x4102),
    ] as [(String, UInt32, UInt32, UInt32, UInt32, UInt16)])
  func createCompletionQueue(
    _ name: String, _ id: UInt32, _ pc: UInt32, _ size: UInt32, _ vector: UInt32,
    _ status: UInt16
  ) {
    let host = PCIEPFNVMeAdminTests.host()
    let entry = Host.Entry(
      opcode: 5, prp1: host.page(16), words: [size << 16 | id, vector << 16 | 2 | pc])
    #expect(host.status(of: entry) == status)
    if status == 0 { #expect(host.status(of: entry) == 0x4101, "a second time") }
    if size > 1023 {
      #expect(host.log.last == "Create CQ 2, qsize 1024 > mqes 1023: buggy driver?")
    }
  }

  // pci_epf_nvme.md, 11.1
  @Test("the vector is checked without IEN, too; the address is not checked at all")
  func completionQueueDetails() {
    let host = PCIEPFNVMeAdminTests.host()
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0001, 32 << 16 | 1]))
        == 0x4108)
    #expect(host.status(of: .init(opcode: 5, prp1: 0x123, words: [0x001f_0001, 1])) == 0)
  }

  // pci_epf_nvme.md, 7.3
  @Test(
    "with INTx only vector 0 is taken",
    arguments: [(0, 0), (1, 0x4108)] as [(UInt32, UInt16)])
  func lineVector(_ vector: UInt32, _ status: UInt16) {
    let host = PCIEPFNVMeAdminTests.host { $0.interrupts = .intx }
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0001, vector << 16 | 3]))
        == status)
  }

  // pci_epf_nvme.md, 11.2
  @Test(
    "Create SQ decisions in their order",
    arguments: [
      ("good", 1, 1, 31, 1, 0), ("SQID 0", 0, 1, 31, 1, 0x4101),
      ("SQID beyond the number of queues", 6, 1, 31, 1, 0x4101),
      ("CQID 0", 1, 1, 31, 0, 0x4100), ("no such CQ", 1, 1, 31, 3, 0x4100),
      ("not contiguous", 1, 0, 31, 1, 0x410c), ("QSIZE 0", 1, 1, 0, 1, 0x4102),
      ("QSIZE above MQES", 1, 1, 1024, 1, 0x4102), ("SQID before CQID", 0, 1, 31, 3, 0x4101),
      ("CQID before PC", 1, 0, 31, 3, 0x4100), ("PC before size", 1, 0, 0, 1, 0x410c),
    ] as [(String, UInt32, UInt32, UInt32, UInt32, UInt16)])
  func createSubmissionQueue(
    _ name: String, _ id: UInt32, _ pc: UInt32, _ size: UInt32, _ target: UInt32,
    _ status: UInt16
  ) {
    let host = PCIEPFNVMeAdminTests.host()
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(16), words: [0x03ff_0001, 0x0001_0003])) == 0
    )
    let entry = Host.Entry(
      opcode: 1, prp1: host.page(16), words: [size << 16 | id, target << 16 | pc])
    #expect(host.status(of: entry) == status)
    if status == 0 { #expect(host.status(of: entry) == 0x4101, "a second time") }
    if size > 1023 {
      #expect(host.log.last == "Create SQ 1, qsize 1024 > mqes 1023: buggy driver?")
    }
  }

  // pci_epf_nvme.md, 11.2
  @Test("submission queues share a completion queue; priority and NVM set do not count")
  func sharing() {
    let host = PCIEPFNVMeAdminTests.host()
    #expect(host.createCompletionQueue(1) == 0)
    for id in 1...4 { #expect(host.createSubmissionQueue(id, on: 1, flags: 7) == 0, "\(id)") }
  }

  // pci_epf_nvme.md, 11.2; pci_epf_nvme.md#submission-queue-beyond-arrays
  @Test(
    "the id that passes the driver's test and is beyond its arrays is refused and diagnosed"
  )
  func beyondArrays() {
    let host = PCIEPFNVMeAdminTests.host()
    #expect(host.createCompletionQueue(1) == 0)
    #expect(host.createSubmissionQueue(5, on: 1) == 0x4101)
    #expect(host.diagnoses.map(\.fault) == ["pci_epf_nvme: queue id"])
  }

  static let deletions: [Row] = [
    Row("Delete SQ: id 0, beyond, not in use") {
      let host = PCIEPFNVMeAdminTests.host()
      for id in [0, 5, 1] as [UInt32] {
        #expect(host.status(of: .init(opcode: 0, words: [id])) == 0x4101, "\(id)")
      }
    },
    Row("Delete CQ: id 0, beyond, not in use") {
      let host = PCIEPFNVMeAdminTests.host()
      for id in [0, 5, 1] as [UInt32] {
        #expect(host.status(of: .init(opcode: 4, words: [id])) == 0x4101, "\(id)")
      }
    },
    Row("Delete SQ, then CQ; both can be made again") {
      let host = PCIEPFNVMeAdminTests.host()
      for _ in 0..<2 {
        #expect(host.makeQueues())
        #expect(host.status(of: .init(opcode: 0, words: [1])) == 0)
        #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
      }
    },
    // pci_epf_nvme.md#completion-queue-deleted-in-use
    Row("Delete CQ with an SQ: succeeds, and the queue goes on") {
      let host = PCIEPFNVMeAdminTests.host()
      #expect(host.makeQueues())
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
      #expect(host.status(of: .init(opcode: 0, words: [1])) == 0)
    },
    Row("Delete CQ with an SQ: as the spec Invalid Queue Deletion") {
      let host = PCIEPFNVMeAdminTests.host { $0.quirks.remove(.completionQueueDeletedInUse) }
      #expect(host.makeQueues())
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x410c)
    },
    Row("the number of queues includes the admin queue: with four, ids 1 to 4") {
      let host = PCIEPFNVMeAdminTests.host()
      for id in 1...4 { #expect(host.makeQueues(id)) }
      #expect(host.createCompletionQueue(5) == 0x4101)
    },
  ]

  // pci_epf_nvme.md, 11.3
  @Test("Delete", arguments: deletions)
  func delete(_ row: Row) throws { try row.check() }
}
