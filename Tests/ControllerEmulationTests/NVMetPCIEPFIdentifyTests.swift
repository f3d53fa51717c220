// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `nvmet_pci_epf` of Linux 7.2: Identify (nvmet_pci_epf.md, 15).
@Suite struct NVMetPCIEPFIdentifyTests {
  /// Namespaces 1, 2 (disabled), 3 (write-protected), 5 (in another group) and 70000.
  private func host(_ quirk: Quirk? = nil) -> Host {
    nvmetPCIEPF(without: quirk) { model in
      for id in [2, 3, 5, 70_000] as [UInt32] {
        var space = Namespace(id: id, backend: .null(size: 1 << 20))
        space.isEnabled = id != 2
        space.isReadOnly = id == 3
        if id == 5 { space.anaGroup = 7 }
        model.namespaces.append(space)
      }
    }
  }

  // MARK: CNS

  struct Structure: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var structure: UInt32
    var namespace: UInt32 = 0
    var set: UInt32 = 0
    var status: UInt16
    /// Whether all is zero.
    var isZero = false
  }

  static let structures: [Structure] = [
    Structure(testDescription: "00", structure: 0, namespace: 1, status: 0),
    Structure(
      testDescription: "00, inactive", structure: 0, namespace: 2, status: 0, isZero: true),
    Structure(testDescription: "00, missing", structure: 0, namespace: 9, status: 0, isZero: true),
    Structure(
      testDescription: "00, beyond NN", structure: 0, namespace: 5000, status: 0, isZero: true),
    Structure(testDescription: "00, NSID 0", structure: 0, status: 0, isZero: true),
    Structure(testDescription: "00, FFFFFFFF", structure: 0, namespace: .max, status: 0x600b),
    Structure(testDescription: "01", structure: 1, status: 0),
    Structure(testDescription: "01, any NSID", structure: 1, namespace: 9, status: 0),
    Structure(testDescription: "02", structure: 2, status: 0),
    Structure(
      testDescription: "02 after all", structure: 2, namespace: 80_000, status: 0, isZero: true),
    Structure(
      testDescription: "02 after FFFFFFFD", structure: 2, namespace: 0xffff_fffd, status: 0,
      isZero: true),
    Structure(
      testDescription: "02 after FFFFFFFE", structure: 2, namespace: 0xffff_fffe, status: 0x600b),
    Structure(testDescription: "02 after FFFFFFFF", structure: 2, namespace: .max, status: 0x600b),
    Structure(testDescription: "03", structure: 3, namespace: 1, status: 0),
    Structure(testDescription: "03, missing", structure: 3, namespace: 9, status: 0x600b),
    Structure(testDescription: "03, disabled", structure: 3, namespace: 2, status: 0x2300),
    Structure(testDescription: "05", structure: 5, namespace: 1, status: 0),
    Structure(testDescription: "05, missing", structure: 5, namespace: 9, status: 0x600b),
    Structure(testDescription: "05, disabled", structure: 5, namespace: 2, status: 0x2300),
    Structure(testDescription: "05, CSI 1", structure: 5, namespace: 1, set: 1, status: 0x6002),
    Structure(
      testDescription: "05, CSI 2 without zones", structure: 5, namespace: 1, set: 2,
      status: 0x6002),
    Structure(testDescription: "06", structure: 6, status: 0, isZero: true),
    Structure(testDescription: "06, CSI 1", structure: 6, set: 1, status: 0x6002),
    Structure(testDescription: "06, CSI 2 without zones", structure: 6, set: 2, status: 0x6002),
    Structure(testDescription: "07", structure: 7, status: 0),
    Structure(
      testDescription: "07, a set without namespaces", structure: 7, set: 2, status: 0,
      isZero: true),
    Structure(
      testDescription: "07 after FFFFFFFE", structure: 7, namespace: 0xffff_fffe, status: 0x600b),
    Structure(testDescription: "08", structure: 8, namespace: 1, status: 0),
    Structure(testDescription: "08, missing", structure: 8, namespace: 9, status: 0x600b),
    Structure(testDescription: "08, disabled", structure: 8, namespace: 2, status: 0x2300),
    Structure(testDescription: "19", structure: 0x19, status: 0),
  ]

  static let otherStructures: [Structure] =
    [
      0x04, 0x09, 0x0a, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c,
      0x20, 0xff,
    ].map {
      Structure(testDescription: "other: \($0)", structure: $0, namespace: 1, status: 0x6002)
    }

  // nvmet_pci_epf.md, 15; nvmet_pci_epf.md#failed-read-hangs
  @Test(
    "structures by CNS, NSID and CSI; what fails hangs",
    arguments: structures + otherStructures)
  func structure(_ row: Structure) {
    let host = host()
    let (status, bytes) = host.identify(
      row.structure, namespace: row.namespace, set: row.set)
    #expect(status == row.status)
    #expect(bytes.allSatisfy { $0 == 0 } == (row.isZero || row.status != 0))
    #expect(host.isHanging == (row.status != 0))
    let withoutQuirk = self.host(.failedReadHangs)
    #expect(
      withoutQuirk.identify(row.structure, namespace: row.namespace, set: row.set).0 == row.status)
    #expect(!withoutQuirk.isHanging)
  }

  private func ids(_ bytes: [UInt8], _ width: Int = 4) -> [UInt64] {
    stride(from: 0, to: 4096, by: width).map { bytes.number($0, width) }
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "02 and 07 list the active namespaces after an id",
    arguments: [(0, [1, 3, 5, 70_000]), (1, [3, 5, 70_000]), (4, [5, 70_000]), (70_000, [])]
      as [(UInt32, [UInt64])])
  func list(_ after: UInt32, _ wanted: [UInt64]) {
    let rest = [UInt64](repeating: 0, count: 1024 - wanted.count)
    #expect(ids(host().identify(2, namespace: after).1) == wanted + rest)
    #expect(ids(host().identify(7, namespace: after).1) == wanted + rest)
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "19 has a count, and each namespace as an endurance group",
    arguments: [(0, [3, 1, 3, 5]), (3, [1, 5])] as [(UInt32, [UInt64])])
  func enduranceGroups(_ after: UInt32, _ wanted: [UInt64]) {
    let host = nvmetPCIEPF { model in
      for id in [3, 5] as [UInt32] {
        model.namespaces.append(Namespace(id: id, backend: .null(size: 1 << 20)))
      }
    }
    let page = host.page()
    #expect(host.status(of: .init(opcode: 6, prp1: page, words: [0x19, after])) == 0)
    let rest = [UInt64](repeating: 0, count: 2048 - wanted.count)
    #expect(ids(host.bytes(at: page, 4096), 2) == wanted + rest)
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "03 has the UUID and the NGUID where they are not zero, and the command set",
    arguments: [(true, true), (true, false), (false, true), (false, false)])
  func descriptors(_ hasUUID: Bool, _ hasNGUID: Bool) {
    let uuid = [UInt8](1...16)
    let nguid = [UInt8](33...48)
    let none = [UInt8](repeating: 0, count: 16)
    let host = nvmetPCIEPF {
      $0.namespaces[0].uuid = hasUUID ? uuid : none
      $0.namespaces[0].nguid = hasNGUID ? nguid : none
    }
    var wanted: [UInt8] = []
    if hasUUID { wanted += [3, 16, 0, 0] + uuid }
    if hasNGUID { wanted += [2, 16, 0, 0] + nguid }
    wanted += [4, 1, 0, 0, 0]
    let bytes = host.identify(3, namespace: 1).1
    #expect(Array(bytes.prefix(wanted.count)) == wanted)
    #expect(bytes.dropFirst(wanted.count).allSatisfy { $0 == 0 })
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "05 has how much a block device discards; nothing for a file", arguments: [false, true])
  func commandSetNamespace(_ isFile: Bool) throws {
    let file = try TemporaryFile(bytes: 1 << 20)
    let store = try FileStore(path: file.path)
    let host = nvmetPCIEPF { if isFile { $0.namespaces[0].backend = .file(store) } }
    let bytes = host.identify(5, namespace: 1).1
    let value: UInt64 = isFile ? 0 : 1
    #expect(bytes.number(268, 4) == value && bytes.number(284, 4) == value)
    #expect(bytes.indices.allSatisfy { bytes[$0] == 0 || $0 == 268 || $0 == 284 })
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "08: no write cache, shared, its group, write protection, ready",
    arguments: [(1, 1, 0), (3, 1, 1), (5, 7, 0)] as [(UInt32, UInt8, UInt8)])
  func independent(_ namespace: UInt32, _ group: UInt8, _ isProtected: UInt8) {
    let bytes = host().identify(8, namespace: namespace).1
    #expect(
      Array(bytes[..<16])
        == [0x20, 1, 0, 0, group, 0, 0, 0, isProtected, 0, 0, 0, 0, 0, 1, 0])
    #expect(bytes[16...].allSatisfy { $0 == 0 })
  }

  // MARK: Identify Controller

  static let controllerFields: [(String, Int, [UInt8])] = [
    ("VID", 0, [0x96, 0x1b]), ("SSVID", 2, [0x97, 0x1b]),
    ("SN", 4, Array("0123456789          ".utf8)),
    ("MN", 24, Array("Linux-pci-epf                           ".utf8)),
    ("FR", 64, Array("7.2.13  ".utf8)), ("RAB", 72, [6]), ("IEEE", 73, [0x56, 0x34, 0x12]),
    ("CMIC", 76, [0x0b]), ("MDTS", 77, [7]), ("CNTLID", 78, [1, 0]), ("VER", 80, [0, 1, 2, 0]),
    ("RTD3R and RTD3E", 84, [0, 0, 0, 0, 0, 0, 0, 0]), ("OAES", 92, [0, 9, 0, 0]),
    ("CTRATT", 96, [0x41, 0, 4, 0]), ("CNTRLTYPE", 111, [1]), ("OACS", 256, [0, 0]),
    ("ACL", 258, [3]), ("AERL", 259, [3]), ("FRMW", 260, [3]), ("LPA", 261, [7]),
    ("ELPE", 262, [127]), ("NPSS", 263, [0]), ("KAS", 320, [10, 0]), ("ENDGIDMAX", 340, [0, 4]),
    ("ANATT", 342, [10]), ("ANACAP", 343, [0x1f]), ("ANAGRPMAX", 344, [128, 0, 0, 0]),
    ("NANAGRPID", 348, [128, 0, 0, 0]), ("SQES", 512, [0x66]), ("CQES", 513, [0x44]),
    ("MAXCMD", 514, [0, 4]), ("NN", 516, [0, 4, 0, 0]), ("ONCS", 520, [0x2c, 0]),
    ("VWC", 525, [1]), ("AWUN and AWUPF", 526, [0, 0, 0, 0]), ("NWPC", 531, [1]),
    ("SGLS", 536, [1, 0, 0, 0]), ("MNAN", 540, [0, 4, 0, 0]), ("SUBNQN", 768, [0x6e, 0x71, 0]),
    ("IOCCSZ", 1792, [4, 0, 0, 0]), ("IORCSZ", 1796, [1, 0, 0, 0]), ("MSDBD", 1803, [0]),
    ("PSD0", 2048, [0xc4, 9, 0, 0, 16, 0, 0, 0, 4, 0, 0, 0]),
  ]

  private static func controller(
    _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> [UInt8] {
    nvmetPCIEPF {
      $0.organization = 0x12_3456
      change(&$0)
    }.identify(1).1
  }

  // nvmet_pci_epf.md, 15
  @Test("fields of Identify Controller", arguments: controllerFields)
  func controllerField(_ name: String, _ offset: Int, _ value: [UInt8]) {
    #expect(Array(Self.controller()[offset..<offset + value.count]) == value, "\(name)")
  }

  // nvmet_pci_epf.md, 15
  @Test("all other fields of Identify Controller are zero")
  func controllerRest() {
    var bytes = Self.controller()
    for (_, offset, value) in Self.controllerFields {
      for index in value.indices { bytes[offset + index] = 0 }
    }
    #expect(bytes.indices.filter { bytes[$0] != 0 } == [])
  }

  // nvmet_pci_epf.md, 15; nvmet_pci_epf.md#transfer-field-wraps
  @Test(
    "MDTS is log2 of pages; limits below a page let no Identify through",
    arguments: [
      (1, nil), (2, nil), (4, 0), (8, 1), (16, 2), (128, 5), (512, 7), (2048, 9),
    ] as [(Int, UInt8?)])
  func maximumTransfer(_ kibibytes: Int, _ field: UInt8?) {
    let bytes = Self.controller { $0.maximumTransfer = kibibytes << 10 }
    #expect(bytes[77] == field ?? 0)
    #expect(bytes.allSatisfy { $0 == 0 } == (field == nil))
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "MAXCMD and the controller ID follow from the model",
    arguments: [16, 256, 1024])
  func commands(_ entries: Int) {
    let bytes = Self.controller {
      $0.maximumQueueEntries = entries
      $0.controllerID = 77
    }
    #expect(bytes.number(514, 2) == UInt64(entries))
    #expect(bytes.number(78, 2) == 77)
  }

  // nvmet_pci_epf.md, 15
  @Test("Identify Controller marks the subsystem as discovered; nothing else does")
  func discovered() {
    let host = nvmetPCIEPF()
    _ = host.identify(0, namespace: 1)
    #expect(!host.hasBeenIdentified)
    _ = host.identify(1)
    #expect(host.hasBeenIdentified)
  }

  // MARK: Identify Namespace

  static let namespaceFields: [(String, Int, Int, UInt64, UInt64)] = [
    ("NSZE", 0, 8, 131_072, 131_072), ("NCAP", 8, 8, 131_072, 131_072),
    ("NUSE", 16, 8, 131_072, 131_072), ("NSFEAT", 24, 1, 0x32, 0), ("NLBAF", 25, 1, 0, 0),
    ("FLBAS", 26, 1, 0, 0), ("MC, DPC, DPS", 27, 3, 0, 0), ("NMIC", 30, 1, 1, 1),
    ("RESCAP", 31, 1, 0, 0), ("DLFEAT", 33, 1, 0, 0), ("NAWUN", 34, 2, 0, 0),
    ("NAWUPF", 36, 2, 0, 0), ("NACWU", 38, 2, 0, 0), ("NPWG, NPWA", 64, 4, 0, 0),
    ("NPDG, NPDA", 68, 4, 0, 0), ("NOWS", 72, 2, 0, 0), ("ANAGRPID", 92, 4, 1, 1),
    ("NSATTR", 99, 1, 0, 0), ("ENDGID", 102, 2, 1, 1),
    (
      "NGUID", 104, 8, 0x0807_0605_0403_0201,
      0x0807_0605_0403_0201
    ), ("EUI64", 120, 8, 0, 0), ("LBAF0", 128, 4, 9 << 16, 9 << 16),
  ]

  private func namespace(isFile: Bool) throws -> [UInt8] {
    let file = try TemporaryFile(bytes: 64 << 20)
    let store = try FileStore(path: file.path)
    let host = nvmetPCIEPF {
      if isFile { $0.namespaces[0].backend = .file(store) }
      $0.namespaces[0].nguid = [UInt8](1...16)
    }
    return host.identify(0, namespace: 1).1
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "fields of Identify Namespace, of a block device and of a file", arguments: namespaceFields
  )
  func namespaceField(
    _ name: String, _ offset: Int, _ width: Int, _ block: UInt64, _ file: UInt64
  ) throws {
    #expect(try namespace(isFile: false).number(offset, width) == block, "\(name)")
    #expect(try namespace(isFile: true).number(offset, width) == file, "\(name), file")
  }

  // nvmet_pci_epf.md, 15
  @Test("all other fields of Identify Namespace are zero", arguments: [false, true])
  func namespaceRest(_ isFile: Bool) throws {
    var bytes = try namespace(isFile: isFile)
    for (_, offset, width, _, _) in Self.namespaceFields {
      for index in offset..<offset + width { bytes[index] = 0 }
    }
    for index in 112..<120 { bytes[index] = 0 }
    #expect(bytes.indices.filter { bytes[$0] != 0 } == [])
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "sizes are rounded down to blocks",
    arguments: [(1_000_000, 9, 1953), (1_000_000, 12, 244), (4096, 12, 1)]
      as [(Int, UInt8, UInt64)])
  func size(_ bytes: Int, _ shift: UInt8, _ blocks: UInt64) throws {
    let file = try TemporaryFile(bytes: bytes)
    for backend in [Backend.file(try FileStore(path: file.path)), .null(size: UInt64(bytes))] {
      let data = nvmetPCIEPF {
        $0.namespaces[0].backend = backend
        $0.namespaces[0].blockShift = shift
      }.identify(0, namespace: 1).1
      #expect([0, 8, 16].map { data.number($0, 8) } == [blocks, blocks, blocks])
      #expect(data[130] == shift)
    }
  }

  // nvmet_pci_epf.md, 15
  @Test(
    "NUSE is 0 where the group cannot be reached",
    arguments: [
      (.optimized, 131_072), (.nonOptimized, 131_072), (.inaccessible, 0), (.persistentLoss, 0),
      (.change, 131_072),
    ] as [(NamespaceAccessState, UInt64)])
  func utilization(_ state: NamespaceAccessState, _ blocks: UInt64) {
    let host = nvmetPCIEPF { $0.namespaces[0].accessState = state }
    let bytes = host.identify(0, namespace: 1).1
    #expect([0, 8, 16].map { bytes.number($0, 8) } == [131_072, 131_072, blocks])
    // The log page says which state it is.
    #expect(host.logPage(0x0c, bytes: 64).1[32] == state.rawValue)
  }

  // nvmet_pci_epf.md, 15
  @Test("group and write protection are the namespace's", arguments: [3, 5] as [UInt32])
  func attributes(_ namespace: UInt32) {
    let bytes = host().identify(0, namespace: namespace).1
    #expect(bytes[92] == (namespace == 5 ? 7 : 1))
    #expect(bytes[99] == (namespace == 3 ? 1 : 0))
    #expect(bytes.number(102, 2) == UInt64(namespace))
  }
}
