// SPDX-License-Identifier: Apache-2.0

/// What the machine that sees the disk adds to a two-sided run.
public enum HostSmokeCase: String, Sendable, CaseIterable {
  case found = "host-disk-found"
  case asPredicted = "host-disk-as-predicted"
  case input = "host-data-verified"
  case fio = "host-fio-verified"
  case noKernelErrors = "host-no-kernel-errors"

  /// What it shows when it passes.
  public var meaning: String {
    switch self {
    case .found: "the host's bus has the disk, and its driver took it"
    case .asPredicted: "configuration space, registers and Identify are those of the emulation"
    case .input: "what was written everywhere on the namespaces was read back"
    case .fio: "fio's verified random I/O found no difference"
    case .noKernelErrors: "the host's kernel complained about nothing"
    }
  }
}
