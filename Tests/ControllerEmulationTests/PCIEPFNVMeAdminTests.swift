// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `pci_epf_nvme`: admin commands, Identify, log pages, features (pci_epf_nvme.md, 11).
@Suite struct PCIEPFNVMeAdminTests {
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    PCIEPFNVMeStateTests.host(enabled: true, change)
  }

  struct Command: Sendable, CustomTestStringConvertible {
    var name: String
    var entry: @Sendable (UInt64) -> Host.Entry
    var status: UInt16
    var result: UInt64 = 0
    var testDescription: String { name }
  }

  static let local: [(String, UInt8, String?)] = [
    ("18h Keep Alive", 0x18, "Admin Cmd (0x18)"), ("10h Firmware Commit", 0x10, "Admin Cmd (0x10)"),
    ("11h Firmware Image Download", 0x11, "Admin Cmd (0x11)"),
    ("80h Format NVM", 0x80, "Admin Cmd (0x80)"), ("81h Security Send", 0x81, "Admin Cmd (0x81)"),
    ("82h Security Receive", 0x82, "Admin Cmd (0x82)"),
    ("0Dh Namespace Management", 0x0d, "Admin Cmd (0x0d)"),
    ("15h Namespace Attachment", 0x15, "Admin Cmd (0x15)"),
    ("19h Directive Send", 0x19, "Admin Cmd (0x19)"),
    ("1Ah Directive Receive", 0x1a, "Admin Cmd (0x1a)"),
    ("7Ch Doorbell Buffer Config", 0x7c, "Admin Cmd (0x7c)"),
    ("7Fh Fabrics", 0x7f, "Admin Cmd (0x7f)"), ("7Eh, undefined", 0x7e, "Admin Cmd (0x7e)"),
    ("C0h, a vendor's", 0xc0, "Admin Cmd (0xc0)"),
  ]

  // pci_epf_nvme.md, 11
  @Test("opcodes that are not handled", arguments: local)
  func unhandled(_ name: String, _ opcode: UInt8, _ words: String?) {
    let host = Self.host()
    #expect(host.status(of: .init(opcode: opcode)) == 0x4001)
    #expect(host.log.last == "Unhandled admin command \(words ?? "")")
  }

  static let passed: [Command] = [
    Command(
      name: "02h Get Log Page: data to the host",
      entry: { .init(opcode: 2, namespace: .max, prp1: $0, words: [0x007f_0002]) }, status: 0),
    Command(
      name: "06h Identify: 4096 bytes to the host",
      entry: { .init(opcode: 6, prp1: $0, words: [1]) }, status: 0),
    Command(
      name: "08h Abort: not aborted, whatever SQID and CID",
      entry: { _ in .init(opcode: 8, words: [0x1234_0001]) }, status: 0, result: 1),
    Command(
      name: "Get 07h Number of Queues", entry: { _ in .init(opcode: 0x0a, words: [7]) },
      status: 0, result: 0x0003_0003),
    Command(
      name: "Set 07h Number of Queues: what the target has, not what is asked for",
      entry: { _ in .init(opcode: 9, words: [7, 0x0001_0001]) }, status: 0, result: 0x0003_0003),
    Command(
      name: "Set 07h, NSQR FFFFh", entry: { _ in .init(opcode: 9, words: [7, 0x0003_ffff]) },
      status: 0x4002),
    Command(
      name: "Set 07h, NCQR FFFFh", entry: { _ in .init(opcode: 9, words: [7, 0xffff_0003]) },
      status: 0x4002),
    Command(
      name: "Set 01h Arbitration", entry: { _ in .init(opcode: 9, words: [1, 3]) },
      status: 0x4002),
    Command(
      name: "Set 08h Interrupt Coalescing", entry: { _ in .init(opcode: 9, words: [8, 3]) },
      status: 0x4002),
    Command(
      name: "Get 01h Arbitration", entry: { _ in .init(opcode: 0x0a, words: [1]) },
      status: 0x4002),
    Command(
      name: "Get 08h Interrupt Coalescing", entry: { _ in .init(opcode: 0x0a, words: [8]) },
      status: 0x4002),
    Command(
      name: "Set 0Bh Async Event Config", entry: { _ in .init(opcode: 9, words: [0x0b, 0x100]) },
      status: 0),
    Command(
      name: "Set 0Fh Keep Alive Timer", entry: { _ in .init(opcode: 9, words: [0x0f, 5000]) },
      status: 0),
    Command(
      name: "Get 06h Volatile Write Cache", entry: { _ in .init(opcode: 0x0a, words: [6]) },
      status: 0, result: 1),
    Command(
      name: "Set 06h Volatile Write Cache", entry: { _ in .init(opcode: 9, words: [6, 1]) },
      status: 0x4002),
    Command(name: "Set 02h", entry: { _ in .init(opcode: 9, words: [2, 0]) }, status: 0x4002),
    Command(name: "Set 04h", entry: { _ in .init(opcode: 9, words: [4, 0]) }, status: 0x4002),
    Command(name: "Set 05h", entry: { _ in .init(opcode: 9, words: [5, 0]) }, status: 0x4002),
    Command(name: "Set 09h", entry: { _ in .init(opcode: 9, words: [9, 0]) }, status: 0x4002),
    Command(name: "Set 0Ah", entry: { _ in .init(opcode: 9, words: [0x0a, 0]) }, status: 0x4002),
    Command(name: "Set 0Ch", entry: { _ in .init(opcode: 9, words: [0x0c, 0]) }, status: 0x4002),
    Command(name: "Set 0Dh", entry: { _ in .init(opcode: 9, words: [0x0d, 0]) }, status: 0x4002),
    Command(name: "Set 0Eh", entry: { _ in .init(opcode: 9, words: [0x0e, 0]) }, status: 0x4002),
    Command(
      name: "Set 81h Host Identifier", entry: { _ in .init(opcode: 9, words: [0x81, 1]) },
      status: 0x400c),
    Command(
      name: "Get 81h Host Identifier", entry: { _ in .init(opcode: 0x0a, words: [0x81, 1]) },
      status: 0x400f),
    Command(
      name: "Get 84h Namespace Write Protect: not protected",
      entry: { _ in .init(opcode: 0x0a, namespace: 1, words: [0x84]) }, status: 0),
  ]

  // pci_epf_nvme.md, 11, 11.6, 11.7
  @Test("commands that the target answers", arguments: passed)
  func pass(_ row: Command) {
    let host = Self.host()
    let completion = host.run(row.entry(host.page(2)))
    #expect(completion?.status == row.status)
    #expect(completion?.result == row.result)
    if row.status != 0 {
      #expect(host.log.last?.hasPrefix("QID 0: submit command Admin Cmd (0x") == true)
      #expect(host.log.last?.hasSuffix("failed, status 0x\(String(row.status, radix: 16))") == true)
    }
  }

  // pci_epf_nvme.md, 11.6
  @Test("0Bh is kept") func eventConfiguration() {
    let host = Self.host()
    #expect(host.status(of: .init(opcode: 9, words: [0x0b, 0x100])) == 0)
    #expect(host.run(.init(opcode: 0x0a, words: [0x0b]))?.result == 0x100)
  }

  // pci_epf_nvme.md, 11; pci_epf_nvme.md#async-events-never-complete
  @Test(
    "an event request never completes; as the spec it is answered at disable or by an event"
  )
  func events() {
    let host = Self.host()
    host.submit(.init(opcode: 0x0c))
    #expect(host.reap() == nil)
    #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0, "the next command does")
  }

  // pci_epf_nvme.md, 11
  @Test("local rejections are not logged")
  func silentRejection() {
    let host = Self.host()
    let before = host.log
    #expect(host.status(of: .init(opcode: 0, words: [9])) == 0x4101)
    #expect(host.status(of: .init(opcode: 4, words: [9])) == 0x4101)
    #expect(host.log == before)
  }

  // pci_epf_nvme.md, 11.6; pci_epf_nvme.md#queue-count-of-target
  @Test(
    "the number of queues is the target's; as the spec it is the PCI side's",
    arguments: [true, false])
  func queueCount(_ isTarget: Bool) {
    let host = Self.host {
      $0.targetIOQueues = 8
      if !isTarget { $0.quirks.remove(.queueCountOfTarget) }
    }
    #expect(
      host.run(.init(opcode: 0x0a, words: [7]))?.result == (isTarget ? 0x0007_0007 : 0x0003_0003))
  }

  // MARK: Identify

  // pci_epf_nvme.md, 11.4
  @Test(
    "Identify Controller: what the driver edits and what the target has",
    arguments: [
      ("VID: the header's", 0, [0x96, 0x1b]), ("SSVID: the same as VID", 2, [0x96, 0x1b]),
      ("MDTS: of mdts_kb", 77, [5]), ("CMIC: 0", 76, [0]), ("APSTA: 0", 265, [0]),
      ("SGLS: 0", 536, [0, 0, 0, 0]), ("SN", 4, Array("0123456789          ".utf8)),
      ("MN", 24, Array("Linux-pci-epf   ".utf8)), ("FR", 64, Array("7.2.13  ".utf8)),
      ("RAB", 72, [6]), ("IEEE", 73, [0, 0, 0]), ("CNTLID", 78, [1, 0]), ("VER", 80, [0, 3, 1, 0]),
      ("OAES: the target's", 92, [0, 9, 0, 0]),
      ("CTRATT: 128-bit host id, traffic-based keep alive", 96, [0x41, 0, 0, 0]),
      ("CNTRLTYPE", 111, [1]), ("CRDT", 128, [0, 0, 0, 0, 0, 0]), ("OACS", 256, [0, 0]),
      ("ACL", 258, [3]), ("AERL", 259, [3]), ("FRMW", 260, [3]), ("LPA", 261, [7]),
      ("NPSS", 263, [0]), ("KAS", 320, [10, 0]), ("SANICAP", 328, [0, 0, 0, 0]),
      ("ANATT", 342, [10]), ("ANACAP", 343, [0x1f]), ("SQES", 512, [0x66]), ("CQES", 513, [0x44]),
      ("NN", 516, [0, 4, 0, 0]), ("ONCS: DSM and Write Zeroes", 520, [0x0c, 0]), ("VWC", 525, [1]),
      ("SUBNQN", 768, [0x6e, 0x71, 0]), ("PSD0: 25 W", 2048, [0xc4, 9]),
    ] as [(String, Int, [UInt8])])
  func identifyController(_ name: String, _ offset: Int, _ bytes: [UInt8]) {
    let (status, found) = Self.host().identify(1)
    #expect(status == 0)
    #expect(Array(found[offset..<offset + bytes.count]) == bytes)
  }

  // pci_epf_nvme.md, 11.4
  @Test(
    "CNS by CNS",
    arguments: [
      (0, 1, 0), (1, 0, 0), (2, 0, 0), (3, 1, 0), (6, 0, 0), (4, 0, 0x4002), (7, 0, 0x4002),
      (8, 1, 0x4002), (0x10, 0, 0x4002), (0x1c, 0, 0x4002),
    ] as [(UInt32, UInt32, UInt16)])
  func identify(_ structure: UInt32, _ namespace: UInt32, _ status: UInt16) {
    #expect(Self.host().identify(structure, namespace: namespace).0 == status)
  }

  // pci_epf_nvme.md, 11.5
  @Test(
    "log pages that nvmet 6.12 has, and one that it has not",
    arguments: [
      (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (0x0c, 0), (0, 0x4002), (6, 0x4002), (0x80, 0x4002),
    ] as [(UInt32, UInt16)])
  func logPage(_ page: UInt32, _ status: UInt16) {
    let host = Self.host()
    let dwords: UInt32 = page == 2 ? 127 : 1023
    #expect(
      host.status(
        of: .init(opcode: 2, namespace: .max, prp1: host.page(), words: [dwords << 16 | page]))
        == status)
  }

  // pci_epf_nvme.md, 11.5
  @Test(
    "the queue commands are marked as supported in the effects log", arguments: [0, 1, 4, 5])
  func effects(_ opcode: Int) {
    let host = Self.host()
    let page = host.page()
    #expect(host.status(of: .init(opcode: 2, prp1: page, words: [0x03ff_0005])) == 0)
    #expect(host.bytes(at: page + UInt64(4 * opcode), 1)[0] & 1 == 1)
  }

  // pci_epf_nvme.md, 11.5
  @Test("a log page longer than MDTS is an invalid field")
  func longLog() {
    let host = Self.host()
    #expect(
      host.status(
        of: .init(opcode: 2, prp1: host.page(), words: [0x8000 << 16 | 1])) == 0x4002)
  }

  // pci_epf_nvme.md, 11.5; pci_epf_nvme.md#effects-log-overrun
  @Test("an effects log too short for the driver's edit is diagnosed")
  func shortEffects() {
    let host = Self.host()
    _ = host.run(.init(opcode: 2, prp1: host.page(), words: [4 << 16 | 5]))
    #expect(host.diagnoses.map(\.fault) == ["pci_epf_nvme: effects log"])
  }

  // pci_epf_nvme.md#submission-queue-beyond-arrays; pci_epf_nvme.md#effects-log-overrun
  @Test("undefined behaviour is refused without a diagnosis when the quirk is off")
  func undefined() {
    let host = Self.host {
      $0.quirks.subtract([.submissionQueueBeyondArrays, .effectsLogOverrun])
    }
    #expect(host.createCompletionQueue(1) == 0)
    #expect(host.createSubmissionQueue(5, on: 1) == 0x4101)
    _ = host.run(.init(opcode: 2, prp1: host.page(), words: [4 << 16 | 5]))
    #expect(host.diagnoses.isEmpty)
  }

  // pci_epf_nvme.md#small-transfer-field-wraps
  @Test(
    "MDTS by mdts_kb wraps below 8 KiB; without the quirk 8 KiB is the minimum",
    arguments: [(128, true, 5), (4, true, 0), (4, false, 1), (128, false, 5), (1, false, 1)]
      as [(Int, Bool, UInt8)])
  func transfer(_ kilobytes: Int, _ isOn: Bool, _ field: UInt8) {
    let host = Self.host {
      $0.maximumTransfer = kilobytes << 10
      if !isOn { $0.quirks.remove(.smallTransferFieldWraps) }
    }
    #expect(host.identify(1).1[77] == field)
  }
}
