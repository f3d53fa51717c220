// SPDX-License-Identifier: Apache-2.0
package import HostTools
package import KernelEvents
package import Provisioning

/// Diagnoses the machine that should see the disk of a board: its kernel log, and its bus.
///
/// Needs neither a board nor root. Changes nothing.
package enum HostDoctor {
  /// Diagnoses a machine.
  /// - Parameters:
  ///   - log: the kernel log; nil when this process may not read it.
  ///   - release: `uname -r`.
  ///   - profile: also whether the disks of this profile are there.
  package static func examine(
    _ bus: HostBus, log: [KernelLogLine]?, release: String, profile: Profile? = nil
  ) -> MachineDiagnosis {
    var diagnosis = MachineDiagnosis(
      machine: "this host", release: release, profile: profile?.name)
    diagnosis.role = .host
    var examination = HostExamination(log: log.map { HostLog($0) }, diagnosis)
    if log == nil {
      examination.hide(
        "kernel log",
        "/dev/kmsg: not readable by this process, so the messages of drivers are unknown; run as root, or save it with sudo dmesg > FILE and use --log FILE"
      )
    }
    examination.examineLog()
    examination.examineBus(bus, profile)
    return examination.result
  }

  /// Why a saved log cannot be examined: a file that is not text, or that has no line; nil if it can be.
  package static func problem(withLog bytes: [UInt8]) -> String? {
    guard let text = SavedLogText(bytes) else { return "it is not text" }
    return HostLog(saved: text.bytes, as: "").lines.isEmpty ? "it has no line" : nil
  }

  /// Diagnoses a machine from its saved kernel log alone.
  /// - Parameter name: of the file, for evidence.
  package static func examine(savedLog bytes: [UInt8], name: String) -> MachineDiagnosis {
    let text = SavedLogText(bytes)
    let log = HostLog(saved: text?.bytes ?? [], as: name)
    var diagnosis = MachineDiagnosis(
      machine: "the host of \(name)", release: log.release ?? "unknown")
    diagnosis.role = .host
    var examination = HostExamination(log: log, diagnosis)
    if text == nil {
      examination.hide(
        "kernel log", "\(name) is not text; save the log on the host: sudo dmesg > FILE")
    } else if log.lines.isEmpty {
      examination.hide("kernel log", "\(name): no line; save it with sudo dmesg > FILE")
    }
    for (controller, function) in log.functions.sorted(by: { $0.key < $1.key }) {
      examination.see(controller, "PCI function \(function)")
    }
    if let type = log.defaultDomainType { examination.see("IOMMU", "domains of type \(type)") }
    examination.hide(
      "PCI bus, IOMMU groups and disks", "only the log was examined; omit --log on the host itself")
    examination.examineLog()
    return examination.result
  }
}
