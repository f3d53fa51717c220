// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Provisioning
internal import SystemPackage

extension ProvisioningError {
  /// The exit code that scripts can rely on.
  var exitCode: CInt {
    switch kind {
    case .disruptive: 64
    case .malformedProfile: 65
    case .inputMissing: 66
    case .unsupported: 69
    case .internal: 70
    case .different: 1
    case .cannotCreate: 73
    case .operationFailed: 74
    case .timedOut: 75
    case .rollbackIncomplete: 76
    case .needsPrivileges: 77
    case .impossible: 78
    case .interrupted: 128 + (signal ?? 2)
    }
  }
}
