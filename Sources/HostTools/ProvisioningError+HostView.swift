// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
package import Provisioning
internal import SystemPackage

extension ProvisioningError {
  /// Converts an error from accessing a disk.
  package init(_ error: HostViewError) {
    switch error {
    case .unavailable(let attempt, let path, let errno, let hint):
      let isDenied = errno == .permissionDenied || errno == .notPermitted
      // A failed change is a failed operation; a failed read means that the object is missing.
      let isFailed = attempt.hasPrefix("write") && errno != .noSuchFileOrDirectory
      self.init(
        isDenied ? .needsPrivileges : isFailed ? .operationFailed : .inputMissing,
        "cannot \(attempt) \(path): \(errno.nameAndText)", operation: attempt, path: path,
        errno: errno, hint: hint)
    case .inUse(let attempt, let path, let users, let hint):
      self.init(
        .disruptive, "will not \(attempt) \(path): \(users.joined(separator: ", "))",
        operation: attempt, path: path, errno: .resourceBusy, hint: hint)
    case .refused, .failed:
      self.init(.operationFailed, "\(error)", operation: "check")
    }
  }
}
