// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: features (nvmet_pci_epf.md, 16).
@Suite struct NVMetPCIEPFFeatureTests {
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
}
