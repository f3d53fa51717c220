// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: CC, enable and disable (nvmet_pci_epf.md, 6, 7, 8).
@Suite struct NVMetPCIEPFStateTests {

  // MARK: nvmet_pci_epf.md, 6

  struct Transition: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// CC before, one look each.
    var past: [UInt32] = []
    var configuration: UInt32
    /// The driver's messages, CSTS, and the resulting CC; nil for the written value.
    var log: [String] = []
    var status: UInt32
    var after: UInt32?
  }

  static let enabling = "Enabling controller"
  static let disabling = "Disabling controller"
  static let shuttingDown = "Shutting down controller"
  static let on: UInt32 = 0x0046_0001
  static let off: UInt32 = 0x0046_0000

  static let transitions: [Transition] = [
    Transition(testDescription: "EN 0→1", configuration: on, log: [enabling], status: 1),
    Transition(
      testDescription: "EN 0→1 fails: the rest is skipped", configuration: 0x0040_4001,
      log: [enabling, "Unsupported I/O SQES 1 (need 64)"], status: 0, after: 0),
    Transition(
      testDescription: "EN 0→1 after a failed one", past: [0x0040_0001], configuration: on,
      log: [enabling], status: 1),
    Transition(
      testDescription: "EN 1→0", past: [on], configuration: off, log: [disabling], status: 0),
    Transition(
      testDescription: "EN 1→0 and the other fields with it", past: [on], configuration: 0,
      log: [disabling], status: 0),
    Transition(
      testDescription: "SHN 01b", past: [on], configuration: 0x0046_4001, log: [shuttingDown],
      status: 8, after: 0x0046_4000),
    Transition(
      testDescription: "SHN 10b", past: [on], configuration: 0x0046_8001, log: [shuttingDown],
      status: 8, after: 0x0046_8000),
    Transition(
      testDescription: "SHN 11b", past: [on], configuration: 0x0046_c001, log: [shuttingDown],
      status: 8, after: 0x0046_c000),
    Transition(
      testDescription: "SHN 01b→10b", past: [on, 0x0046_4001], configuration: 0x0046_8000,
      status: 8),
    Transition(
      testDescription: "SHN to 0", past: [on, 0x0046_4001], configuration: off, status: 0),
    Transition(
      testDescription: "SHN to 0 and EN: the restart", past: [on, 0x0046_4001], configuration: on,
      log: [enabling], status: 1),
    Transition(
      testDescription: "EN with SHN still set: 9 is not reachable", past: [on, 0x0046_4001],
      configuration: 0x0046_4001, log: [enabling], status: 1),
    Transition(
      testDescription: "EN and SHN from 0", configuration: 0x0046_4001,
      log: [enabling, shuttingDown], status: 8, after: 0x0046_4000),
    Transition(
      testDescription: "EN 1→0 with SHN", past: [on], configuration: 0x0046_4000,
      log: [disabling], status: 0),
    Transition(testDescription: "SHN while disabled", configuration: 0x0046_4000, status: 0),
    Transition(
      testDescription: "SHN to 0 while disabled", past: [0x0046_4000], configuration: off,
      status: 0),
    Transition(
      testDescription: "neither EN nor SHN changes", past: [on], configuration: 0x0046_0801,
      status: 1),
    Transition(testDescription: "CC as it was", past: [on], configuration: on, status: 1),
  ]

  // nvmet_pci_epf.md, 6
  @Test("transitions of CC, with what the host sees in CSTS", arguments: transitions)
  func transition(_ row: Transition) {
    let host = nvmetPCIEPF(configuration: 0)
    for value in row.past { host.configure(value) }
    let lines = host.log.count
    host.configure(row.configuration)
    #expect(Array(host.log.dropFirst(lines)) == row.log)
    #expect(host.status == row.status)
    #expect(host.read(0x14) == row.after ?? row.configuration)
  }

  // nvmet_pci_epf.md, 6
  @Test("EN 1→0→1 between two polls is not detected")
  func toggle() {
    let host = nvmetPCIEPF()
    host.write(0x14, Self.off)
    host.write(0x14, Self.on)
    host.pass(20)
    #expect(host.status == 1)
    #expect(host.log == ["PCI link up", "Enabling controller"])
    #expect(host.identify(1).0 == 0)
  }

  // nvmet_pci_epf.md, 6
  @Test("every change of CC writes CSTS, even one that does nothing")
  func statusWritten() {
    let host = nvmetPCIEPF()
    host.write(0x1c, 0xff)
    host.configure(Self.on | 1 << 24)
    #expect(host.status == 1)
  }

  // nvmet_pci_epf.md, 6; nvmet_pci_epf.md#shutdown-while-disabled-ignored
  @Test(
    "a shutdown while disabled is ignored; as the spec it completes",
    arguments: [true, false])
  func shutdownWhileDisabled(_ isIgnored: Bool) {
    let host = nvmetPCIEPF(
      configuration: 0, without: isIgnored ? nil : .shutdownWhileDisabledIgnored)
    host.configure(0x0046_4000)
    #expect(host.status == (isIgnored ? 0 : 8))
  }

  // MARK: nvmet_pci_epf.md, 7

  // nvmet_pci_epf.md, 7
  @Test(
    "entry sizes that cannot be fail the enable",
    arguments: [
      (0, 4, "Unsupported I/O SQES 1 (need 64)"), (5, 4, "Unsupported I/O SQES 32 (need 64)"),
      (6, 0, "Unsupported I/O CQES 1 (need 16)"), (6, 3, "Unsupported I/O CQES 8 (need 16)"),
      (0, 0, "Unsupported I/O SQES 1 (need 64)"),
    ] as [(UInt32, UInt32, String)])
  func badSizes(_ submission: UInt32, _ completion: UInt32, _ line: String) {
    let host = nvmetPCIEPF(configuration: completion << 20 | submission << 16 | 1)
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0)
    #expect(host.log == ["PCI link up", "Enabling controller", line])
  }

  // nvmet_pci_epf.md, 7
  @Test("an admin completion queue that cannot be mapped fails the enable")
  func noAdminQueue() {
    let host = nvmetPCIEPF { $0.windows = OutboundWindows(count: 0, size: 1 << 16) }
    #expect(host.status == 0 && host.read(0x14) == 0)
    #expect(
      host.log.suffix(2) == [
        "Failed to map CQ 0 (err=-12)", "Failed to create admin completion queue",
      ])
  }

  // nvmet_pci_epf.md, 7; nvmet_pci_epf.md#ready-despite-fatal
  @Test(
    "RDY shows although the core has given up, and every command is a sequence error; as the spec, it is a fatal status",
    arguments: [
      ("IOSQES 7", 0x0047_0001), ("IOCQES 5", 0x0056_0001), ("MPS 1", 0x0046_0081),
      ("AMS 1", 0x0046_0801), ("AMS 7", 0x0046_3801), ("CSS 001b", 0x0046_0011),
      ("CSS 111b", 0x0046_0071),
    ] as [(String, UInt32)])
  func unservable(_ name: String, _ configuration: UInt32) {
    let host = nvmetPCIEPF(configuration: configuration)
    #expect(host.status == 1)
    #expect(host.identify(1).0 == 0x400c)
    #expect(
      host.log.suffix(2) == [
        "nvmet: got cmd 6 while CSTS.RDY == 0 on qid = 0",
        "CQ[0]: Command Admin Cmd (0x6) status 0x400c",
      ])
    #expect(host.getFeature(7)?.status == 0x400c)
    #expect(nvmetPCIEPF(configuration: configuration, without: .readyDespiteFatal).status == 2)
  }

  // nvmet_pci_epf.md, 8
  @Test("an enable with SHN still set shows RDY, and every command is a sequence error")
  func enabledWithShutdown() {
    let host = nvmetPCIEPF()
    host.configure(0x0046_4001)
    host.configure(0x0046_8001)
    #expect(host.status == 1)
    #expect(host.identify(1).0 == 0x400c)
    #expect(
      host.log.suffix(2) == [
        "nvmet: got cmd 6 while CC.EN == 0 on qid = 0",
        "CQ[0]: Command Admin Cmd (0x6) status 0x400c",
      ])
    // Property Get of CC and CSTS.
    #expect(host.run(.init(opcode: 0x7f, namespace: 4, words: [0, 0x14]))?.result == 0)
    #expect(host.run(.init(opcode: 0x7f, namespace: 4, words: [0, 0x1c]))?.result == 8)
    host.configure(0)
    host.enable()
    #expect(host.identify(1).0 == 0)
  }

  // nvmet_pci_epf.md, 7
  @Test(
    "command sets that it can serve", arguments: [0x0046_0001, 0x0046_0061] as [UInt32])
  func servable(_ configuration: UInt32) {
    #expect(nvmetPCIEPF(configuration: configuration).identify(1).0 == 0)
  }

  // nvmet_pci_epf.md, 7
  @Test("the core's status is not the register's: Property Get shows CFS")
  func coreStatus() {
    func status(_ host: Host) -> UInt64? {
      host.run(.init(opcode: 0x7f, namespace: 4, words: [0, 0x1c]))?.result
    }
    #expect(status(nvmetPCIEPF()) == 1)
    #expect(status(nvmetPCIEPF(configuration: 0x0046_0081)) == 2)
  }

  // nvmet_pci_epf.md, 7; nvmet_pci_epf.md#vector-not-checked
  @Test(
    "every enable resets burst and threshold; disabled coalescing stays in its slot; as the spec, it goes",
    arguments: [true, false])
  func features(_ isSticky: Bool) {
    let host = nvmetPCIEPF(without: isSticky ? nil : .vectorNotChecked)
    #expect(host.makeQueues())
    #expect(host.setFeature(1, 0)?.status == 0)
    #expect(host.setFeature(8, 3)?.status == 0)
    #expect(host.setFeature(9, 0x1_0001)?.status == 0)
    host.configure(Self.off)
    host.enable()
    #expect(host.getFeature(1)?.result == 3)
    #expect(host.getFeature(8)?.result == 8)
    #expect(host.makeQueues())
    #expect(host.getFeature(9, 1)?.result == (isSticky ? 0x1_0001 : 1))
  }

  // nvmet_pci_epf.md, 7
  @Test(
    "an enable does not check these settings",
    arguments: [
      NVMetPCIEPFRow("ASQ and ACQ zero") { host in
        for offset in [0x28, 0x2c, 0x30, 0x34] { host.write(offset, 0) }
      },
      NVMetPCIEPFRow("queues of one entry") { host in host.write(0x24, 0) },
      NVMetPCIEPFRow("queues of 4096 entries") { host in host.write(0x24, 0x0fff_0fff) },
      NVMetPCIEPFRow("addresses that nothing is at") { host in
        for offset in [0x2c, 0x34] { host.write(offset, 0xffff_ffff) }
      },
    ])
  func unchecked(_ row: NVMetPCIEPFRow) throws {
    let host = nvmetPCIEPF()
    host.configure(Self.off)
    try row.act(host)
    host.configure(Self.on)
    #expect(host.status == 1)
    #expect(host.diagnoses.isEmpty)
  }

  // nvmet_pci_epf.md, 7
  @Test("a queue of one entry never carries a command")
  func oneEntry() {
    let host = nvmetPCIEPF()
    host.configure(Self.off)
    host.write(0x24, 0)
    host.configure(Self.on)
    host.write(0x1000, 0)
    host.pass(20)
    #expect(host.diagnoses.isEmpty)
    host.write(0x1000, 1)
    host.pass(20)
    #expect(host.diagnoses.first?.fault == "nvmet_pci_epf: tail doorbell")
  }

  // MARK: nvmet_pci_epf.md, 8

  // nvmet_pci_epf.md, 8
  @Test(
    "disable and shutdown end parked event requests with 0x4006, the last one first; a lost link says nothing",
    arguments: [("disable", off), ("shutdown", 0x0046_4001), ("link down", nil)]
      as [(String, UInt32?)])
  func parkedEvents(_ name: String, _ configuration: UInt32?) {
    let host = nvmetPCIEPF()
    let ids = (0..<4).map { _ in host.submit(.init(opcode: 0x0c)) }
    host.pass(20)
    if let configuration { host.configure(configuration) } else { host.linkDown() }
    var ended: [UInt16] = []
    while let (id, completion) = host.reap() {
      #expect(completion.status == 0x4006)
      ended.append(id)
    }
    #expect(ended == (configuration == nil ? [] : ids.reversed()))
    #expect(!host.log.contains { $0.hasPrefix("CQ[") }, "event requests are not logged")
  }

  // nvmet_pci_epf.md, 8
  @Test(
    "the queues are gone, and can be made again",
    arguments: [
      NVMetPCIEPFRow("disable") { $0.configure(off) },
      NVMetPCIEPFRow("shutdown") { $0.configure(0x0046_4001) },
      NVMetPCIEPFRow("link down") { $0.linkDown() },
    ])
  func queuesGo(_ row: NVMetPCIEPFRow) throws {
    let host = nvmetPCIEPF()
    #expect(host.makeQueues(1) && host.makeQueues(2))
    try row.act(host)
    #expect(!host.isEnabled)
    let completions = host.completions(of: 1)
    host.submit(.init(opcode: 0, namespace: 1), to: 1)
    host.pass(50)
    #expect(host.number(at: completions) == 0)
    host.enable()
    #expect(host.status == 1)
    #expect(host.status(of: .init(opcode: 0, words: [1])) == 0x4101)
    #expect(host.makeQueues(1) && host.makeQueues(2))
  }

  // nvmet_pci_epf.md, 8
  @Test("fetched commands complete before their queue is deleted")
  func fetched() {
    let host = nvmetPCIEPF()
    host.submit(.init(opcode: 0x0a, words: [7]))
    host.pass(5)
    host.configure(Self.off)
    #expect(host.reap()?.1.status == 0)
  }
}
