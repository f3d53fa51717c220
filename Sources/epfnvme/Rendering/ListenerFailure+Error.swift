// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import Provisioning
internal import SystemPackage
internal import VFIOUser

extension ProvisioningError {
  /// The error of a command that cannot listen at a socket.
  init(_ failure: Listener.Failure, operation: String) {
    self.init(
      failure.errno == EACCES ? .needsPrivileges : .cannotCreate,
      "cannot \(failure.operation) \(failure.path): "
        + (failure.errno.map { Errno(rawValue: $0).nameAndText } ?? failure.reason),
      operation: operation, path: failure.path,
      errno: failure.errno.map { Errno(rawValue: $0) }, hint: failure.hint)
  }
}
