// SPDX-License-Identifier: Apache-2.0
package import KernelHistory
internal import KernelEvents
package import PCIEndpoint

/// The number of outbound windows that queues need, which depends on the kernel's release.
///
/// Two windows serve data and interrupts. Since commit ea7789c15410, nvmet_pci_epf keeps each completion queue mapped, so that every queue
/// pair may hold two more. Earlier releases, and pci_epf_nvme, map a queue only while they fetch from it or post to it.
/// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_create_cq`; nvmet_pci_epf.md, 10; pci_epf_nvme.md, 12.5.
package enum OutboundWindowRule {
  package static func windows(forQueuePairs pairs: Int) -> Int { 2 * pairs + 2 }

  static let hint = "(windows - 2) / 2 queue pairs: use fewer I/O queues"

  /// The releases from which on the number grows: `6.16, a release of 6.15.y, about 6.14.9`.
  static var beginText: String { KernelChange.mappedPerPost.endText }

  /// Whether the number grows with the queues.
  /// - Parameter release: `uname -r`.
  package static func growth(
    _ driver: FunctionDriver, _ release: String
  ) -> KernelChange.Presence {
    guard driver == .nvmetPCIEPF, let kernel = KernelRelease(release) else { return .absent }
    return switch KernelChange.mappedPerPost.presence(in: kernel) {
    case .absent: .present
    case .present: .absent
    case .unknown: .unknown
    }
  }

  /// What is wrong with a function on a kernel where the number grows; nil if there are enough windows.
  static func problem(_ function: Profile.Function) -> String? {
    guard let windows = function.controllerFeatures?.outboundWindows else { return nil }
    let pairs = windows < 2 ? 0 : (Int(windows) - 2) / 2
    let needed = Int(function.ioQueues ?? 1) + 1
    guard pairs < needed else { return nil }
    return
      "\(windows) \(windows == 1 ? "window serves" : "windows serve") \(pairs) queue \(pairs == 1 ? "pair" : "pairs"); \(needed) are requested, including the admin queue,"
  }

  /// Refuses functions with too few windows on a machine.
  /// - Returns: warnings, where the release does not tell.
  static func check(
    _ profile: Profile, _ driver: FunctionDriver, on machine: Machine
  ) throws(ProvisioningError) -> [ProfileIssue] {
    let issues = issues(profile, driver, machine.facts.release)
    if let error = issues.first(where: { $0.severity == .error }) {
      throw ProvisioningError(
        .impossible, "\(error.path): \(error.message)", path: error.path, hint: error.hint)
    }
    return issues
  }

  /// What is wrong with the functions on a release: errors, or warnings where the release does not tell.
  static func issues(
    _ profile: Profile, _ driver: FunctionDriver, _ release: String
  ) -> [ProfileIssue] {
    let growth = growth(driver, release)
    guard growth != .absent else { return [] }
    return profile.functions.enumerated().compactMap { index, function in
      problem(function).map { problem in
        ProfileIssue(
          growth == .present ? .error : .warning, path: path(index),
          message: "\(problem) \(growth == .present ? "in" : "perhaps in") Linux \(release)",
          hint: hint)
      }
    }
  }

  static func path(_ index: Int) -> String {
    "functions[\(index)].controllerFeatures.outboundWindows"
  }
}
