// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: what a real host has asked a running kernel, and its answers (nvmet_pci_epf.md, 24).
@Suite struct NVMetPCIEPFVectorTests {
  static let vectors: [NVMetPCIEPFRow] = [
    NVMetPCIEPFRow("CAP and VS") { host in
      #expect(host.capabilities == 0x0000_0820_0f01_03ff)
      #expect(host.read(8) == 0x0002_0100)
    },
    NVMetPCIEPFRow("size of BAR 0, place of the MSI-X table") { host in
      #expect(host.model.bar0Size == 8192)
      #expect(host.model.msixTableOffset == 0x1400)
    },
    NVMetPCIEPFRow("CC = 0x00460001") { host in
      #expect(host.status == 1)
      #expect(host.log == ["PCI link up", "Enabling controller"])
    },
    NVMetPCIEPFRow("Identify Controller") { host in
      let (status, bytes) = host.identify(1)
      #expect(status == 0)
      #expect(bytes[77] == 7 && bytes[512] == 0x66)
      #expect(
        [(78, 2), (514, 2), (516, 4), (96, 4)].map { bytes.number($0, $1) }
          == [1, 1024, 1024, 0x40041])
    },
    NVMetPCIEPFRow("Identify of namespace 1") { host in
      let (status, bytes) = host.identify(0, namespace: 1)
      #expect(status == 0)
      #expect(bytes.number(0, 8) == 131_072 && bytes.number(64, 2) == 0)
      #expect(bytes[24] == 0x32 && bytes[130] == 9)
    },
    NVMetPCIEPFRow("Identify of a namespace that is missing") { host in
      let (status, bytes) = host.identify(0, namespace: 9)
      #expect(status == 0 && bytes.allSatisfy { $0 == 0 })
    },
    NVMetPCIEPFRow("Identify of FFFFFFFF") { host in
      #expect(host.identify(0, namespace: .max).0 == 0x600b)
      #expect(host.isHanging)
    },
    NVMetPCIEPFRow("Get Features 07") { #expect($0.getFeature(7)?.result == 0x0003_0003) },
    NVMetPCIEPFRow("Get Features 08") { #expect($0.getFeature(8)?.result == 8) },
    NVMetPCIEPFRow("Set Features 08, THR = 3") { host in
      #expect(host.setFeature(8, 3)?.status == 0)
      #expect(host.getFeature(8)?.result == 4)
    },
    NVMetPCIEPFRow("Create CQ, QSIZE 0") {
      #expect($0.createCompletionQueue(1, depth: 1) == 0x4102)
    },
    NVMetPCIEPFRow("Create CQ 1 twice") { host in
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.createCompletionQueue(1) == 0x4101)
    },
    NVMetPCIEPFRow("Create SQ 1 with CQ 0") {
      #expect($0.createSubmissionQueue(1, on: 0) == 0x4101)
    },
    NVMetPCIEPFRow("Delete CQ with SQ") { host in
      #expect(host.makeQueues(1))
      #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x4101)
    },
    NVMetPCIEPFRow("Create SQ 2 on CQ 1, a command on SQ 2") { host in
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.createSubmissionQueue(2, on: 1) == 0)
      host.submit(.init(opcode: 0, namespace: 1), to: 2)
      host.pass(50)
      #expect(host.bytes(at: host.completions(of: 1), 64).allSatisfy { $0 == 0 })
    },
    NVMetPCIEPFRow("opcode 7e") { #expect($0.status(of: .init(opcode: 0x7e)) == 0x6001) },
    NVMetPCIEPFRow("fused") { host in
      #expect(host.status(of: .init(opcode: 0x0a, flags: 1, words: [7])) == 0x6002)
    },
    NVMetPCIEPFRow("PSDT 01b") { host in
      let entry = Host.Entry(opcode: 6, flags: 0x40, prp1: host.page(), words: [1])
      #expect(host.status(of: entry) == 0x4002)
    },
    NVMetPCIEPFRow("PRP1 offset 2") { host in
      let page = host.page(2)
      #expect(host.status(of: .init(opcode: 6, prp1: page + 2, words: [1])) == 0)
      #expect(host.bytes(at: page, 8192).allSatisfy { $0 == 0 })
    },
    NVMetPCIEPFRow("a read of 1 MiB") { host in
      #expect(host.makeQueues(1))
      let page = host.page()
      host.fill(page, [1, 2, 3])
      let entry = Host.Entry(
        opcode: 2, namespace: 1, prp1: page, prp2: page, words: [0, 0, 2047])
      #expect(host.status(of: entry, on: 1) == 0)
      #expect(host.bytes(at: page, 3) == [1, 2, 3])
    },
    NVMetPCIEPFRow("11 admin commands, one at a time") { host in
      host.forgetInterrupts()
      for _ in 0..<11 { #expect(host.getFeature(7)?.status == 0) }
      #expect(host.interrupts == [UInt16](repeating: 0, count: 22))
    },
    NVMetPCIEPFRow("the host writes CSTS") { host in
      host.write(0x1c, 0xff)
      host.pass(50)
      #expect(host.status == 0xff)
      host.configure(0x0046_0000)
      #expect(host.status == 0)
    },
    NVMetPCIEPFRow("shutdown") { host in
      host.configure(0x0046_4001)
      #expect(host.status == 8)
      #expect(host.read(0x14) == 0x0046_4000)
    },
  ]

  // nvmet_pci_epf.md, 24
  @Test("test vectors", arguments: vectors)
  func vector(_ row: NVMetPCIEPFRow) throws {
    try row.act(nvmetPCIEPF())
  }

  // nvmet_pci_epf.md, 24
  @Test("the configuration header")
  func header() {
    let function = NVMeFunction(
      documentedModel(.nvmetPCIEPF), memory: HostMemory(count: 4096), deviceID: 0x1234,
      subsystemID: 0x5678)
    func read(_ offset: Int) -> UInt32 {
      function.configuration.read(offset: offset, width: .doubleword)
    }
    #expect(read(0) == 0x1234_1b96)
    #expect(read(8) >> 8 == 0x01_0802)
    #expect(read(0x2c) == 0x5678_1b97)
  }
}
