// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
public import Provisioning
public import SimulatedKernel
internal import SystemPackage

extension Machine {
  /// The machine that the process runs on.
  public static func live() -> Machine {
    let mount = ConfigFSMount()
    let facts = KernelFacts.live()
    var machine = Machine(
      configFS: LiveConfigFS(mountPoint: mount.path), modules: LiveModules(), log: LiveKernelLog(),
      clock: LiveEvents(), storage: LiveBackingStore(), fabrics: LiveFabricsConnections(),
      facts: facts, label: "this kernel",
      isConfigFSMounted: { mount.isMounted },
      mountConfigFS: { () throws(Errno) in _ = try mount.mountIfNeeded() },
      endpointControllers: { ((try? EndpointDevice.all()) ?? []).map(\.name) },
      kernelOption: { KernelConfiguration.ofRunningKernel(release: facts.release)?.has($0) })
    machine.addressProblem = bindProblem
    machine.compatible = { EndpointDevice.compatible(of: $0) }
    machine.contiguousMemory = { ContiguousMemory.live() }
    return machine
  }

  /// A machine without hardware: a kernel in memory with a ROCK 5B's endpoint controller.
  /// - Parameter kernel: the kernel; one that has `nvmet_pci_epf` if nothing is given.
  public static func simulated(
    _ kernel: SimulatedKernel = SimulatedKernel(.linux7_2)
  ) -> Machine {
    var machine = Machine(
      allIn: kernel, facts: kernel.facts, label: "the simulated kernel",
      isConfigFSMounted: { kernel.isConfigFSMounted },
      mountConfigFS: { () throws(Errno) in try kernel.mountConfigFS() },
      endpointControllers: { kernel.endpointControllers },
      kernelOption: { kernel.kernelOption($0) })
    machine.addressProblem = { kernel.hasAddress($0) ? nil : .addressNotAvailable }
    machine.compatible = { kernel.compatible(of: $0) }
    machine.hasAttribute = { kernel.hasAttribute($0) }
    machine.hintForDriver = { driver in
      SimulatedKernel.Release(functionDriver: driver).map {
        "a new simulated kernel with --kernel-release \($0.rawValue) has \(driver)"
      }
    }
    return machine
  }
}
