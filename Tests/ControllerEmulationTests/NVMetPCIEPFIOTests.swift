// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
@testable import ControllerEmulation
import LibC
import NVMe
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: I/O commands, on block devices and on files (nvmet_pci_epf.md, 19).
@Suite struct NVMetPCIEPFIOTests {
  enum Back: String, Sendable, CaseIterable { case block, file }

  /// A host with a queue and a namespace of 131072 blocks; the file has to live as long as it is used.
  private func host(
    _ back: Back = .block, without quirk: Quirk? = nil,
    _ change: (inout ControllerModel) -> Void = { _ in }
  ) throws -> (Host, TemporaryFile?) {
    let file = back == .file ? try TemporaryFile(bytes: 64 << 20) : nil
    let store = try file.map { try FileStore(path: $0.path) }
    let host = nvmetPCIEPF(without: quirk) { model in
      if let store { model.namespaces[0].backend = .file(store) }
      change(&model)
    }
    try #require(host.makeQueues(1))
    return (host, file)
  }

  // MARK: The order of checks

  struct Check: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var opcode: UInt8
    var flags: UInt8 = 0
    var namespace: UInt32
    var status: UInt16
  }

  static let checks: [Check] = [
    Check(testDescription: "FUSE", opcode: 0, flags: 1, namespace: 1, status: 0x6002),
    Check(
      testDescription: "FUSE comes before fabrics", opcode: 0x7f, flags: 2, namespace: 1,
      status: 0x6002),
    Check(
      testDescription: "FUSE comes before the namespace", opcode: 2, flags: 1, namespace: 99,
      status: 0x6002),
    Check(testDescription: "fabrics", opcode: 0x7f, namespace: 1, status: 0x6001),
    Check(
      testDescription: "fabrics comes before the namespace", opcode: 0x7f, namespace: 99,
      status: 0x6001),
    Check(testDescription: "namespace missing", opcode: 2, namespace: 99, status: 0x600b),
    Check(testDescription: "NSID 0", opcode: 2, namespace: 0, status: 0x600b),
    Check(testDescription: "NSID FFFFFFFF", opcode: 2, namespace: .max, status: 0x600b),
    Check(testDescription: "Flush of NSID 0", opcode: 0, namespace: 0, status: 0x600b),
    Check(testDescription: "Flush of FFFFFFFF", opcode: 0, namespace: .max, status: 0x600b),
    Check(
      testDescription: "the namespace comes before the opcode", opcode: 5, namespace: 99,
      status: 0x600b),
    Check(testDescription: "namespace disabled", opcode: 0, namespace: 2, status: 0x2300),
    Check(
      testDescription: "disabled comes before its group", opcode: 0, namespace: 9,
      status: 0x2300),
    Check(testDescription: "group inaccessible", opcode: 0, namespace: 3, status: 0x2302),
    Check(testDescription: "group lost", opcode: 0, namespace: 4, status: 0x2301),
    Check(testDescription: "group in change", opcode: 0, namespace: 5, status: 0x2303),
    Check(testDescription: "group not optimized", opcode: 0, namespace: 8, status: 0),
    Check(
      testDescription: "the group comes before write protection", opcode: 1, namespace: 7,
      status: 0x2302),
    Check(testDescription: "protected: Flush", opcode: 0, namespace: 6, status: 0),
    Check(testDescription: "protected: Write", opcode: 1, namespace: 6, status: 0x2020),
    Check(testDescription: "protected: Read", opcode: 2, namespace: 6, status: 0),
    Check(testDescription: "protected: Write Zeroes", opcode: 8, namespace: 6, status: 0x2020),
    Check(testDescription: "protected: DSM", opcode: 9, namespace: 6, status: 0x2020),
    Check(
      testDescription: "write protection comes before the opcode", opcode: 5, namespace: 6,
      status: 0x2020),
    Check(testDescription: "the opcode", opcode: 5, namespace: 1, status: 0x6001),
  ]

  // nvmet_pci_epf.md, 19
  @Test("the order of checks", arguments: checks)
  func check(_ row: Check) throws {
    let (host, _) = try host { model in
      for id in 2...9 as ClosedRange<UInt32> {
        var space = Namespace(id: id, backend: .null(size: 1 << 20))
        space.isEnabled = id != 2 && id != 9
        space.isReadOnly = id == 6 || id == 7
        switch id {
        case 3, 7, 9: space.accessState = .inaccessible
        case 4: space.accessState = .persistentLoss
        case 5: space.accessState = .change
        case 8: space.accessState = .nonOptimized
        default: break
        }
        model.namespaces.append(space)
      }
    }
    let entry = Host.Entry(
      opcode: row.opcode, flags: row.flags, namespace: row.namespace, prp1: host.page(),
      words: [0, 0, 0])
    #expect(host.status(of: entry, on: 1) == row.status)
    // What is refused before it is executed does not hang.
    #expect(!host.isHanging)
  }

  // nvmet_pci_epf.md, 16, 19
  @Test("a namespace that the host protects refuses writes until it takes that back")
  func protected() throws {
    let (host, _) = try host()
    func statuses() -> [UInt16?] {
      [0, 1, 2, 8, 9].map {
        host.status(
          of: .init(opcode: $0, namespace: 1, prp1: host.page(), words: [0, 0, 0]), on: 1)
      }
    }
    #expect(host.setFeature(0x84, 1, namespace: 1)?.status == 0)
    #expect(statuses() == [0, 0x2020, 0, 0x2020, 0x2020])
    #expect(host.setFeature(0x84, 0, namespace: 1)?.status == 0)
    #expect(statuses() == [0, 0, 0, 0, 0])
  }

  // MARK: Commands

  struct Command: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var opcode: UInt8
    var block: UInt64 = 0
    /// NLB and the bits above it.
    var word12: UInt32 = 0
    var status: UInt16 = 0
    /// Of a file, where that is another one.
    var file: UInt16?
  }

  static let last: UInt64 = 131_071

  static let commands: [Command] = [
    Command(testDescription: "Flush", opcode: 0),
    Command(testDescription: "Write", opcode: 1, word12: 7),
    Command(testDescription: "Write of the last block", opcode: 1, block: last),
    Command(
      testDescription: "Write beyond the end", opcode: 1, block: last + 1, status: 0x6006,
      file: 0x6081),
    Command(
      testDescription: "Write over the end", opcode: 1, block: last, word12: 1, status: 0x6006,
      file: 0x6081),
    Command(
      testDescription: "Write where numbers end", opcode: 1, block: .max, status: 0x6006,
      file: 0x6081),
    Command(testDescription: "Write with FUA", opcode: 1, word12: 1 << 30 | 7),
    Command(testDescription: "Write with LR", opcode: 1, word12: 1 << 31 | 7),
    Command(testDescription: "Write with PRINFO", opcode: 1, word12: 0xf << 26 | 7),
    Command(testDescription: "Read", opcode: 2, word12: 7),
    Command(testDescription: "Read of the last block", opcode: 2, block: last),
    Command(
      testDescription: "Read beyond the end", opcode: 2, block: last + 1, status: 0x6006,
      file: 0x6081),
    Command(
      testDescription: "Read over the end", opcode: 2, block: last, word12: 1, status: 0x6006,
      file: 0x6081),
    Command(
      testDescription: "Read where numbers end", opcode: 2, block: .max, status: 0x6006,
      file: 0x6081),
    Command(testDescription: "Read with PRINFO", opcode: 2, word12: 0xf << 26 | 7),
    Command(
      testDescription: "Write Zeroes beyond the end", opcode: 8, block: last + 1, status: 0x6006,
      file: 0x6081),
    Command(
      testDescription: "Write Zeroes over the end", opcode: 8, block: last, word12: 1,
      status: 0x6006, file: 0x6081),
  ]

  // nvmet_pci_epf.md, 19
  @Test("commands and their ends", arguments: commands, Back.allCases)
  func command(_ row: Command, _ back: Back) throws {
    for quirk in [nil, Quirk.failedReadHangs] {
      let (host, file) = try host(back, without: quirk)
      let entry = Host.Entry(
        opcode: row.opcode, namespace: 1, prp1: host.page(),
        words: [
          UInt32(truncatingIfNeeded: row.block), UInt32(row.block >> 32), row.word12,
        ])
      let status = back == .file ? row.file ?? row.status : row.status
      #expect(host.status(of: entry, on: 1) == status)
      // nvmet_pci_epf.md#failed-read-hangs: what fails in execution with data to the host.
      #expect(host.isHanging == (row.opcode == 2 && status != 0 && quirk == nil))
      withExtendedLifetime(file) {}
    }
  }

  static let unknownOpcodes: [UInt8] = (0...255).filter { ![0, 1, 2, 8, 9].contains($0) }

  // nvmet_pci_epf.md, 19
  @Test(
    "all other opcodes: reservations and zones without them, Compare, Verify, Copy and the rest",
    arguments: unknownOpcodes)
  func unknown(_ opcode: UInt8) throws {
    let (host, _) = try host()
    let entry = Host.Entry(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0])
    #expect(host.status(of: entry, on: 1) == 0x6001)
    #expect(!host.isHanging)
  }

  // nvmet_pci_epf.md, 19
  @Test(
    "the same on a file", arguments: [0x04, 0x05, 0x0c, 0x0d, 0x0e, 0x11, 0x15, 0x19, 0x79])
  func unknownOnFile(_ opcode: UInt8) throws {
    let (host, file) = try host(.file)
    let entry = Host.Entry(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0])
    #expect(host.status(of: entry, on: 1) == 0x6001)
    withExtendedLifetime(file) {}
  }

  // nvmet_pci_epf.md, 21
  @Test(
    "a failed command leaves a line, except with the opcode of AER, whatever the queue",
    arguments: [(0x05, 1), (0x0c, 0), (0x0d, 1)])
  func failureLines(_ opcode: UInt8, _ lines: Int) throws {
    let (host, _) = try host()
    let entry = Host.Entry(opcode: opcode, namespace: 1, prp1: host.page(), words: [0, 0, 0])
    #expect(host.status(of: entry, on: 1) == 0x6001)
    let text = "CQ[1]: Command I/O Cmd (0x\(String(opcode, radix: 16))) status 0x6001"
    #expect(host.log.count { $0 == text } == lines)
    #expect(host.log.count { $0.contains("Command I/O Cmd") } == lines)
  }

  // MARK: Data

  /// Writes blocks that are all one byte.
  private func write(_ host: Host, _ block: UInt32, _ byte: UInt8, flags: UInt32 = 0) {
    let page = host.page()
    host.fill(page, [UInt8](repeating: byte, count: 4096))
    let entry = Host.Entry(
      opcode: 1, namespace: 1, prp1: page, words: [block, 0, flags | 7])
    #expect(host.status(of: entry, on: 1) == 0)
  }

  /// The first byte of each of eight blocks.
  private func read(_ host: Host, _ block: UInt32) -> [UInt8] {
    let page = host.page()
    let entry = Host.Entry(opcode: 2, namespace: 1, prp1: page, words: [block, 0, 7])
    #expect(host.status(of: entry, on: 1) == 0)
    return (0..<8).map { host.bytes(at: page + 512 * UInt64($0), 1)[0] }
  }

  // nvmet_pci_epf.md, 19
  @Test("reads return the written data, also with FUA", arguments: Back.allCases)
  func roundTrip(_ back: Back) throws {
    let (host, file) = try host(back)
    #expect(read(host, 100) == [0, 0, 0, 0, 0, 0, 0, 0])
    write(host, 100, 0x5a)
    write(host, 108, 0xa5, flags: 1 << 30)
    #expect(read(host, 104) == [0x5a, 0x5a, 0x5a, 0x5a, 0xa5, 0xa5, 0xa5, 0xa5])
    #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    withExtendedLifetime(file) {}
  }

  // nvmet_pci_epf.md, 19
  @Test(
    "the length is NLB + 1 blocks",
    arguments: [(9, 0, 512), (9, 7, 4096), (12, 0, 4096)]
      as [(UInt8, UInt32, Int)])
  func length(_ shift: UInt8, _ count: UInt32, _ bytes: Int) throws {
    let (host, _) = try host { $0.namespaces[0].blockShift = shift }
    let page = host.page(2)
    host.fill(page, [UInt8](repeating: 0xff, count: 8192))
    let entry = Host.Entry(opcode: 2, namespace: 1, prp1: page, words: [0, 0, count])
    #expect(host.status(of: entry, on: 1) == 0)
    #expect(host.bytes(at: page, 8192).firstIndex(of: 0xff) == bytes)
  }

  // nvmet_pci_epf.md, 19
  @Test(
    "Write Zeroes zeroes, with DEAC or without; a file system that cannot is an invalid opcode",
    arguments: Back.allCases, [0, 1 << 25] as [UInt32])
  func writeZeroes(_ back: Back, _ flags: UInt32) throws {
    let (host, file) = try host(back)
    write(host, 0, 0x77)
    let entry = Host.Entry(opcode: 8, namespace: 1, words: [2, 0, flags | 3])
    let status = host.status(of: entry, on: 1)
    #expect(status == 0 || back == .file && status == 0x6001)
    let middle: UInt8 = status == 0 ? 0 : 0x77
    #expect(
      read(host, 0) == [0x77, 0x77] + [UInt8](repeating: middle, count: 4) + [0x77, 0x77])
    withExtendedLifetime(file) {}
  }

  // MARK: Dataset Management

  struct Ranges: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// NR with what is above it.
    var word10: UInt32 = 0
    var attributes: UInt32 = 4
    /// Blocks from and how many.
    var ranges: [(UInt64, UInt32)]
    var status: UInt16 = 0
    var file: UInt16?
    /// Blocks of the first eight that are zero afterwards.
    var zero: Range<Int> = 0..<0
  }

  static let ranges: [Ranges] = [
    Ranges(testDescription: "deallocate", ranges: [(0, 8)], zero: 0..<8),
    Ranges(testDescription: "two ranges", word10: 1, ranges: [(0, 2), (2, 2)], zero: 0..<4),
    Ranges(testDescription: "no blocks", ranges: [(0, 0)]),
    Ranges(testDescription: "the last block", ranges: [(last, 1)]),
    Ranges(
      testDescription: "beyond the end", ranges: [(last + 1, 1)], status: 0x6006, file: 0x6081),
    Ranges(testDescription: "over the end", ranges: [(last, 2)], status: 0x6006, file: 0x6081),
    Ranges(
      testDescription: "where numbers end", ranges: [(.max, 2)], status: 0x6006, file: 0x6081),
    Ranges(testDescription: "integral read: nothing", attributes: 1, ranges: [(0, 8)]),
    Ranges(
      testDescription: "integral write beyond the end: nothing", attributes: 2,
      ranges: [(last + 1, 1)]),
    Ranges(
      testDescription: "a bit above NR counts: more than MDTS, nothing", word10: 1 << 16,
      ranges: [(0, 8)]),
    Ranges(
      testDescription: "all bits above NR: nothing", word10: 0xffff_ff00, ranges: [(0, 8)]),
  ]

  // nvmet_pci_epf.md, 19
  @Test("Dataset Management", arguments: ranges, Back.allCases)
  func dataset(_ row: Ranges, _ back: Back) throws {
    let (host, file) = try host(back)
    write(host, 0, 0x33)
    let page = host.page()
    for (index, (first, count)) in row.ranges.enumerated() {
      try host.memory.store(count, at: page + UInt64(16 * index + 4))
      try host.memory.store(first, at: page + UInt64(16 * index + 8))
    }
    let entry = Host.Entry(
      opcode: 9, namespace: 1, prp1: page, prp2: page, words: [row.word10, row.attributes])
    #expect(host.status(of: entry, on: 1) == (back == .file ? row.file ?? row.status : row.status))
    let bytes = read(host, 0)
    // A file system that cannot punch holes leaves the blocks as they were.
    let wasPunched = back == .block || bytes[0] == 0
    for index in 0..<8 {
      #expect(bytes[index] == (row.zero.contains(index) && wasPunched ? 0 : 0x33))
    }
    #expect(!host.isHanging)
    withExtendedLifetime(file) {}
  }

  // nvmet_pci_epf.md, 19; nvmet_pci_epf.md#transfer-failure-succeeds
  @Test("ranges that nothing is at: success and no effect; as the spec, a transfer error")
  func datasetPointer() throws {
    for isHidden in [true, false] {
      let (host, _) = try host(without: isHidden ? nil : .transferFailureSucceeds)
      let entry = Host.Entry(opcode: 9, namespace: 1, prp1: 1 << 40, words: [0, 4])
      #expect(host.status(of: entry, on: 1) == (isHidden ? 0 : 0x4004))
    }
  }

  // MARK: Failures of files

  // nvmet_pci_epf.md, 19
  @Test(
    "a file's errno becomes this status",
    arguments: [
      ("ENOSPC", ENOSPC, 0x6081), ("EREMOTEIO", EREMOTEIO, 0x6080),
      ("EOPNOTSUPP", EOPNOTSUPP, 0x6001), ("ENODATA", ENODATA, 0x2286), ("EIO", EIO, 0x6006),
      ("EINVAL", EINVAL, 0x6006), ("EFBIG", EFBIG, 0x6006),
    ] as [(String, CInt, UInt16)])
  func error(_ name: String, _ error: CInt, _ status: UInt16) {
    #expect(NVMetPCIEPF.status(of: error).rawValue == status, "\(name)")
  }

  // nvmet_pci_epf.md, 19
  @Test("a file that has become shorter is an internal error, and a read of it hangs")
  func shorter() throws {
    let (host, file) = try host(.file)
    try #require(file).truncate(to: 1 << 20)
    let entry = Host.Entry(opcode: 2, namespace: 1, prp1: host.page(), words: [4096, 0, 7])
    #expect(host.status(of: entry, on: 1) == 0x6006)
    #expect(host.isHanging)
  }

  // nvmet_pci_epf.md, 12, 19
  @Test("a file finds that an SGL is not as long as the command")
  func sgl() throws {
    let (host, file) = try host(.file)
    for (opcode, hangs) in [(1, false), (2, true)] as [(UInt8, Bool)] {
      let entry = Host.Entry(
        opcode: opcode, flags: 0x40, namespace: 1, prp1: host.page(), prp2: 512, words: [0, 0, 7])
      #expect(host.status(of: entry, on: 1) == 0x6006)
      #expect(host.isHanging == hangs)
    }
    withExtendedLifetime(file) {}
  }
}
