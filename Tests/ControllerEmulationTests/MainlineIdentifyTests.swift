// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Glibc
import PCI
import SpecificationHost
import Testing

/// `nvmet_pci_epf` §15: Identify by CNS, and its data structures field by field.
@Suite struct MainlineIdentifyTests {
  static func host(_ change: (inout ControllerModel) -> Void = { _ in }) -> Host {
    MainlineRegisterTests.host(change)
  }

  @Test(
    "§15: CNS by CNS",
    arguments: [
      ("00h", 0x00, 1, 0, 0), ("00h, not there", 0x00, 9, 0, 0),
      ("00h, FFFFFFFFh", 0x00, 0xffff_ffff, 0, 0x600b), ("01h", 0x01, 0, 0, 0),
      ("02h", 0x02, 0, 0, 0), ("02h, FFFFFFFEh", 0x02, 0xffff_fffe, 0, 0x600b),
      ("02h, FFFFFFFFh", 0x02, 0xffff_ffff, 0, 0x600b), ("03h", 0x03, 1, 0, 0),
      ("03h, not there", 0x03, 9, 0, 0x600b), ("05h, NVM", 0x05, 1, 0, 0),
      ("05h, zoned, of a plain one", 0x05, 1, 2, 0x6002), ("05h, another set", 0x05, 1, 1, 0x6002),
      ("06h, NVM", 0x06, 0, 0, 0), ("06h, another set", 0x06, 0, 1, 0x6002), ("07h", 0x07, 0, 0, 0),
      ("08h", 0x08, 1, 0, 0), ("10h", 0x10, 0, 0, 0x6002), ("11h", 0x11, 1, 0, 0x6002),
      ("12h", 0x12, 1, 0, 0x6002), ("13h", 0x13, 0, 0, 0x6002), ("14h", 0x14, 0, 0, 0x6002),
      ("18h", 0x18, 0, 0, 0x6002), ("19h", 0x19, 0, 0, 0), ("1Ch", 0x1c, 0, 0, 0x6002),
    ] as [(String, UInt32, UInt32, UInt32, UInt16)])
  func identify(
    _ name: String, _ structure: UInt32, _ namespace: UInt32, _ set: UInt32, _ status: UInt16
  ) {
    let host = Self.host()
    #expect(host.identify(structure, namespace: namespace, set: set).0 == status)
    #expect(host.diagnoses.contains { $0.row == "nvmet_pci_epf Q2" } == (status != 0))
  }

  @Test("§15: a namespace that is disabled has no descriptors: Internal Path Error")
  func disabled() {
    let host = Self.host { $0.namespaces[0].isEnabled = false }
    #expect(host.identify(3, namespace: 1).0 == 0x2300)
    #expect(host.identify(0, namespace: 1).1.allSatisfy { $0 == 0 })
    #expect(host.identify(2).1.allSatisfy { $0 == 0 })
  }

  @Test(
    "§15: Identify Controller field by field",
    arguments: [
      ("VID", 0, [0x96, 0x1b]), ("SSVID", 2, [0x97, 0x1b]),
      ("SN", 4, Array("0123456789          ".utf8)), ("MN", 24, Array("Linux-pci-epf   ".utf8)),
      ("FR", 64, Array("7.2.13  ".utf8)), ("RAB", 72, [6]), ("IEEE", 73, [0x33, 0x22, 0x11]),
      ("CMIC", 76, [0x0b]), ("MDTS", 77, [7]), ("CNTLID", 78, [1, 0]), ("VER", 80, [0, 1, 2, 0]),
      ("RTD3R, RTD3E", 84, [0, 0, 0, 0, 0, 0, 0, 0]), ("OAES", 92, [0, 9, 0, 0]),
      ("CTRATT", 96, [0x41, 0, 4, 0]), ("CNTRLTYPE", 111, [1]), ("OACS", 256, [0, 0]),
      ("ACL", 258, [3]), ("AERL", 259, [3]), ("FRMW", 260, [3]), ("LPA", 261, [7]),
      ("ELPE", 262, [127]), ("NPSS", 263, [0]), ("KAS", 320, [10, 0]), ("ENDGIDMAX", 340, [0, 4]),
      ("ANATT", 342, [10]), ("ANACAP", 343, [0x1f]), ("ANAGRPMAX", 344, [128, 0, 0, 0]),
      ("NANAGRPID", 348, [128, 0, 0, 0]), ("SQES", 512, [0x66]), ("CQES", 513, [0x44]),
      ("MAXCMD", 514, [0, 4]), ("NN", 516, [0, 4, 0, 0]), ("ONCS", 520, [0x2c, 0]),
      ("VWC", 525, [1]), ("AWUN, AWUPF", 526, [0, 0, 0, 0]), ("NWPC", 531, [1]),
      ("SGLS", 536, [1, 0, 0, 0]), ("MNAN", 540, [0, 4, 0, 0]), ("SUBNQN", 768, [0x6e, 0x71, 0]),
      ("IOCCSZ", 1792, [4, 0, 0, 0]), ("IORCSZ", 1796, [1, 0, 0, 0]), ("MSDBD", 1803, [0]),
      ("PSD0", 2048, [0xc4, 9, 0, 0, 16, 0, 0, 0, 4, 0, 0, 0]),
    ] as [(String, Int, [UInt8])])
  func controller(_ name: String, _ offset: Int, _ bytes: [UInt8]) {
    let (status, found) = Self.host { $0.organization = 0x112233 }.identify(1)
    #expect(status == 0)
    #expect(Array(found[offset..<offset + bytes.count]) == bytes)
  }

  @Test(
    "§15, Q16: MDTS by mdts_kb",
    arguments: [(512, 7), (128, 5), (2048, 9), (8, 1), (4, 0)]
      as [(Int, UInt8)])
  func transfer(_ kilobytes: Int, _ field: UInt8) {
    #expect(
      Self.host { $0.maximumTransfer = kilobytes << 10 }.identifyField(77) == field)
  }

  @Test(
    "§15, §12: with an mdts_kb below 4 Identify itself is too long, which Q1 hides",
    arguments: [1, 2])
  func tooShort(_ kilobytes: Int) {
    let (status, bytes) = Self.host { $0.maximumTransfer = kilobytes << 10 }.identify(1)
    #expect(status == 0)
    #expect(bytes.allSatisfy { $0 == 0 })
  }

  /// A MiB in a file of a file system with blocks of 4 KiB.
  static func fileHost() throws -> Host {
    let path = "/tmp/epfnvme-namespace-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    try #require(descriptor >= 0)
    #expect(ftruncate(descriptor, 1 << 20) == 0)
    close(descriptor)
    let store = try FileStore(path: path)
    // The store keeps it open.
    unlink(path)
    return host { $0.namespaces = [Namespace(id: 1, backend: .file(store), blockShift: 12)] }
  }

  struct Field: Sendable, CustomTestStringConvertible {
    var name: String
    var offset: Int
    var device: [UInt8]
    var file: [UInt8]
    var testDescription: String { name }
  }

  static let fields: [Field] = [
    Field(name: "NSZE", offset: 0, device: [0, 0, 2, 0, 0], file: [0, 1, 0, 0, 0]),
    Field(name: "NCAP", offset: 8, device: [0, 0, 2, 0, 0], file: [0, 1, 0, 0, 0]),
    Field(name: "NUSE", offset: 16, device: [0, 0, 2, 0, 0], file: [0, 1, 0, 0, 0]),
    Field(name: "NSFEAT", offset: 24, device: [0x32], file: [0]),
    Field(name: "NLBAF, FLBAS", offset: 25, device: [0, 0], file: [0, 0]),
    Field(name: "NMIC", offset: 30, device: [1], file: [1]),
    Field(name: "RESCAP", offset: 31, device: [0], file: [0]),
    Field(
      name: "NAWUN to NACWU", offset: 34, device: [0, 0, 0, 0, 0, 0], file: [0, 0, 0, 0, 0, 0]),
    Field(name: "ANAGRPID", offset: 92, device: [1, 0, 0, 0], file: [1, 0, 0, 0]),
    Field(name: "NSATTR", offset: 99, device: [0], file: [0]),
    Field(name: "ENDGID", offset: 102, device: [1, 0], file: [1, 0]),
    Field(name: "EUI64", offset: 120, device: [0, 0], file: [0, 0]),
    Field(name: "LBAF0", offset: 128, device: [0, 0, 9, 0], file: [0, 0, 12, 0]),
  ]

  @Test("§15: Identify Namespace of a block device, field by field", arguments: fields)
  func device(_ field: Field) {
    let bytes = Self.host().identify(0, namespace: 1).1
    #expect(Array(bytes[field.offset..<field.offset + field.device.count]) == field.device)
  }

  @Test("§15: Identify Namespace of a file, field by field", arguments: fields)
  func file(_ field: Field) throws {
    let bytes = try Self.fileHost().identify(0, namespace: 1).1
    #expect(Array(bytes[field.offset..<field.offset + field.file.count]) == field.file)
  }

  static let others: [Row] = [
    Row("02h: ids above the given one, in order") {
      let host = Self.host {
        for id in [7, 3] as [UInt32] {
          $0.namespaces.append(Namespace(id: id, backend: .memory(MemoryStore(count: 1 << 20))))
        }
      }
      let all = host.identify(2).1
      #expect([all[0], all[4], all[8], all[12]] == [1, 3, 7, 0])
      let rest = host.identify(2, namespace: 3).1
      #expect([rest[0], rest[4]] == [7, 0])
    },
    Row("03h: UUID and command set; NGUID only if there is one") {
      let bytes = Self.host().identify(3, namespace: 1).1
      #expect(Array(bytes[0..<4]) == [3, 16, 0, 0])
      #expect(Array(bytes[20..<25]) == [4, 1, 0, 0, 0])
      let both = Self.host { $0.namespaces[0].nguid = [UInt8](repeating: 5, count: 16) }
        .identify(3, namespace: 1).1
      #expect(Array(both[20..<24]) == [2, 16, 0, 0])
    },
    Row("06h: zeroes") { #expect(Self.host().identify(6).1.allSatisfy { $0 == 0 }) },
    Row("07h: the active list") { #expect(Self.host().identify(7).1[0] == 1) },
    Row("08h: NMIC, ANAGRPID, NSTAT ready") {
      let bytes = Self.host().identify(8, namespace: 1).1
      #expect(bytes[1] == 1)
      #expect(Array(bytes[4..<8]) == [1, 0, 0, 0])
      #expect(bytes[14] == 1)
    },
    Row("08h: NSATTR of a protected namespace") {
      #expect(Self.host { $0.namespaces[0].isReadOnly = true }.identify(8, namespace: 1).1[8] == 1)
    },
    Row("19h: as many endurance groups as namespaces, with their ids") {
      let host = Self.host {
        $0.namespaces.append(Namespace(id: 7, backend: .memory(MemoryStore(count: 1 << 20))))
      }
      #expect(Array(host.identify(0x19).1[0..<8]) == [2, 0, 1, 0, 7, 0, 0, 0])
    },
  ]

  @Test("§15: the other structures", arguments: others)
  func other(_ row: Row) throws { try row.check() }
}

extension Host {
  fileprivate func identifyField(_ offset: Int) -> UInt8 { identify(1).1[offset] }
}
