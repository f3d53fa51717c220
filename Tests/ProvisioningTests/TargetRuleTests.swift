// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import LibC
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Rules against a useless target: ports, addresses, access, missing devices.
@Suite struct TargetRuleTests {
  private static let nqn = "nqn.2026-01.org.example:a"

  private func issues(_ text: String) -> [ProfileIssue] {
    do { return try profile(text).warnings } catch let error as ProfileIssues {
      return error.issues
    } catch { return [] }
  }

  // MARK: Access

  private func access(_ namespace: String, _ ports: String, driver: String = "auto") -> String {
    """
    { "version": 1, "name": "x", "driver": "\(driver)", "backings": { "a": { "nullBlock": {} } },
      "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ { "id": 1, "backing": "a"\(namespace) } ] } ],
      "ports": [ \(ports) ],
      "functions": [ { "name": "f", "vendorID": 1, "deviceID": 1, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "\(Self.nqn)" } } ] }
    """
  }

  private func port(_ groups: String, _ transport: String = "pci") -> String {
    #"{ "id": 7, "transport": "\#(transport)", "subsystems": ["\#(Self.nqn)"], "anaGroups": [ \#(groups) ] }"#
  }

  @Test(
    "a namespace that the function's port does not give access to is warned of",
    arguments: [
      (#", "anaGroup": 2"#, #"{ "id": 2, "state": "inaccessible" }"#, "2302h"),
      (#", "anaGroup": 2"#, #"{ "id": 2, "state": "persistent-loss" }"#, "2301h"),
      (#", "anaGroup": 2"#, #"{ "id": 2, "state": "change" }"#, "2303h"),
      (#", "anaGroup": 2"#, #"{ "id": 3, "state": "optimized" }"#, "2302h"),
      ("", #"{ "id": 1, "state": "inaccessible" }"#, "2302h"),
      (#", "anaGroup": 2"#, #"{ "id": 2, "state": "optimized" }"#, nil),
      (#", "anaGroup": 2"#, #"{ "id": 2, "state": "non-optimized" }"#, nil),
      (#", "anaGroup": 2, "enabled": false"#, #"{ "id": 2, "state": "inaccessible" }"#, nil),
      ("", "", nil),
    ])
  func states(_ namespace: String, _ groups: String, _ status: String?) {
    let found = issues(access(namespace, port(groups))).filter {
      $0.message.contains("the host gets no usable disk")
    }
    #expect(found.count == (status == nil ? 0 : 1))
    if let status { #expect(found.first?.message.contains(status) == true) }
  }

  @Test(
    "the port that setup adds for a function has group 1 only",
    arguments: [("auto", "pci"), ("nvmet_pci_epf", "pci"), ("pci_epf_nvme", "loop")])
  func addedPort(_ driver: String, _ transport: String) {
    let found = issues(access(#", "anaGroup": 2"#, "", driver: driver)).first {
      $0.path == "subsystems[0].namespaces[0].anaGroup"
    }
    #expect(found?.message.contains("the function's port") == true)
    #expect(found?.hint?.contains("a port of type \(transport)") == true)
  }

  @Test(
    "where the machine chooses the driver, the loop port is checked for the driver that uses it",
    arguments: [
      ("inaccessible", "optimized", " with pci_epf_nvme"),
      ("optimized", "inaccessible", " with nvmet_pci_epf"),
      ("optimized", "optimized", nil), ("non-optimized", "optimized", nil),
    ] as [(String, String, String?)])
  func chosenDriver(_ loop: String, _ pci: String, _ condition: String?) {
    let ports = [("loop", loop), ("pci", pci)].enumerated().map { index, port in
      self.port(#"{ "id": 2, "state": "\#(port.1)" }"#, port.0)
        .replacing(#""id": 7"#, with: #""id": \#(7 + index)"#)
    }
    let found = issues(access(#", "anaGroup": 2"#, ports.joined(separator: ", "))).filter {
      $0.message.contains("the host gets no usable disk")
    }
    #expect(found.count == (condition == nil ? 0 : 1))
    if let condition {
      #expect(found.first?.message.contains("no usable disk\(condition), since") == true)
    }
  }

  @Test("with pci_epf_nvme the loop port gives access")
  func loopPort() {
    func message(_ state: String, _ transport: String) -> String? {
      let port = port(#"{ "id": 2, "state": "\#(state)" }"#, transport)
      return issues(access(#", "anaGroup": 2"#, port, driver: "pci_epf_nvme")).first {
        $0.message.contains("the host gets no usable disk")
      }?.message
    }
    #expect(message("inaccessible", "loop")?.contains("port 7 makes inaccessible") == true)
    #expect(message("optimized", "loop") == nil)
    // Not the port of the other driver.
    #expect(message("optimized", "pci")?.contains("the function's port") == true)
  }

  // MARK: Ports

  @Test(
    "a port and a subsystem that nothing uses are warned of",
    arguments: ["tcp", "rdma", "pci", "loop"])
  func unused(_ transport: String) {
    let address =
      transport == "tcp" || transport == "rdma"
      ? #", "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420""# : ""
    let found = issues(
      """
      { "version": 1, "name": "x", "subsystems": [ { "nqn": "\(Self.nqn)" } ],
        "ports": [ { "id": 1, "transport": "\(transport)"\(address) } ] }
      """)
    #expect(found.map(\.path).sorted() == ["ports[0]", "subsystems[0]"])
    #expect(found.contains { $0.message.hasPrefix("port 1 serves nothing") })
  }

  @Test("two spellings of one address are called that")
  func spellings() {
    func message(_ first: String, _ second: String) -> String? {
      issues(
        """
        { "version": 1, "name": "x", "subsystems": [ { "nqn": "\(Self.nqn)" } ], "ports": [
          { "id": 1, "transport": "tcp", \(first), "service": "4420", "subsystems": ["\(Self.nqn)"] },
          { "id": 2, "transport": "tcp", \(second), "service": "4420", "subsystems": ["\(Self.nqn)"] } ] }
        """
      ).first { $0.path == "ports[1].address" }?.message
    }
    #expect(
      message(Self.v6("::ffff:192.0.2.1"), Self.v4("192.0.2.1"))
        == "the address is taken by port 1: ::ffff:192.0.2.1 and 192.0.2.1 are one address")
    #expect(
      message(Self.v4("192.0.2.1"), Self.v6("::"))
        == "the address is taken by port 1: :: is every address of the machine")
    #expect(
      message(Self.v4("192.0.2.1"), Self.v4("192.0.2.1")) == "the address is taken by port 1")
  }

  private static func v4(_ address: String) -> String { port("ipv4", address) }
  private static func v6(_ address: String) -> String { port("ipv6", address) }
  private static func port(_ family: String, _ address: String) -> String {
    #""addressFamily": "\#(family)", "address": "\#(address)""#
  }

  @Test(
    "two ports cannot listen on one address",
    arguments: [
      (v4("192.0.2.1"), v4("192.0.2.1"), true), (v4("192.0.2.1"), v4("0.0.0.0"), true),
      (v4("0.0.0.0"), v4("192.0.2.1"), true), (v4("192.0.2.1"), v6("::"), true),
      (v6("::"), v4("0.0.0.0"), true), (v6("::"), v6("2001:db8::1"), true),
      (v6("2001:db8::1"), v6("2001:db8:0::1"), true),
      (v6("::ffff:192.0.2.1"), v4("192.0.2.1"), true),
      (v4("0.0.0.0"), v6("2001:db8::1"), false), (v4("192.0.2.1"), v4("192.0.2.2"), false),
    ])
  func addresses(_ first: String, _ second: String, _ clash: Bool) {
    let found = issues(
      """
      { "version": 1, "name": "x", "subsystems": [ { "nqn": "\(Self.nqn)" } ], "ports": [
        { "id": 1, "transport": "tcp", \(first), "service": "4420", "subsystems": ["\(Self.nqn)"] },
        { "id": 2, "transport": "tcp", \(second), "service": "0x1144", "subsystems": ["\(Self.nqn)"] } ] }
      """)
    let errors = found.filter { $0.severity == .error }
    #expect(errors.map(\.path) == (clash ? ["ports[1].address"] : []))
    if clash { #expect(errors.first?.message.hasPrefix("the address is taken by port 1") == true) }
  }

  private func served(_ address: String, name: String = "x", port: Int = 1) throws
    -> Profile.Located
  {
    try profile(
      """
      { "version": 1, "name": "\(name)", "subsystems": [ { "nqn": "\(Self.nqn).\(name)" } ],
        "ports": [ { "id": \(port), "transport": "tcp", "addressFamily": "ipv4", "address": "\(address)", "service": "4420",
          "subsystems": ["\(Self.nqn).\(name)"] } ] }
      """)
  }

  @Test("an address that the machine does not have is found before the first write")
  func missingAddress() throws {
    let machine = SimulatedMachine()
    let located = try served("192.0.2.7")
    let error = machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(located)
    }
    #expect(error?.kind == .inputMissing && error?.errno == .addressNotAvailable)
    #expect(
      error?.message == "ports[0].address: the simulated kernel does not have the address 192.0.2.7"
    )
    #expect(machine.kernel.effects == 0)
    #expect(
      try machine.provisioner.plan(located).warnings.contains { $0.path == "ports[0].address" })
  }

  @Test("an address that a port of others has is found before the first write")
  func takenAddress() throws {
    let machine = SimulatedMachine()
    try machine.setUp(try served("127.0.0.1"))
    let before = machine.kernel.effects
    let located = try served("0.0.0.0", name: "y", port: 2)
    let error = machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(located)
    }
    #expect(error?.kind == .impossible && error?.errno == .addressInUse)
    #expect(error?.message.contains("nvmet port 1") == true)
    #expect(machine.kernel.effects == before)
  }

  @Test("the wait for an address ends when it appears, and at its limit")
  func waiting() throws {
    let machine = SimulatedMachine()
    let located = try served("127.0.0.1")
    let start = machine.kernel.now
    func provisioner(_ hasAddress: @escaping @Sendable () -> Bool) -> Provisioner {
      var changed = machine.provisioner.machine
      changed.addressProblem = { _ in hasAddress() ? nil : .addressNotAvailable }
      var provisioner = Provisioner(changed, run: machine.provisioner.run)
      provisioner.inputTimeout = .seconds(3)
      return provisioner
    }
    let kernel = machine.kernel
    _ = try provisioner { kernel.now - start >= .seconds(1) }.setUp(located, force: false) { _ in }
    #expect(kernel.now - start >= .seconds(1))
    try machine.tearDown("x")
    let error = #expect(throws: ProvisioningError.self) {
      _ = try provisioner { false }.setUp(located, force: false) { _ in }
    }
    #expect(error?.errno == .addressNotAvailable)
    #expect(error?.message.hasSuffix("127.0.0.1, also after a wait of 3 s") == true)
  }

  @Test(
    "a link-local address without its interface is an error that names the scope",
    arguments: [
      ("fe80::1", true), ("fe80::1%eth0", false), ("febf::1", true), ("fec0::1", false),
      ("2001:db8::1", false), ("::", false), ("FE80::1:2", true),
    ])
  func scope(_ address: String, _ isMissing: Bool) throws {
    let text = """
      { "version": 1, "name": "x", "subsystems": [ { "nqn": "\(Self.nqn)" } ],
        "ports": [ { "id": 1, "transport": "tcp", "addressFamily": "ipv6", "address": "\(address)", "service": "4420",
          "subsystems": ["\(Self.nqn)"] } ] }
      """
    let messages: [ProfileIssue]
    do { messages = try profile(text).warnings } catch let issues as ProfileIssues {
      messages = issues.issues.filter { $0.severity == .error }
    }
    let found = messages.filter { $0.path == "ports[0].address" }
    #expect(found.contains { $0.message.contains("its scope is missing") } == isMissing)
    if isMissing { #expect(found.first?.hint?.contains("\(address)%eth0") == true) }
  }

  @Test("a signal ends the wait for an input: the run was interrupted, and nothing is changed")
  func interruptedWait() throws {
    let machine = SimulatedMachine()
    let inbox = Signals.Inbox()
    let kernel = machine.kernel
    let start = kernel.now
    var changed = machine.provisioner.machine
    changed.addressProblem = { _ in
      if kernel.now - start >= .seconds(1) { inbox.send(SIGTERM) }
      return .addressNotAvailable
    }
    var provisioner = Provisioner(changed, run: machine.provisioner.run)
    provisioner.inputTimeout = .seconds(3600)
    let located = try served("127.0.0.1")
    let before = kernel.effects
    let error = Signals.$inbox.withValue(inbox) {
      #expect(throws: ProvisioningError.self) {
        _ = try provisioner.setUp(located, force: false) { _ in }
      }
    }
    #expect(error?.kind == .interrupted && error?.signal == SIGTERM)
    #expect(error?.message.contains("127.0.0.1") == true, "it names the missing input")
    #expect(kernel.effects == before)
  }

  // MARK: Devices

  private func refusal(
    _ backing: String, _ machine: SimulatedKernel.Machine = .init()
  ) throws -> ProvisioningError? {
    let located = try profile(
      """
      { "version": 1, "name": "x", "backings": { "d": \(backing) },
        "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ { "id": 1, "backing": "d" } ] } ] }
      """)
    let simulated = SimulatedMachine(machine: machine)
    let error = simulated.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(located)
    }
    #expect(simulated.kernel.effects == 0)
    return error
  }

  @Test(
    "a character device is named with the block device of its disk",
    arguments: [
      (
        "/dev/nvme0",
        "is a character device (an NVMe controller); its namespaces are block devices such as /dev/nvme0n1"
      ),
      ("/dev/ng3n2", "its disk is /dev/nvme3n2"), ("/dev/sg4", "such as /dev/sda"),
      ("/dev/mtd1", "its block device is /dev/mtdblock1"),
      ("/dev/watchdog", "is a character device (the watchdog), not a disk"),
      ("/dev/mapper/control", "(the control device of the device mapper), not a disk"),
      ("/dev/loop-control", "(the control device of loop devices), not a disk"),
      ("/dev/nvme-fabrics", "(the control device of NVMe over Fabrics), not a disk"),
      ("/dev/null", "it discards what is written"),
      ("/dev/something", "is a character device, not a block device"),
    ])
  func characterDevice(_ path: String, _ words: String) throws {
    var machine = SimulatedKernel.Machine()
    machine.storage[path] = .init(.characterDevice)
    for kind in ["block", "file"] {
      let error = try refusal(#"{ "\#(kind)": { "path": "\#(path)" } }"#, machine)
      #expect(error?.kind == .inputMissing && error?.message.contains(words) == true)
      #expect(error?.hint?.contains("create") != true)
    }
  }

  @Test(
    "a missing device is not created; the hint names its unit",
    arguments: [
      ("/dev/SSDvg/VDI", "lvchange -ay SSDvg/VDI", "dev-SSDvg-VDI.device"),
      ("/dev/mapper/vg--a-lv", "vgchange", "dev-mapper-vg\\x2d\\x2da\\x2dlv.device"),
      ("/dev/md0", "mdadm", "dev-md0.device"), ("/dev/md/data", "mdadm", "dev-md-data.device"),
      ("/dev/zvol/tank/a b", "zpool import tank", "dev-zvol-tank-a\\x20b.device"),
      ("/dev/disk/by-id/x.y", "udev", "dev-disk-by\\x2did-x.y.device"),
      ("/dev/nvme7n1", "lsblk", "dev-nvme7n1.device"),
      ("/dev/loop7", "losetup", "dev-loop7.device"), ("/dev/zd16", "zpool", "dev-zd16.device"),
      ("/dev/nbd3", "driver or service", "dev-nbd3.device"),
      ("/dev/drbd0", "driver or service", "dev-drbd0.device"),
      ("/dev/stratis/pool/fs", "stratis pool start --name pool", "dev-stratis-pool-fs.device"),
      ("/dev/etherd/e0.0", "aoe-discover", "dev-etherd-e0.0.device"),
      ("/dev/md127p1", "mdadm", "dev-md127p1.device"),
      ("/dev/loop0p2", "losetup", "dev-loop0p2.device"),
      ("/dev/zd16p1", "zpool", "dev-zd16p1.device"),
      ("/dev/nbd3p1", "driver or service", "dev-nbd3p1.device"),
    ])
  func missingDevice(_ path: String, _ source: String, _ unit: String) throws {
    for kind in ["block", "file"] {
      let error = try refusal(#"{ "\#(kind)": { "path": "\#(path)" } }"#)
      let hint = try #require(error?.hint)
      #expect(error?.kind == .inputMissing && hint.contains(source) && hint.contains(unit))
      #expect(!hint.contains("\"create\""))
    }
  }

  @Test(
    "a missing device with the name of a character device is called that, and only that",
    arguments: [
      ("/dev/nvme1", "/dev/nvme1n1"), ("/dev/ng0n1", "/dev/nvme0n1"),
      ("/dev/mapper/control", "device mapper"), ("/dev/loop-control", "loop devices"),
      ("/dev/nvme-fabrics", "NVMe over Fabrics"), ("/dev/full", "no space"),
    ])
  func missingCharacterDevice(_ path: String, _ disk: String) throws {
    for backing in [
      #"{ "block": { "path": "\#(path)" } }"#, #"{ "file": { "path": "\#(path)" } }"#,
      #"{ "file": { "path": "\#(path)", "create": true, "sizeMiB": 8 } }"#,
      #"{ "loopDevice": { "path": "\#(path)" } }"#,
    ] {
      let error = try #require(try refusal(backing), "\(backing)")
      #expect(error.kind == .inputMissing && error.errno == nil)
      #expect(error.message.contains("\(path) is a character device"), "\(error.message)")
      #expect(error.message.contains(disk), "\(error.message)")
      #expect(!error.message.contains("does not exist"), "\(error.message)")
      #expect(error.hint == "name the block device of the disk; lsblk lists them")
    }
  }

  @Test("a thousand files without O_DIRECT are one message")
  func withoutDirectIO() throws {
    var machine = SimulatedKernel.Machine()
    var backings: [String] = []
    var namespaces: [String] = []
    for index in 1...1000 {
      var file = SimulatedKernel.StoredObject(.regularFile, size: 1 << 20)
      file.allowsDirectIO = false
      machine.storage["/srv/\(index)"] = file
      backings.append(#""f\#(index)": { "file": { "path": "/srv/\#(index)" } }"#)
      namespaces.append(#"{ "id": \#(index), "backing": "f\#(index)" }"#)
    }
    let located = try profile(
      """
      { "version": 1, "name": "x", "backings": { \(backings.joined(separator: ", ")) },
        "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ \(namespaces.joined(separator: ", ")) ] } ] }
      """)
    let simulated = SimulatedMachine(machine: machine)
    let error = simulated.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(located)
    }
    #expect(
      error?.message
        == "backings.f1: /srv/1 and the paths of 999 more backings are on file systems without O_DIRECT"
    )
  }

  @Test("setup and status report a disk that stores no data", arguments: [false, true])
  func keepsNothing(_ memoryBacked: Bool) throws {
    let machine = SimulatedMachine()
    let outcome = try machine.setUp(
      try profile(
        """
        { "version": 1, "name": "x", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": \(memoryBacked) } } },
          "subsystems": [ { "nqn": "\(Self.nqn)", "namespaces": [ { "id": 1, "backing": "d" } ] } ] }
        """))
    #expect(
      outcome.plan.warnings.contains { $0.message.hasPrefix("the disk stores no data") }
        != memoryBacked)
    let status = try machine.provisioner.status()
    #expect(status.subsystems.first?.namespaces.first?.keepsData == memoryBacked)
  }
}
