// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// From the machine to a profile and back: nothing that a profile can say is lost on the way.
@Suite struct InterchangeTests {
  @Test(
    "export, teardown and setup of the export give the same machine", arguments: ShippedProfile.all)
  func shipped(_ shipped: ShippedProfile) throws {
    let machine = shipped.fresh()
    let exported = try roundTrip(try shipped.located(), on: machine)
    #expect(try machine.provisioner.export().profile == exported)
    let again = try Profile.decode(Array(exported.json.compactText.utf8))
    #expect(try machine.provisioner.differences(again) == [])
    #expect(try machine.provisioner.plan(again).steps.map(\.operation.sentence) == [])
  }

  @Test(
    "for generated profiles: the text describes the profile, the export describes the machine",
    arguments: 0..<(TestScale.isFull ? 20 : 1))
  func generated(_ block: UInt64) throws {
    for seed in block * 50..<block * 50 + (TestScale.isFull ? 50 : 20) {
      let kernelRelease: SimulatedKernel.Release = seed % 2 == 0 ? .linux7_2 : .linux6_12
      let profile = ProfileGenerator.profile(seed: seed, for: kernelRelease)
      let located: Profile.Located
      do { located = try Profile.decode(Array(profile.json.prettyText.utf8)) } catch {
        Issue.record("seed \(seed): \(error.issues.map { $0.text(file: "") })")
        continue
      }
      #expect(located.profile == profile, "seed \(seed)")
      let machine = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
      do {
        let exported = try roundTrip(located, on: machine, "seed \(seed)")
        guard seed % 10 == 0 else { continue }
        let again = try Profile.decode(Array(exported.json.compactText.utf8))
        #expect(try machine.provisioner.differences(again) == [], "seed \(seed)")
        // The first profile still describes the machine.
        let rest = try machine.provisioner.plan(located).steps.map(\.operation.sentence)
        #expect(rest == [], "seed \(seed)")
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }

  /// - Returns: what was exported.
  @discardableResult
  private func roundTrip(
    _ located: Profile.Located, on machine: SimulatedMachine, _ name: String = ""
  ) throws -> Profile {
    try machine.setUp(located)
    let tree = machine.tree
    let first = try machine.provisioner.export(withSecrets: true)
    #expect(first.profile.name == located.profile.name)
    let lost = first.warnings.filter {
      $0.message.contains("left out") || $0.message.contains("refuse")
    }
    #expect(lost.map { $0.text(file: name) } == [])
    let exported = try Profile.decode(Array(first.profile.json.prettyText.utf8))
    #expect(exported.profile == first.profile, "\(name)")
    try machine.tearDown(located.profile.name)
    try machine.setUp(exported)
    // And so another export would be the same: it depends on nothing else.
    #expect(machine.tree == tree, "\(name): another machine")
    return first.profile
  }

  @Test(
    "nvmetcli JSON of a target gives the same target, for generated profiles",
    arguments: 0..<(TestScale.isFull ? 10 : 1))
  func nvmetcli(_ block: UInt64) throws {
    for seed in block * 20..<block * 20 + (TestScale.isFull ? 20 : 10) {
      let kernelRelease: SimulatedKernel.Release = seed % 2 == 0 ? .linux7_2 : .linux6_12
      let profile = ProfileGenerator.profile(seed: seed, for: kernelRelease)
      let original = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
      try original.setUp(try Profile.decode(Array(profile.json.compactText.utf8)))
      let saved = try original.provisioner.exportNvmetcli(withSecrets: true).json
      let imported = try Import(nvmetcli: Array(saved.prettyText.utf8), as: "imported")

      // The other machine has the disks and the module of the port, as nvmetcli expects them.
      let copy = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
      var disks = Profile(name: "disks")
      disks.backings = profile.backings
      for index in disks.backings.indices {
        if case .nullBlock(var device) = disks.backings[index].store, device.device == nil {
          device.device = profile.deviceName(of: disks.backings[index])
          disks.backings[index].store = .nullBlock(device)
        }
      }
      try copy.setUp(try Profile.decode(Array(disks.json.compactText.utf8)))
      try copy.setUp(try Profile.decode(Array(imported.profile.json.compactText.utf8)))
      let again = try copy.provisioner.exportNvmetcli(withSecrets: true).json
      #expect(again.prettyText == saved.prettyText, "seed \(seed)")
    }
  }

  @Test("one seed gives one profile, two seeds two")
  func generator() {
    let one = ProfileGenerator.profile(seed: 7, for: .linux7_2)
    #expect(one == ProfileGenerator.profile(seed: 7, for: .linux7_2))
    #expect(one.json != ProfileGenerator.profile(seed: 8, for: .linux7_2).json)
  }
}

/// The export of a machine that has objects of others.
@Suite struct ExportTests {
  private func standing(_ name: String = "null_blk-pci") throws -> SimulatedMachine {
    let shipped = ShippedProfile(name: name, kernelRelease: .linux7_2)
    let machine = shipped.fresh()
    try machine.setUp(try shipped.located())
    return machine
  }
  private let subsystem = "/sys/kernel/config/nvmet/subsystems/nqn.2026-01.org.example:nullblk-pci"

  @Test("attributes without a key are kept in the kernel's format, default values are not")
  func rawAttributes() throws {
    let kernel = SimulatedKernel(.linux7_2, machine: ProfileGenerator.machine)
    let machine = SimulatedMachine(kernel: kernel)
    try kernel.load("nvmet")
    let port = FilePath("/sys/kernel/config/nvmet/ports/9")
    try kernel.createDirectory(port)
    for (name, value) in [
      ("addr_trtype", "tcp"), ("addr_treq", "required"), ("param_pi_enable", "1"),
    ] {
      _ = try kernel.write(value + "\n", to: port.appending(name))
    }
    let export = try machine.provisioner.export()
    #expect(
      export.profile.ports.first?.attributes == [
        Profile.RawAttribute(name: "addr_treq", text: "required"),
        Profile.RawAttribute(name: "param_pi_enable", text: "1"),
      ])
  }

  /// A machine with a newer kernel, on which `null_blk-pci` is set up.
  private func newerMachine() throws -> (NewerKernel, SimulatedMachine) {
    let shipped = ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2)
    let kernel = SimulatedKernel(.linux7_2, machine: shipped.machine)
    let newer = NewerKernel(kernel)
    let machine = SimulatedMachine(kernel: kernel) { machine in
      var machine = machine
      machine.configFS = newer
      // Only the kernel itself knows its newer attributes.
      machine.hasAttribute = { _ in nil }
      return machine
    }
    try machine.setUp(try shipped.located())
    return (newer, machine)
  }

  @Test("an attribute of a newer kernel survives export, teardown and setup")
  func unknownAttribute() throws {
    let (newer, machine) = try newerMachine()
    let path = FilePath(subsystem).appending(NewerKernel.attribute)
    _ = try newer.write("blue\n", to: path)
    let export = try machine.provisioner.export()
    let kept = [Profile.RawAttribute(name: NewerKernel.attribute, text: "blue")]
    #expect(export.profile.subsystems.first?.attributes == kept)
    try machine.tearDown("nullblk-pci")
    newer.reset()
    try machine.setUp(try Profile.decode(Array(export.profile.json.compactText.utf8)))
    #expect(try newer.read(path) == "blue\n")
    // And an attribute that already has the value is not written, since the effect of the write is unknown.
    let writes = newer.writes
    let plan = try machine.provisioner.plan(
      try Profile.decode(Array(export.profile.json.compactText.utf8)))
    #expect(plan.steps.isEmpty)
    try machine.tearDown("nullblk-pci")
    try machine.setUp(try Profile.decode(Array(export.profile.json.compactText.utf8)))
    #expect(newer.writes == writes)
  }

  @Test("read-only attributes of other drivers are not exported, so that the export can be set up")
  func readOnlyAttributes() throws {
    let (newer, machine) = try newerMachine()
    let host = FilePath("/sys/kernel/config/nvmet/hosts/nqn.2026-01.org.example:host")
    try newer.createDirectory(host)
    let export = try machine.provisioner.export()
    let text = export.profile.json.compactText
    #expect(!text.contains(NewerKernel.statistics))
    #expect(export.warnings.map(\.message).filter { $0.contains(NewerKernel.statistics) } == [])
    #expect(
      try !machine.provisioner.exportNvmetcli().json.compactText.contains(NewerKernel.statistics))
    try machine.tearDown("nullblk-pci")
    try newer.removeDirectory(host)
    try machine.setUp(try Profile.decode(Array(text.utf8)))
  }

  @Test("objects that a profile cannot represent are named")
  func losses() throws {
    let machine = try standing()
    let kernel = machine.kernel
    try kernel.createDirectory(FilePath("/sys/kernel/config/nvmet/ports/7"))
    try kernel.createDirectory(FilePath("/sys/kernel/config/nvmet/ports/1/referrals/other"))
    try kernel.createDirectory(FilePath(subsystem + "/namespaces/5"))
    try kernel.createDirectory(FilePath("/sys/kernel/config/pci_ep/functions/nvmet_pci_epf/idle"))
    let warnings = try machine.provisioner.export().warnings.map { "\($0.path): \($0.message)" }
    #expect(
      warnings == [
        "nvmet/subsystems/nqn.2026-01.org.example:nullblk-pci/namespaces/5: has no device path: left out",
        "nvmet/ports/1/referrals/other: profiles have no referrals: left out",
        "nvmet/ports/7: has no transport: left out",
        "pci_ep/functions/nvmet_pci_epf/idle: is not bound to an endpoint controller: left out",
      ])
  }

  @Test("a name exports the objects of that profile, and nothing else")
  func chosen() throws {
    let machine = try standing()
    try machine.setUp(
      profile(
        """
        { "version": 1, "name": "other", "backings": { "f": { "file": { "path": "/srv/o", "sizeMiB": 1, "create": true } } },
          "subsystems": [{ "nqn": "nqn.2026-01.org.example:other", "namespaces": [{ "id": 1, "backing": "f" }] }] }
        """))
    let other = try machine.provisioner.export(["other"]).profile
    #expect(other.subsystems.map(\.nqn) == ["nqn.2026-01.org.example:other"])
    #expect(other.name == "other")
    #expect(other.functions.isEmpty && other.ports.isEmpty && other.backings.count == 1)
    let all = try machine.provisioner.export()
    #expect(all.profile.name == "exported")
    #expect(all.profile.subsystems.count == 2)
    let error = machine.failure { machine throws(ProvisioningError) in
      _ = try machine.provisioner.export(["othr"])
    }
    #expect(error?.kind == .inputMissing)
    #expect(error?.hint == "there are: nullblk-pci, other")
  }

  @Test("secrets are hidden unless requested, and a hidden secret cannot be set up")
  func secrets() throws {
    let machine = SimulatedMachine()
    let secret = "DHHC-1:00:c2VjcmV0c2VjcmV0:"
    let text = """
      { "version": 1, "name": "auth", "hosts": [{ "nqn": "nqn.2026-01.org.example:h",
        "attributes": { "dhchap_key": "\(secret)" } }] }
      """
    let plan = try machine.provisioner.plan(profile(text))
    #expect(!plan.json.prettyText.contains(secret))
    #expect(!plan.steps.map(\.operation.sentence).joined().contains(secret))
    try machine.setUp(profile(text))
    let open = try machine.provisioner.export(withSecrets: true)
    #expect(open.profile.hosts.first?.attributes.first?.text == secret)
    let hidden = try machine.provisioner.export()
    #expect(hidden.profile.hosts.first?.attributes.first?.text == "(hidden)")
    #expect(hidden.warnings.first?.message == "this secret is hidden")
    #expect(!(try machine.provisioner.exportNvmetcli().json.prettyText.contains(secret)))
    let issues = #expect(throws: ProfileIssues.self) {
      try profile(hidden.profile.json.prettyText)
    }
    #expect(issues?.issues.first?.path == "hosts[0].attributes.dhchap_key")
    #expect(issues?.issues.first?.hint?.contains("--with-secrets") == true)
  }

  @Test("the script of a machine sets it up on an empty machine")
  func script() throws {
    let machine = try standing("namespaces")
    let export = try machine.provisioner.export().profile
    let plan = try machine.provisioner.planFromNothing(export)
    let fresh = ShippedProfile(name: "namespaces", kernelRelease: .linux7_2).fresh()
    for file in ["/srv/epfnvme-namespaces-2.img", "/srv/epfnvme-namespaces-3.img"] {
      try fresh.kernel.createFile(FilePath(file), size: 512 << 20)
    }
    let expected = try fresh.provisioner.plan(
      try Profile.decode(Array(export.json.compactText.utf8)))
    func effects(_ plan: Plan) -> [String] {
      plan.steps.map(\.operation.sentence).filter { !$0.hasPrefix("mount") }
    }
    #expect(effects(plan) == effects(expected))
    #expect(plan.shellScript.contains("put /srv/epfnvme-namespaces-2.img"))
  }
}
