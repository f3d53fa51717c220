// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §11, §12 and §19: data pointers and I/O commands, on block devices and files.
@Suite struct MainlineIOTests {
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    MainlineQueueTests.host(queues: true, change)
  }

  // MARK: §12

  /// What the code means to answer, and what the host sees of it with Q1 switched off and on.
  struct Pointer: Sendable, CustomTestStringConvertible {
    var name: String
    var blocks: UInt32 = 8
    var flags: UInt8 = 0
    /// PRP1 and PRP2, or the two halves of an SGL descriptor.
    var pointers: @Sendable (Host) -> (UInt64, UInt64)
    var status: UInt16
    var line: String?
    var testDescription: String { name }
  }

  private static let nowhere: UInt64 = 0x7fff_ffff_0000

  private static func list(_ host: Host, _ entries: [UInt64], at offset: UInt64 = 0) -> UInt64 {
    let place = host.page(2) + offset
    for (index, entry) in entries.enumerated() {
      try? host.memory.store(entry, at: place + UInt64(8 * index))
    }
    return place
  }

  /// An SGL descriptor's second half: length and type.
  private static func sgl(_ type: UInt64, _ length: UInt64) -> UInt64 { type << 56 | length }

  static let prps: [Pointer] = [
    Pointer(name: "longer than MDTS", blocks: 1025, pointers: { ($0.page(), 0) }, status: 0x4002),
    Pointer(
      name: "PRP1 not a multiple of four", pointers: { ($0.page() + 2, 0) }, status: 0x4013),
    Pointer(name: "two pages, PRP2 = 0", blocks: 16, pointers: { ($0.page(), 0) }, status: 0x4002),
    Pointer(
      name: "two pages, PRP2 with an offset", blocks: 16,
      pointers: { ($0.page(), $0.page() + 16) }, status: 0x4013),
    Pointer(
      name: "list, PRP1 = 0", blocks: 24, pointers: { (0, list($0, [$0.page(2), $0.page(2)])) },
      status: 0x4002, line: "PRPs list invalid field"),
    Pointer(
      name: "list, PRP2 = 0", blocks: 24, pointers: { ($0.page(), 0) }, status: 0x4002,
      line: "PRPs list invalid field"),
    Pointer(
      name: "list, entry 0", blocks: 24, pointers: { ($0.page(), list($0, [$0.page(), 0])) },
      status: 0x4002, line: "PRPs list invalid field"),
    Pointer(
      name: "list, entry with an offset", blocks: 24,
      pointers: { ($0.page(), list($0, [$0.page(), $0.page() + 8])) }, status: 0x4013,
      line: "PRPs list invalid offset"),
    Pointer(
      name: "list that cannot be fetched", blocks: 24, pointers: { ($0.page(), nowhere) },
      status: 0x4006, line: "PRPs list internal error"),
    Pointer(name: "data transfer", pointers: { _ in (nowhere, 0) }, status: 0x4004),
  ]

  static let sgls: [Pointer] = [
    Pointer(
      name: "keyed data block", flags: 0x40, pointers: { ($0.page(), sgl(0x40, 4096)) },
      status: 0x4011),
    Pointer(
      name: "bit bucket", flags: 0x40, pointers: { ($0.page(), sgl(0x10, 4096)) }, status: 0x4011),
    Pointer(
      name: "data block with a subtype", flags: 0x40, pointers: { ($0.page(), sgl(0x01, 4096)) },
      status: 0x4011),
    Pointer(
      name: "segment shorter than a descriptor", flags: 0x40,
      pointers: { ($0.page(), sgl(0x20, 8)) }, status: 0x4006),
    Pointer(
      name: "segment that cannot be fetched", flags: 0x40,
      pointers: { _ in (nowhere, sgl(0x20, 32)) }, status: 0x4006),
    Pointer(
      name: "segment with another type in it", flags: 0x40,
      pointers: { (list($0, [$0.page(), sgl(0x10, 4096)]), sgl(0x30, 16)) }, status: 0x4011),
    Pointer(
      name: "data transfer", flags: 0x40, pointers: { _ in (nowhere, sgl(0, 4096)) },
      status: 0x4004),
  ]

  @Test(
    "§12: what is meant when a data pointer cannot be followed; with Q1 it is all success, and nothing moves",
    arguments: prps + sgls, [true, false])
  func refused(_ row: Pointer, _ isHidden: Bool) {
    let host = Self.host { if !isHidden { $0.quirks.remove(.transferFailureSucceeds) } }
    let (first, second) = row.pointers(host)
    let entry = Host.Entry(
      opcode: 2, flags: row.flags, namespace: 1, prp1: first, prp2: second,
      words: [0, 0, row.blocks - 1])
    let completion = host.run(entry, on: 1)
    #expect(completion?.status == (isHidden ? 0 : row.status))
    #expect(completion?.result == 0)
    if let line = row.line { #expect(host.log.contains(line), "\(host.log)") }
  }

  static let followed: [Pointer] = [
    Pointer(name: "PRP: one page", pointers: { ($0.page(), 0) }, status: 0),
    Pointer(name: "PRP: PRP1 = 0 in the two-page case", pointers: { _ in (0, 0) }, status: 0),
    Pointer(name: "PRP: two pages", blocks: 16, pointers: { ($0.page(2), $0.page()) }, status: 0),
    Pointer(
      name: "PRP: a list", blocks: 24,
      pointers: { ($0.page(2), list($0, [$0.page(2), $0.page()])) },
      status: 0),
    Pointer(
      name: "PRP: a list with an offset", blocks: 24,
      pointers: { ($0.page(2), list($0, [$0.page(2), $0.page()], at: 64)) }, status: 0),
    Pointer(
      name: "PRP: a chained list", blocks: 32,
      pointers: { host in
        let next = list(host, [host.page(2), host.page(2)])
        return (host.page(2), list(host, [host.page(2), next], at: 4080))
      }, status: 0),
    Pointer(
      name: "PRP: pages in a row", blocks: 24,
      pointers: { host in
        let pages = host.page(3)
        return (pages, list(host, [pages + 4096, pages + 8192]))
      }, status: 0),
    Pointer(
      name: "SGL: data block", flags: 0x40, pointers: { ($0.page(), sgl(0, 4096)) }, status: 0),
    Pointer(
      name: "SGL: last segment of two", flags: 0x40,
      pointers: { host in
        (
          list(host, [host.page(2), sgl(0, 2048), host.page(2), sgl(0, 2048)]), sgl(0x30, 32)
        )
      }, status: 0),
    Pointer(
      name: "SGL: a segment that goes on in a last one", flags: 0x40,
      pointers: { host in
        let last = list(host, [host.page(2), sgl(0, 2048)])
        return (list(host, [host.page(2), sgl(0, 2048), last, sgl(0x30, 16)]), sgl(0x20, 32))
      }, status: 0),
    Pointer(
      name: "SGL: PSDT 10b is the same", flags: 0x80, pointers: { ($0.page(), sgl(0, 4096)) },
      status: 0),
    Pointer(
      name: "SGL: PSDT 11b is the same", flags: 0xc0, pointers: { ($0.page(), sgl(0, 4096)) },
      status: 0),
  ]

  @Test("§12: what is written by a data pointer is read back by it", arguments: followed)
  func moved(_ row: Pointer) {
    let host = Self.host { $0.quirks.remove(.transferFailureSucceeds) }
    let count = Int(row.blocks) * 512
    // Written from one page-aligned buffer, read back by the pointers.
    let source = host.page(16)
    host.fill(source, (0..<count).map { UInt8(truncatingIfNeeded: $0 / 512 + 1) })
    let pages = (1..<16).map { source + UInt64(4096 * $0) }
    let second = count > 8192 ? Self.list(host, pages) : pages[0]
    #expect(
      host.status(
        of: .init(
          opcode: 1, namespace: 1, prp1: source, prp2: second, words: [0, 0, row.blocks - 1]), on: 1
      )
        == 0)
    let (first, other) = row.pointers(host)
    let entry = Host.Entry(
      opcode: 2, flags: row.flags, namespace: 1, prp1: first, prp2: other,
      words: [0, 0, row.blocks - 1])
    #expect(host.status(of: entry, on: 1) == 0)
    // And written from them to another place, from where it comes back as it was.
    var write = entry
    write.opcode = 1
    write.words = [64, 0, row.blocks - 1]
    #expect(host.status(of: write, on: 1) == 0)
    let target = host.page(16)
    let targets = (1..<16).map { target + UInt64(4096 * $0) }
    #expect(
      host.status(
        of: .init(
          opcode: 2, namespace: 1, prp1: target,
          prp2: count > 8192 ? Self.list(host, targets) : targets[0],
          words: [64, 0, row.blocks - 1]), on: 1) == 0)
    #expect(host.bytes(at: target, count) == host.bytes(at: source, count))
  }

  // MARK: §19

  static let order: [Row] = [
    Row("FUSE") {
      #expect(
        Self.host().status(of: .init(opcode: 2, flags: 1, namespace: 9), on: 1) == 0x6002)
    },
    Row("namespace missing") {
      #expect(Self.host().status(of: .init(opcode: 0x7e, namespace: 9), on: 1) == 0x600b)
    },
    Row("namespace disabled") {
      let host = Self.host { $0.namespaces[0].isEnabled = false }
      #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0x2300)
    },
    Row("write protected: everything but read and flush") {
      let host = Self.host { $0.namespaces[0].isReadOnly = true }
      for (opcode, status) in [(0, 0), (1, 0x2020), (2, 0), (8, 0x2020), (9, 0x2020)]
        as [(UInt8, UInt16)]
      {
        #expect(
          host.status(
            of: .init(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0]), on: 1)
            == status, "\(opcode)")
      }
    },
    Row("opcode") {
      #expect(Self.host().status(of: .init(opcode: 0x7e, namespace: 1), on: 1) == 0x6001)
    },
  ]

  @Test("§19: the order of checks", arguments: order)
  func check(_ row: Row) throws { try row.check() }

  struct Command: Sendable, CustomTestStringConvertible {
    var name: String
    var opcode: UInt8
    var namespace: UInt32 = 1
    /// The first block, from the end of the namespace if negative.
    var first: Int = 0
    var cdw12: UInt32 = 0
    var device: UInt16
    var file: UInt16
    var testDescription: String { name }
  }

  static let commands: [Command] = [
    Command(name: "Flush", opcode: 0, device: 0, file: 0),
    Command(
      name: "Flush of all", opcode: 0, namespace: 0xffff_ffff, device: 0x600b, file: 0x600b),
    Command(name: "Flush of 0", opcode: 0, namespace: 0, device: 0x600b, file: 0x600b),
    Command(name: "Write", opcode: 1, device: 0, file: 0),
    Command(name: "Write, FUA", opcode: 1, cdw12: 1 << 30, device: 0, file: 0),
    Command(name: "Write, LR", opcode: 1, cdw12: 1 << 31, device: 0, file: 0),
    Command(name: "Write, PRINFO does not count", opcode: 1, cdw12: 0xf << 26, device: 0, file: 0),
    Command(name: "Write, the last block", opcode: 1, first: -1, device: 0, file: 0),
    Command(name: "Write beyond the end", opcode: 1, first: .max, device: 0x6006, file: 0x6081),
    Command(name: "Read", opcode: 2, device: 0, file: 0),
    Command(name: "Read, the last block", opcode: 2, first: -1, device: 0, file: 0),
    Command(name: "Read beyond the end", opcode: 2, first: .max, device: 0x6006, file: 0x6081),
    Command(name: "Write Zeroes", opcode: 8, device: 0, file: 0),
    Command(name: "Write Zeroes, DEAC", opcode: 8, cdw12: 1 << 25, device: 0, file: 0),
    Command(
      name: "Write Zeroes beyond the end", opcode: 8, first: .max, device: 0x6006, file: 0x6081),
    Command(name: "Write Uncorrectable", opcode: 4, device: 0x6001, file: 0x6001),
    Command(name: "Compare", opcode: 5, device: 0x6001, file: 0x6001),
    Command(name: "Verify", opcode: 0x0c, device: 0x6001, file: 0x6001),
    Command(name: "Copy", opcode: 0x19, device: 0x6001, file: 0x6001),
    Command(name: "Zone Append of a plain one", opcode: 0x7d, device: 0x6001, file: 0x6001),
    Command(name: "Zone Management Send", opcode: 0x79, device: 0x6001, file: 0x6001),
    Command(name: "Zone Management Receive", opcode: 0x7a, device: 0x6001, file: 0x6001),
    Command(name: "Reservation Register, not enabled", opcode: 0x0d, device: 0x6001, file: 0x6001),
    Command(name: "Reservation Report, not enabled", opcode: 0x0e, device: 0x6001, file: 0x6001),
    Command(name: "Reservation Acquire, not enabled", opcode: 0x11, device: 0x6001, file: 0x6001),
    Command(name: "Reservation Release, not enabled", opcode: 0x15, device: 0x6001, file: 0x6001),
  ]

  @Test("§19: I/O commands", arguments: commands, [false, true])
  func command(_ row: Command, _ isFile: Bool) throws {
    let host = isFile ? try MainlineIdentifyTests.fileHost() : MainlineRegisterTests.host()
    #expect(host.makeQueues())
    // 64 MiB in blocks of 512 bytes, or 1 MiB in blocks of 4096.
    let blocks = isFile ? 256 : 131_072
    let first = row.first == .max ? blocks : row.first < 0 ? blocks + row.first : row.first
    let entry = Host.Entry(
      opcode: row.opcode, namespace: row.namespace, prp1: host.page(),
      words: [UInt32(first), 0, row.cdw12])
    #expect(host.status(of: entry, on: 1) == (isFile ? row.file : row.device))
    let hangs = row.opcode == 2 && row.first == .max
    #expect(host.diagnoses.contains { $0.row == "nvmet_pci_epf Q2" } == hangs)
  }

  static let deallocations: [Row] = [
    Row("AD: the blocks read as zeroes") {
      for isFile in [false, true] {
        let host = isFile ? try MainlineIdentifyTests.fileHost() : MainlineRegisterTests.host()
        #expect(host.makeQueues())
        let page = host.page()
        host.fill(page, [UInt8](repeating: 7, count: 4096))
        let count: UInt32 = isFile ? 0 : 7
        let write = Host.Entry(opcode: 1, namespace: 1, prp1: page, words: [0, 0, count])
        #expect(host.status(of: write, on: 1) == 0)
        let ranges = host.page()
        host.fill(ranges, [0, 0, 0, 0, UInt8(count + 1)])
        #expect(
          host.status(of: .init(opcode: 9, namespace: 1, prp1: ranges, words: [0, 4]), on: 1) == 0)
        var read = write
        read.opcode = 2
        #expect(host.status(of: read, on: 1) == 0)
        #expect(host.bytes(at: page, 4096).allSatisfy { $0 == 0 }, "file: \(isFile)")
      }
    },
    Row("a range beyond the end") {
      for (isFile, status) in [(false, 0x6006), (true, 0x6081)] as [(Bool, UInt16)] {
        let host = isFile ? try MainlineIdentifyTests.fileHost() : MainlineRegisterTests.host()
        #expect(host.makeQueues())
        let ranges = host.page()
        host.fill(ranges, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(
          host.status(of: .init(opcode: 9, namespace: 1, prp1: ranges, words: [0, 4]), on: 1)
            == status)
      }
    },
    Row("other attributes: success, nothing") {
      let host = Self.host()
      let ranges = host.page()
      host.fill(ranges, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
      #expect(
        host.status(of: .init(opcode: 9, namespace: 1, prp1: ranges, words: [0, 3]), on: 1) == 0)
    },
    Row("all 32 bits of CDW10 count: reserved bits make it too long, which Q1 hides") {
      for (isHidden, status) in [(true, 0), (false, 0x4002)] as [(Bool, UInt16)] {
        let host = Self.host { if !isHidden { $0.quirks.remove(.transferFailureSucceeds) } }
        #expect(
          host.status(
            of: .init(opcode: 9, namespace: 1, prp1: host.page(), words: [0x0100_0000, 4]), on: 1)
            == status)
      }
    },
  ]

  @Test("§19: Dataset Management", arguments: deallocations)
  func deallocate(_ row: Row) throws { try row.check() }
}
