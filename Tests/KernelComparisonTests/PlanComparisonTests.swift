// SPDX-License-Identifier: Apache-2.0
import EndpointProvisioning
import KernelComparison
import Provisioning
import SimulatedKernel
import TestSupport
import Testing

@Suite("The comparison of profiles on two machines")
struct PlanComparisonTests {
  private static func machine() -> SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].maximumFunctions = 4
    return machine
  }

  private static func loaded(_ machine: SimulatedKernel.Machine) throws -> SimulatedKernel {
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    for module in ["nvmet", "nvme_loop", "nvmet_tcp", "null_blk", "loop", "nvmet_pci_epf"] {
      try kernel.load(module, parameters: module == "null_blk" ? ["nr_devices=0"] : [])
    }
    return kernel
  }

  private static func run(
    seed: UInt64, real: SimulatedKernel.Machine
  ) throws -> PlanComparison.Ending {
    let (real, simulated) = (try loaded(real), try loaded(machine()))
    var random = SystemRandomNumberGenerator()
    let directory = "/dev/shm/epfnvme-compare-\(String(random.next(), radix: 16))"
    let comparison = PlanComparison(
      .linux7_2, options: machine().options, runDirectory: directory)
    return try comparison.run(
      seed: seed,
      on: .init(
        real: .simulated(real), realKernel: ComparedKernel(real), simulated: simulated,
        leftovers: []))
  }

  @Test("a simulation does not differ from itself")
  func equal() throws {
    var changed = 0
    for seed in UInt64(1)...(TestScale.isFull ? 100 : 3) {
      switch try Self.run(seed: seed, real: Self.machine()) {
      case .equal(let count):
        #expect(count == 19)
        changed += 1
      case .refused: break
      case .different(let step, let real, let simulated):
        Issue.record("seed \(seed), \(step): \(real) \(simulated)")
      }
    }
    #expect(changed > 0)
  }

  @Test("a machine on which something is otherwise differs")
  func different() throws {
    var other = Self.machine()
    // submit_queues of null_blk, and what loop devices and files say of direct I/O.
    other.onlineCPUs = 1
    other.controllers[0].maximumFunctions = 1
    var found = 0
    for seed in UInt64(1)...12 where found == 0 {
      if case .different = try Self.run(seed: seed, real: other) { found += 1 }
    }
    #expect(found == 1)
  }
}
