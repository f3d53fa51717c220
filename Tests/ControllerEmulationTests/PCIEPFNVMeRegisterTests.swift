// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `pci_epf_nvme`: the registers, at the beginning, field by field, and what writes to them do (pci_epf_nvme.md, 9).
@Suite struct PCIEPFNVMeRegisterTests {
  /// The controller with its link up, not enabled.
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    var model = documentedModel(.pciEPFNVMe)
    model.interrupts = .msix(vectors: 32)
    change(&model)
    let host = Host(model)
    host.controller.linkUp(at: .zero)
    host.drain()
    return host
  }

  static let initial: [(String, Int, UInt32)] = [
    ("CAP low", 0x00, 0x0f01_03ff), ("CAP high", 0x04, 0x0000_0820), ("VS", 0x08, 0x0001_0300),
    ("INTMS", 0x0c, 0), ("INTMC", 0x10, 0),
    ("CC: the fabrics host's, without EN", 0x14, 0x0046_0060),
    ("CSTS", 0x1c, 0), ("NSSR", 0x20, 0), ("AQA", 0x24, 0), ("ASQ low", 0x28, 0),
    ("ASQ high", 0x2c, 0), ("ACQ low", 0x30, 0), ("ACQ high", 0x34, 0), ("CMBLOC", 0x38, 0),
    ("CMBSZ", 0x3c, 0), ("BPINFO", 0x40, 0), ("BPRSEL", 0x44, 0), ("BPMBL", 0x48, 0),
    ("PMRCAP", 0xe00, 0), ("PMRCTL", 0xe04, 0), ("PMRSTS", 0xe08, 0),
    ("SQ 0 tail doorbell", 0x1000, 0), ("CQ 0 head doorbell", 0x1004, 0),
    ("SQ 15 tail doorbell", 0x1078, 0), ("CQ 15 head doorbell", 0x107c, 0),
  ]

  // pci_epf_nvme.md, 9.1
  @Test("initial values", arguments: initial)
  func initialValue(_ name: String, _ offset: Int, _ value: UInt32) {
    #expect(Self.host().read(offset) == value)
  }

  // pci_epf_nvme.md, 9.1
  @Test("the driver resets values written before link_up")
  func linkUp() {
    let host = Self.host()
    for offset in [0x00, 0x04, 0x08, 0x14, 0x1c] { host.write(offset, 0x0ee0_0000) }
    host.controller.linkDown(at: host.controller.now)
    host.controller.linkUp(at: host.controller.now)
    host.drain()
    for (name, offset, value) in Self.initial where [0, 4, 8, 0x14, 0x1c].contains(offset) {
      #expect(host.read(offset) == value, "\(name)")
    }
  }

  // pci_epf_nvme.md, 9.1
  @Test("the doorbells of a queue are zero when it is created")
  func doorbells() {
    let host = Self.host()
    host.enable()
    host.write(0x1008, 7)
    host.write(0x100c, 7)
    #expect(host.makeQueues())
    #expect(host.read(0x1008) == 0)
    #expect(host.read(0x100c) == 0)
  }

  // pci_epf_nvme.md, 9.1
  @Test(
    "MQES follows the target port's largest queue",
    arguments: [(16, 15), (128, 127), (1024, 1023)])
  func queueEntries(_ entries: Int, _ field: UInt64) {
    let host = Self.host { $0.maximumQueueEntries = entries }
    #expect(host.bits(host.capabilities, 0...15) == field)
  }

  // pci_epf_nvme.md, 9.1
  @Test(
    "VS is the target's", arguments: [0x0001_0300, 0x0002_0100] as [UInt32])
  func version(_ version: UInt32) {
    #expect(Self.host { $0.version = version }.read(8) == version)
  }

  // pci_epf_nvme.md, 9.2
  @Test(
    "CAP field by field",
    arguments: [
      ("MQES", 0...15, 1023), ("CQR, forced to 1", 16...16, 1), ("AMS", 17...18, 0),
      ("TO", 24...31, 15), ("DSTRD, forced to 0", 32...35, 0), ("NSSRS, forced to 0", 36...36, 0),
      ("CSS: NVM and I/O command sets", 37...44, 0x41), ("BPS, forced to 0", 45...45, 0),
      ("CPS", 46...47, 0), ("MPSMIN", 48...51, 0), ("MPSMAX", 52...55, 0),
      ("PMRS, forced to 0", 56...56, 0), ("CMBS, forced to 0", 57...57, 0), ("NSSS", 58...58, 0),
      ("CRMS", 59...60, 0),
    ] as [(String, ClosedRange<Int>, UInt64)])
  func capability(_ name: String, _ bits: ClosedRange<Int>, _ value: UInt64) {
    let host = Self.host()
    #expect(host.bits(host.capabilities, bits) == value)
  }

  static let behaviours: [Row] = [
    Row("INTMS masks nothing") {
      let host = Self.host { $0.interrupts = .msi(vectors: 8) }
      host.enable()
      host.write(0x0c, 0xffff_ffff)
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
      #expect(host.interrupts == [0])
    },
    Row("NSSR resets nothing") {
      let host = Self.host()
      host.enable()
      host.write(0x20, 0x4e56_4d65)
      host.pass(20)
      #expect(host.status == 1)
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    },
    Row("CC: the driver clears EN and SHN bit 14 when it disables, and keeps the rest") {
      let host = Self.host()
      host.enable()
      host.write(0x14, 0x0046_c061)
      host.pass(6)
      #expect(host.read(0x14) == 0x0046_8060, "bit 15 stays as it was")
    },
    Row("CC: other bits are just recorded") {
      let host = Self.host()
      host.enable()
      host.write(0x14, 0x0046_0071)
      host.pass(20)
      #expect(host.status == 1)
      #expect(host.read(0x14) == 0x0046_0071)
    },
    Row("CSTS: CFS and SHST = 01b never") {
      let host = Self.host()
      host.enable()
      var seen: Set<UInt32> = []
      for value in [0x0046_4001, 0x0046_0001, 0x0046_8001, 0x0046_0000, 0x0000_0001] as [UInt32] {
        host.write(0x14, value)
        for _ in 0..<10 {
          host.pass(1)
          seen.insert(host.status)
        }
      }
      #expect(seen.isSubset(of: [0, 1, 8, 9]), "\(seen)")
    },
    Row("AQA: read once at enable") {
      let host = Self.host()
      host.enable()
      host.write(0x24, 0)
      for _ in 0..<40 { #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0) }
    },
    Row("AQA: 0 gives queues of one entry, which can carry no command") {
      let host = Self.host()
      host.write(0x24, 0)
      host.write(0x28, 0x8000)
      host.write(0x30, 0x9000)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      #expect(host.status == 1)
      host.fill(0x8000, [0x0a, 0, 1, 0])
      host.write(0x1000, 0)
      host.pass(50)
      #expect(host.bytes(at: 0x9000, 16).allSatisfy { $0 == 0 })
    },
    Row("ASQ and ACQ: the low twelve bits do not count") {
      let host = Self.host()
      host.write(0x24, 0x001f_001f)
      host.write(0x28, 0x8abc)
      host.write(0x30, 0x9abc)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      host.fill(0x8000, [0x18, 0, 1, 0])
      host.write(0x1000, 1)
      host.pass(50)
      #expect(host.bytes(at: 0x900c, 4)[0] == 1, "the completion is at the page's start")
    },
  ]

  // pci_epf_nvme.md, 9.3
  @Test("handling of the other registers", arguments: behaviours)
  func behaviour(_ row: Row) throws { try row.check() }

  // pci_epf_nvme.md, 7.2; pci_epf_nvme.md#whole-bar-writable
  @Test(
    "a write to a read-only register stays until the driver writes it; as the spec it is dropped",
    arguments: [0x00, 0x04, 0x08, 0x1c], [true, false])
  func readOnly(_ offset: Int, _ isTaken: Bool) {
    let host = Self.host { if !isTaken { $0.quirks.remove(.wholeBARWritable) } }
    let before = host.read(offset)
    host.write(offset, 0x1234_5678)
    #expect(host.read(offset) == (isTaken ? 0x1234_5678 : before))
  }

  // pci_epf_nvme.md, 7.2
  @Test(
    "the size of BAR 0 by the number of vectors",
    arguments: [
      (0, 8192), (4, 8192), (32, 8192), (246, 8192), (247, 16384), (1024, 32768), (2048, 65536),
    ])
  func barSize(_ vectors: Int, _ size: Int) {
    var model = documentedModel(.pciEPFNVMe)
    model.interrupts = vectors == 0 ? .intx : .msix(vectors: vectors)
    #expect(model.bar0Size == size)
    #expect(model.msixTableOffset == 0x1080)
  }
}
