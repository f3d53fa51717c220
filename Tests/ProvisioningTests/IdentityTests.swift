// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import NVMeTarget
import Numbers
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The identities of boards with one profile.
@Suite struct IdentityTests {
  private static let board1 = "0123456789abcdef0123456789abcdef"
  private static let board2 = "fedcba9876543210fedcba9876543210"

  private func machine(_ id: String?) -> SimulatedMachine {
    var machine = SimulatedKernel.Machine()
    machine.machineID = id
    return SimulatedMachine(machine: machine)
  }

  private func shipped() throws -> Profile.Located {
    try ShippedProfile(name: "rock5b", kernelRelease: .linux7_2).located()
  }

  private func located(_ members: String, of subsystem: String = "") throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "x", \(members)
        "backings": { "d": { "nullBlock": { "memoryBacked": true } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a"\(subsystem), "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8,
          "target": { "loop": "nqn.2026-01.org.example:a" } } ] }
      """)
  }

  /// The values that distinguish boards, as the kernel has them.
  private func identity(_ machine: SimulatedMachine) -> [String] {
    let tree = machine.tree.filter { $0.hasPrefix("nvmet/subsystems/") }
    let names = [
      "attr_serial", "attr_cntlid_min", "attr_cntlid_max", "device_uuid", "device_nguid",
    ]
    let values = names.compactMap { name in
      tree.first { $0.contains("/\(name) = ") }?.split(separator: " = ").last.map(String.init)
    }
    let name = tree.first { $0.hasSuffix(" dir") }?.split(separator: "/").last
    return values + [name.map(String.init) ?? ""]
  }

  @Test("two boards with one profile differ in every identity, and each keeps its own")
  func twoBoards() throws {
    let (first, second) = (machine(Self.board1), machine(Self.board2))
    for machine in [first, second] { try machine.setUp(try shipped()) }
    let (one, other) = (identity(first), identity(second))
    #expect(one.count == 6)
    for (left, right) in zip(one, other) { #expect(left != right) }
    try first.tearDown("rock5b")
    try first.setUp(try shipped())
    #expect(identity(first) == one)
  }

  @Test("a second setup has nothing to do, and neither has that of the export")
  func stable() throws {
    let machine = machine(Self.board1)
    try machine.setUp(try shipped())
    #expect(try machine.setUp(try shipped()).changed == false)
    var exported = try machine.provisioner.export().profile
    #expect(exported.identity == .machine)
    exported.name = "rock5b"
    let text = Array(exported.json.compactText.utf8)
    #expect(try machine.setUp(try Profile.decode(text)).changed == false)
  }

  @Test("values that the profile sets are kept")
  func explicit() throws {
    let uuid = "11111111-2222-8333-a444-555555555555"
    let located = try located(
      "",
      of:
        #", "serial": "MINE", "controllerIDMinimum": 7, "controllerIDMaximum": 9"#)
    var given = located.profile
    given.subsystems[0].namespaces[0].uuid = uuid
    let result = given.identified(on: Self.board1).subsystems[0]
    #expect(result.serial == "MINE" && result.namespaces[0].uuid == uuid)
    #expect(result.controllerIDMinimum == 7 && result.controllerIDMaximum == 9)
    #expect(result.nqn != given.subsystems[0].nqn)
  }

  @Test("a second call changes nothing", arguments: [board1, nil])
  func idempotent(_ id: String?) throws {
    let once = try shipped().profile.identified(on: id)
    #expect(once.identified(on: id) == once)
  }

  @Test("with a seed two machines have one identity, and without either only names count")
  func sources() throws {
    let seeded = try located(#""identity": "seed", "identitySeed": "slot 4","#).profile
    #expect(seeded.identified(on: Self.board1) == seeded.identified(on: Self.board2))
    #expect(seeded.identified(on: nil).subsystems[0].nqn != "nqn.2026-01.org.example:a")
    let named = try located(#""identity": "profile","#).profile
    #expect(named.identified(on: Self.board1) == named.identified(on: nil))
    #expect(named.identified(on: Self.board1).subsystems[0].nqn == "nqn.2026-01.org.example:a")
  }

  @Test("a subsystem that hosts on a network name keeps its name and the kernel's controller IDs")
  func network() throws {
    var profile = try located("").profile
    var port = Profile.Port(id: 4, transport: .tcp)
    port.subsystems = ["nqn.2026-01.org.example:a"]
    profile.ports = [port]
    let result = profile.identified(on: Self.board1).subsystems[0]
    #expect(result.nqn == "nqn.2026-01.org.example:a" && result.controllerIDMinimum == nil)
    #expect(result.serial != profile.identified(on: Self.board2).subsystems[0].serial)
  }

  @Test("a name without room for the suffix is kept, with a warning")
  func longName() throws {
    let long = "nqn.2026-01.org.example:" + String(repeating: "a", count: 190)
    let text = { (identity: String) in
      """
      { "version": 1, "name": "x", \(identity) "subsystems": [ { "nqn": "\(long)" } ],
        "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8,
          "target": { "loop": "\(long)" } } ] }
      """
    }
    let located = try profile(text(""))
    #expect(located.warnings.contains { $0.path == "subsystems[0].nqn" })
    #expect(located.profile.identified(on: Self.board1).subsystems[0].nqn == long)
    let named = try profile(text(#""identity": "profile","#))
    #expect(!named.warnings.contains { $0.path == "subsystems[0].nqn" })
  }

  @Test("a machine without an ID is said, except with another source")
  func withoutMachineID() throws {
    func warns(_ id: String?, _ members: String) throws -> Bool {
      try machine(id).provisioner.plan(try located(members)).warnings.contains {
        $0.path == "identity"
      }
    }
    #expect(try warns(nil, ""))
    #expect(try !warns(Self.board1, ""))
    #expect(try !warns(nil, #""identity": "profile","#))
  }

  @Test(
    "a seed and its source belong together",
    arguments: [
      (#""identity": "seed","#, "identity"), (#""identitySeed": "a","#, "identitySeed"),
    ])
  func pairs(_ members: String, _ path: String) {
    let error = #expect(throws: ProfileIssues.self) { try located(members) }
    #expect(error?.issues.first { $0.severity == .error }?.path == path)
  }

  @Test("identifiers that namespaces of others on the machine have are warned of")
  func others() throws {
    let machine = machine(Self.board1)
    try machine.setUp(try shipped())
    let uuid = try #require(
      shipped().profile.identified(on: Self.board1).subsystems[0].namespaces[0].uuid)
    let copy = try profile(
      """
      { "version": 1, "name": "copy", "backings": { "d": { "nullBlock": {} } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:copy",
          "namespaces": [ { "id": 1, "backing": "d", "uuid": "\(uuid)" } ] } ] }
      """)
    let warnings = try machine.provisioner.plan(copy).warnings
    #expect(warnings.contains { $0.path == "subsystems[0].namespaces[0].uuid" })
  }

  @Test("an identifier that is set can be one that is derived", arguments: ["uuid", "nguid"])
  func derivedTwice(_ key: String) throws {
    func text(_ members: String) -> String {
      """
      { "version": 1, "name": "x", "backings": { "a": { "nullBlock": {} }, "b": { "nullBlock": {} } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [
          { "id": 1, "backing": "a" }, { "id": 2, "backing": "b"\(members) } ] } ] }
      """
    }
    let first = try profile(text("")).profile.identified(on: nil).subsystems[0].namespaces[0]
    let value = try #require(key == "uuid" ? first.uuid : first.nguid)
    let error = #expect(throws: ProfileIssues.self) {
      try profile(text(#", "\#(key)": "\#(value)""#))
    }
    #expect(
      error?.issues.contains {
        $0.path == "subsystems[0].namespaces[1].\(key)"
          && $0.message
            == "namespace 2 has the \(key.uppercased()) of namespace 1: Linux makes no disk of it"
      } == true)
  }

  @Test(
    "SHA-256 of FIPS 180-4's examples",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func digest(_ text: String, _ digits: String) {
    #expect(SHA256.hexadecimalDigest(text) == digits)
  }
}
