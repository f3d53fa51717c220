// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import NVMe
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` of Linux 7.2: admin commands, features, log pages and events (nvmet_pci_epf.md, 14, 16, 17, 18).
@Suite struct NVMetPCIEPFAdminTests {
  // MARK: nvmet_pci_epf.md, 14

  struct Command: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var opcode: UInt8
    var flags: UInt8 = 0
    var namespace: UInt32 = 0
    var words: [UInt32] = []
    /// CC; MPS 1 makes a core that is not ready.
    var configuration: UInt32 = 0x0046_0001
    var status: UInt16
    var result: UInt64 = 0
  }

  static let checks: [Command] = [
    Command(testDescription: "FUSE 01b", opcode: 0x0a, flags: 1, words: [7], status: 0x6002),
    Command(testDescription: "FUSE 10b", opcode: 0x0a, flags: 2, words: [7], status: 0x6002),
    Command(
      testDescription: "FUSE comes before fabrics", opcode: 0x7f, flags: 1, namespace: 1,
      status: 0x6002),
    Command(
      testDescription: "FUSE comes before readiness", opcode: 6, flags: 1, words: [1],
      configuration: 0x0046_0081, status: 0x6002),
    Command(
      testDescription: "Property Get of CAP", opcode: 0x7f, namespace: 4, words: [1, 0],
      status: 0, result: 0x0000_0820_0f01_03ff),
    Command(
      testDescription: "Property Get of VS", opcode: 0x7f, namespace: 4, words: [0, 8], status: 0,
      result: 0x0002_0100),
    Command(
      testDescription: "Property Get of CC", opcode: 0x7f, namespace: 4, words: [0, 0x14],
      status: 0, result: 0x0046_0001),
    Command(
      testDescription: "Property Get of 4 bytes of CAP", opcode: 0x7f, namespace: 4,
      words: [0, 0], status: 0x6002),
    Command(
      testDescription: "Property Get of AQA", opcode: 0x7f, namespace: 4, words: [0, 0x24],
      status: 0x6002),
    Command(
      testDescription: "Property Set of CAP", opcode: 0x7f, namespace: 0, words: [1, 0],
      status: 0x6002),
    Command(
      testDescription: "Authentication Send", opcode: 0x7f, namespace: 5, status: 0x6002),
    Command(
      testDescription: "Authentication Receive", opcode: 0x7f, namespace: 6, status: 0x6002),
    Command(testDescription: "Connect", opcode: 0x7f, namespace: 1, status: 0x6001),
    Command(testDescription: "Disconnect", opcode: 0x7f, namespace: 8, status: 0x6001),
    Command(
      testDescription: "fabrics comes before readiness", opcode: 0x7f, namespace: 1,
      configuration: 0x0046_0081, status: 0x6001),
    Command(
      testDescription: "readiness comes before PSDT", opcode: 6, flags: 0x40, words: [1],
      configuration: 0x0046_0081, status: 0x400c),
    Command(
      testDescription: "PSDT 01b", opcode: 6, flags: 0x40, words: [1], status: 0x4002),
    Command(
      testDescription: "PSDT 10b", opcode: 6, flags: 0x80, words: [1], status: 0x4002),
    Command(
      testDescription: "PSDT 11b, even without data", opcode: 0x0a, flags: 0xc0, words: [7],
      status: 0x4002),
    Command(
      testDescription: "PSDT comes before the opcode", opcode: 0x7e, flags: 0x40, status: 0x4002),
    Command(testDescription: "an opcode that is none", opcode: 0x7e, status: 0x6001),
  ]

  @Test(
    "a kernel without CONFIG_NVME_TARGET_AUTH does not know the authentication commands",
    arguments: [5, 6] as [UInt32])
  func noAuthentication(kind: UInt32) throws {
    var model = sheetModel(.nvmetPCIEPF)
    model.hasAuthentication = false
    let host = Host(model)
    host.enable()
    #expect(host.status(of: .init(opcode: 0x7f, namespace: kind)) == 0x6001)
  }

  // nvmet_pci_epf.md, 14
  @Test("the order of checks", arguments: checks)
  func order(_ row: Command) {
    let host = nvmetPCIEPF(configuration: row.configuration)
    let completion = host.run(
      .init(
        opcode: row.opcode, flags: row.flags, namespace: row.namespace, prp1: host.page(),
        words: row.words))
    #expect(completion?.status == row.status)
    #expect(completion?.result == row.result)
    if row.status != 0 {
      #expect(
        host.log.last?.hasSuffix("status 0x\(String(row.status, radix: 16))") == true,
        "\(host.log)")
    }
  }

  // nvmet_pci_epf.md, 12; nvmet_pci_epf.md#transfer-failure-succeeds
  @Test(
    "admin data where a pointer cannot be followed: 0 and nothing moved; as the spec, it fails",
    arguments: [true, false])
  func hiddenFailure(_ isHidden: Bool) {
    let host = nvmetPCIEPF(without: isHidden ? nil : .transferFailureSucceeds)
    let page = host.page(2)
    #expect(
      host.status(of: .init(opcode: 6, prp1: page + 2, words: [1])) == (isHidden ? 0 : 0x4013))
    #expect(
      host.status(of: .init(opcode: 6, prp1: page + 512, words: [1])) == (isHidden ? 0 : 0x4002))
    #expect(
      host.status(of: .init(opcode: 6, prp1: 1 << 40, words: [1])) == (isHidden ? 0 : 0x4004))
    #expect(host.bytes(at: page, 8192).allSatisfy { $0 == 0 })
  }

  /// What the table does not have; fabrics has its own rows.
  static let unknownOpcodes: [UInt8] = (0...255).filter {
    ![0, 1, 2, 4, 5, 6, 8, 9, 0x0a, 0x0c, 0x18, 0x7f].contains($0)
  }

  // nvmet_pci_epf.md, 14
  @Test(
    "all other opcodes are invalid: Format, Firmware, Sanitize, Directives and the rest",
    arguments: unknownOpcodes)
  func unknown(_ opcode: UInt8) {
    let host = nvmetPCIEPF(memoryBytes: 2 << 20)
    #expect(host.status(of: .init(opcode: opcode, namespace: 1, prp1: host.page())) == 0x6001)
    #expect(!host.isHanging)
  }

  // MARK: nvmet_pci_epf.md, 16

  struct Feature: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var isSet = false
    var word10: UInt32
    var value: UInt32 = 0
    var namespace: UInt32 = 0
    var status: UInt16
    var result: UInt64 = 0
  }

  static let got: [Feature] = [
    Feature(testDescription: "01 Arbitration", word10: 1, status: 0, result: 3),
    Feature(testDescription: "06 Write Cache", word10: 6, status: 0, result: 1),
    Feature(testDescription: "07 Queues", word10: 7, status: 0, result: 0x0003_0003),
    Feature(testDescription: "08 Coalescing", word10: 8, status: 0, result: 8),
    Feature(testDescription: "09 of the admin queue's vector", word10: 9, status: 0, result: 0),
    Feature(
      testDescription: "09 of a vector without a queue", word10: 9, value: 5, status: 0x4002),
    Feature(testDescription: "0B Events", word10: 0xb, status: 0, result: 0x900),
    Feature(testDescription: "0F Keep Alive", word10: 0xf, status: 0, result: 0),
    Feature(testDescription: "81 with EXHID", word10: 0x81, value: 1, status: 0),
    Feature(testDescription: "81 without EXHID", word10: 0x81, status: 0x6002),
    Feature(testDescription: "82 Reservation Mask", word10: 0x82, namespace: 1, status: 0x4002),
    Feature(testDescription: "84 Write Protect", word10: 0x84, namespace: 1, status: 0),
    Feature(
      testDescription: "84 of a namespace that is missing", word10: 0x84, namespace: 9,
      status: 0x600b),
    Feature(
      testDescription: "84 of one that is disabled", word10: 0x84, namespace: 2, status: 0x2300),
    Feature(
      testDescription: "SEL is ignored", word10: 0x307, status: 0, result: 0x0003_0003),
  ]

  static let set: [Feature] = [
    Feature(testDescription: "01 Arbitration", isSet: true, word10: 1, value: 2, status: 0),
    Feature(testDescription: "06 Write Cache", isSet: true, word10: 6, value: 1, status: 0x6002),
    Feature(
      testDescription: "07 with more than there are", isSet: true, word10: 7,
      value: 0x0007_0007, status: 0, result: 0x0003_0003),
    Feature(
      testDescription: "07 with fewer: no limit", isSet: true, word10: 7, value: 0, status: 0,
      result: 0x0003_0003),
    Feature(
      testDescription: "07, FFFFh submission queues", isSet: true, word10: 7, value: 0xffff,
      status: 0x4002),
    Feature(
      testDescription: "07, FFFFh completion queues", isSet: true, word10: 7,
      value: 0xffff_0000, status: 0x4002),
    Feature(testDescription: "08 Coalescing", isSet: true, word10: 8, value: 3, status: 0),
    Feature(
      testDescription: "09 of the admin queue's vector", isSet: true, word10: 9,
      value: 0x1_0000, status: 0),
    Feature(
      testDescription: "09 of a vector without a queue", isSet: true, word10: 9,
      value: 0x1_0005, status: 0x4002),
    Feature(
      testDescription: "0B, one event", isSet: true, word10: 0xb, value: 0x100, status: 0,
      result: 0x100),
    Feature(
      testDescription: "0B, all that may be", isSet: true, word10: 0xb, value: 0x91f, status: 0,
      result: 0x91f),
    Feature(
      testDescription: "0B, bit 5", isSet: true, word10: 0xb, value: 0x20, status: 0x6002),
    Feature(
      testDescription: "0B, bit 9", isSet: true, word10: 0xb, value: 0x200, status: 0x6002),
    Feature(
      testDescription: "0B, bit 31", isSet: true, word10: 0xb, value: 1 << 31, status: 0x6002),
    Feature(testDescription: "0F, none", isSet: true, word10: 0xf, status: 0),
    Feature(
      testDescription: "0F, in seconds, rounded up", isSet: true, word10: 0xf, value: 4001,
      status: 0, result: 5),
    Feature(testDescription: "81 without EXHID", isSet: true, word10: 0x81, status: 0x6002),
    Feature(
      // nvmet_pci_epf.md#host-identifier-has-no-length
      testDescription: "81 with EXHID", isSet: true, word10: 0x81, value: 1,
      status: 0x600f),
    Feature(
      testDescription: "82 Reservation Mask", isSet: true, word10: 0x82, namespace: 1,
      status: 0x4002),
    Feature(
      testDescription: "84, protected", isSet: true, word10: 0x84, value: 1, namespace: 1,
      status: 0),
    Feature(
      testDescription: "84, a value that is none", isSet: true, word10: 0x84, value: 3,
      namespace: 1, status: 0),
    Feature(
      testDescription: "84 of a namespace that is missing", isSet: true, word10: 0x84, value: 1,
      namespace: 9, status: 0x600b),
    Feature(
      testDescription: "84 of one that is disabled", isSet: true, word10: 0x84, value: 1,
      namespace: 2, status: 0x2300),
    Feature(
      testDescription: "SV is ignored", isSet: true, word10: 0x8000_0007, value: 1, status: 0,
      result: 0x0003_0003),
  ]

  static let refused: [Feature] = [false, true].flatMap { isSet in
    [
      0x00, 0x02, 0x03, 0x04, 0x05, 0x0a, 0x0c, 0x0d, 0x0e, 0x10, 0x11, 0x12, 0x13, 0x16, 0x80,
      0xff,
    ]
    .map {
      Feature(
        testDescription: "other: \($0)", isSet: isSet, word10: $0, namespace: 1, status: 0x6002)
    }
  }

  // nvmet_pci_epf.md, 16
  @Test("Get Features and Set Features", arguments: got + set + refused)
  func feature(_ row: Feature) {
    let host = nvmetPCIEPF { model in
      model.namespaces.append(Namespace(id: 2, backend: .null(size: 1 << 20)))
      model.namespaces[1].isEnabled = false
    }
    let completion =
      row.isSet
      ? host.setFeature(row.word10, row.value, namespace: row.namespace)
      : host.getFeature(row.word10, row.value, namespace: row.namespace)
    #expect(completion?.status == row.status)
    #expect(completion?.result == row.result)
    // Only what has data to the host can hang.
    #expect(host.isHanging == (!row.isSet && row.word10 == 0x81 && row.status != 0))
  }

  // nvmet_pci_epf.md, 16; nvmet_pci_epf.md#burst-and-threshold-cut
  @Test(
    "the burst keeps two bits and loses the weights; as the spec, unlimited stays",
    arguments: [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 0, 4), (7, 3, 7), (0xff00, 0, 0)]
      as [(UInt32, UInt64, UInt64)])
  func burst(_ value: UInt32, _ result: UInt64, _ specified: UInt64) {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(1, value)?.status == 0)
    #expect(host.getFeature(1)?.result == result)
    let withoutQuirk = nvmetPCIEPF(without: .burstAndThresholdCut)
    #expect(withoutQuirk.setFeature(1, value)?.status == 0)
    #expect(withoutQuirk.getFeature(1)?.result == specified)
  }

  // nvmet_pci_epf.md, 16; nvmet_pci_epf.md#burst-and-threshold-cut
  @Test(
    "a threshold reads back one more, FFh as 0, and the time is lost; as the spec, it reads back",
    arguments: [(0, 1, 0), (3, 4, 3), (0xff, 0, 0xff), (0x1203, 4, 3)]
      as [(UInt32, UInt64, UInt64)])
  func threshold(_ value: UInt32, _ result: UInt64, _ specified: UInt64) {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(8, value)?.status == 0)
    #expect(host.getFeature(8)?.result == result)
    let withoutQuirk = nvmetPCIEPF(without: .burstAndThresholdCut)
    #expect(withoutQuirk.setFeature(8, value)?.status == 0)
    #expect(withoutQuirk.getFeature(8)?.result == specified)
  }

  // nvmet_pci_epf.md, 16
  @Test("Interrupt Vector Configuration reads back with its vector")
  func vectorConfiguration() {
    let host = nvmetPCIEPF()
    #expect(host.makeQueues(1))
    #expect(host.getFeature(9, 1)?.result == 1)
    #expect(host.setFeature(9, 0x1_0001)?.status == 0)
    #expect(host.getFeature(9, 1)?.result == 0x1_0001)
    #expect(host.setFeature(9, 1)?.status == 0)
    #expect(host.getFeature(9, 1)?.result == 1)
  }

  // nvmet_pci_epf.md, 16
  @Test(
    "Number of Queues is that of the target, independent of the PCI side",
    arguments: [1, 4, 127])
  func queueCount(_ count: Int) {
    let host = nvmetPCIEPF {
      $0.ioQueues = 2
      $0.targetIOQueues = count
    }
    let value = UInt64(count - 1)
    #expect(host.getFeature(7)?.result == value << 16 | value)
  }

  // nvmet_pci_epf.md, 16
  @Test("the event mask reads back, and persists over a disable")
  func eventMask() {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(0xb, 0x100)?.status == 0)
    #expect(host.getFeature(0xb)?.result == 0x100)
    host.configure(0x0046_0000)
    host.enable()
    #expect(host.getFeature(0xb)?.result == 0x100)
  }

  // nvmet_pci_epf.md, 16
  @Test("the host identifier is 16 bytes of zero")
  func hostIdentifier() {
    let host = nvmetPCIEPF()
    let page = host.page()
    host.fill(page, [UInt8](repeating: 0xff, count: 17))
    #expect(host.status(of: .init(opcode: 0x0a, prp1: page, words: [0x81, 1])) == 0)
    #expect(host.bytes(at: page, 17) == [UInt8](repeating: 0, count: 16) + [0xff])
  }

  // nvmet_pci_epf.md, 16; nvmet_pci_epf.md#host-identifier-has-no-length
  @Test("as the spec, Set Host Identifier is a sequence error")
  func hostIdentifierSpecified() {
    #expect(nvmetPCIEPF(without: .hostIdentifierHasNoLength).setFeature(0x81, 1)?.status == 0x400c)
  }

  // nvmet_pci_epf.md, 16
  @Test("Write Protect is kept over a disable, shows in Identify, and can be cleared")
  func writeProtect() {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(0x84, 1, namespace: 1)?.status == 0)
    host.configure(0x0046_0000)
    host.enable()
    #expect(host.getFeature(0x84, namespace: 1)?.result == 1)
    #expect(host.identify(0, namespace: 1).1[99] == 1)
    #expect(host.identify(8, namespace: 1).1[8] == 1)
    #expect(host.setFeature(0x84, 2, namespace: 1)?.status == 0)
    #expect(host.getFeature(0x84, namespace: 1)?.result == 1, "another value changes nothing")
    #expect(host.setFeature(0x84, 0, namespace: 1)?.status == 0)
    #expect(host.getFeature(0x84, namespace: 1)?.result == 0)
    #expect(host.identify(0, namespace: 1).1[99] == 0)
  }

  // MARK: nvmet_pci_epf.md, 17

  struct Log: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var page: UInt8
    var bytes: UInt32
    var namespace: UInt32 = 0
    /// CDW11 and up; CDW14 has the command set.
    var words: [UInt32] = [0]
    var status: UInt16
  }

  static let pages: [Log] = [
    Log(testDescription: "00", page: 0, bytes: 1024, status: 0),
    Log(testDescription: "00, short", page: 0, bytes: 1020, status: 0x600f),
    Log(testDescription: "00, long", page: 0, bytes: 4096, status: 0),
    Log(testDescription: "01 of 4 bytes", page: 1, bytes: 4, status: 0),
    Log(testDescription: "01 of 128 entries", page: 1, bytes: 8192, status: 0),
    Log(testDescription: "02 of all", page: 2, bytes: 512, namespace: .max, status: 0),
    Log(testDescription: "02 of one", page: 2, bytes: 512, namespace: 1, status: 0),
    Log(
      testDescription: "02 of one that is missing", page: 2, bytes: 512, namespace: 9,
      status: 0x600b),
    Log(testDescription: "02, short", page: 2, bytes: 508, namespace: .max, status: 0x0006),
    Log(testDescription: "02, long", page: 2, bytes: 516, namespace: .max, status: 0x0006),
    Log(testDescription: "03 of 4 bytes", page: 3, bytes: 4, status: 0),
    Log(testDescription: "03", page: 3, bytes: 512, status: 0),
    Log(testDescription: "04", page: 4, bytes: 4096, status: 0),
    Log(testDescription: "04, short", page: 4, bytes: 4092, status: 0x0006),
    Log(testDescription: "04, long", page: 4, bytes: 4100, status: 0x0006),
    Log(testDescription: "05", page: 5, bytes: 4096, status: 0),
    Log(testDescription: "05, short", page: 5, bytes: 4092, status: 0x600f),
    Log(
      testDescription: "05, zoned", page: 5, bytes: 4096, words: [0, 0, 0, 2 << 24], status: 0),
    Log(
      testDescription: "05, key value", page: 5, bytes: 4096, words: [0, 0, 0, 1 << 24],
      status: 0x0109),
    Log(
      testDescription: "05, another set and short", page: 5, bytes: 512,
      words: [0, 0, 0, 3 << 24], status: 0x0109),
    Log(testDescription: "09", page: 9, bytes: 512, words: [1 << 16], status: 0),
    Log(testDescription: "09, short", page: 9, bytes: 508, words: [1 << 16], status: 0x600f),
    Log(
      testDescription: "09 of a group that is missing", page: 9, bytes: 512, words: [9 << 16],
      status: 0x600b),
    Log(testDescription: "0C", page: 0x0c, bytes: 4096, status: 0),
    Log(testDescription: "0C, the header only", page: 0x0c, bytes: 16, status: 0),
    Log(testDescription: "0C, less than the header", page: 0x0c, bytes: 12, status: 0x600f),
    Log(testDescription: "12", page: 0x12, bytes: 1024, status: 0),
    Log(testDescription: "12, short", page: 0x12, bytes: 1020, status: 0x600f),
    Log(
      testDescription: "16 of what does not turn", page: 0x16, bytes: 512, words: [1 << 16],
      status: 0x4002),
    Log(
      testDescription: "16 of a group that is missing", page: 0x16, bytes: 512,
      words: [9 << 16], status: 0x600b),
    Log(testDescription: "80", page: 0x80, bytes: 64, status: 0),
  ]

  static let otherPages: [Log] = [0x06, 0x07, 0x08, 0x0a, 0x0d, 0x0e, 0x13, 0x70, 0x81, 0xbf, 0xff]
    .map { Log(testDescription: "other: \($0)", page: $0, bytes: 512, status: 0x6002) }

  // nvmet_pci_epf.md, 17
  @Test("log pages and their lengths; what fails hangs", arguments: pages + otherPages)
  func log(_ row: Log) {
    let host = nvmetPCIEPF()
    #expect(
      host.logPage(row.page, bytes: row.bytes, namespace: row.namespace, words: row.words).0
        == row.status)
    #expect(host.isHanging == (row.status != 0))
    let withoutQuirk = nvmetPCIEPF(without: .failedReadHangs)
    #expect(
      withoutQuirk.logPage(row.page, bytes: row.bytes, namespace: row.namespace, words: row.words).0
        == row.status)
    #expect(!withoutQuirk.isHanging)
  }

  // nvmet_pci_epf.md, 17
  @Test("offsets are ignored", arguments: [4, 1024, 0xffff_fffc] as [UInt32])
  func offset(_ offset: UInt32) {
    let host = nvmetPCIEPF()
    let whole = host.logPage(5, bytes: 4096)
    let other = host.logPage(5, bytes: 4096, words: [0, offset, 0])
    #expect(other.0 == 0 && other.1 == whole.1)
  }

  // nvmet_pci_epf.md, 17
  @Test("Supported Log Pages")
  func supportedPages() {
    let bytes = nvmetPCIEPF().logPage(0, bytes: 1024).1
    let pages = (0..<256).filter { bytes.number(4 * $0, 4) != 0 }
    #expect(pages == [0, 1, 2, 3, 4, 5, 9, 0x0c, 0x12, 0x16, 0x80])
    #expect(pages.allSatisfy { bytes.number(4 * $0, 4) == 1 })
  }

  // nvmet_pci_epf.md, 14, 17
  @Test("an error with MORE is in the error log, the newest first; one without is not")
  func errorLog() throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1))
    #expect(host.logPage(1, bytes: 64).1.allSatisfy { $0 == 0 })
    // Without MORE: a queue rule of the driver.
    #expect(host.status(of: .init(opcode: 4, words: [9])) == 0x4101)
    let first = host.submit(.init(opcode: 0x7e, namespace: 5))
    #expect(host.reap()?.1.status == 0x6001)
    let second = host.submit(
      .init(opcode: 1, namespace: 1, prp1: host.page(), words: [131_072, 0, 0]), to: 1)
    #expect(host.reap(1)?.1.status == 0x6006)
    let (status, bytes) = host.logPage(1, bytes: 256)
    #expect(status == 0)
    let entries = [0, 64].map { start in
      [(0, 8), (8, 2), (10, 2), (12, 2), (14, 2), (16, 8), (24, 4)].map {
        bytes.number(start + $0, $1)
      }
    }
    // Count, queue, command, status as in the completion, the byte to blame, block, namespace.
    #expect(entries[0] == [2, 1, UInt64(second), 0x800c, 0, 131_072, 1])
    #expect(entries[1] == [1, 0, UInt64(first), 0x8002, 0, 0, 5])
    #expect(bytes[128...].allSatisfy { $0 == 0 })
    #expect(host.logPage(2, bytes: 512, namespace: .max).1.number(176, 8) == 2)
  }

  // nvmet_pci_epf.md, 17
  @Test("the error log holds 128 entries")
  func errorLogWraps() {
    let host = nvmetPCIEPF()
    for _ in 0..<130 { #expect(host.status(of: .init(opcode: 0x7e)) == 0x6001) }
    let bytes = host.logPage(1, bytes: 8192).1
    #expect((0..<128).map { bytes.number(64 * $0, 8) } == (3...130).reversed().map { UInt64($0) })
  }

  // nvmet_pci_epf.md, 17
  @Test("SMART counts what block devices moved, in thousands of 512 bytes; the rest is zero")
  func health() throws {
    let host = nvmetPCIEPF { model in
      model.namespaces.append(
        Namespace(id: 2, backend: .null(size: 64 << 20), blockShift: 12))
    }
    try #require(host.makeQueues(1))
    let page = host.page()
    for _ in 0..<3 {
      #expect(
        host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 7]), on: 1) == 0)
    }
    #expect(
      host.status(of: .init(opcode: 1, namespace: 2, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    func counts(_ namespace: UInt32) -> [UInt64] {
      let bytes = host.logPage(2, bytes: 512, namespace: namespace).1
      let places = [32, 48, 64, 80]
      let rest = bytes.indices.filter { index in !places.contains { index >= $0 && index < $0 + 8 }
      }
      #expect(rest.allSatisfy { bytes[$0] == 0 })
      return places.map { bytes.number($0, 8) }
    }
    #expect(counts(1) == [1, 0, 3, 0])
    #expect(counts(2) == [0, 1, 0, 1])
    #expect(counts(.max) == [1, 1, 3, 1])
    // The endurance group of each namespace has the same numbers.
    let group = host.logPage(9, bytes: 512, words: [1 << 16]).1
    #expect([48, 64, 96, 112].map { group.number($0, 8) } == [1, 0, 3, 0])
  }

  // nvmet_pci_epf.md, 17
  @Test("firmware slots are zero")
  func firmware() {
    #expect(nvmetPCIEPF().logPage(3, bytes: 512).1.allSatisfy { $0 == 0 })
  }

  // nvmet_pci_epf.md, 17
  @Test("Commands Supported and Effects")
  func effects() {
    let bytes = nvmetPCIEPF().logPage(5, bytes: 4096).1
    let admin: [Int: UInt64] = [
      0x00: 1, 0x01: 1, 0x02: 1, 0x04: 1, 0x05: 1, 0x06: 1, 0x08: 1, 0x09: 1, 0x0a: 1, 0x0c: 1,
      0x18: 1,
    ]
    let io: [Int: UInt64] = [
      0x00: 1, 0x01: 3, 0x02: 1, 0x08: 3, 0x09: 1, 0x0d: 1, 0x0e: 1, 0x11: 1, 0x15: 1,
    ]
    for opcode in 0..<256 {
      #expect(bytes.number(4 * opcode, 4) == admin[opcode, default: 0], "admin \(opcode)")
      #expect(bytes.number(1024 + 4 * opcode, 4) == io[opcode, default: 0], "I/O \(opcode)")
    }
  }

  /// Namespaces in groups 1, 3 and 5, the last one disabled.
  private func groupedHost() -> Host {
    nvmetPCIEPF { model in
      for (id, group) in [(2, 3), (3, 3), (4, 5)] as [(UInt32, UInt32)] {
        var space = Namespace(id: id, backend: .null(size: 1 << 20))
        space.anaGroup = group
        space.isEnabled = id != 4
        if group == 3 { space.accessState = .nonOptimized }
        model.namespaces.append(space)
      }
    }
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA has the groups in use with their states and namespaces")
  func groups() {
    let host = groupedHost()
    let (status, bytes) = host.logPage(0x0c, bytes: 512)
    #expect(status == 0)
    #expect(bytes.number(8, 2) == 3)
    // Group, namespaces, state, ids.
    #expect([16, 20, 32, 48].map { bytes.number($0, 4) } == [1, 1, 1, 1])
    #expect([52, 56, 68, 84, 88].map { bytes.number($0, 4) } == [3, 2, 2, 2, 3])
    #expect([92, 96, 108].map { bytes.number($0, 4) } == [5, 0, 1])
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA with RGO has no namespaces")
  func groupsOnly() {
    let bytes = groupedHost().logPage(0x0c, bytes: 512, flags: 1 << 8).1
    #expect(bytes.number(8, 2) == 3)
    for (index, group) in [1, 3, 5].enumerated() {
      #expect(bytes.number(16 + 32 * index, 8) == UInt64(group))
    }
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA in a short buffer is cut off, and still says how many groups there are")
  func groupsCut() {
    let (status, bytes) = groupedHost().logPage(0x0c, bytes: 60)
    #expect(status == 0)
    #expect(bytes.number(8, 2) == 3)
    #expect([52, 56].map { bytes.number($0, 4) } == [3, 2])
  }

  // nvmet_pci_epf.md, 17
  @Test("group 1 is there even without a namespace")
  func noGroups() {
    let bytes = nvmetPCIEPF { $0.namespaces = [] }.logPage(0x0c, bytes: 64).1
    #expect(bytes.number(8, 2) == 1 && bytes.number(16, 8) == 1)
  }

  // nvmet_pci_epf.md, 17
  @Test("Feature Identifiers Supported and Effects")
  func featureEffects() {
    let bytes = nvmetPCIEPF().logPage(0x12, bytes: 1024).1
    let features: [Int: UInt64] = [
      0x07: 0x20_0001, 0x0b: 0x20_0001, 0x0f: 0x20_0001, 0x81: 0x20_0001, 0x82: 0x10_0001,
      0x84: 0x10_0001,
    ]
    for feature in 0..<256 {
      #expect(bytes.number(4 * feature, 4) == features[feature, default: 0], "\(feature)")
    }
  }

  // MARK: nvmet_pci_epf.md, 18

  // nvmet_pci_epf.md, 18
  @Test("four event requests wait, the fifth is one too many")
  func eventLimit() {
    let host = nvmetPCIEPF()
    for _ in 0..<4 { host.submit(.init(opcode: 0x0c)) }
    host.pass(20)
    #expect(host.status(of: .init(opcode: 0x0c)) == 0x4105)
  }

  // nvmet_pci_epf.md, 18
  @Test(
    "a changed namespace completes the last request, and is reported once until its log is read"
  )
  func event() {
    let host = nvmetPCIEPF()
    let ids = (0..<2).map { _ in host.submit(.init(opcode: 0x0c)) }
    func change() { #expect(host.setFeature(0x84, 0, namespace: 1)?.status == 0) }
    change()
    let event = host.reap()
    #expect(event?.id == ids[1])
    #expect(event?.1.status == 0 && event?.1.result == 0x0004_0002)
    change()
    #expect(host.reap() == nil, "masked")
    // Read with RAE, it stays masked.
    #expect(host.logPage(4, bytes: 4096, flags: 1 << 15).1.number(0, 8) == 1)
    change()
    #expect(host.reap() == nil)
    #expect(host.logPage(4, bytes: 4096).1.number(0, 8) == 1)
    #expect(host.logPage(4, bytes: 4096).1.allSatisfy { $0 == 0 }, "reading clears")
    change()
    #expect(host.reap()?.id == ids[0])
  }

  // nvmet_pci_epf.md, 18
  @Test("an event without a request waits for one")
  func pendingEvent() {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(0x84, 1, namespace: 1)?.status == 0)
    #expect(host.run(.init(opcode: 0x0c))?.result == 0x0004_0002)
  }

  // nvmet_pci_epf.md, 18
  @Test("an event that the host masked is not reported, but is in the log")
  func unwantedEvent() {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(0xb, 0x800)?.status == 0)
    host.submit(.init(opcode: 0x0c))
    #expect(host.setFeature(0x84, 1, namespace: 1)?.status == 0)
    #expect(host.reap() == nil)
    #expect(host.logPage(4, bytes: 4096).1.number(0, 8) == 1)
  }

  // nvmet_pci_epf.md, 18
  @Test(
    "Abort succeeds, and has not aborted, whatever it names",
    arguments: [0, 0x0001_0001, 0xffff_ffff] as [UInt32])
  func abort(_ word: UInt32) {
    let completion = nvmetPCIEPF().run(.init(opcode: 8, words: [word]))
    #expect(completion?.status == 0 && completion?.result == 1)
  }

  // nvmet_pci_epf.md, 18
  @Test("Keep Alive without a timer is refused, with one it succeeds")
  func keepAlive() {
    let host = nvmetPCIEPF()
    #expect(host.status(of: .init(opcode: 0x18)) == 0x001a)
    #expect(host.setFeature(0xf, 2500)?.result == 3)
    #expect(host.getFeature(0xf)?.result == 3000)
    #expect(host.status(of: .init(opcode: 0x18)) == 0)
    #expect(host.setFeature(0xf, 0)?.result == 0)
    #expect(host.status(of: .init(opcode: 0x18)) == 0x001a)
    host.pass(10_000)
    #expect(host.diagnoses.isEmpty)
  }

  // nvmet_pci_epf.md, 16; nvmet_pci_epf.md#keep-alive-expiry-crashes
  @Test("the timer expires without commands: the kernel would crash")
  func keepAliveExpires() {
    let host = nvmetPCIEPF()
    #expect(host.setFeature(0xf, 2000)?.status == 0)
    // Any command keeps it from that.
    for _ in 0..<4 {
      host.pass(1900)
      #expect(host.getFeature(7)?.status == 0)
    }
    #expect(host.diagnoses.isEmpty)
    host.pass(6000)
    #expect(host.diagnoses.map(\.fault) == ["nvmet_pci_epf: keep-alive timer"])
    #expect(
      host.log.suffix(2) == [
        "nvmet: ctrl 1 keep-alive timer (2 seconds) expired!",
        "nvmet: ctrl 1 fatal error occurred!",
      ])
  }
}
