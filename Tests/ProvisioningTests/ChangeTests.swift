// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A profile that changes: whatever the machine was before, it is as a fresh setup of the last profile leaves it.
@Suite struct ChangeTests {
  /// Pairs of random profiles; the whole number with `EPFNVME_TEST_SCALE=full`.
  static let seeds = TestScale.isFull ? 1000 : 6

  /// A machine on which every module is loaded, so that trees compare.
  private func empty(_ kernelRelease: SimulatedKernel.Release) throws -> SimulatedMachine {
    let machine = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
    for module in ["null_blk", "loop", "nvmet", "nvme_loop", "nvmet_tcp", "nvme_tcp"] {
      try machine.kernel.load(
        module, parameters: module == "null_blk" ? ["nr_devices=0"] : [])
    }
    try machine.kernel.load(kernelRelease.functionDriver)
    return machine
  }

  /// Numbers that the kernel assigns are ignored.
  private func state(_ machine: SimulatedMachine) -> [String] {
    machine.state().filter { !$0.contains("/index = ") }
      .map { $0.contains("/dev/loop") ? $0.replacing(/\/dev\/loop[0-9]+/, with: "/dev/loopN") : $0 }
      .sorted()
  }

  private func fresh(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release
  ) throws -> [String] {
    let machine = try empty(kernelRelease)
    try machine.setUp(located)
    return state(machine)
  }

  /// A second profile of the same name, so that objects coincide.
  private func pair(
    _ seed: UInt64, _ kernelRelease: SimulatedKernel.Release
  ) throws -> (Profile.Located, Profile.Located) {
    let (first, second) = ProfileGenerator.pair(seed: seed, for: kernelRelease)
    return (
      try Profile.decode(Array(first.json.compactText.utf8)),
      try Profile.decode(Array(second.json.compactText.utf8))
    )
  }

  private func differences(_ a: [String], _ b: [String]) -> String {
    let (first, second) = (Set(a), Set(b))
    let missing = second.subtracting(first).sorted().prefix(6)
    let more = first.subtracting(second).sorted().prefix(6)
    return
      "missing: \(missing.joined(separator: " | ")); too many: \(more.joined(separator: " | "))"
  }

  @Test(
    "after a change the machine is as a fresh setup of the last profile leaves it, and all agree on that",
    arguments: SimulatedKernel.Release.allCases)
  func change(_ kernelRelease: SimulatedKernel.Release) throws {
    for seed in 1...UInt64(Self.seeds) {
      // One that throws does not hide those behind it.
      do { try change(seed, kernelRelease) } catch { Issue.record("seed \(seed): \(error)") }
    }
    print("changed profiles: \(kernelRelease.rawValue): \(Self.seeds) pairs, four setups each")
  }

  private func change(_ seed: UInt64, _ kernelRelease: SimulatedKernel.Release) throws {
    let (a, b) = try pair(seed, kernelRelease)
    let machine = try empty(kernelRelease)
    let start = state(machine)
    let wanted = [try fresh(a, kernelRelease), try fresh(b, kernelRelease)]
    for (profile, wanted) in [(a, wanted[0]), (b, wanted[1]), (a, wanted[0]), (b, wanted[1])] {
      do { try machine.setUp(profile, force: true) } catch {
        Issue.record("seed \(seed): \(error)")
        break
      }
      let now = state(machine)
      #expect(now == wanted, "seed \(seed): \(differences(now, wanted))")
      let check = try machine.provisioner.check(profile)
      #expect(check.failures.isEmpty, "seed \(seed): \(check.failures.prefix(3))")
      let differing = try machine.provisioner.differences(profile)
      #expect(differing.isEmpty, "seed \(seed): \(differing.prefix(3))")
      let second = try machine.setUp(profile, force: true)
      #expect(
        second.plan.steps.isEmpty,
        "seed \(seed): \(second.plan.steps.prefix(3).map(\.operation.sentence))")
      #expect(machine.kernel.crashes.isEmpty, "seed \(seed): \(machine.kernel.crashes)")
      guard now == wanted, machine.kernel.crashes.isEmpty else { break }
    }
    try machine.tearDown(a.profile.name)
    #expect(state(machine) == start, "seed \(seed): \(differences(state(machine), start))")
    #expect(machine.kernel.crashes.isEmpty, "seed \(seed): \(machine.kernel.crashes)")
  }

  @Test(
    "two profiles side by side do not touch each other, and nothing is left of either",
    arguments: SimulatedKernel.Release.allCases)
  func sideBySide(_ kernelRelease: SimulatedKernel.Release) throws {
    var refused = 0
    for seed in 1...UInt64(Self.seeds) {
      do { if try !sideBySide(seed, kernelRelease) { refused += 1 } } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
    print("side by side: \(kernelRelease.rawValue): \(Self.seeds) pairs, \(refused) refused")
    #expect(refused < Self.seeds)
  }

  /// - Returns: whether the second profile was taken.
  private func sideBySide(
    _ seed: UInt64, _ kernelRelease: SimulatedKernel.Release
  ) throws -> Bool {
    let (a, b) = (
      ProfileGenerator.profile(seed: seed, for: kernelRelease),
      ProfileGenerator.profile(seed: seed + 200_000, for: kernelRelease)
    )
    // Functions have separate names; hosts are shared every other time.
    var text = b.json.compactText.replacing("\"function.", with: "\"second.")
    if seed % 2 == 0 { text = text.replacing("example:host.", with: "example:guest.") }
    let (first, second) = (
      try Profile.decode(Array(a.json.compactText.utf8)), try Profile.decode(Array(text.utf8))
    )
    let machine = try empty(kernelRelease)
    let start = state(machine)
    try machine.setUp(first)
    let alone = state(machine)
    do { try machine.setUp(second, force: true) } catch {
      // One address, one port with two meanings, one connection: refused, and nothing has happened.
      #expect([.impossible, .operationFailed].contains(error.kind), "seed \(seed): \(error)")
      #expect(state(machine) == alone, "seed \(seed): \(error)")
      try machine.tearDown(a.name)
      #expect(state(machine) == start, "seed \(seed): \(differences(state(machine), start))")
      return false
    }
    for profile in [first, second] {
      let failures = try machine.provisioner.check(profile).failures
      #expect(failures.isEmpty, "seed \(seed): \(failures.prefix(3))")
      #expect(try machine.setUp(profile).plan.steps.isEmpty, "seed \(seed)")
    }
    var options = Provisioner.TeardownOptions()
    options.force = true
    let isReversed = seed % 2 == 0
    let (goes, stays) = isReversed ? (second, first) : (first, second)
    _ = try machine.provisioner.tearDown(goes.profile.name, options: options) { _ in }
    let failures = try machine.provisioner.check(stays).failures
    #expect(failures.isEmpty, "seed \(seed): \(failures.prefix(3))")
    #expect(try machine.setUp(stays).plan.steps.isEmpty, "seed \(seed)")
    _ = try machine.provisioner.tearDown(stays.profile.name, options: options) { _ in }
    #expect(state(machine) == start, "seed \(seed): \(differences(state(machine), start))")
    #expect(machine.kernel.crashes.isEmpty, "seed \(seed): \(machine.kernel.crashes)")
    return true
  }

  @Test(
    "a change that fails at any step leaves the machine as it was before",
    arguments: SimulatedKernel.Release.allCases)
  func failure(_ kernelRelease: SimulatedKernel.Release) throws {
    var cases = 0
    for seed in 1...UInt64(max(3, Self.seeds / 20)) {
      let (a, b) = try pair(seed, kernelRelease)
      let machine = try empty(kernelRelease)
      try machine.setUp(a)
      let before = state(machine)
      let journal = [a.profile.name: try #require(machine.journal(a.profile.name))]
      let probe = SimulatedMachine(kernel: machine.kernel.copy(), journals: journal)
      let plan = try probe.provisioner.plan(b)
      let start = machine.kernel.effects
      try probe.setUp(b, force: true)
      let effects = probe.kernel.effects - start
      // Every seventh, so that a run stays short.
      for effect in stride(from: 1, through: effects, by: TestScale.isFull ? 1 : 13) {
        let copy = SimulatedMachine(kernel: machine.kernel.copy(), journals: journal)
        copy.kernel.failEffect(number: start + effect, with: .ioError)
        let error = copy.failure { (machine) throws(ProvisioningError) in
          try machine.setUp(b, force: true)
        }
        cases += 1
        guard let error else { continue }
        let label = "seed \(seed), effect \(effect) of \(effects), \(plan.steps.count) steps"
        #expect(
          error.kind != .rollbackIncomplete, "\(label): \(error): \(error.leftovers.first ?? "")")
        #expect(
          state(copy) == before, "\(label): \(error.message): \(differences(state(copy), before))")
        #expect(copy.kernel.crashes.isEmpty, "\(label)")
      }
    }
    print("failing changes: \(kernelRelease.rawValue): \(cases) cases")
  }
}
