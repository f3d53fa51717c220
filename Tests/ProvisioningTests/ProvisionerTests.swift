// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Setup, second setup, changed profile, teardown: the visible effects of the transaction.
@Suite struct ProvisionerTests {
  static let root = "/sys/kernel/config/"

  /// A small profile whose parts a test can replace.
  func small(
    name: String = "small", size: Int = 64, deviceID: Int = 1, model: String = "one",
    queues: Int = 4, namespaces: String = #"{ "id": 1, "backing": "disk" }"#,
    backings: String? = nil
  ) throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "\(name)",
        "backings": { \(backings ?? "\"disk\": { \"nullBlock\": { \"device\": \"\(name)0\", \"sizeMiB\": \(size) } }") },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:\(name)", "model": "\(model)", "namespaces": [ \(namespaces) ] } ],
        "functions": [ { "name": "\(name).0", "vendorID": "0x15b7", "deviceID": \(deviceID), "msixVectors": 8, "msiVectors": 8,
          "ioQueues": \(queues), "target": { "loop": "nqn.2026-01.org.example:\(name)" } } ] }
      """)
  }

  func text(_ machine: SimulatedMachine, _ path: String) -> String? {
    (try? machine.kernel.read(FilePath(Self.root + path)))?.withoutTrailingNewline
  }

  static let function = "pci_ep/functions/nvmet_pci_epf/small.0/"

  @Test(
    "setup brings a controller into service, a second one does nothing, teardown leaves nothing",
    arguments: ShippedProfile.all)
  func roundTrip(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    let plan = try machine.provisioner.plan(located)
    #expect(try machine.setUp(located).changed)
    #expect(machine.kernel.controllers.count == located.profile.functions.count)
    let effects = machine.kernel.effects
    let second = try machine.setUp(located)
    #expect(!second.changed)
    #expect(second.plan.steps.isEmpty)
    #expect(machine.kernel.effects == effects, "the second setup did something")
    #expect(try machine.provisioner.plan(located).steps.isEmpty)
    #expect(try machine.tearDown(plan.name))
    let modules = SimulatedMachine(kernel: shipped.fresh().kernel)
    try onlyModules(of: plan.steps[...], on: modules.kernel)
    #expect(machine.state() == modules.state())
    #expect(try machine.tearDown(plan.name) == false, "a second teardown did something")
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test("setup, teardown and setup again give the same machine", arguments: ShippedProfile.all)
  func again(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    try machine.setUp(located)
    let first = machine.state()
    try machine.tearDown(located.profile.name)
    try machine.setUp(located)
    #expect(machine.state() == first)
  }

  @Test("setup mounts configfs where it is not mounted")
  func unmounted() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.isConfigFSMounted = false
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(small())
    #expect(machine.kernel.isConfigFSMounted)
    #expect(machine.kernel.controllers.count == 1)
  }

  @Test("setup waits for groups that the kernel creates late")
  func lateGroups() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.lateGroups = true
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(small())
    #expect(machine.kernel.controllers.count == 1)
  }

  @Test(
    "a function on a controller that waits for PERST# is set up without an NVMe controller, which appears afterwards"
  )
  func lateInitialisation() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.controllers[0].initializesAtReset = true
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(small())
    #expect(text(machine, "pci_ep/controllers/a40000000.pcie-ep/start") == "1")
    machine.kernel.host(.releaseReset, at: "a40000000.pcie-ep")
    #expect(machine.kernel.controllers.values.contains { $0.isInitialized })
    try machine.tearDown("small")
    #expect(machine.kernel.crashes.isEmpty)
  }

  // MARK: Changes

  @Test("a change that would affect a host is marked, refused, and applied with force")
  func disruptiveChange() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let changed = try small(deviceID: 2)
    let plan = try machine.provisioner.plan(changed)
    #expect(plan.disruptions.contains { $0.operation.path.hasSuffix("/start") })
    #expect(plan.disruptions.contains { $0.operation.path.hasSuffix("/small.0") })
    let before = machine.state()
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(changed)
    }
    #expect(error?.kind == .disruptive)
    #expect(machine.state() == before)
    #expect(try machine.setUp(changed, force: true).changed)
    #expect(text(machine, Self.function + "deviceid") == "0x0002")
    #expect(try machine.setUp(changed).changed == false)
    #expect(machine.kernel.crashes.isEmpty)
    try machine.tearDown("small")
    #expect(!machine.tree.contains { $0.contains("small") })
  }

  @Test("a change takes down only the objects that depend on it, and restores them in order")
  func orderOfChange() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let paths = try machine.provisioner.plan(small(queues: 2)).steps.map(\.operation)
    let words = paths.map { "\($0.verb) \($0.path.split(separator: "/").last ?? "")" }
    let interesting = words.filter { !$0.contains("await") && !$0.contains("verify") }
    #expect(
      interesting.filter { $0.contains("start") || $0.contains("small.0") || $0.contains("qid") }
        == [
          "write start", "unlink small.0", "write attr_qid_max", "link small.0", "write start",
        ])
  }

  @Test("a larger disk replaces the device and keeps the namespace's identity")
  func largerDisk() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let uuid = text(
      machine, "nvmet/subsystems/nqn.2026-01.org.example:small/namespaces/1/device_uuid")
    try machine.setUp(small(size: 128), force: true)
    #expect(text(machine, "nullb/small0/size") == "128")
    #expect(text(machine, "nullb/small0/power") == "1")
    #expect(
      text(machine, "nvmet/subsystems/nqn.2026-01.org.example:small/namespaces/1/device_uuid")
        == uuid)
    #expect(machine.kernel.controllers.count == 1)
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test("objects that a profile no longer has are removed")
  func removedNamespace() throws {
    let machine = SimulatedMachine()
    let two = try small(
      namespaces: #"{ "id": 1, "backing": "disk" }, { "id": 2, "backing": "more" }"#,
      backings:
        #""disk": { "nullBlock": { "device": "small0" } }, "more": { "nullBlock": { "device": "small1" } }"#
    )
    let one = try small(backings: #""disk": { "nullBlock": { "device": "small0" } }"#)
    try machine.setUp(two)
    try machine.setUp(one, force: true)
    #expect(!machine.tree.contains { $0.contains("namespaces/2") || $0.contains("nullb/small1") })
    let fresh = SimulatedMachine()
    try fresh.setUp(one)
    #expect(machine.state() == fresh.state())
    try machine.tearDown("small")
    #expect(!machine.tree.contains { $0.contains("small") })
  }

  @Test("a failed change restores the machine")
  func failedChange() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let before = machine.state()
    machine.kernel.inject(
      .init(
        .write, at: Self.root + "pci_ep/controllers/a40000000.pcie-ep/start", occurrence: 2,
        action: .errno(.ioError)))
    let changed = try small(deviceID: 2)
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(changed, force: true)
    }
    #expect(error?.kind == .operationFailed)
    #expect(machine.state() == before)
    #expect(machine.kernel.controllers.count == 1)
    #expect(try machine.setUp(small()).changed == false)
    #expect(machine.kernel.crashes.isEmpty)
  }

  // MARK: Others on the same machine

  @Test("two profiles share a machine and are torn down independently")
  func twoProfiles() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.controllers = [.virtual("a.pcie-ep"), .virtual("b.pcie-ep")]
    func on(_ controller: String, _ name: String) throws -> Profile.Located {
      var located = try small(name: name)
      located.profile.functions[0].controller = controller
      return located
    }
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(on("a.pcie-ep", "one"))
    let first = machine.state()
    try machine.setUp(on("b.pcie-ep", "two"))
    #expect(machine.kernel.controllers.count == 2)
    #expect(try machine.provisioner.names() == ["one", "two"])
    try machine.tearDown("two")
    #expect(machine.state() == first)
    try machine.tearDown("one")
    #expect(machine.kernel.controllers.isEmpty)
  }

  @Test("objects of others are kept, and so are their values on the profile's objects")
  func foreignObjects() throws {
    let machine = SimulatedMachine()
    try machine.kernel.load("nvmet")
    let foreign = FilePath(Self.root + "nvmet/subsystems/somebody.else")
    try machine.kernel.createDirectory(foreign)
    try machine.setUp(small())
    try machine.tearDown("small")
    #expect(try machine.kernel.kind(of: foreign) == .directory)
  }

  @Test(
    "a foreign namespace in the profile's subsystem is reported, and no longer after its removal")
  func foreignNamespace() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let foreign = FilePath(
      Self.root + "nvmet/subsystems/nqn.2026-01.org.example:small/namespaces/9")
    try machine.kernel.createDirectory(foreign)
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.tearDown("small")
    }
    #expect(error?.kind == .rollbackIncomplete)
    #expect(error?.leftovers.contains { $0.contains("namespaces/9") } == true)
    #expect(try machine.provisioner.names() == ["small"], "the journal is gone, and we forgot")
    try machine.kernel.removeDirectory(foreign)
    #expect(try machine.tearDown("small"))
    #expect(!machine.tree.contains { $0.contains("small") })
  }

  @Test("teardown succeeds if others have already removed an object")
  func removedByOthers() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let link = FilePath(Self.root + "pci_ep/controllers/a40000000.pcie-ep/small.0")
    _ = try machine.kernel.write(
      "0", to: FilePath(Self.root + "pci_ep/controllers/a40000000.pcie-ep/start"))
    try machine.kernel.removeLink(link)
    try machine.kernel.removeDirectory(FilePath(Self.root + Self.function))
    #expect(try machine.tearDown("small"))
    #expect(!machine.tree.contains { $0.contains("small") })
  }

  @Test("a value that others changed is kept")
  func changedByOthers() throws {
    let machine = SimulatedMachine()
    try machine.setUp(small())
    let start = FilePath(Self.root + "pci_ep/controllers/a40000000.pcie-ep/start")
    _ = try machine.kernel.write("0", to: start)
    var kept: [String] = []
    _ = try machine.provisioner.tearDown("small") { progress in
      if case .kept(let sentence) = progress { kept.append(sentence) }
    }
    #expect(try machine.kernel.read(start) == "0\n")
    #expect(kept.isEmpty, "it is as it was before us: nothing to say")
    #expect(!machine.tree.contains { $0.contains("small") })
  }

  @Test("a foreign object with the profile's name is a conflict, and nothing is changed")
  func sameName() throws {
    let machine = SimulatedMachine()
    try machine.kernel.load("nvmet")
    let nqn = "nqn.2026-01.org.example:small"
    try machine.kernel.createDirectory(FilePath(Self.root + "nvmet/subsystems/" + nqn))
    let before = machine.state()
    let located = try small()
    for force in [false, true] {
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(located, force: force)
      }
      #expect(error?.kind == .impossible)
      #expect(error?.path == Self.root + "nvmet/subsystems/" + nqn)
      #expect(error?.hint?.isEmpty == false)
      #expect(machine.state() == before)
      #expect(machine.journal("small") == nil)
    }
  }
}
