// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import ProfileEmulation
package import Provisioning
internal import SimulatedKernel

/// The check of a board: its objects against the profile, and the driver's messages against those of the driver's emulation.
package enum BoardCheck {
  /// - Throws: ``ProvisioningError`` when the machine cannot be inspected, or the profile cannot be emulated.
  package static func run(
    _ located: Profile.Located, on provisioner: Provisioner
  ) throws(ProvisioningError) -> Check {
    var check = try provisioner.check(located)
    guard let driver = check.driver else { return check }
    let facts = provisioner.machine.facts
    let emulation = try Emulation(located, .init(functionDriver: driver) ?? .linux7_2) {
      $0.onlineCPUs = facts.onlineCPUs
      $0.pageSize = facts.pageSize
      $0.machineID = facts.machineID
    }
    let lines = (provisioner.machine.log.allLines() ?? []).map(\.text)
    check.cases += BoardLog.cases(
      expected: emulation.bindLog, lines: lines, driver: driver,
      nqns: located.profile.identified(on: facts.machineID).functions.map(\.target.nqn))
    return check
  }
}
