// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `pci_epf_nvme`: the worked examples of its fact sheet (§19) and the tables that they come from.
@Suite struct SeedTests {
  private func host(
    enabled: Bool = true, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Host {
    var model = sheetModel(.pciEPFNVMe)
    model.interrupts = .msix(vectors: 32)
    change(&model)
    let host = Host(model)
    if enabled { host.enable() } else { host.controller.linkUp(at: .zero) }
    host.drain()
    return host
  }

  @Test("§9.1: registers at the beginning")
  func registers() {
    let host = host(enabled: false)
    #expect(host.capabilities == 0x0000_0820_0f01_03ff)
    #expect(host.read(8) == 0x0001_0300)
    #expect(host.read(0x14) == 0x0046_0060)
    #expect(host.status == 0)
    #expect(host.log == ["Link UP"])
  }

  @Test(
    "§7.2: the size of BAR 0 by the number of vectors",
    arguments: [
      (0, 8192), (4, 8192), (32, 8192), (246, 8192), (247, 16384), (1024, 32768), (2048, 65536),
    ])
  func barSize(_ vectors: Int, _ size: Int) {
    var model = sheetModel(.pciEPFNVMe)
    model.interrupts = vectors == 0 ? .intx : .msix(vectors: vectors)
    #expect(model.bar0Size == size)
    #expect(model.msixTableOffset == 0x1080)
  }

  @Test("§19.2: the life of the registers")
  func life() {
    let host = host()
    #expect(host.status == 1)
    host.write(0x14, 0x0046_4001)
    host.pass(6)
    #expect(host.status == 8)
    #expect(host.read(0x14) == 0x0046_0000)
    host.write(0x14, 0x0046_0001)
    host.pass(6)
    #expect(host.status == 9, "Q3: shutdown complete sticks")
    host.write(0x14, 0x0046_0000)
    host.pass(6)
    #expect(host.status == 8)
    host.controller.linkDown(at: host.controller.now)
    host.controller.linkUp(at: host.controller.now)
    host.drain()
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0x0046_0060)
    #expect(
      host.log == [
        "Link UP", "Enabling controller", "Disabling controller", "Enabling controller",
        "Disabling controller", "Link DOWN", "Link UP",
      ])
  }

  @Test(
    "§10.1, Q2: an abrupt shutdown is ignored until EN goes; as the spec it is done",
    arguments: [true, false])
  func abruptShutdown(_ ignores: Bool) {
    let host = host { if !ignores { $0.quirks.remove(.abruptShutdownIgnored) } }
    host.write(0x14, 0x0046_8001)
    host.pass(20)
    #expect(host.status == (ignores ? 1 : 8))
  }

  @Test(
    "§10.3, Q4: a failed enable shows neither RDY nor CFS",
    arguments: [
      (0x0040_0001, "Unsupported IO sqes 1 (need 64)"),
      (0x0006_0001, "Unsupported IO cqes 64 (need 16)"),
    ] as [(UInt32, String)])
  func failedEnable(_ configuration: UInt32, _ line: String) {
    let host = host(enabled: false)
    host.enable(configuration: configuration)
    host.pass(100)
    #expect(host.status == 0)
    #expect(host.read(0x14) == configuration)
    #expect(host.log.last == line)
  }

  @Test(
    "§19.3: Create CQ decisions, with five queues, 32 vectors and MQES 1023",
    arguments: [
      (1, 1, 1023, 1, 0), (0, 1, 31, 0, 0x4101), (5, 1, 31, 1, 0x4101), (2, 0, 31, 2, 0x410c),
      (2, 1, 0, 2, 0x4102), (2, 1, 1024, 2, 0x4102), (2, 1, 31, 32, 0x4108),
    ] as [(UInt32, UInt32, UInt32, UInt32, UInt16)])
  func createCompletionQueue(
    _ id: UInt32, _ pc: UInt32, _ size: UInt32, _ vector: UInt32, _ status: UInt16
  ) {
    let host = host()
    let entry = Host.Entry(
      opcode: 5, prp1: host.page(16), words: [size << 16 | id, vector << 16 | 2 | pc])
    #expect(host.status(of: entry) == status)
    if status == 0 { #expect(host.status(of: entry) == 0x4101, "a second time") }
    if size > 1023 {
      #expect(host.log.last == "Create CQ 2, qsize 1024 > mqes 1023: buggy driver?")
    }
  }

  @Test(
    "§11.2: Create SQ decisions",
    arguments: [
      (1, 1, 31, 1, 0), (0, 1, 31, 1, 0x4101), (6, 1, 31, 1, 0x4101), (1, 1, 31, 0, 0x4100),
      (1, 1, 31, 3, 0x4100), (1, 0, 31, 1, 0x410c), (1, 1, 0, 1, 0x4102), (1, 1, 1024, 1, 0x4102),
    ] as [(UInt32, UInt32, UInt32, UInt32, UInt16)])
  func createSubmissionQueue(
    _ id: UInt32, _ pc: UInt32, _ size: UInt32, _ target: UInt32, _ status: UInt16
  ) {
    let host = host()
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(16), words: [0x03ff_0001, 0x0001_0003])) == 0
    )
    let entry = Host.Entry(
      opcode: 1, prp1: host.page(16), words: [size << 16 | id, target << 16 | pc])
    #expect(host.status(of: entry) == status)
  }

  @Test(
    "Q8: the id that passes the driver's test and is beyond its arrays is refused and diagnosed")
  func beyondArrays() {
    let host = host()
    #expect(
      host.status(of: .init(opcode: 5, prp1: host.page(), words: [0x001f_0001, 0x0001_0003])) == 0)
    #expect(
      host.status(of: .init(opcode: 1, prp1: host.page(), words: [0x001f_0005, 0x0001_0001]))
        == 0x4101)
    #expect(host.diagnoses.map(\.row) == ["pci_epf_nvme Q8"])
  }

  @Test(
    "Q10: a completion queue in use can be deleted; as the spec it cannot",
    arguments: [true, false])
  func deleteInUse(_ works: Bool) {
    let host = host { if !works { $0.quirks.remove(.completionQueueDeletedInUse) } }
    #expect(host.makeQueues())
    #expect(host.status(of: .init(opcode: 4, words: [1])) == (works ? 0 : 0x410c))
  }

  @Test("§11.4: Identify Controller is the target's with the driver's edits")
  func identify() {
    let host = host()
    let (status, bytes) = host.identify(1)
    #expect(status == 0)
    #expect(Array(bytes[0..<4]) == [0x96, 0x1b, 0x96, 0x1b], "SSVID is a copy of VID")
    #expect(bytes[77] == 5, "MDTS of 128 KiB")
    #expect(bytes[76] == 0)
    #expect(Array(bytes[536..<540]) == [0, 0, 0, 0], "no SGLs")
    #expect(Array(bytes[80..<84]) == [0, 3, 1, 0])
    #expect(Array(bytes[520..<522]) == [0x0c, 0])
  }

  @Test(
    "§11: admin commands and their answers",
    arguments: [
      (0x0a, 7, 0, 0, 0x0003_0003), (0x09, 7, 0xffff, 0x4002, 0), (0x0a, 1, 0, 0x4002, 0),
      (0x0a, 6, 0, 0, 1), (0x0a, 0x81, 1, 0x400f, 0), (0x09, 0x81, 1, 0x400c, 0),
      (0x08, 0, 0, 0, 1),
      (0x18, 0, 0, 0x4001, 0), (0x10, 0, 0, 0x4001, 0), (0x7f, 0, 0, 0x4001, 0),
      (0x80, 0, 0, 0x4001, 0),
    ] as [(UInt8, UInt32, UInt32, UInt16, UInt64)])
  func admin(
    _ opcode: UInt8, _ word10: UInt32, _ word11: UInt32, _ status: UInt16, _ result: UInt64
  ) {
    let host = host()
    let completion = host.run(.init(opcode: opcode, words: [word10, word11]))
    #expect(completion?.status == status)
    #expect(completion?.result == result)
  }

  @Test("§11, Q22: an event request never completes")
  func events() {
    let host = host()
    host.submit(.init(opcode: 0x0c))
    #expect(host.reap() == nil)
    #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0, "the next command does")
  }

  struct Pointer: Sendable, CustomStringConvertible {
    var description: String
    var blocks: UInt32
    var offset: UInt64
    var prp2: Second
    var status: UInt16
    enum Second: Sendable { case none, next, far, farWithOffset, list(offset: UInt64) }
  }

  static let pointers: [Pointer] = [
    Pointer(description: "4096 at a page", blocks: 8, offset: 0, prp2: .none, status: 0),
    Pointer(
      description: "4096 at 200h, contiguous", blocks: 8, offset: 0x200, prp2: .next, status: 0),
    Pointer(
      description: "4096 at 200h, two pieces", blocks: 8, offset: 0x200, prp2: .far, status: 0),
    Pointer(
      description: "4096 at 200h, no PRP2", blocks: 8, offset: 0x200, prp2: .none, status: 0x4002),
    Pointer(
      description: "4096 at 200h, PRP2 with offset", blocks: 8, offset: 0x200, prp2: .farWithOffset,
      status: 0x4013),
    Pointer(description: "4096 at 2", blocks: 8, offset: 2, prp2: .far, status: 0x4013),
    Pointer(description: "8192, two pieces", blocks: 16, offset: 0, prp2: .far, status: 0),
    Pointer(
      description: "8192 at 4: a list", blocks: 16, offset: 4, prp2: .list(offset: 0), status: 0),
    Pointer(
      description: "131072 with a list", blocks: 256, offset: 0, prp2: .list(offset: 0), status: 0),
    Pointer(
      description: "131072 with a chained list", blocks: 256, offset: 0, prp2: .list(offset: 0xf80),
      status: 0),
    Pointer(
      description: "more than MDTS", blocks: 257, offset: 0, prp2: .list(offset: 0), status: 0x4002),
  ]

  @Test("§19.4: data pointers; what was written comes back", arguments: pointers)
  func dataPointers(_ row: Pointer) {
    let host = host()
    #expect(host.makeQueues())
    let bytes = Int(row.blocks) * 512
    // Pages with gaps between them, so that pieces do not run together.
    let first = host.page(4)
    let pages = (0..<(bytes + 8191) / 4096).map { _ in host.page(2) }
    var prp2: UInt64 = 0
    switch row.prp2 {
    case .none: break
    case .next: prp2 = first + 4096
    case .far: prp2 = pages[0]
    case .farWithOffset: prp2 = pages[0] + 0x10
    case .list(let offset):
      var list = host.page() + offset
      prp2 = list
      let count = (bytes - 4096 + Int(row.offset) + 4095) / 4096
      for (index, page) in pages.prefix(count).enumerated() {
        // The last slot of a page leads on when more follows.
        if list % 4096 == 4088, index < count - 1 {
          let next = host.page()
          try? host.memory.store(next, at: list)
          list = next
        }
        try? host.memory.store(page, at: list)
        list += 8
      }
    }
    let words: [UInt32] = [8, 0, row.blocks - 1]
    let prp1 = first + row.offset
    for (index, page) in ([first] + pages).enumerated() {
      host.fill(page, [UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: 4096))
    }
    let write = Host.Entry(opcode: 1, namespace: 1, prp1: prp1, prp2: prp2, words: words)
    #expect(host.status(of: write, on: 1) == row.status)
    guard row.status == 0 else { return }
    let before = ([first] + pages).map { host.bytes(at: $0, 4096) }
    for page in [first] + pages { host.fill(page, [UInt8](repeating: 0, count: 4096)) }
    let read = Host.Entry(opcode: 2, namespace: 1, prp1: prp1, prp2: prp2, words: words)
    #expect(host.status(of: read, on: 1) == 0)
    let after = ([first] + pages).map { host.bytes(at: $0, 4096) }
    var returned = 0
    for (old, new) in zip(before, after) {
      returned += zip(old, new).count { $0 == $1 && $1 != 0 }
    }
    let followed: Int = if case .next = row.prp2 { Int(row.offset) } else { 0 }
    #expect(returned + followed == bytes)
  }

  @Test(
    "§12.2, Q9: deallocation is a success that does nothing; unknown opcodes are logged",
    arguments: [true, false])
  func deallocate(_ ignores: Bool) {
    let host = host { if !ignores { $0.quirks.remove(.deallocateIgnored) } }
    #expect(host.makeQueues())
    let page = host.page()
    host.fill(page, [UInt8](repeating: 7, count: 512))
    #expect(
      host.status(of: .init(opcode: 1, namespace: 1, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    let ranges = host.page()
    host.fill(ranges, [0, 0, 0, 0, 1, 0, 0, 0])
    #expect(
      host.status(of: .init(opcode: 9, namespace: 1, prp1: ranges, words: [0, 4]), on: 1) == 0)
    #expect(
      host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    #expect(host.bytes(at: page, 512).allSatisfy { $0 == (ignores ? 7 : 0) })
    #expect(host.status(of: .init(opcode: 5, namespace: 1), on: 1) == 0x4001)
    #expect(host.log.last == "Unhandled IO command I/O Cmd (0x05)")
    #expect(host.status(of: .init(opcode: 2, namespace: 3), on: 1) == 0x400b)
  }

  @Test("§12.6, Q6: a batch makes one interrupt, with and without IEN", arguments: [true, false])
  func interrupts(_ enabled: Bool) {
    let host = host()
    #expect(host.makeQueues(interrupts: enabled))
    host.pass(20)
    host.forgetInterrupts()
    for _ in 0..<10 { host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
    host.ring(1)
    host.pass(20)
    #expect(host.interrupts == [1])
  }

  @Test("§10.5: an idle minute costs nothing and changes nothing")
  func idle() {
    let host = host()
    let before = host.controller.now
    host.pass(600_000)
    #expect(host.controller.now > before)
    #expect(host.status == 1)
    #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
  }
}
