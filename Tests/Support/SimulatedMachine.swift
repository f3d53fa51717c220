// SPDX-License-Identifier: Apache-2.0
public import Provisioning
public import SimulatedKernel
public import SystemPackage
internal import Glibc

/// A provisioner on a simulated kernel with a run directory of its own, for one test.
public final class SimulatedMachine: Sendable {
  public let kernel: SimulatedKernel
  public let provisioner: Provisioner

  public init(
    _ personality: SimulatedKernel.Personality = .mainline,
    machine: SimulatedKernel.Machine = SimulatedKernel.Machine()
  ) {
    let kernel = SimulatedKernel(personality, machine: machine)
    self.kernel = kernel
    var random = SystemRandomNumberGenerator()
    let run = FilePath("/tmp/epfnvme-test-\(String(random.next(), radix: 16))")
    provisioner = Provisioner(
      Machine(
        allIn: kernel, facts: kernel.facts, label: "the simulated kernel",
        isConfigFSMounted: { kernel.isConfigFSMounted },
        mountConfigFS: { () throws(Errno) in try kernel.mountConfigFS() }),
      run: RunDirectory(run))
  }

  deinit {
    let run = provisioner.run
    for name in run.journalNames() { _ = unsafe unlink(run.journalPath(name).string) }
    _ = unsafe unlink(run.path.appending("lock").string)
    _ = unsafe rmdir(run.path.string)
  }
}
