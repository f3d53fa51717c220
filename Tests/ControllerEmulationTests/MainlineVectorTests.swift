// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §24: the test vectors that were seen on a running kernel, as far as no section before has them.
@Suite struct MainlineVectorTests {
  static let vectors: [Row] = [
    Row("CAP, VS") {
      let host = MainlineRegisterTests.host()
      #expect(host.capabilities == 0x0000_0820_0f01_03ff)
      #expect(host.read(8) == 0x0002_0100)
    },
    Row("configuration header: ids and class") {
      let memory = HostMemory(count: 1 << 20)
      let function = NVMeFunction(
        sheetModel(.nvmetPCIEPF), memory: memory, deviceID: 0x4321, subsystemID: 0x8765)
      func word(_ offset: Int) -> UInt32 {
        function.configuration.read(offset: offset, width: .word)
      }
      #expect([word(0), word(2)] == [0x1b96, 0x4321])
      #expect(function.configuration.read(offset: 8, width: .doubleword) >> 8 == 0x01_0802)
      #expect([word(0x2c), word(0x2e)] == [0x1b97, 0x8765])
    },
    Row("CC = 0x00460001: CSTS = 1 within some 10 ms") {
      #expect(MainlineRegisterTests.host().status == 1)
    },
    Row("Identify ns 1: NSZE 131072, NSFEAT 0x32, LBADS 9, NPWG 0") {
      let bytes = MainlineRegisterTests.host().identify(0, namespace: 1).1
      #expect(Array(bytes[0..<8]) == [0, 0, 2, 0, 0, 0, 0, 0])
      #expect([bytes[24], bytes[130], bytes[64], bytes[65]] == [0x32, 9, 0, 0])
    },
    Row("Identify of a missing namespace: zeroes, success") {
      let (status, bytes) = MainlineRegisterTests.host().identify(0, namespace: 9)
      #expect(status == 0)
      #expect(bytes.allSatisfy { $0 == 0 })
    },
    Row("Set 08h, THR 3, and get: 4") {
      let host = MainlineRegisterTests.host()
      #expect(host.status(of: .init(opcode: 9, words: [8, 3])) == 0)
      #expect(host.run(.init(opcode: 0x0a, words: [8]))?.result == 4)
    },
    Row("Create SQ 2 on CQ 1, a command on SQ 2: nothing in CQ 1") {
      let host = MainlineRegisterTests.host()
      #expect(host.createCompletionQueue(1) == 0)
      #expect(host.createSubmissionQueue(2, on: 1) == 0)
      host.submit(.init(opcode: 0, namespace: 1), to: 2)
      #expect(host.reap(1) == nil)
    },
    Row("a read of 1 MiB with MDTS 512 KiB: success, the buffer untouched") {
      let host = MainlineQueueTests.host(queues: true)
      let page = host.page()
      host.fill(page, [1, 2, 3])
      let entry = Host.Entry(opcode: 2, namespace: 1, prp1: page, prp2: page, words: [0, 0, 2047])
      #expect(host.status(of: entry, on: 1) == 0)
      #expect(host.bytes(at: page, 3) == [1, 2, 3])
    },
    Row("PRP1 with offset 2: success, the buffer untouched") {
      let host = MainlineRegisterTests.host()
      let page = host.page()
      #expect(host.status(of: .init(opcode: 6, prp1: page + 2, words: [1])) == 0)
      #expect(host.bytes(at: page, 4096).allSatisfy { $0 == 0 })
    },
  ]

  @Test("§24: seen on a running kernel", arguments: vectors)
  func vector(_ row: Row) throws { try row.check() }
}
