// SPDX-License-Identifier: Apache-2.0
public import LinuxFiles
public import Provisioning

/// Whether a machine can be an NVMe endpoint, and what mends it if not.
///
/// Looks at the kernel's configuration, modules, trees and log, at sysfs, at the device tree and at journals, each as far as this process
/// may. Changes nothing but for the busy test of a bound function's controller, which writes a value back, and only as root.
public struct Doctor: Sendable {
  private let provisioner: Provisioner
  private let files: any SystemFiles

  public init(_ provisioner: Provisioner, files: any SystemFiles) {
    self.provisioner = provisioner
    self.files = files
  }

  /// - Parameter profile: also whether this machine can carry it out.
  public func examine(_ profile: Profile.Located? = nil) -> Diagnosis {
    var examination = Examination(provisioner, files, profile)
    examination.lookAtKernel()
    examination.lookAtModules()
    examination.lookAtControllers()
    examination.lookAtFunctions()
    examination.lookAtDevices()
    examination.lookAtTargets()
    examination.lookAtJournals()
    examination.lookAtLog()
    examination.lookAtProfile()
    return examination.diagnosis
  }
}
