// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Several profiles on one machine: what they can share, what they cannot, and what one leaves of the other.
@Suite struct SharingTests {
  static let root = "/sys/kernel/config/"
  static let start = root + "pci_ep/controllers/a40000000.pcie-ep/start"

  /// One namespace behind one function on a controller that takes two.
  private func endpoint(_ name: String, vendorID: String = "0x15b7") throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "\(name)", "backings": { "d": { "nullBlock": { "sizeMiB": 64 } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:\(name)", "maximumQueueID": 4,
          "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "\(name)", "vendorID": "\(vendorID)", "deviceID": "0x5fff", "msixVectors": 8, "msiVectors": 8,
          "target": { "loop": "nqn.2026-01.org.example:\(name)" },
          "controllerFeatures": { "maximumFunctions": 2 } } ] }
      """)
  }

  private func machine(
    _ kernelRelease: SimulatedKernel.Release = .linux7_2
  ) -> SimulatedMachine {
    var hardware = SimulatedKernel.Machine()
    hardware.controllers[0].maximumFunctions = 2
    return SimulatedMachine(kernelRelease, machine: hardware)
  }

  /// A namespace that a tcp port offers.
  private func offered(
    _ name: String, port: String, backing: String = #"{ "nullBlock": {} }"#
  ) throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "\(name)", "backings": { "d": \(backing) },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:\(name)", "allowedHosts": [ "nqn.2026-01.org.example:host" ],
          "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "ports": [ { \(port), "subsystems": [ "nqn.2026-01.org.example:\(name)" ] } ] }
      """)
  }

  private static let port =
    #""id": 7, "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420""#

  private func text(_ machine: SimulatedMachine, _ path: String) -> String? {
    (try? machine.kernel.read(FilePath(path)))?.withoutTrailingNewline
  }

  // MARK: A controller

  @Test(
    "two profiles have one function each on one controller, and each matches",
    arguments: SimulatedKernel.Release.allCases)
  func controller(_ kernelRelease: SimulatedKernel.Release) throws {
    let machine = machine(kernelRelease)
    let (a, b) = (try endpoint("a"), try endpoint("b"))
    try machine.setUp(a)
    let alone = machine.state()
    let refused = machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(b) }
    #expect(refused?.kind == .disruptive)
    #expect(machine.state() == alone)
    try machine.setUp(b, force: true)
    for profile in [a, b] {
      #expect(try machine.provisioner.check(profile).failures == [])
      #expect(try machine.provisioner.differences(profile).filter { $0.kind != .foreign } == [])
      #expect(try machine.setUp(profile).plan.steps.isEmpty)
    }
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test(
    "a teardown that interrupts the other profile's function is refused, and with force restores it",
    arguments: SimulatedKernel.Release.allCases, [["a", "b"], ["b", "a"]])
  func leaving(_ kernelRelease: SimulatedKernel.Release, _ order: [String]) throws {
    let machine = machine(kernelRelease)
    let profiles = ["a": try endpoint("a"), "b": try endpoint("b")]
    try machine.setUp(try #require(profiles["a"]))
    try machine.setUp(try #require(profiles["b"]), force: true)
    let both = machine.state()
    let refused = machine.failure { (machine) throws(ProvisioningError) in
      try machine.tearDown(order[0])
    }
    #expect(refused?.kind == .disruptive)
    #expect(machine.state() == both)
    var options = Provisioner.TeardownOptions()
    options.force = true
    _ = try machine.provisioner.tearDown(order[0], options: options) { _ in }
    let stays = try #require(profiles[order[1]])
    #expect(text(machine, Self.start) == "1")
    #expect(try machine.provisioner.check(stays).failures == [])
    #expect(try machine.setUp(stays).plan.steps.isEmpty)
    try machine.tearDown(order[1])
    #expect(text(machine, Self.start) == "0")
    #expect(!machine.tree.contains { $0.contains("org.example") })
    #expect(!machine.kernel.logLines.contains { $0.contains("WARNING") })
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test("another profile's header on a shared driver is a warning")
  func header() throws {
    let machine = machine()
    try machine.setUp(endpoint("a"))
    let plan = try machine.provisioner.plan(endpoint("b", vendorID: "0x1d94"))
    #expect(plan.warnings.contains { $0.message.contains("one configuration header") })
  }

  // MARK: Ports and hosts

  @Test(
    "a port and a host are shared, and the last profile removes them",
    arguments: [["a", "b"], ["b", "a"]])
  func port(_ order: [String]) throws {
    let machine = SimulatedMachine()
    try machine.kernel.load("nvmet")
    try machine.kernel.load("nvmet_tcp")
    try machine.kernel.load("null_blk", parameters: ["nr_devices=0"])
    let start = machine.state()
    let profiles = [
      "a": try offered("a", port: Self.port), "b": try offered("b", port: Self.port),
    ]
    for name in ["a", "b"] { try machine.setUp(try #require(profiles[name])) }
    let stays = try #require(profiles[order[1]])
    try machine.tearDown(order[0])
    #expect(try machine.provisioner.check(stays).failures == [])
    #expect(machine.tree.contains { $0.contains("nvmet/ports/7 ") })
    #expect(machine.tree.contains { $0.contains("nvmet/hosts/nqn.2026-01.org.example:host ") })
    try machine.tearDown(order[1])
    #expect(machine.state() == start)
  }

  @Test(
    "a profile that drops a shared port leaves it to the other one",
    arguments: ["a", "b"])
  func dropped(_ name: String) throws {
    let machine = SimulatedMachine()
    for name in ["a", "b"] { try machine.setUp(offered(name, port: Self.port)) }
    var changed = try offered(name, port: Self.port)
    changed.profile.ports = []
    try machine.setUp(changed, force: true)
    let other = name == "a" ? "b" : "a"
    #expect(try machine.provisioner.check(offered(other, port: Self.port)).failures == [])
    try machine.tearDown(other)
    #expect(!machine.tree.contains { $0.contains("nvmet/ports/7") })
    try machine.tearDown(name)
    #expect(!machine.tree.contains { $0.contains("org.example") })
  }

  @Test(
    "attributes of a host that two profiles set are kept until the last profile drops them",
    arguments: [false, true])
  func hostAttribute(_ leaves: Bool) throws {
    func stating(_ name: String, _ service: String, _ hash: String?) throws -> Profile.Located {
      var located = try offered(
        name, port: Self.port.replacing("\"id\": 7", with: "\"id\": \(service.suffix(1))"))
      located.profile.ports[0].service = service
      located.profile.hosts = [
        .init(
          nqn: "nqn.2026-01.org.example:host",
          attributes: hash.map { [.init(name: "dhchap_hash", text: $0)] } ?? [])
      ]
      return try Profile.decode(Array(located.profile.json.compactText.utf8))
    }
    let path = Self.root + "nvmet/hosts/nqn.2026-01.org.example:host/dhchap_hash"
    let machine = machine()
    try machine.setUp(try stating("a", "4421", "hmac(sha512)"))
    let second = try stating("b", "4422", "hmac(sha512)")
    try machine.setUp(second)
    if leaves {
      try machine.tearDown("a")
    } else {
      let plan = try machine.setUp(try stating("a", "4421", nil)).plan
      #expect(plan.steps.map(\.operation.sentence) == [])
    }
    #expect(text(machine, path) == "hmac(sha512)")
    #expect(try machine.provisioner.check(second).failures == [])
    try machine.setUp(try stating("b", "4422", nil))
    #expect(text(machine, path) == "hmac(sha256)")
    if !leaves { try machine.tearDown("a") }
    try machine.tearDown("b")
    #expect(text(machine, path) == nil)
  }

  @Test("a port that the other profile has with another address is refused")
  func otherAddress() throws {
    let machine = SimulatedMachine()
    try machine.setUp(offered("a", port: Self.port))
    let before = machine.state()
    let b = try offered("b", port: Self.port.replacing("4420", with: "4421"))
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(b, force: true)
    }
    #expect(error?.kind == .impossible)
    #expect(error?.path == Self.root + "nvmet/ports/7/addr_trsvcid")
    #expect(error?.message.contains("\"a\"") == true)
    #expect(machine.state() == before)
  }

  @Test("with pci_epf_nvme two profiles use one loop port, the machine's first")
  func loopPort() throws {
    let machine = machine(.linux6_12)
    try machine.setUp(endpoint("a"))
    try machine.setUp(endpoint("b"), force: true)
    #expect(machine.tree.count { $0.hasSuffix("addr_trtype = loop") } == 1)
    #expect(try machine.provisioner.check(endpoint("a")).failures == [])
    #expect(try machine.provisioner.check(endpoint("b")).failures == [])
  }

  // MARK: What belongs to one

  struct Taken: Sendable, CustomStringConvertible {
    var description: String
    var path: String
    var text: String
  }

  static let taken = [
    Taken(
      description: "a subsystem", path: "nvmet/subsystems/nqn.2026-01.org.example:a",
      text: #""subsystems": [ { "nqn": "nqn.2026-01.org.example:a" } ]"#),
    Taken(
      description: "a null_blk device", path: "nullb/a-d",
      text: #""backings": { "d": { "nullBlock": { "device": "a-d" } } }"#),
    Taken(
      description: "a function", path: "pci_ep/functions/nvmet_pci_epf/a",
      text: """
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:b" } ],
        "functions": [ { "name": "a", "vendorID": "0x15b7", "deviceID": 1, "msixVectors": 8, "msiVectors": 8,
          "target": { "loop": "nqn.2026-01.org.example:b" } } ]
        """),
  ]

  @Test("an object of another profile is refused", arguments: taken)
  func object(_ taken: Taken) throws {
    let machine = machine()
    try machine.setUp(endpoint("a"))
    let before = machine.state()
    let b = try profile("{ \"version\": 1, \"name\": \"b\", \(taken.text) }")
    for force in [false, true] {
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(b, force: force)
      }
      #expect(error?.kind == .impossible)
      #expect(error?.path == Self.root + taken.path)
      #expect(error?.message.contains("\"a\"") == true)
      #expect(machine.state() == before)
    }
  }

  // MARK: Stores

  struct Store: Sendable, CustomStringConvertible {
    var first: String
    var second: String
    var description: String { "\(first) and \(second)" }
  }

  static let stores = [
    Store(
      first: #"{ "block": { "path": "/dev/sda" } }"#,
      second: #"{ "block": { "path": "/dev/sda" } }"#),
    Store(
      first: #"{ "block": { "path": "/dev/sda" } }"#,
      second: #"{ "block": { "path": "/dev/disk/by-id/disk" } }"#),
    Store(
      first: #"{ "block": { "path": "/dev/sda" } }"#,
      second: #"{ "block": { "path": "/dev/sda1" } }"#),
    Store(
      first: #"{ "block": { "path": "/dev/sda1" } }"#,
      second: #"{ "block": { "path": "/dev/sda" } }"#),
    Store(
      first: #"{ "file": { "path": "/srv/x", "create": true, "sizeMiB": 8 } }"#,
      second: #"{ "loopDevice": { "path": "/srv/x" } }"#),
    Store(
      first: #"{ "loopDevice": { "path": "/srv/x", "create": true, "sizeMiB": 8 } }"#,
      second: #"{ "file": { "path": "/srv/link" } }"#),
    Store(
      first: #"{ "nullBlock": { "device": "shared" } }"#,
      second: #"{ "block": { "path": "/dev/shared" } }"#),
  ]

  @Test(
    "one store for the namespaces of two profiles is refused, under any name",
    arguments: stores)
  func store(_ store: Store) throws {
    var hardware = SimulatedKernel.Machine()
    hardware.storage["/dev/sda1"] = .init(.blockDevice, size: 1 << 30)
    hardware.storage["/dev/disk"] = .init(.directory)
    hardware.storage["/dev/disk/by-id"] = .init(.directory)
    hardware.storage["/dev/disk/by-id/disk"] = .init(.symbolicLink, target: "../../sda")
    hardware.storage["/srv/link"] = .init(.symbolicLink, target: "x")
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(offered("a", port: Self.port, backing: store.first))
    let before = machine.state()
    let b = try offered("b", port: Self.port, backing: store.second)
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(b, force: true)
    }
    #expect(error?.kind == .impossible)
    #expect(error?.hint?.isEmpty == false)
    #expect(machine.state() == before)
  }

  @Test("one store under two names in one profile is refused")
  func storeTwice() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.storage["/dev/disk"] = .init(.directory)
    hardware.storage["/dev/disk/by-id"] = .init(.directory)
    hardware.storage["/dev/disk/by-id/disk"] = .init(.symbolicLink, target: "../../sda")
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    let before = machine.state()
    let twice = try profile(
      """
      { "version": 1, "name": "c",
        "backings": { "d": { "block": { "path": "/dev/sda" } }, "e": { "block": { "path": "/dev/disk/by-id/disk" } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:c",
          "namespaces": [ { "id": 1, "backing": "d" }, { "id": 2, "backing": "e" } ] } ] }
      """)
    let error = machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(twice) }
    #expect(error?.kind == .impossible)
    #expect(machine.state() == before)
  }

  @Test("the device of a foreign namespace is not removed")
  func device() throws {
    let machine = machine()
    try machine.setUp(endpoint("a"))
    let foreign = FilePath(Self.root + "nvmet/subsystems/foreign")
    try machine.kernel.createDirectory(foreign)
    let space = foreign.pushing("namespaces/1")
    try machine.kernel.createDirectory(space)
    _ = try machine.kernel.write("/dev/a-d\n", to: space.appending("device_path"))
    _ = try machine.kernel.write("1\n", to: space.appending("enable"))
    let before = machine.state()
    var larger = try endpoint("a")
    if case .nullBlock(var device) = larger.profile.backings[0].store {
      device.sizeMiB = 128
      larger.profile.backings[0].store = .nullBlock(device)
    }
    let change = machine.failure { [larger] (machine) throws(ProvisioningError) in
      try machine.setUp(larger, force: true)
    }
    #expect(change?.kind == .impossible)
    let teardown = machine.failure { (machine) throws(ProvisioningError) in
      try machine.tearDown("a")
    }
    #expect(teardown?.kind == .disruptive)
    #expect(machine.state() == before)
  }
}
