// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A journal that is lost or damaged, and machines that hosts use.
@Suite struct JournalTests {
  private let shipped = ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2)

  /// The machine of another process, without the journal.
  private func orphan(_ machine: SimulatedMachine) -> SimulatedMachine {
    SimulatedMachine(kernel: machine.kernel.copy())
  }

  @Test(
    "a profile whose journal was lost is adopted, and can be torn down again",
    arguments: ShippedProfile.all)
  func lost(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    let modules = shipped.fresh()
    try onlyModules(of: machine.provisioner.plan(located).steps[...], on: modules.kernel)
    try machine.setUp(located)
    let orphan = orphan(machine)
    #expect(try orphan.provisioner.differences(located) == [])
    #expect(try orphan.provisioner.check(located).failures == [])
    let outcome = try orphan.setUp(located)
    #expect(!outcome.changed)
    #expect(outcome.plan.isAdoption)
    #expect(orphan.state() == machine.state())
    #expect(try !orphan.setUp(located).plan.isAdoption)
    #expect(try orphan.tearDown(located.profile.name))
    #expect(orphan.state() == modules.state())
    #expect(orphan.kernel.crashes.isEmpty)
  }

  @Test("a machine that differs from a profile without a journal is not changed")
  func differing() throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    try machine.setUp(located)
    let orphan = orphan(machine)
    let nqn = located.profile.subsystems[0].nqn
    let root = "/sys/kernel/config/nvmet/subsystems/\(nqn)"
    _ = try orphan.kernel.write("0\n", to: FilePath(root + "/attr_allow_any_host"))
    let before = orphan.state()
    for force in [false, true] {
      let error = orphan.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(located, force: force)
      }
      #expect(error?.kind == .impossible)
      #expect(error?.message.contains("attr_allow_any_host") == true)
      #expect(orphan.state() == before)
      #expect(orphan.journal(located.profile.name) == nil)
    }
    let error = orphan.failure { (machine) throws(ProvisioningError) in
      try machine.provisioner.checkAbsent(located)
    }
    #expect(error?.kind == .inputMissing)
  }

  static let damages: [(String, @Sendable (String) -> String)] = [
    ("empty", { _ in "" }),
    ("a blank line", { _ in "\n" }),
    ("without a header", { $0.split(separator: "\n").dropFirst().joined(separator: "\n") + "\n" }),
    (
      "of another profile", { $0.replacing("\"name\":\"nullblk-pci\"", with: "\"name\":\"other\"") }
    ),
    ("cut in its header", { String($0.prefix(12)) }),
    ("with a line of something else", { $0 + "oops\n" }),
    ("with an operation that is unknown", { $0.replacing("\"create\"", with: "\"destroy\"") }),
  ]

  @Test("a damaged journal is an error of every command that needs it", arguments: damages.map(\.0))
  func damaged(_ name: String) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    try machine.setUp(located)
    let damage = try #require(Self.damages.first { $0.0 == name }).1
    let text = damage(try #require(machine.journal("nullblk-pci")))
    let broken = SimulatedMachine(kernel: machine.kernel.copy(), journals: ["nullblk-pci": text])
    let before = broken.state()
    let attempts: [Attempt] = [.setUp, .tearDown, .plan, .teardownPlan]
    for attempt in attempts {
      let error = attempt.failure(of: located, on: broken)
      #expect(error?.kind == .cannotCreate, "\(name): \(String(describing: error))")
      #expect(error?.message.contains("damaged") == true)
      #expect(error?.hint?.isEmpty == false)
    }
    #expect(broken.state() == before)
    #expect(broken.journal("nullblk-pci") == text)
  }

  /// An operation with a profile.
  enum Attempt {
    case setUp, tearDown, plan, teardownPlan, stop, bounce

    func failure(of located: Profile.Located, on machine: SimulatedMachine) -> ProvisioningError? {
      let provisioner = machine.provisioner
      do throws(ProvisioningError) {
        switch self {
        case .setUp: try machine.setUp(located)
        case .tearDown: try machine.tearDown(located.profile.name)
        case .plan: _ = try provisioner.plan(located)
        case .teardownPlan: _ = try provisioner.teardownPlan(located.profile.name)
        case .stop: _ = try provisioner.setStarted(false, JournalTests.controller)
        case .bounce: try provisioner.bounce(JournalTests.controller)
        }
        return nil
      } catch { return error }
    }
  }

  // MARK: Interruptions

  /// The journal of a setup that ended while it started the controller, in a boot of the machine.
  private func cutOff(_ located: Profile.Located, boot: String) throws -> String {
    let machine = SimulatedMachine()
    try machine.setUp(located)
    let lines = try #require(machine.journal(located.profile.name))
      .split(separator: "\n").map(String.init)
    #expect(lines[0].contains("\"boot\":\"\(try Self.presentBoot)\""))
    let start = try #require(lines.lastIndex { $0.contains("\"do\"") && $0.contains("/start") })
    let header = #"{"epfnvme":1,"name":"\#(located.profile.name)","boot":"\#(boot)"}"#
    let step = lines[start].replacing(#","done":true"#, with: "")
    return ([header] + lines[1..<start] + [step]).joined(separator: "\n") + "\n"
  }

  private static var presentBoot: String {
    get throws {
      let text = String(decoding: try readFile("/proc/sys/kernel/random/boot_id"), as: UTF8.self)
      return String(text.prefix { $0 != "\n" })
    }
  }

  @Test(
    "status and setup name the step at which a run was cut off, and whether the machine restarted",
    arguments: [true, false])
  func interruption(hasRestarted: Bool) throws {
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let boot = hasRestarted ? "00000000-0000-0000-0000-000000000000" : try Self.presentBoot
    let machine = SimulatedMachine(
      kernel: SimulatedKernel(.linux7_2),
      journals: [located.profile.name: try cutOff(located, boot: boot)])
    let found = try #require(try machine.provisioner.status().interruptions.first)
    #expect(found.name == located.profile.name)
    #expect(found.step?.contains("/controllers/\(Self.controller)/start") == true)
    #expect(found.isOfEarlierBoot == hasRestarted)
    #expect(found.sentence.contains("loss of power") == hasRestarted)
    let outcome = try machine.setUp(located)
    #expect(outcome.interruption == found)
    #expect(try machine.provisioner.status().interruptions == [])
  }

  // MARK: Hosts

  private static let controller = "a40000000.pcie-ep"

  @Test(
    "a controller that a host has enabled is stopped, bounced and torn down only with force",
    arguments: SimulatedKernel.Release.allCases)
  func hostUse(_ kernelRelease: SimulatedKernel.Release) throws {
    let shipped = ShippedProfile(name: "null_blk-loop", kernelRelease: kernelRelease)
    let machine = shipped.fresh()
    let located = try shipped.located()
    try machine.setUp(located)
    machine.kernel.host(.linkUp, at: Self.controller)
    machine.kernel.host(.enable, at: Self.controller)
    let before = machine.state()
    let attempts: [Attempt] = [.tearDown, .stop, .bounce]
    for attempt in attempts {
      let error = attempt.failure(of: located, on: machine)
      #expect(error?.kind == .disruptive)
      for text in ["--force", "epfnvme host remove ADDRESS", "epfnvme host rescan"] {
        #expect(error?.hint?.contains(text) == true, "\(error?.hint ?? "")")
      }
      #expect(machine.state() == before)
    }
    let recovery = machine.provisioner.hostRecovery(afterStopping: Self.controller)
    #expect(recovery?.contains("remove the device and rescan the bus") == true)
    machine.kernel.host(.disable, at: Self.controller)
    #expect(machine.provisioner.hostRecovery(afterStopping: Self.controller) == nil)
    try machine.provisioner.bounce(Self.controller)
    machine.kernel.host(.linkUp, at: Self.controller)
    machine.kernel.host(.enable, at: Self.controller)
    try machine.provisioner.bounce(Self.controller, force: true)
    var options = Provisioner.TeardownOptions()
    options.force = true
    #expect(try machine.provisioner.tearDown(located.profile.name, options: options) { _ in })
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test("the plan of a teardown matches its steps")
  func teardownPlan() throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    try machine.setUp(located)
    let before = machine.state()
    let plan = try #require(try machine.provisioner.teardownPlan(located.profile.name))
    #expect(machine.state() == before)
    var done: [Operation] = []
    _ = try machine.provisioner.tearDown(located.profile.name) { progress in
      if case .undone(let operation) = progress { done.append(operation) }
    }
    #expect(plan.steps.map(\.operation) == done)
    #expect(try machine.provisioner.teardownPlan(located.profile.name) == nil)
  }

  @Test("an identity that a host has read is changed by recreating the subsystem")
  func identified() throws {
    let machine = shipped.fresh()
    let located = try shipped.located()
    try machine.setUp(located)
    machine.kernel.host(.identify, at: Self.controller)
    var changed = located
    changed.profile.subsystems[0].model = "Another model"
    let refused = machine.failure { [changed] (machine) throws(ProvisioningError) in
      try machine.setUp(changed)
    }
    #expect(refused?.kind == .disruptive)
    try machine.setUp(changed, force: true)
    #expect(try machine.provisioner.check(changed).failures == [])
    let fresh = shipped.fresh()
    try fresh.setUp(changed)
    #expect(machine.state() == fresh.state())
    #expect(machine.kernel.crashes.isEmpty)
  }
}
