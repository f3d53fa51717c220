// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: from a command to its data, by PRP and by SGL (nvmet_pci_epf.md, 11, 12).
@Suite struct NVMetPCIEPFDataTests {
  /// A read of some blocks of 512 bytes, whose pattern is in the namespace, into memory that is all FFh.
  struct Read: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var blocks: UInt32 = 8
    /// Where the pointers lead; `base` is the first of 16 pages, a list can be at the last ones.
    var pointers: @Sendable (Host, UInt64) throws -> (UInt64, UInt64)
    var flags: UInt8 = 0
    /// The driver's own status, which the host sees by the specification.
    var status: UInt16
    var log: String?

    init(
      _ name: String, blocks: UInt32 = 8, flags: UInt8 = 0, status: UInt16, log: String? = nil,
      _ pointers: @escaping @Sendable (Host, UInt64) throws -> (UInt64, UInt64)
    ) {
      testDescription = name
      self.blocks = blocks
      self.flags = flags
      self.status = status
      self.log = log
      self.pointers = pointers
    }
  }

  private static let page: UInt64 = 4096
  /// Where no memory is.
  private static let nowhere: UInt64 = 1 << 40

  /// Byte i of the namespace.
  private static func pattern(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index / 512 + 1) }

  private func host(_ quirk: Quirk? = nil) throws -> Host {
    let host = nvmetPCIEPF(without: quirk)
    try #require(host.makeQueues(1))
    // 64 blocks, page by page.
    let source = host.page()
    for index in 0..<8 {
      host.fill(source, (0..<4096).map { Self.pattern(4096 * index + $0) })
      let write = Host.Entry(
        opcode: 1, namespace: 1, prp1: source, words: [UInt32(8 * index), 0, 7])
      #expect(host.status(of: write, on: 1) == 0)
    }
    return host
  }

  private func read(_ row: Read, _ host: Host, _ base: UInt64) throws -> UInt16? {
    host.fill(base, [UInt8](repeating: 0xff, count: 16 * 4096))
    let (first, second) = try row.pointers(host, base)
    return host.status(
      of: .init(
        opcode: 2, flags: row.flags, namespace: 1, prp1: first, prp2: second,
        words: [0, 0, row.blocks - 1]), on: 1)
  }

  private static func list(_ host: Host, _ address: UInt64, _ entries: [UInt64]) throws {
    for (index, entry) in entries.enumerated() {
      try host.memory.store(entry, at: address + UInt64(8 * index))
    }
  }

  private static func descriptor(
    _ host: Host, _ address: UInt64, _ target: UInt64, _ length: UInt64, _ type: UInt64 = 0
  ) throws {
    try host.memory.store(target, at: address)
    try host.memory.store(length | type << 56, at: address + 8)
  }

  // MARK: What fails

  static let failures: [Read] = [
    Read("PRP1 not a multiple of 4", status: 0x4013) { ($1 + 2, 0) },
    Read("two pages, PRP2 = 0", blocks: 16, status: 0x4002) { ($1, 0) },
    Read("two pages by an offset, PRP2 = 0", status: 0x4002) { ($1 + 512, 0) },
    Read("two pages, PRP2 with an offset", blocks: 16, status: 0x4013) { ($1, $1 + page + 512) },
    Read("list, PRP1 = 0", blocks: 24, status: 0x4002, log: "PRPs list invalid field") {
      try list($0, $1 + 8 * page, [$1, $1 + page])
      return (0, $1 + 8 * page)
    },
    Read("list, PRP2 = 0", blocks: 24, status: 0x4002, log: "PRPs list invalid field") { ($1, 0) },
    Read("list, an entry 0", blocks: 24, status: 0x4002, log: "PRPs list invalid field") {
      try list($0, $1 + 8 * page, [$1 + page, 0])
      return ($1, $1 + 8 * page)
    },
    Read(
      "list, an entry with an offset", blocks: 24, status: 0x4013,
      log: "PRPs list invalid offset"
    ) {
      try list($0, $1 + 8 * page, [$1 + page, $1 + 2 * page + 512])
      return ($1, $1 + 8 * page)
    },
    Read("list, fetch failure", blocks: 24, status: 0x4006, log: "PRPs list internal error") {
      ($1, nowhere)
    },
    Read("data, PRP1 where nothing is", status: 0x4004) { _, _ in (nowhere, 0) },
    Read("SGL, keyed", flags: 0x40, status: 0x4011) { ($1, 4096 | 0x40 << 56) },
    Read("SGL, bit bucket", flags: 0x40, status: 0x4011) { ($1, 4096 | 0x10 << 56) },
    Read("SGL, subtype 1", flags: 0x40, status: 0x4011) { ($1, 4096 | 0x01 << 56) },
    Read("SGL, transport data block", flags: 0x40, status: 0x4011) { ($1, 4096 | 0x5a << 56) },
    Read("SGL, segment shorter than a descriptor", flags: 0x40, status: 0x4006) {
      try descriptor($0, $1 + 8 * page, $1, 4096)
      return ($1 + 8 * page, 15 | 0x20 << 56)
    },
    Read("SGL, segment of length 0", flags: 0x40, status: 0x4006) {
      ($1 + 8 * page, 0x20 << 56)
    },
    Read("SGL, segment where nothing is", flags: 0x40, status: 0x4006) { _, _ in
      (nowhere, 16 | 0x30 << 56)
    },
    Read("SGL, an entry of another type", flags: 0x40, status: 0x4011) {
      try descriptor($0, $1 + 8 * page, $1, 4096, 0x40)
      return ($1 + 8 * page, 16 | 0x30 << 56)
    },
    Read("SGL, a segment that is not the last entry", flags: 0x40, status: 0x4011) {
      try descriptor($0, $1 + 8 * page, $1 + 9 * page, 16, 0x30)
      try descriptor($0, $1 + 8 * page + 16, $1, 4096)
      return ($1 + 8 * page, 32 | 0x20 << 56)
    },
    Read("SGL, data where nothing is", flags: 0x40, status: 0x4004) { _, _ in (nowhere, 4096) },
  ]

  // nvmet_pci_epf.md, 12; nvmet_pci_epf.md#transfer-failure-succeeds
  @Test(
    "a data pointer that cannot be followed completes with 0 and moves nothing; as the spec, it fails",
    arguments: failures)
  func failure(_ row: Read) throws {
    for isHidden in [true, false] {
      let host = try host(isHidden ? nil : .transferFailureSucceeds)
      let base = host.page(16)
      #expect(try read(row, host, base) == (isHidden ? 0 : row.status))
      #expect(host.bytes(at: base, 8 * 4096).allSatisfy { $0 == 0xff })
      if let line = row.log { #expect(host.log.contains(line)) }
      let isLogged = host.log.last?.hasPrefix("CQ[1]: Command I/O Cmd (0x2) status 0x") ?? false
      #expect(isLogged == !isHidden)
      // The controller goes on.
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    }
  }

  // nvmet_pci_epf.md, 12
  @Test("the pointer of a write that cannot be followed leaves the blocks as they were")
  func writeFailure() throws {
    let host = try host()
    let write = Host.Entry(opcode: 1, namespace: 1, prp1: Self.nowhere, words: [0, 0, 7])
    #expect(host.status(of: write, on: 1) == 0)
    let page = host.page()
    #expect(
      host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 7]), on: 1) == 0)
    #expect(host.bytes(at: page, 512) == [UInt8](repeating: 1, count: 512))
  }

  // nvmet_pci_epf.md, 12
  @Test(
    "more than MDTS completes with 0 and moves nothing; as the spec, it is an invalid field",
    arguments: [(8, 16), (512, 1024)] as [(Int, UInt32)])
  func tooLong(_ kibibytes: Int, _ blocks: UInt32) {
    for isHidden in [true, false] {
      let host = nvmetPCIEPF(without: isHidden ? nil : .transferFailureSucceeds) {
        $0.maximumTransfer = kibibytes << 10
      }
      #expect(host.makeQueues(1))
      let page = host.page(2)
      host.fill(page, [1, 2, 3])
      let entry = Host.Entry(
        opcode: 2, namespace: 1, prp1: page, prp2: page + 4096, words: [0, 0, blocks])
      #expect(host.status(of: entry, on: 1) == (isHidden ? 0 : 0x4002))
      #expect(host.bytes(at: page, 3) == [1, 2, 3])
    }
  }

  // MARK: What works

  static let successes: [Read] = [
    Read("PRP, one page", status: 0) { ($1, 0) },
    Read("PRP, less than a page with an offset", blocks: 4, status: 0) { ($1, 0) },
    Read("PRP, two pages", blocks: 16, status: 0) { ($1, $1 + page) },
    Read("list of two", blocks: 24, status: 0) {
      try list($0, $1 + 8 * page, [$1 + page, $1 + 2 * page])
      return ($1, $1 + 8 * page)
    },
    Read("list of six", blocks: 56, status: 0) {
      let base = $1
      try list($0, $1 + 8 * page, (1...6).map { base + $0 * page })
      return ($1, $1 + 8 * page)
    },
    Read("list with an offset", blocks: 32, status: 0) {
      let base = $1
      try list($0, $1 + 8 * page + 256, (1...3).map { base + $0 * page })
      return ($1, $1 + 8 * page + 256)
    },
    Read("list that goes on in another page", blocks: 32, status: 0) {
      // Two entries are left in its page: the second one leads on.
      try list($0, $1 + 9 * page - 16, [$1 + page, $1 + 10 * page])
      try list($0, $1 + 10 * page, [$1 + 2 * page, $1 + 3 * page])
      return ($1, $1 + 9 * page - 16)
    },
    Read("list whose first entry leads on", blocks: 24, status: 0) {
      try list($0, $1 + 9 * page - 8, [$1 + 10 * page])
      try list($0, $1 + 10 * page, [$1 + page, $1 + 2 * page])
      return ($1, $1 + 9 * page - 8)
    },
    Read("list whose chain pointer has an offset", blocks: 24, status: 0) {
      try list($0, $1 + 9 * page - 8, [$1 + 10 * page + 64])
      try list($0, $1 + 10 * page + 64, [$1 + page, $1 + 2 * page])
      return ($1, $1 + 9 * page - 8)
    },
    Read("SGL, data block", flags: 0x40, status: 0) { ($1, 4096) },
    Read("SGL, PSDT 10b", flags: 0x80, status: 0) { ($1, 4096) },
    Read("SGL, PSDT 11b", flags: 0xc0, status: 0) { ($1, 4096) },
    Read("SGL, segment", blocks: 16, flags: 0x40, status: 0) {
      try descriptor($0, $1 + 8 * page, $1, 1024)
      try descriptor($0, $1 + 8 * page + 16, $1 + 1024, 7168)
      return ($1 + 8 * page, 32 | 0x20 << 56)
    },
    Read("SGL, last segment", flags: 0x40, status: 0) {
      try descriptor($0, $1 + 8 * page, $1, 4096)
      return ($1 + 8 * page, 16 | 0x30 << 56)
    },
    Read("SGL, a segment that goes on with a last one", flags: 0x40, status: 0) {
      try descriptor($0, $1 + 8 * page, $1, 2048)
      try descriptor($0, $1 + 8 * page + 16, $1 + 9 * page, 16, 0x30)
      try descriptor($0, $1 + 9 * page, $1 + 2048, 2048)
      return ($1 + 8 * page, 32 | 0x20 << 56)
    },
    Read("SGL, a last segment that goes on all the same", flags: 0x40, status: 0) {
      try descriptor($0, $1 + 8 * page, $1, 2048)
      try descriptor($0, $1 + 8 * page + 16, $1 + 9 * page, 16, 0x20)
      try descriptor($0, $1 + 9 * page, $1 + 2048, 2048)
      return ($1 + 8 * page, 32 | 0x30 << 56)
    },
    Read("SGL, a segment with a part of a descriptor", flags: 0x40, status: 0) {
      try descriptor($0, $1 + 8 * page, $1, 4096)
      return ($1 + 8 * page, 24 | 0x20 << 56)
    },
  ]

  // nvmet_pci_epf.md, 12
  @Test("pointers that can be followed", arguments: successes)
  func success(_ row: Read) throws {
    let host = try host()
    let base = host.page(16)
    #expect(try read(row, host, base) == 0)
    let count = Int(row.blocks) * 512
    #expect(host.bytes(at: base, count) == (0..<count).map(Self.pattern))
    #expect(host.bytes(at: base + UInt64(count), 512).allSatisfy { $0 == 0xff })
    #expect(host.diagnoses.isEmpty)
  }

  // nvmet_pci_epf.md, 12
  @Test("PRP1 = 0 is taken in the case of two pages")
  func zeroPRP1() throws {
    let host = try host()
    let page = host.page()
    let entry = Host.Entry(opcode: 2, namespace: 1, prp1: 0, prp2: page, words: [0, 0, 15])
    #expect(host.status(of: entry, on: 1) == 0)
    #expect(host.bytes(at: 0, 4096) == (0..<4096).map(Self.pattern))
    #expect(host.bytes(at: page, 4096) == (4096..<8192).map(Self.pattern))
  }

  // nvmet_pci_epf.md, 12
  @Test("the offset of PRP1 makes the first page shorter")
  func offset() throws {
    let host = try host()
    let (first, second) = (host.page(), host.page())
    let entry = Host.Entry(
      opcode: 2, namespace: 1, prp1: first + 3072, prp2: second, words: [0, 0, 7])
    #expect(host.status(of: entry, on: 1) == 0)
    #expect(host.bytes(at: first + 3072, 1024) == (0..<1024).map(Self.pattern))
    #expect(host.bytes(at: second, 3072) == (1024..<4096).map(Self.pattern))
  }

  // nvmet_pci_epf.md, 12
  @Test(
    "an SGL whose sum is not the command's length is answered with 0 and diagnosed; as the spec, only a short one fails",
    arguments: [(512, 0x400f), (8192, 0)] as [(UInt64, UInt16)])
  func sum(_ length: UInt64, _ status: UInt16) throws {
    for isHidden in [true, false] {
      let host = try host(isHidden ? nil : .transferFailureSucceeds)
      let page = host.page(2)
      let entry = Host.Entry(
        opcode: 2, flags: 0x40, namespace: 1, prp1: page, prp2: length, words: [0, 0, 7])
      #expect(host.status(of: entry, on: 1) == (isHidden ? 0 : status))
      #expect(host.diagnoses.contains { $0.fault == "nvmet_pci_epf: SGL length" } == isHidden)
    }
  }

  // nvmet_pci_epf.md, 11
  @Test("the data of a read are there before its completion, and those of a write are taken")
  func order() throws {
    let host = try host()
    let page = host.page()
    host.fill(page, [UInt8](repeating: 0xab, count: 512))
    host.submit(.init(opcode: 1, namespace: 1, prp1: page, words: [0, 0, 0]), to: 1)
    #expect(host.reap(1)?.1.status == 0)
    // Too late for the write.
    host.fill(page, [UInt8](repeating: 0xcd, count: 512))
    host.submit(.init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 0]), to: 1)
    let slot = host.completions(of: 1) + 16 * 9
    while host.number(at: slot + 8) == 0 { host.pass(1) }
    #expect(host.bytes(at: page, 512) == [UInt8](repeating: 0xab, count: 512))
  }

  // MARK: nvmet_pci_epf.md, 11

  // nvmet_pci_epf.md, 11
  @Test(
    "a status that is not 0 is logged with queue, opcode and value",
    arguments: [
      (0, 0x7e, 0x6001, "CQ[0]: Command Admin Cmd (0x7e) status 0x6001"),
      (1, 0x05, 0x6001, "CQ[1]: Command I/O Cmd (0x5) status 0x6001"),
      (0, 0x18, 0x001a, "CQ[0]: Command Admin Cmd (0x18) status 0x1a"),
    ] as [(Int, UInt8, UInt16, String)])
  func logged(_ queue: Int, _ opcode: UInt8, _ status: UInt16, _ line: String) throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1))
    #expect(host.status(of: .init(opcode: opcode, namespace: 1), on: queue) == status)
    #expect(host.log.last == line)
  }

  // nvmet_pci_epf.md, 11
  @Test("success is not logged, and neither is an event request that is one too many")
  func notLogged() {
    let host = nvmetPCIEPF()
    let lines = host.log.count
    for _ in 0..<5 { host.submit(.init(opcode: 0x0c)) }
    #expect(host.reap()?.1.status == 0x4105)
    #expect(host.getFeature(7)?.status == 0)
    #expect(host.log.count == lines)
  }
}
