// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §3 to §8: BAR 0, registers, the poll of CC, enable, disable, shutdown, link.
@Suite struct MainlineRegisterTests {
  static func host(
    enabled: Bool = true, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Host {
    var model = sheetModel(.nvmetPCIEPF)
    change(&model)
    let host = Host(model)
    if enabled { host.enable() } else { host.controller.linkUp(at: .zero) }
    host.drain()
    return host
  }

  // MARK: §3

  @Test(
    "§3: the BAR grows with the vectors; the table is behind the doorbells",
    arguments: [(8, 8192), (32, 8192), (190, 8192), (3000, 65536)])
  func barSize(_ vectors: Int, _ size: Int) {
    var model = sheetModel(.nvmetPCIEPF)
    model.interrupts = .msix(vectors: vectors)
    #expect(model.bar0Size == size)
    #expect(model.msixTableOffset == 0x1400)
  }

  @Test("§3: on resizable BARs it is 1 MiB")
  func givenSize() {
    var model = sheetModel(.nvmetPCIEPF)
    model.givenBAR0Size = 1 << 20
    #expect(model.bar0Size == 1 << 20)
  }

  @Test(
    "§3: doorbells", arguments: [(0x1008, 1), (0x100c, 1), (0x1010, 2), (0x1014, 2)])
  func doorbell(_ offset: Int, _ queue: Int) {
    let host = Self.host()
    host.write(offset, 5)
    #expect(host.makeQueues(queue))
    #expect(host.read(offset) == 0, "zeroed when its queue is created")
  }

  @Test("§3: unused offsets are zero", arguments: [0x3c, 0x40, 0x100, 0xffc])
  func unused(_ offset: Int) { #expect(Self.host().read(offset) == 0) }

  // MARK: §4

  @Test(
    "§4: CAP field by field",
    arguments: [
      ("MQES", 0...15, 1023), ("CQR", 16...16, 1), ("AMS", 17...18, 0), ("TO", 24...31, 15),
      ("DSTRD", 32...35, 0), ("NSSRS", 36...36, 0),
      ("CSS: NVM and I/O command sets", 37...44, 0x41),
      ("BPS", 45...45, 0), ("MPSMIN", 48...51, 0), ("MPSMAX", 52...55, 0), ("PMRS", 56...56, 0),
      ("CMBS", 57...57, 0), ("NSSS, CRMS", 58...60, 0),
    ] as [(String, ClosedRange<Int>, UInt64)])
  func capability(_ name: String, _ bits: ClosedRange<Int>, _ value: UInt64) {
    let host = Self.host()
    #expect(host.bits(host.capabilities, bits) == value)
  }

  static let registers: [Row] = [
    Row("VS: attr_version") {
      #expect(Self.host { $0.version = 0x0001_0400 }.read(8) == 0x0001_0400)
    },
    Row("INTMS, INTMC: no function") {
      let host = Self.host { $0.interrupts = .msi(vectors: 8) }
      host.write(0x0c, .max)
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
      #expect(host.interrupts == [0, 0])
    },
    Row("CC: cleared at a failed enable") {
      let host = Self.host(enabled: false)
      host.enable(configuration: 1)
      #expect(host.read(0x14) == 0)
    },
    Row("CC: cleared at link down") {
      let host = Self.host()
      host.controller.linkDown(at: host.controller.now)
      #expect(host.read(0x14) == 0)
    },
    Row("CC: a shutdown clears EN only") {
      let host = Self.host()
      host.write(0x14, 0x0046_4001)
      host.pass(12)
      #expect(host.read(0x14) == 0x0046_4000)
    },
    Row("CSTS: 0, 1 and 8 are all that is ever seen") {
      let host = Self.host()
      var seen: Set<UInt32> = []
      for value in [0x0046_4001, 0x0046_0001, 0x0046_8001, 0x0046_0000, 0x0046_0081, 1]
        as [UInt32]
      {
        host.write(0x14, value)
        for _ in 0..<15 {
          host.pass(1)
          seen.insert(host.status)
        }
      }
      #expect(seen == [0, 1, 8])
    },
    Row("NSSR: no function") {
      let host = Self.host()
      host.write(0x20, 0x4e56_4d65)
      host.pass(20)
      #expect(host.status == 1)
    },
    Row("AQA: read at enable, not looked at afterwards") {
      let host = Self.host()
      host.write(0x24, 0)
      for _ in 0..<40 { #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0) }
    },
    Row("ASQ, ACQ: the low twelve bits do not count") {
      let host = Self.host(enabled: false)
      host.write(0x24, 0x001f_001f)
      host.write(0x28, 0x8abc)
      host.write(0x30, 0x9abc)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      host.fill(0x8000, [0x18, 0, 1, 0])
      host.write(0x1000, 1)
      host.pass(50)
      #expect(host.bytes(at: 0x900c, 1) == [1])
    },
    Row("CMBLOC to CRTO: 0") {
      let host = Self.host()
      for offset in stride(from: 0x38, to: 0x6c, by: 4) { #expect(host.read(offset) == 0) }
    },
  ]

  @Test("§4: the other registers", arguments: registers)
  func register(_ row: Row) throws { try row.check() }

  @Test(
    "§3, Q13: a write to a read-only register stays; as the spec it is dropped",
    arguments: [0x00, 0x04, 0x08, 0x1c], [true, false])
  func readOnly(_ offset: Int, _ isTaken: Bool) {
    let host = Self.host { if !isTaken { $0.quirks.remove(.registersWritable) } }
    let before = host.read(offset)
    host.write(offset, 0x1234_5670)
    host.pass(50)
    #expect(host.read(offset) == (isTaken ? 0x1234_5670 : before))
  }

  @Test("§4, Q13: what was written to CSTS stays until CC changes")
  func writableStatus() {
    let host = Self.host()
    host.write(0x1c, 0xff)
    host.pass(50)
    #expect(host.status == 0xff)
    host.write(0x14, 0x0046_0000)
    host.pass(12)
    #expect(host.status == 0)
  }

  // MARK: §5

  static let life: [Row] = [
    Row("link up: a line, and CC is looked at 10 ms later") {
      let host = Self.host(enabled: false)
      #expect(host.log == ["PCI link up"])
      host.write(0x14, 0x0046_0001)
      host.pass(9)
      #expect(host.status == 0)
      host.pass(1)
      #expect(host.status == 1)
    },
    Row("without a link notifier the link is up at once") {
      var model = sheetModel(.nvmetPCIEPF)
      model.hasLinkUpNotifier = false
      let host = Host(model)
      host.drain()
      #expect(host.log == ["PCI link up"])
    },
    Row("link down: a line, disable if enabled, CC and CSTS 0") {
      let host = Self.host()
      host.controller.linkDown(at: host.controller.now)
      host.drain()
      #expect(host.log.suffix(2) == ["PCI link down", "Disabling controller"])
      #expect(host.status == 0)
      #expect(host.read(0x14) == 0)
    },
    Row("link down while disabled: only the line") {
      let host = Self.host(enabled: false)
      host.controller.linkDown(at: host.controller.now)
      host.drain()
      #expect(host.log.last == "PCI link down")
    },
    Row("link down: CC is not looked at until the next link up") {
      let host = Self.host()
      host.controller.linkDown(at: host.controller.now)
      host.write(0x14, 0x0046_0001)
      host.pass(100)
      #expect(host.status == 0)
      host.enable()
      #expect(host.status == 1)
    },
    Row("unbind: the controller is destroyed, with its name") {
      let host = Self.host()
      host.controller.remove(at: host.controller.now)
      host.drain()
      #expect(host.log.contains("Destroying PCI ctrl \"nq\""))
    },
  ]

  @Test("§5: the life of the controller", arguments: life)
  func live(_ row: Row) throws { try row.check() }

  // MARK: §6

  struct Change: Sendable, CustomTestStringConvertible {
    var name: String
    var values: [UInt32]
    var status: UInt32
    var configuration: UInt32
    var lines: [String]
    var testDescription: String { name }
  }

  static let changes: [Change] = [
    Change(
      name: "EN 0 to 1", values: [0x0046_0001], status: 1, configuration: 0x0046_0001,
      lines: ["Enabling controller"]),
    Change(
      name: "EN 0 to 1 fails: CC and CSTS 0", values: [1], status: 0, configuration: 0,
      lines: ["Enabling controller", "Unsupported I/O SQES 1 (need 64)"]),
    Change(
      name: "EN 1 to 0", values: [0x0046_0001, 0x0046_0000], status: 0, configuration: 0x0046_0000,
      lines: ["Enabling controller", "Disabling controller"]),
    Change(
      name: "SHN 00b to 01b", values: [0x0046_0001, 0x0046_4001], status: 8,
      configuration: 0x0046_4000, lines: ["Enabling controller", "Shutting down controller"]),
    Change(
      name: "SHN 00b to 10b", values: [0x0046_0001, 0x0046_8001], status: 8,
      configuration: 0x0046_8000, lines: ["Enabling controller", "Shutting down controller"]),
    Change(
      name: "SHN back to 00b clears SHST", values: [0x0046_0001, 0x0046_4001, 0x0046_0000],
      status: 0, configuration: 0x0046_0000,
      lines: ["Enabling controller", "Shutting down controller"]),
    Change(
      name: "SHN to 00b and EN to 1 in one poll", values: [0x0046_0001, 0x0046_4001, 0x0046_0001],
      status: 1, configuration: 0x0046_0001,
      lines: ["Enabling controller", "Shutting down controller", "Enabling controller"]),
    Change(
      name: "EN and SHN together from 0", values: [0x0046_4001], status: 8,
      configuration: 0x0046_4000, lines: ["Enabling controller", "Shutting down controller"]),
    Change(
      name: "EN to 0 and SHN set in one poll", values: [0x0046_0001, 0x0046_4000], status: 0,
      configuration: 0x0046_4000, lines: ["Enabling controller", "Disabling controller"]),
    Change(
      name: "SHN while disabled, Q12", values: [0x0046_4000], status: 0,
      configuration: 0x0046_4000, lines: []),
    Change(
      name: "another bit", values: [0x0046_0001, 0x0046_0011], status: 1,
      configuration: 0x0046_0011, lines: ["Enabling controller"]),
  ]

  @Test("§6: what changes of CC do", arguments: changes)
  func change(_ row: Change) {
    let host = Self.host(enabled: false)
    host.write(0x24, 0x001f_001f)
    host.write(0x28, 0x8000)
    host.write(0x30, 0x9000)
    for value in row.values {
      host.write(0x14, value)
      host.pass(12)
    }
    #expect(host.status == row.status)
    #expect(host.read(0x14) == row.configuration)
    #expect(host.log.dropFirst() == row.lines[...])
  }

  @Test("§6, Q12 as the spec: a shutdown while disabled completes")
  func shutdownWhileDisabled() {
    let host = Self.host(enabled: false) { $0.quirks.remove(.shutdownWhileDisabledIgnored) }
    host.write(0x14, 0x0046_4000)
    host.pass(12)
    #expect(host.status == 8)
  }

  @Test("§6: EN 1→0→1 between two looks is not seen")
  func toggle() {
    let host = Self.host()
    host.write(0x14, 0x0046_0000)
    host.write(0x14, 0x0046_0001)
    host.pass(20)
    #expect(host.status == 1)
    #expect(host.log == ["PCI link up", "Enabling controller"])
  }

  // MARK: §7

  @Test(
    "§7: entry sizes that cannot be fail the enable, and CC and CSTS go to 0",
    arguments: [
      (0x0040_0001, "Unsupported I/O SQES 1 (need 64)"),
      (0x0045_0001, "Unsupported I/O SQES 32 (need 64)"),
      (0x0006_0001, "Unsupported I/O CQES 1 (need 16)"),
      (0x0036_0001, "Unsupported I/O CQES 8 (need 16)"),
    ] as [(UInt32, String)])
  func badSizes(_ configuration: UInt32, _ line: String) {
    let host = Self.host(enabled: false)
    host.enable(configuration: configuration)
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0)
    #expect(host.log.last == line)
  }

  @Test(
    "§7, Q11: RDY shows although the core has given up, and every command is a sequence error; as the spec CFS shows",
    arguments: [
      ("IOSQES 7", 0x0047_0001), ("IOCQES 5", 0x0056_0001), ("MPS 1", 0x0046_0081),
      ("AMS 1", 0x0046_0801), ("CSS 001b", 0x0046_0011), ("CSS 111b", 0x0046_0071),
    ] as [(String, UInt32)], [true, false])
  func unservable(_ row: (String, UInt32), _ isHidden: Bool) {
    let host = Self.host(enabled: false) { if !isHidden { $0.quirks.remove(.readyDespiteFatal) } }
    host.enable(configuration: row.1)
    #expect(host.status == (isHidden ? 1 : 2))
    guard isHidden else { return }
    #expect(host.status(of: .init(opcode: 6, prp1: host.page(), words: [1])) == 0x400c)
    #expect(host.log.contains("nvmet: got cmd 6 while CSTS.RDY == 0 on qid = 0"))
  }

  @Test("§7: CSS 110b is served")
  func allCommandSets() {
    let host = Self.host(enabled: false)
    host.enable(configuration: 0x0046_0061)
    #expect(host.status(of: .init(opcode: 6, prp1: host.page(), words: [1])) == 0)
  }

  static let enabling: [Row] = [
    Row("1: the log says so") {
      #expect(Self.host().log == ["PCI link up", "Enabling controller"])
    },
    Row("3: the admin queue's interrupt is vector 0") {
      let host = Self.host()
      host.forgetInterrupts()
      #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
      #expect(Set(host.interrupts) == [0])
    },
    Row("5: features are set back by every enable") {
      let host = Self.host()
      #expect(host.status(of: .init(opcode: 9, words: [1, 1])) == 0)
      #expect(host.status(of: .init(opcode: 9, words: [8, 20])) == 0)
      host.write(0x14, 0x0046_0000)
      host.pass(12)
      host.enable()
      #expect(host.run(.init(opcode: 0x0a, words: [1]))?.result == 3)
      #expect(host.run(.init(opcode: 0x0a, words: [8]))?.result == 8)
    },
    Row("5: what was disabled for a vector stays, Q14") {
      let host = Self.host()
      #expect(host.makeQueues())
      #expect(host.status(of: .init(opcode: 9, words: [9, 1 << 16 | 1])) == 0)
      host.write(0x14, 0x0046_0000)
      host.pass(12)
      host.enable()
      #expect(host.makeQueues())
      #expect(host.run(.init(opcode: 0x0a, words: [9, 1]))?.result == 1 << 16 | 1)
    },
    Row("6: RDY") { #expect(Self.host().status == 1) },
    Row("not checked: admin queues of one entry") {
      let host = Self.host(enabled: false)
      host.write(0x24, 0)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      #expect(host.status == 1)
    },
    Row("not checked: ASQ and ACQ of 0") {
      let host = Self.host(enabled: false)
      host.write(0x24, 0x001f_001f)
      host.write(0x14, 0x0046_0001)
      host.pass(12)
      #expect(host.status == 1)
    },
  ]

  @Test("§7: enable in detail", arguments: enabling)
  func enable(_ row: Row) throws { try row.check() }

  // MARK: §8

  static let ending: [Row] = [
    Row("only if enabled") {
      let host = Self.host(enabled: false)
      host.write(0x14, 0x0046_4000)
      host.pass(12)
      #expect(host.log == ["PCI link up"])
    },
    Row("2: all I/O queues are gone") {
      let host = Self.host()
      for id in 1...4 { #expect(host.makeQueues(id)) }
      host.write(0x14, 0x0046_0000)
      host.pass(12)
      host.enable()
      for id in 1...4 as ClosedRange<UInt32> {
        #expect(host.status(of: .init(opcode: 0, words: [id])) == 0x4101)
      }
    },
    Row("2: waiting event requests end with an internal error, the last first") {
      let host = Self.host()
      let ids = (0..<4).map { _ in host.submit(.init(opcode: 0x0c)) }
      host.pass(20)
      host.write(0x14, 0x0046_0000)
      host.pass(12)
      var ended: [UInt16] = []
      while let (id, completion) = host.reap() {
        #expect(completion.status == 0x4006)
        ended.append(id)
      }
      #expect(ended == ids.reversed())
    },
    Row("3: what was not fetched has no completion") {
      let host = Self.host()
      #expect(host.makeQueues())
      host.pass(6000)
      host.write(0x14, 0x0046_0000)
      host.pass(12)
      host.submit(.init(opcode: 0, namespace: 1), to: 1)
      host.pass(50)
      #expect(host.reap(1) == nil)
    },
    Row("4: RDY cleared; shutdown: SHST complete and EN cleared") {
      let host = Self.host()
      host.write(0x14, 0x0046_4001)
      host.pass(12)
      #expect(host.status == 8)
      #expect(host.read(0x14) & 1 == 0)
    },
    Row("link down: commands end silently") {
      let host = Self.host()
      #expect(host.makeQueues())
      host.submit(.init(opcode: 0x0c))
      host.pass(20)
      host.controller.linkDown(at: host.controller.now)
      host.drain()
      #expect(host.reap() == nil)
    },
  ]

  @Test("§8: disable, shutdown, link down", arguments: ending)
  func end(_ row: Row) throws { try row.check() }
}
