// SPDX-License-Identifier: Apache-2.0
import HostTools
import ControllerEmulation
import NVMe
import Provisioning
import SystemPackage
import Testing

/// A disk on a bus held against the prediction for it.
@Suite("A disk compared with its prediction")
struct HostCheckTests {
  @Test("the predicted disk passes, with nothing skipped", arguments: Behaviour.allCases)
  func same(behaviour: Behaviour) throws {
    let bus = try FakeBus(behaviour)
    let check = try HostCheck.run(bus.disk(), against: bus.view)
    #expect(check.hasPassed, "\(check.failures)")
    #expect(check.skipped.isEmpty)
    #expect(check.cases.count > 150)
    #expect(Set(check.cases.map(\.id)).count == check.cases.count, "ids are unique")
  }

  /// The file below the function's directory, the byte, its value, and the case that has to fail.
  static let bytes: [(file: String, offset: Int, value: UInt8, id: String)] = [
    ("config", 0x00, 0x36, "pci vendor-id"), ("config", 0x02, 0x10, "pci device-id"),
    ("config", 0x08, 0x07, "pci revision-id"), ("config", 0x0a, 0x01, "pci class-code"),
    ("config", 0x2c, 0x01, "pci subsystem-vendor-id"), ("config", 0x2e, 0x01, "pci subsystem-id"),
    ("config", 0x34, 0x00, "pci interrupt-vectors"),
    ("resource0", 0x00, 0x7f, "register CAP.MQES"), ("resource0", 0x02, 0x00, "register CAP.CQR"),
    ("resource0", 0x03, 0x01, "register CAP.TO"), ("resource0", 0x04, 0x21, "register CAP.DSTRD"),
    ("resource0", 0x09, 0x09, "register VS"), ("resource0", 0x1c, 0x00, "register CSTS.RDY"),
    ("resource0", 0x1c, 0x03, "register CSTS.CFS"), ("resource0", 0x16, 0x40, "register CC.IOSQES"),
    ("resource0", 0x16, 0x06, "register CC.IOCQES"),
  ]

  @Test("a byte of the bus that differs is one failure, by name", arguments: bytes)
  func changed(file: String, offset: Int, value: UInt8, id: String) throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    try bus.poke(file, offset, value)
    let check = try HostCheck.run(bus.disk(), against: bus.view)
    #expect(check.failures.map(\.id) == [id])
  }

  @Test(
    "a field of Identify Controller that differs is one failure, by name",
    arguments: IdentifyController.layout.map { ("\($0.name)", $0.offset) })
  func controllerField(name: String, offset: Int) throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in
      if structure == .controller { bytes[offset] ^= 1 }
    }
    let failures = try HostCheck.run(disk, against: bus.view).failures.map(\.id)
    // Any controller ID of the target is accepted.
    #expect(failures == (name == "cntlid" ? [] : ["identify \(name)"]))
  }

  @Test(
    "a field of Identify Namespace that differs is one failure, by name",
    arguments: IdentifyNamespace.layout.map { ("\($0.name)", $0.offset) })
  func namespaceField(name: String, offset: Int) throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in
      if structure == .namespace { bytes[offset] ^= 1 }
    }
    let failures = try HostCheck.run(disk, against: bus.view).failures.map(\.id)
    switch name {
    // More formats, or another one in use, are more lines.
    case "nlbaf", "flbas": #expect(failures.contains("namespace 1 \(name)"))
    default: #expect(failures == ["namespace 1 \(name)"])
    }
  }

  @Test("values that depend on the board are compared by rule")
  func unknowns() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in
      if structure == .controller { bytes.replaceSubrange(64..<72, with: Array("6.18.0  ".utf8)) }
      if structure == .namespace { bytes[0] = 0x99 }
      if structure == .namespace { bytes[8] = 0x99 }
    }
    let failures = try HostCheck.run(disk, against: bus.view).failures.map(\.id)
    #expect(failures == ["identify fr", "namespace 1 nsze", "namespace 1 ncap"])
    let unknowns = HostCheck.Unknowns(firmware: true, version: true, sizes: [1])
    #expect(try HostCheck.run(disk, against: bus.view, unknowns: unknowns).hasPassed)
  }

  @Test("identifiers that the board derives are compared by form: the NGUID, and the descriptors")
  func identifiersOfBoard() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let offset = try #require(IdentifyNamespace.layout.first { "\($0.name)" == "nguid" }?.offset)
    func check(_ byte: UInt8, _ unknowns: HostCheck.Unknowns) throws -> [String] {
      let disk = try bus.disk { structure, bytes in
        if structure == .namespace {
          for index in offset..<offset + 16 { bytes[index] = byte }
        }
        if structure == .namespaceDescriptors { bytes[4] ^= 0xff }
      }
      return try HostCheck.run(disk, against: bus.view, unknowns: unknowns).failures.map(\.id)
    }
    #expect(try check(0x99, .init()) == ["namespace 1 nguid", "namespace 1 descriptors"])
    #expect(try check(0x99, .init(identifiers: [1])) == [])
    #expect(try check(0, .init(identifiers: [1])) == ["namespace 1 nguid"])
  }

  @Test("VER that differs from the VS register fails even if the board determines the version")
  func versionsDiffer() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in if structure == .controller { bytes[81] = 4 } }
    let check = try HostCheck.run(disk, against: bus.view, unknowns: .init(version: true))
    #expect(check.failures.map(\.id) == ["identify ver"])
  }

  @Test("a missing namespace and an unexpected one are named")
  func namespaces() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in
      if structure == .activeNamespaces { bytes[0] = 2 }
    }
    let check = try HostCheck.run(disk, against: bus.view)
    #expect(check.failures.map(\.id) == ["namespaces"])
    #expect(check.failures.first?.actual == "2" && check.failures.first?.expected == "1")
  }

  @Test("another UUID is another disk")
  func descriptors() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    let disk = try bus.disk { structure, bytes in
      if structure == .namespaceDescriptors { bytes[4] ^= 0xff }
    }
    #expect(
      try HostCheck.run(disk, against: bus.view).failures.map(\.id) == [
        "namespace 1 descriptors"
      ])
  }

  @Test("registers that cannot be mapped are skipped with their reason, not passed")
  func noRegisters() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    try bus.remove("resource0")
    let check = try HostCheck.run(bus.disk(), against: bus.view)
    #expect(check.hasPassed)
    #expect(check.skipped.map(\.id) == ["register CAP"])
    guard case .skipped(let reason)? = check.skipped.first?.outcome else { return }
    #expect(reason.contains("resource0"))
  }

  @Test("all ones mean that the link is down")
  func gone() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    try bus.write([UInt8](repeating: 0xff, count: 0x2000), to: "resource0")
    #expect(
      try HostCheck.run(bus.disk(), against: bus.view).failures.map(\.id) == ["register CAP"])
  }

  @Test("commands cannot be sent to a function without a driver")
  func noDriver() throws {
    let bus = try FakeBus(.nvmetPCIEPF)
    try bus.remove("driver")
    try bus.remove("nvme")
    let disk = try BusDevice(FakeBus.name, on: HostMachine(sysfs: bus.sysfs))
    let failures = try HostCheck.run(disk, against: bus.view).failures.map(\.id)
    #expect(failures == ["driver", "identify controller", "namespaces"])
  }

  @Test(
    "a name that is not a PCI function is refused before it becomes a path",
    arguments: ["", "..", "0000:01:00", "0000:01:00.0/..", "../../etc:01:00.0", "g000:01:00.0"])
  func names(name: String) throws {
    #expect(throws: HostViewError.self) {
      try BusDevice(name, on: HostMachine(sysfs: "/nonexistent"))
    }
    let error = #expect(throws: HostViewError.self) {
      try BusDevice(name, on: HostMachine(sysfs: "/nonexistent"))
    }
    #expect("\(try #require(error))".contains("not the name of a PCI function"))
  }

  @Test("the error of a missing function has its path")
  func missing() throws {
    let error = #expect(throws: HostViewError.self) {
      try BusDevice("0000:01:00.0", on: HostMachine(sysfs: "/nonexistent"))
    }
    #expect("\(try #require(error))".contains("/nonexistent/bus/pci/devices/0000:01:00.0/config"))
  }
}
