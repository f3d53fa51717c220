// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: log pages (nvmet_pci_epf.md, 17).
@Suite struct NVMetPCIEPFLogPageTests {
  struct Log: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var page: UInt8
    var bytes: UInt32
    var namespace: UInt32 = 0
    /// CDW11 and up; CDW14 has the command set.
    var words: [UInt32] = [0]
    var status: UInt16
  }

  static let pages: [Log] = [
    Log(testDescription: "00", page: 0, bytes: 1024, status: 0),
    Log(testDescription: "00, short", page: 0, bytes: 1020, status: 0x600f),
    Log(testDescription: "00, long", page: 0, bytes: 4096, status: 0),
    Log(testDescription: "01 of 4 bytes", page: 1, bytes: 4, status: 0),
    Log(testDescription: "01 of 128 entries", page: 1, bytes: 8192, status: 0),
    Log(testDescription: "02 of all", page: 2, bytes: 512, namespace: .max, status: 0),
    Log(testDescription: "02 of one", page: 2, bytes: 512, namespace: 1, status: 0),
    Log(
      testDescription: "02 of one that is missing", page: 2, bytes: 512, namespace: 9,
      status: 0x600b),
    Log(testDescription: "02, short", page: 2, bytes: 508, namespace: .max, status: 0x0006),
    Log(testDescription: "02, long", page: 2, bytes: 516, namespace: .max, status: 0x0006),
    Log(testDescription: "03 of 4 bytes", page: 3, bytes: 4, status: 0),
    Log(testDescription: "03", page: 3, bytes: 512, status: 0),
    Log(testDescription: "04", page: 4, bytes: 4096, status: 0),
    Log(testDescription: "04, short", page: 4, bytes: 4092, status: 0x0006),
    Log(testDescription: "04, long", page: 4, bytes: 4100, status: 0x0006),
    Log(testDescription: "05", page: 5, bytes: 4096, status: 0),
    Log(testDescription: "05, short", page: 5, bytes: 4092, status: 0x600f),
    Log(
      testDescription: "05, zoned", page: 5, bytes: 4096, words: [0, 0, 0, 2 << 24], status: 0),
    Log(
      testDescription: "05, key value", page: 5, bytes: 4096, words: [0, 0, 0, 1 << 24],
      status: 0x0109),
    Log(
      testDescription: "05, another set and short", page: 5, bytes: 512,
      words: [0, 0, 0, 3 << 24], status: 0x0109),
    Log(testDescription: "09", page: 9, bytes: 512, words: [1 << 16], status: 0),
    Log(testDescription: "09, short", page: 9, bytes: 508, words: [1 << 16], status: 0x600f),
    Log(
      testDescription: "09 of a group that is missing", page: 9, bytes: 512, words: [9 << 16],
      status: 0x600b),
    Log(testDescription: "0C", page: 0x0c, bytes: 4096, status: 0),
    Log(testDescription: "0C, the header only", page: 0x0c, bytes: 16, status: 0),
    Log(testDescription: "0C, less than the header", page: 0x0c, bytes: 12, status: 0x600f),
    Log(testDescription: "12", page: 0x12, bytes: 1024, status: 0),
    Log(testDescription: "12, short", page: 0x12, bytes: 1020, status: 0x600f),
    Log(
      testDescription: "16 of what does not turn", page: 0x16, bytes: 512, words: [1 << 16],
      status: 0x4002),
    Log(
      testDescription: "16 of a group that is missing", page: 0x16, bytes: 512,
      words: [9 << 16], status: 0x600b),
    Log(testDescription: "80", page: 0x80, bytes: 64, status: 0),
  ]

  static let otherPages: [Log] = [0x06, 0x07, 0x08, 0x0a, 0x0d, 0x0e, 0x13, 0x70, 0x81, 0xbf, 0xff]
    .map { Log(testDescription: "other: \($0)", page: $0, bytes: 512, status: 0x6002) }

  // nvmet_pci_epf.md, 17
  @Test("log pages and their lengths; what fails hangs", arguments: pages + otherPages)
  func log(_ row: Log) {
    let host = nvmetPCIEPF()
    #expect(
      host.logPage(row.page, bytes: row.bytes, namespace: row.namespace, words: row.words).0
        == row.status)
    #expect(host.isHanging == (row.status != 0))
    let withoutQuirk = nvmetPCIEPF(without: .failedReadHangs)
    #expect(
      withoutQuirk.logPage(row.page, bytes: row.bytes, namespace: row.namespace, words: row.words).0
        == row.status)
    #expect(!withoutQuirk.isHanging)
  }

  // nvmet_pci_epf.md, 17
  @Test("offsets are ignored", arguments: [4, 1024, 0xffff_fffc] as [UInt32])
  func offset(_ offset: UInt32) {
    let host = nvmetPCIEPF()
    let whole = host.logPage(5, bytes: 4096)
    let other = host.logPage(5, bytes: 4096, words: [0, offset, 0])
    #expect(other.0 == 0 && other.1 == whole.1)
  }

  // nvmet_pci_epf.md, 17
  @Test("Supported Log Pages")
  func supportedPages() {
    let bytes = nvmetPCIEPF().logPage(0, bytes: 1024).1
    let pages = (0..<256).filter { bytes.number(4 * $0, 4) != 0 }
    #expect(pages == [0, 1, 2, 3, 4, 5, 9, 0x0c, 0x12, 0x16, 0x80])
    #expect(pages.allSatisfy { bytes.number(4 * $0, 4) == 1 })
  }

  // nvmet_pci_epf.md, 14, 17
  @Test("an error with MORE is in the error log, the newest first; one without is not")
  func errorLog() throws {
    let host = nvmetPCIEPF()
    try #require(host.makeQueues(1))
    #expect(host.logPage(1, bytes: 64).1.allSatisfy { $0 == 0 })
    // Without MORE: a queue rule of the driver.
    #expect(host.status(of: .init(opcode: 4, words: [9])) == 0x4101)
    let first = host.submit(.init(opcode: 0x7e, namespace: 5))
    #expect(host.reap()?.1.status == 0x6001)
    let second = host.submit(
      .init(opcode: 1, namespace: 1, prp1: host.page(), words: [131_072, 0, 0]), to: 1)
    #expect(host.reap(1)?.1.status == 0x6006)
    let (status, bytes) = host.logPage(1, bytes: 256)
    #expect(status == 0)
    let entries = [0, 64].map { start in
      [(0, 8), (8, 2), (10, 2), (12, 2), (14, 2), (16, 8), (24, 4)].map {
        bytes.number(start + $0, $1)
      }
    }
    // Count, queue, command, status as in the completion, the byte to blame, block, namespace.
    #expect(entries[0] == [2, 1, UInt64(second), 0x800c, 0, 131_072, 1])
    #expect(entries[1] == [1, 0, UInt64(first), 0x8002, 0, 0, 5])
    #expect(bytes[128...].allSatisfy { $0 == 0 })
    #expect(host.logPage(2, bytes: 512, namespace: .max).1.number(176, 8) == 2)
  }

  // nvmet_pci_epf.md, 17
  @Test("the error log holds 128 entries")
  func errorLogWraps() {
    let host = nvmetPCIEPF()
    for _ in 0..<130 { #expect(host.status(of: .init(opcode: 0x7e)) == 0x6001) }
    let bytes = host.logPage(1, bytes: 8192).1
    #expect((0..<128).map { bytes.number(64 * $0, 8) } == (3...130).reversed().map { UInt64($0) })
  }

  // nvmet_pci_epf.md, 17
  @Test("SMART counts what block devices moved, in thousands of 512 bytes; the rest is zero")
  func health() throws {
    let host = nvmetPCIEPF { model in
      model.namespaces.append(
        Namespace(id: 2, backend: .null(size: 64 << 20), blockShift: 12))
    }
    try #require(host.makeQueues(1))
    let page = host.page()
    for _ in 0..<3 {
      #expect(
        host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [0, 0, 7]), on: 1) == 0)
    }
    #expect(
      host.status(of: .init(opcode: 1, namespace: 2, prp1: page, words: [0, 0, 0]), on: 1) == 0)
    func counts(_ namespace: UInt32) -> [UInt64] {
      let bytes = host.logPage(2, bytes: 512, namespace: namespace).1
      let places = [32, 48, 64, 80]
      let rest = bytes.indices.filter { index in !places.contains { index >= $0 && index < $0 + 8 }
      }
      #expect(rest.allSatisfy { bytes[$0] == 0 })
      return places.map { bytes.number($0, 8) }
    }
    #expect(counts(1) == [1, 0, 3, 0])
    #expect(counts(2) == [0, 1, 0, 1])
    #expect(counts(.max) == [1, 1, 3, 1])
    // The endurance group of each namespace has the same numbers.
    let group = host.logPage(9, bytes: 512, words: [1 << 16]).1
    #expect([48, 64, 96, 112].map { group.number($0, 8) } == [1, 0, 3, 0])
  }

  // nvmet_pci_epf.md, 17
  @Test("firmware slots are zero")
  func firmware() {
    #expect(nvmetPCIEPF().logPage(3, bytes: 512).1.allSatisfy { $0 == 0 })
  }

  // nvmet_pci_epf.md, 17
  @Test("Commands Supported and Effects")
  func effects() {
    let bytes = nvmetPCIEPF().logPage(5, bytes: 4096).1
    let admin: [Int: UInt64] = [
      0x00: 1, 0x01: 1, 0x02: 1, 0x04: 1, 0x05: 1, 0x06: 1, 0x08: 1, 0x09: 1, 0x0a: 1, 0x0c: 1,
      0x18: 1,
    ]
    let io: [Int: UInt64] = [
      0x00: 1, 0x01: 3, 0x02: 1, 0x08: 3, 0x09: 1, 0x0d: 1, 0x0e: 1, 0x11: 1, 0x15: 1,
    ]
    for opcode in 0..<256 {
      #expect(bytes.number(4 * opcode, 4) == admin[opcode, default: 0], "admin \(opcode)")
      #expect(bytes.number(1024 + 4 * opcode, 4) == io[opcode, default: 0], "I/O \(opcode)")
    }
  }

  /// Namespaces in groups 1, 3 and 5, the last one disabled.
  private func groupedHost() -> Host {
    nvmetPCIEPF { model in
      for (id, group) in [(2, 3), (3, 3), (4, 5)] as [(UInt32, UInt32)] {
        var space = Namespace(id: id, backend: .null(size: 1 << 20))
        space.anaGroup = group
        space.isEnabled = id != 4
        if group == 3 { space.accessState = .nonOptimized }
        model.namespaces.append(space)
      }
    }
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA has the groups in use with their states and namespaces")
  func groups() {
    let host = groupedHost()
    let (status, bytes) = host.logPage(0x0c, bytes: 512)
    #expect(status == 0)
    #expect(bytes.number(8, 2) == 3)
    // Group, namespaces, state, ids.
    #expect([16, 20, 32, 48].map { bytes.number($0, 4) } == [1, 1, 1, 1])
    #expect([52, 56, 68, 84, 88].map { bytes.number($0, 4) } == [3, 2, 2, 2, 3])
    #expect([92, 96, 108].map { bytes.number($0, 4) } == [5, 0, 1])
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA with RGO has no namespaces")
  func groupsOnly() {
    let bytes = groupedHost().logPage(0x0c, bytes: 512, flags: 1 << 8).1
    #expect(bytes.number(8, 2) == 3)
    for (index, group) in [1, 3, 5].enumerated() {
      #expect(bytes.number(16 + 32 * index, 8) == UInt64(group))
    }
  }

  // nvmet_pci_epf.md, 17
  @Test("ANA in a short buffer is cut off, and still says how many groups there are")
  func groupsCut() {
    let (status, bytes) = groupedHost().logPage(0x0c, bytes: 60)
    #expect(status == 0)
    #expect(bytes.number(8, 2) == 3)
    #expect([52, 56].map { bytes.number($0, 4) } == [3, 2])
  }

  // nvmet_pci_epf.md, 17
  @Test("group 1 is there even without a namespace")
  func noGroups() {
    let bytes = nvmetPCIEPF { $0.namespaces = [] }.logPage(0x0c, bytes: 64).1
    #expect(bytes.number(8, 2) == 1 && bytes.number(16, 8) == 1)
  }

  // nvmet_pci_epf.md, 17
  @Test("Feature Identifiers Supported and Effects")
  func featureEffects() {
    let bytes = nvmetPCIEPF().logPage(0x12, bytes: 1024).1
    let features: [Int: UInt64] = [
      0x07: 0x20_0001, 0x0b: 0x20_0001, 0x0f: 0x20_0001, 0x81: 0x20_0001, 0x82: 0x10_0001,
      0x84: 0x10_0001,
    ]
    for feature in 0..<256 {
      #expect(bytes.number(4 * feature, 4) == features[feature, default: 0], "\(feature)")
    }
  }
}
