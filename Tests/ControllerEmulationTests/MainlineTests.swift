// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import SpecificationHost
import Testing

/// `nvmet_pci_epf` of Linux 7.2: the test vectors of its fact sheet (§24) and the tables that they come from.
@Suite struct MainlineTests {
  private func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    var model = sheetModel(.nvmetPCIEPF)
    change(&model)
    let host = Host(model)
    host.enable()
    return host
  }

  @Test("§4: CAP, VS, size of BAR 0 and place of the MSI-X table")
  func registers() {
    let host = Host(sheetModel(.nvmetPCIEPF))
    #expect(host.capabilities == 0x0000_0820_0f01_03ff)
    #expect(host.read(8) == 0x0002_0100)
    #expect(host.controller.model.bar0Size == 8192)
    #expect(host.controller.model.msixTableOffset == 0x1400)
  }

  @Test("§3: the BAR grows with the vectors", arguments: [(8, 8192), (190, 8192), (3000, 65536)])
  func barSize(_ vectors: Int, _ size: Int) {
    var model = sheetModel(.nvmetPCIEPF)
    model.interrupts = .msix(vectors: vectors)
    #expect(model.bar0Size == size)
  }

  @Test("§24: CC = 0x00460001 gives CSTS = 1 within 10 ms and says so in the log")
  func enable() {
    let host = host()
    #expect(host.status == 1)
    #expect(host.log == ["PCI link up", "Enabling controller"])
  }

  @Test("§6: EN 1→0→1 between two looks is not seen")
  func toggle() {
    let host = host()
    host.write(0x14, 0x0046_0000)
    host.write(0x14, 0x0046_0001)
    host.pass(20)
    #expect(host.status == 1)
    #expect(host.log == ["PCI link up", "Enabling controller"])
  }

  @Test(
    "§7: entry sizes that cannot be fail the enable, and CC and CSTS go to 0",
    arguments: [
      (0x0040_0001, "Unsupported I/O SQES 1 (need 64)"),
      (0x0006_0001, "Unsupported I/O CQES 1 (need 16)"),
    ] as [(UInt32, String)])
  func badSizes(_ configuration: UInt32, _ line: String) {
    let host = Host(sheetModel(.nvmetPCIEPF))
    host.enable(configuration: configuration)
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0)
    #expect(host.log.last == line)
  }

  @Test(
    "§7, Q11: RDY shows although the core has given up, and every command is a sequence error",
    arguments: [0x0046_0081, 0x0046_0801, 0x0046_0011, 0x0047_0001] as [UInt32])
  func unservable(_ configuration: UInt32) {
    let host = Host(sheetModel(.nvmetPCIEPF))
    host.enable(configuration: configuration)
    #expect(host.status == 1)
    #expect(host.status(of: .init(opcode: 6, prp1: host.page(), words: [1])) == 0x400c)
  }

  @Test("§8: shutdown shows 8, clears EN, and a new enable clears it")
  func shutdown() {
    let host = host()
    host.write(0x14, 0x0046_4001)
    host.pass(12)
    #expect(host.status == 8)
    #expect(host.read(0x14) == 0x0046_4000)
    #expect(host.log.last == "Shutting down controller")
    host.write(0x14, 0x0046_0001)
    host.pass(12)
    #expect(host.status == 1)
  }

  @Test("§6, Q12: a shutdown while disabled is ignored")
  func shutdownWhileDisabled() {
    let host = Host(sheetModel(.nvmetPCIEPF))
    host.controller.linkUp(at: .zero)
    host.write(0x14, 0x0046_4000)
    host.pass(50)
    #expect(host.status == 0)
  }

  @Test("§4, Q13: the host can write CSTS, and it stays until CC changes")
  func writableStatus() {
    let host = host()
    host.write(0x1c, 0xff)
    host.pass(50)
    #expect(host.status == 0xff)
    host.write(0x14, 0x0046_0000)
    host.pass(12)
    #expect(host.status == 0)
  }

  @Test("§24: Identify Controller")
  func identifyController() {
    let host = host()
    let (status, bytes) = host.identify(1)
    #expect(status == 0)
    let fields: [(String, Int, [UInt8])] = [
      ("VID", 0, [0x96, 0x1b]), ("SSVID", 2, [0x97, 0x1b]),
      ("SN", 4, Array("0123456789          ".utf8)), ("MN", 24, Array("Linux-pci-epf   ".utf8)),
      ("FR", 64, Array("7.2.13  ".utf8)), ("RAB", 72, [6]), ("CMIC", 76, [0x0b]), ("MDTS", 77, [7]),
      ("CNTLID", 78, [1, 0]), ("VER", 80, [0, 1, 2, 0]), ("OAES", 92, [0, 9, 0, 0]),
      ("CTRATT", 96, [0x41, 0, 4, 0]), ("CNTRLTYPE", 111, [1]), ("OACS", 256, [0, 0]),
      ("ACL", 258, [3, 3, 3, 7, 127, 0]), ("KAS", 320, [10, 0]), ("ENDGIDMAX", 340, [0, 4]),
      ("ANATT", 342, [10, 0x1f]), ("ANAGRPMAX", 344, [128, 0, 0, 0, 128, 0, 0, 0]),
      ("SQES", 512, [0x66, 0x44]), ("MAXCMD", 514, [0, 4]), ("NN", 516, [0, 4, 0, 0]),
      ("ONCS", 520, [0x2c, 0]), ("VWC", 525, [1]), ("NWPC", 531, [1]), ("SGLS", 536, [1, 0, 0, 0]),
      ("MNAN", 540, [0, 4, 0, 0]), ("SUBNQN", 768, [0x6e, 0x71, 0]),
      ("IOCCSZ", 1792, [4, 0, 0, 0]),
      ("IORCSZ", 1796, [1, 0, 0, 0]), ("PSD0", 2048, [0xc4, 9, 0, 0, 16, 0, 0, 0, 4, 0, 0, 0]),
    ]
    for (name, offset, wanted) in fields {
      #expect(Array(bytes[offset..<offset + wanted.count]) == wanted, "\(name)")
    }
  }

  @Test(
    "§15, §24: Identify by CNS and NSID",
    arguments: [
      (0, 1, 0), (0, 9, 0), (0, 0xffff_ffff, 0x600b), (1, 0, 0), (2, 0, 0),
      (2, 0xffff_fffe, 0x600b),
      (3, 1, 0), (3, 9, 0x600b), (5, 1, 0), (6, 0, 0), (7, 0, 0), (8, 1, 0), (0x10, 1, 0x6002),
      (0x1c, 0, 0x6002),
    ] as [(UInt32, UInt32, UInt16)])
  func identify(_ structure: UInt32, _ namespace: UInt32, _ status: UInt16) {
    let host = host()
    #expect(host.identify(structure, namespace: namespace).0 == status)
    let hangs = status != 0
    #expect(host.diagnoses.contains { $0.row == "nvmet_pci_epf Q2" } == hangs)
  }

  @Test("§24: Identify Namespace has size, features and block size; a missing one is all zero")
  func identifyNamespace() {
    let host = host()
    let (_, bytes) = host.identify(0, namespace: 1)
    #expect(Array(bytes[0..<8]) == [0, 0, 2, 0, 0, 0, 0, 0])
    #expect(bytes[24] == 0x32)
    #expect(bytes[30] == 1)
    #expect(bytes[130] == 9)
    #expect(host.identify(0, namespace: 9).1.allSatisfy { $0 == 0 })
  }

  struct Admin: Sendable, CustomStringConvertible {
    var description: String
    var entry: @Sendable (UInt64) -> Host.Entry
    var status: UInt16
    var result: UInt64 = 0
  }

  static let commands: [Admin] = [
    Admin(description: "opcode 7e", entry: { _ in .init(opcode: 0x7e) }, status: 0x6001),
    Admin(
      description: "fused", entry: { _ in .init(opcode: 0x0a, flags: 1, words: [7]) },
      status: 0x6002),
    Admin(
      description: "PSDT 01b", entry: { .init(opcode: 6, flags: 0x40, prp1: $0, words: [1]) },
      status: 0x4002),
    Admin(
      description: "Get Features 07", entry: { _ in .init(opcode: 0x0a, words: [7]) }, status: 0,
      result: 0x0003_0003),
    Admin(
      description: "Get Features 08", entry: { _ in .init(opcode: 0x0a, words: [8]) }, status: 0,
      result: 8),
    Admin(
      description: "Get Features 01", entry: { _ in .init(opcode: 0x0a, words: [1]) }, status: 0,
      result: 3),
    Admin(
      description: "Get Features 06", entry: { _ in .init(opcode: 0x0a, words: [6]) }, status: 0,
      result: 1),
    Admin(
      description: "Get Features 0b", entry: { _ in .init(opcode: 0x0a, words: [0xb]) }, status: 0,
      result: 0x900),
    Admin(
      description: "Get Features 02", entry: { _ in .init(opcode: 0x0a, words: [2]) },
      status: 0x6002),
    Admin(
      description: "Get Features 09 without a queue",
      entry: { _ in .init(opcode: 0x0a, words: [9, 5]) }, status: 0x4002),
    Admin(
      description: "Set Features 07", entry: { _ in .init(opcode: 9, words: [7, 0x0007_0007]) },
      status: 0, result: 0x0003_0003),
    Admin(
      description: "Set Features 07, ffff", entry: { _ in .init(opcode: 9, words: [7, 0xffff]) },
      status: 0x4002),
    Admin(
      description: "Set Features 06", entry: { _ in .init(opcode: 9, words: [6, 1]) },
      status: 0x6002),
    Admin(
      description: "Set Features 0b", entry: { _ in .init(opcode: 9, words: [0xb, 0x100]) },
      status: 0, result: 0x100),
    Admin(
      description: "Set Features 0b, forbidden bits",
      entry: { _ in .init(opcode: 9, words: [0xb, 0x80]) }, status: 0x6002),
    Admin(
      description: "Set Features 81 without EXHID",
      entry: { _ in .init(opcode: 9, words: [0x81, 0]) }, status: 0x6002),
    Admin(
      description: "Set Features 81, Q10", entry: { .init(opcode: 9, prp1: $0, words: [0x81, 1]) },
      status: 0x600f),
    Admin(
      description: "Get Features 81", entry: { .init(opcode: 0x0a, prp1: $0, words: [0x81, 1]) },
      status: 0),
    Admin(
      description: "Abort", entry: { _ in .init(opcode: 8, words: [0x0001_0001]) }, status: 0,
      result: 1),
    Admin(
      description: "Keep Alive without a timer", entry: { _ in .init(opcode: 0x18) }, status: 0x001a
    ),
    Admin(
      description: "Create CQ, QSIZE 0",
      entry: { .init(opcode: 5, prp1: $0, words: [1, 0x0001_0003]) }, status: 0x4102),
    Admin(
      description: "Create CQ, QSIZE beyond MQES",
      entry: { .init(opcode: 5, prp1: $0, words: [0x0400_0001, 0x0001_0003]) }, status: 0x4102),
    Admin(
      description: "Create CQ 0", entry: { .init(opcode: 5, prp1: $0, words: [0x001f_0000, 3]) },
      status: 0x4101),
    Admin(
      description: "Create CQ beyond max_qid",
      entry: { .init(opcode: 5, prp1: $0, words: [0x001f_0005, 3]) }, status: 0x4101),
    Admin(
      description: "Create CQ without PC",
      entry: { .init(opcode: 5, prp1: $0, words: [0x001f_0001, 2]) }, status: 0x410c),
    Admin(
      description: "Create SQ 1 on CQ 0",
      entry: { .init(opcode: 1, prp1: $0, words: [0x001f_0001, 1]) }, status: 0x4101),
    Admin(description: "Delete SQ 0", entry: { _ in .init(opcode: 0, words: [0]) }, status: 0x4101),
    Admin(
      description: "Delete CQ that is missing", entry: { _ in .init(opcode: 4, words: [1]) },
      status: 0x4101),
    Admin(
      description: "Get Log Page 02 of 256 bytes",
      entry: { .init(opcode: 2, namespace: .max, prp1: $0, words: [0x003f_0002]) }, status: 0x0006),
    Admin(
      description: "Get Log Page 02 of 512 bytes",
      entry: { .init(opcode: 2, namespace: .max, prp1: $0, words: [0x007f_0002]) }, status: 0),
    Admin(
      description: "Get Log Page 05", entry: { .init(opcode: 2, prp1: $0, words: [0x03ff_0005]) },
      status: 0),
    Admin(
      description: "Get Log Page 05 of 512 bytes",
      entry: { .init(opcode: 2, prp1: $0, words: [0x007f_0005]) }, status: 0x600f),
    Admin(
      description: "Get Log Page 00", entry: { .init(opcode: 2, prp1: $0, words: [0x00ff_0000]) },
      status: 0),
    Admin(
      description: "Get Log Page 70", entry: { .init(opcode: 2, prp1: $0, words: [0x007f_0070]) },
      status: 0x6002),
    Admin(
      description: "PRP1 offset 2, Q1", entry: { .init(opcode: 6, prp1: $0 + 2, words: [1]) },
      status: 0),
  ]

  @Test("§13–§18: admin commands and their answers", arguments: commands)
  func admin(_ row: Admin) {
    let host = host()
    let page = host.page(2)
    let completion = host.run(row.entry(page))
    #expect(completion?.status == row.status)
    #expect(completion?.result == row.result)
    if row.status != 0 {
      let line = "status 0x\(String(row.status, radix: 16))"
      #expect(host.log.last?.hasSuffix(line) == true, "\(host.log)")
    }
  }

  @Test(
    "§12, Q1: a data pointer that cannot be followed completes with 0 and moves nothing; as the spec, it fails",
    arguments: [true, false])
  func hiddenFailure(_ hides: Bool) {
    let host = host { if !hides { $0.quirks.remove(.transferFailureSucceeds) } }
    let page = host.page()
    #expect(host.status(of: .init(opcode: 6, prp1: page + 2, words: [1])) == (hides ? 0 : 0x4013))
    #expect(host.bytes(at: page, 4096).allSatisfy { $0 == 0 })
  }

  @Test("§10: N admin completions, one at a time, make 2 N interrupts on vector 0")
  func adminInterrupts() {
    let host = host()
    host.forgetInterrupts()
    for _ in 0..<11 { #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0) }
    #expect(host.interrupts == [UInt16](repeating: 0, count: 22))
  }

  @Test("§10: a run of 20 I/O completions makes an interrupt for each 8 and one at the end")
  func coalescing() {
    let host = host()
    #expect(host.makeQueues())
    host.pass(20)
    host.forgetInterrupts()
    for _ in 0..<20 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
    host.ring(1)
    host.pass(20)
    #expect(host.interrupts == [1, 1, 1])
  }

  @Test("§10, Q3: a completion goes to the queue of the submission queue's id")
  func sameID() {
    let host = host()
    let pages = (host.page(), host.page())
    #expect(
      host.status(of: .init(opcode: 5, prp1: pages.0, words: [0x001f_0001, 0x0001_0003])) == 0)
    #expect(
      host.status(of: .init(opcode: 1, prp1: pages.1, words: [0x001f_0002, 0x0001_0001])) == 0)
    host.fill(pages.1, [0x00, 0, 1, 0, 1, 0, 0, 0])
    host.write(0x1010, 1)
    host.pass(50)
    #expect(host.bytes(at: pages.0, 16).allSatisfy { $0 == 0 })
  }

  @Test("§13: a completion queue in use stays, an id that exists is refused")
  func deleteInUse() {
    let host = host()
    #expect(host.makeQueues())
    #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x4101)
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0001, 3])) == 0x4101)
    #expect(host.status(of: .init(opcode: 0, words: [1])) == 0)
    #expect(host.status(of: .init(opcode: 4, words: [1])) == 0)
  }

  @Test("§13, Q4: a queue beyond the driver's arrays is refused and diagnosed")
  func beyondArrays() {
    let host = host { $0.targetIOQueues = 8 }
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0006, 3])) == 0x4101)
    #expect(host.diagnoses.map(\.row) == ["nvmet_pci_epf Q4"])
  }

  @Test("§16, Q15: Set 08 THR = 3 reads back 4")
  func threshold() {
    let host = host()
    #expect(host.status(of: .init(opcode: 9, words: [8, 3])) == 0)
    #expect(host.run(.init(opcode: 0x0a, words: [8]))?.result == 4)
  }

  @Test(
    "§18: four event requests wait, the fifth is too many, and disable ends them, the last one first"
  )
  func events() {
    let host = host()
    let ids = (0..<4).map { _ in host.submit(.init(opcode: 0x0c)) }
    host.pass(20)
    #expect(host.status(of: .init(opcode: 0x0c)) == 0x4105)
    host.write(0x14, 0x0046_0000)
    host.pass(12)
    var ended: [UInt16] = []
    for _ in 0..<4 {
      guard let (id, completion) = host.reap() else { break }
      #expect(completion.status == 0x4006)
      ended.append(id)
    }
    #expect(ended == ids.reversed())
  }

  @Test(
    "§19: I/O commands and their answers",
    arguments: [
      (0x00, 1, 0, 0), (0x00, 0xffff_ffff, 0, 0x600b), (0x02, 9, 0, 0x600b), (0x02, 1, 131_071, 0),
      (0x02, 1, 131_072, 0x6006), (0x01, 1, 131_072, 0x6006), (0x08, 1, 0, 0),
      (0x08, 1, 131_072, 0x6006),
      (0x05, 1, 0, 0x6001), (0x04, 1, 0, 0x6001), (0x0c, 1, 0, 0x6001), (0x19, 1, 0, 0x6001),
    ] as [(UInt8, UInt32, UInt32, UInt16)])
  func io(_ opcode: UInt8, _ namespace: UInt32, _ block: UInt32, _ status: UInt16) {
    let host = host()
    #expect(host.makeQueues())
    let page = host.page()
    let entry = Host.Entry(opcode: opcode, namespace: namespace, prp1: page, words: [block, 0, 0])
    #expect(host.status(of: entry, on: 1) == status)
  }

  @Test("§12: more than MDTS completes with 0 and moves nothing")
  func tooLong() {
    let host = host()
    #expect(host.makeQueues())
    let page = host.page()
    host.fill(page, [1, 2, 3])
    let entry = Host.Entry(opcode: 2, namespace: 1, prp1: page, prp2: page, words: [0, 0, 2047])
    #expect(host.status(of: entry, on: 1) == 0)
    #expect(host.bytes(at: page, 3) == [1, 2, 3])
  }

  @Test("§8: link down ends everything without completions, and link up starts anew")
  func linkDown() {
    let host = host()
    host.controller.linkDown(at: host.controller.now)
    host.drain()
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0)
    #expect(host.log.suffix(2) == ["PCI link down", "Disabling controller"])
    host.enable()
    #expect(host.status == 1)
  }
}
