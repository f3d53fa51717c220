// SPDX-License-Identifier: Apache-2.0

/// The host's cases of a two-sided run; the raw values are stable.
package enum HostSmokeCase: String, Sendable, CaseIterable {
  case found = "host-disk-found"
  case asPredicted = "host-disk-as-predicted"
  case data = "host-data-verified"
  case fio = "host-fio-verified"
  case noKernelErrors = "host-no-kernel-errors"

  /// The meaning of a pass.
  package var meaning: String {
    switch self {
    case .found: "the disk is on the host's bus and bound to its NVMe driver"
    case .asPredicted: "configuration space, registers and Identify match the emulation"
    case .data: "data written across the namespaces was read back from the same place"
    case .fio: "fio's random reads and writes found no difference"
    case .noKernelErrors: "the host's NVMe driver logged no error"
    }
  }
}
