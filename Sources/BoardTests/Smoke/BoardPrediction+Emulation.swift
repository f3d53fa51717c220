// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import ProfileEmulation
package import Provisioning
package import SimulatedKernel

extension BoardPrediction {
  /// The prediction of the emulation for a profile on a machine like a provisioner's; nil for a profile without functions.
  /// - Parameter usual: the kernel release to emulate when setup cannot select a driver. Then the run reports the reason, and any emulation
  ///   is sufficient.
  /// - Throws: ``ProvisioningError`` when the profile cannot be set up on an emulated board.
  package init?(
    _ located: Profile.Located, on provisioner: Provisioner, usual: SimulatedKernel.Release
  ) throws(ProvisioningError) {
    guard !located.profile.functions.isEmpty else { return nil }
    let driver = (try? provisioner.plan(located))?.driver
    let facts = provisioner.machine.facts
    let own = SimulatedKernel.Release(rawValue: facts.release).flatMap { release in
      driver.map { $0 == release.functionDriver } ?? true ? release : nil
    }
    let emulation = try Emulation(
      located, own ?? driver.map { .init(functionDriver: $0) ?? .linux7_2 } ?? usual
    ) {
      $0.release = facts.release
      $0.onlineCPUs = facts.onlineCPUs
      $0.pageSize = facts.pageSize
      $0.machineID = facts.machineID
    }
    var unknown: Set<String> = []
    for subsystem in located.profile.subsystems {
      // The kernel sets these according to its version.
      if subsystem.firmware == nil { unknown.insert("attr_firmware") }
      if subsystem.version == nil { unknown.insert("attr_version") }
    }
    self.init(
      driver: emulation.kernelRelease.functionDriver, log: emulation.bindLog,
      tree: emulation.tree, unknown: unknown)
  }
}
