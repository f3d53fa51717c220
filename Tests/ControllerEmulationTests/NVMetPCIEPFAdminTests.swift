// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: admin commands and events (nvmet_pci_epf.md, 14, 18).
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
    var model = documentedModel(.nvmetPCIEPF)
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

  /// Opcodes that the table does not have; fabrics has its own rows.
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
