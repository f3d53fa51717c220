// SPDX-License-Identifier: Apache-2.0
package import LinuxFiles
package import Provisioning

/// Diagnoses whether a machine can be an NVMe endpoint.
///
/// Inspects the kernel's configuration, modules, trees and log, sysfs, the device tree and journals, as far as this process has access.
/// Changes nothing except that the busy test of a bound function's controller writes back a value, and only as root.
package struct MachineDoctor: Sendable {
  private let provisioner: Provisioner
  private let files: any SystemFiles

  package init(_ provisioner: Provisioner, files: any SystemFiles) {
    self.provisioner = provisioner
    self.files = files
  }

  /// - Parameter profile: also whether this machine can carry it out.
  package func examine(_ profile: Profile.Located? = nil) -> MachineDiagnosis {
    var examination = Examination(provisioner, files, profile)
    examination.examineKernel()
    examination.examineModules()
    examination.examineControllers()
    examination.examineRelease()
    examination.examineFunctions()
    examination.examineDevices()
    examination.examineTargets()
    examination.examineJournals()
    examination.examineLog()
    examination.examineProfile()
    return examination.diagnosis
  }
}
