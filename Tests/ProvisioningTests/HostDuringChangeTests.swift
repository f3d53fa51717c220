// SPDX-License-Identifier: Apache-2.0
import HostDriver
import NVMeEmulation
import NVMeTarget
import Provisioning
import Numbers
import SimulatedKernel
import TestSupport
import Testing

/// A change that is not marked as a disruption does not disrupt a host: its I/O continues between all steps.
@Suite struct HostDuringChangeTests {
  private struct Unplugged: Error { var function: String }

  /// The drivers of the hosts at all functions of a profile, each with its controller and queues as they were at the start.
  private final class Hosts {
    private let kernel: SimulatedKernel
    private var drivers:
      [(function: String, host: LinuxHost, namespace: ProbeResult.FoundNamespace)] = []
    private(set) var transfers = 0

    init(of profile: Profile, on kernel: SimulatedKernel) throws {
      self.kernel = kernel
      for controller in kernel.endpointControllers { kernel.host(.linkUp, at: controller) }
      let driver = kernel.kernelRelease.functionDriver
      for function in profile.functions where function.start {
        let path = "pci_ep/functions/\(driver)/\(function.name)"
        var disks: [(LinuxHost, ProbeResult.FoundNamespace)] = []
        _ = try kernel.withDevice(of: path) { device in
          let host = LinuxHost(
            device.function, memory: device.memory, clock: DeviceClock(device.function))
          let found = try host.probe()
          // A namespace in a group that is not accessible is no disk.
          for namespace in found.namespaces
          where (try? host.read(namespace, firstBlock: 0)) != nil {
            disks.append((host, namespace))
          }
        }
        drivers += disks.map { (path, $0.0, $0.1) }
      }
    }

    var count: Int { drivers.count }

    /// Reads from every function, over the queues of the first probe.
    func read() throws {
      for (function, host, namespace) in drivers {
        let bytes = try kernel.withDevice(of: function) { _ in
          try host.read(namespace, firstBlock: 0)
        }
        guard bytes?.count == 4096 else { throw Unplugged(function: function) }
        transfers += 1
      }
    }
  }

  /// Sets a profile up while hosts use the existing objects.
  /// - Returns: the transfers that were made meanwhile, and the steps.
  private func change(
    _ machine: SimulatedMachine, from before: Profile.Located, to after: Profile.Located,
    force: Bool = false
  ) throws -> (transfers: Int, steps: Int, hosts: Int) {
    let hosts = try Hosts(of: before.profile, on: machine.kernel)
    try hosts.read()
    var failure: (any Error)?
    var steps = 0
    _ = try machine.provisioner.setUp(after, force: force) { progress in
      switch progress {
      case .begins: steps += 1
      case .done: break
      default: return
      }
      do { try hosts.read() } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    try hosts.read()
    return (hosts.transfers, steps, hosts.count)
  }

  @Test(
    "I/O continues through every step of a change that needs no force",
    arguments: MinimalChangeTests.changes.filter { !$0.isDisruptive })
  func listed(_ listed: MinimalChangeTests.Change) throws {
    let (before, after) = try listed.profiles()
    let machine = SimulatedMachine()
    try machine.setUp(before)
    let done = try change(machine, from: before, to: after)
    #expect(done.steps == listed.steps.count)
    // Where the first profile gives a host something to read.
    let isUsed =
      before.profile.functions[0].start && before.profile.subsystems[0].namespaces[0].enabled
    #expect(done.hosts == (isUsed ? 1 : 0))
    // Two for each step, one before and one after.
    #expect(done.transfers == (isUsed ? 2 * done.steps + 2 : 0))
  }

  @Test("I/O does not go on through a change that takes the link down")
  func interrupted() throws {
    let listed = try #require(
      MinimalChangeTests.changes.first { $0.steps.contains("write start") && $0.steps.count > 1 })
    let (before, after) = try listed.profiles()
    let machine = SimulatedMachine()
    try machine.setUp(before)
    #expect(throws: (any Error).self) {
      try change(machine, from: before, to: after, force: true)
    }
  }

  /// Whether a step belongs to an object that is removed and recreated because of a value that no write can change: it then writes each of
  /// the object's attributes, different or not.
  private static func isRecreation(_ operation: Provisioning.Operation, _ plan: Plan) -> Bool {
    let operations = plan.steps.map(\.operation)
    let removed = operations.compactMap {
      if case .removeDirectory(let path) = $0 { path } else { nil }
    }
    let recreated = operations.compactMap { operation -> String? in
      guard case .createDirectory(let path) = operation, removed.contains(path) else { return nil }
      return path
    }
    func isBelow(_ path: String) -> Bool {
      recreated.contains { path == $0 || path.hasPrefix($0 + "/") }
    }
    switch operation {
    case .link(let path, let target), .unlink(let path, let target):
      return isBelow(path) || isBelow(target)
    default: return isBelow(operation.path)
    }
  }

  @Test(
    "of random changes, those that need no force leave I/O alone, and none has more steps than it differs",
    arguments: SimulatedKernel.Release.allCases)
  func random(_ kernelRelease: SimulatedKernel.Release) throws {
    var harmless = 0
    var transfers = 0
    for seed in 1...UInt64(TestScale.isFull ? 1000 : 5) {
      let first = ProfileGenerator.profile(seed: seed, for: kernelRelease)
      let before = try Profile.decode(Array(first.json.compactText.utf8))
      let machine = SimulatedMachine(kernelRelease, machine: ProfileGenerator.machine)
      try machine.setUp(before)
      var random = SplitMix64(seed: seed + 300_000)
      let altered = alter(first, using: &random)
      guard let after = try? Profile.decode(Array(altered.json.compactText.utf8)) else { continue }
      let differences = try machine.provisioner.differences(after)
      guard let plan = try? machine.provisioner.plan(after) else { continue }
      // A difference is made right by one step; what has to go down for it goes down and comes up again.
      let functions = first.functions.count
      let spaces = first.subsystems.reduce(0) { $0 + $1.namespaces.count }
      let around = plan.disruptions.isEmpty ? 2 : 4 + 4 * functions + 2 * spaces
      // A field of the shared header that is right is read, and not written.
      let counted = plan.steps.count { step in
        step.undo != .capture && !Self.isRecreation(step.operation, plan)
      }
      #expect(
        counted <= 2 * differences.count + around,
        "seed \(seed): \(plan.steps.map(\.operation.sentence))")
      guard plan.disruptions.isEmpty else { continue }
      let done = try change(machine, from: before, to: after)
      harmless += 1
      transfers += done.transfers
      #expect(machine.kernel.crashes.isEmpty, "seed \(seed): \(machine.kernel.crashes)")
    }
    print(
      "I/O during changes: \(kernelRelease.rawValue): \(harmless) changes, \(transfers) reads")
    #expect(harmless > 0)
    #expect(transfers > 0)
  }

  /// One to three small changes to a profile.
  private func alter(_ profile: Profile, using random: inout SplitMix64) -> Profile {
    var profile = profile
    var small = Profile.NullBlock()
    small.sizeMiB = 16
    func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
    for _ in 0...pick(3) {
      switch pick(10) {
      case 0:
        guard !profile.ports.isEmpty else { continue }
        profile.ports.remove(at: pick(profile.ports.count))
      case 1:
        guard !profile.ports.isEmpty else { continue }
        profile.ports[pick(profile.ports.count)].anaGroups = []
      case 2:
        guard !profile.subsystems.isEmpty else { continue }
        let index = pick(profile.subsystems.count)
        profile.subsystems[index].allowedHosts = Array(
          profile.subsystems[index].allowedHosts.dropLast())
      case 3:
        guard !profile.subsystems.isEmpty else { continue }
        let index = pick(profile.subsystems.count)
        let id = (profile.subsystems[index].namespaces.map(\.id).max() ?? 0) + 1
        let name = "new.\(index).\(id)"
        profile.backings.append(
          Profile.Backing(name: name, store: .nullBlock(small)))
        profile.subsystems[index].namespaces.append(.init(id: id, backing: name))
      case 4:
        profile.backings.append(
          Profile.Backing(name: "another", store: .nullBlock(small)))
        profile.subsystems.append(Profile.Subsystem(nqn: "nqn.2026-01.org.example:another"))
      case 5:
        guard !profile.hosts.isEmpty else { continue }
        profile.hosts[pick(profile.hosts.count)].attributes = []
      case 6:
        guard !profile.subsystems.isEmpty else { continue }
        let index = pick(profile.subsystems.count)
        guard !profile.subsystems[index].namespaces.isEmpty else { continue }
        profile.subsystems[index].namespaces.removeLast()
      case 7:
        guard !profile.ports.isEmpty else { continue }
        let index = pick(profile.ports.count)
        guard !profile.ports[index].anaGroups.isEmpty else { continue }
        profile.ports[index].anaGroups[pick(profile.ports[index].anaGroups.count)].state =
          ANAState.allCases[pick(ANAState.allCases.count)].rawValue
      case 8:
        guard !profile.subsystems.isEmpty else { continue }
        let index = pick(profile.subsystems.count)
        guard !profile.subsystems[index].namespaces.isEmpty else { continue }
        profile.subsystems[index].namespaces[0].anaGroup = UInt32(1 + pick(3))
      default:
        guard !profile.subsystems.isEmpty else { continue }
        profile.subsystems[pick(profile.subsystems.count)].serial = nil
      }
    }
    return profile
  }
}
