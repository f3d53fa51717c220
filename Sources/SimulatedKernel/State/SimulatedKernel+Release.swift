// SPDX-License-Identifier: Apache-2.0

extension SimulatedKernel {
  /// The kernel to simulate, and with it the NVMe endpoint function driver.
  public enum Release: String, Codable, Sendable, Hashable, CaseIterable {
    /// Linux 7.2.13 with `nvmet_pci_epf`.
    case linux7_2 = "7.2"
    /// Linux 6.12-rc2 with the out-of-tree `pci_epf_nvme`.
    case linux6_12 = "6.12"

    /// `uname -r`.
    public var uname: String {
      switch self {
      case .linux7_2: "7.2.13"
      case .linux6_12: "6.12.0-rc2"
      }
    }

    /// The value of the key `personality` in JSON output, which `kernelRelease` replaces.
    public var personality: String {
      switch self {
      case .linux7_2: "mainline-7.2"
      case .linux6_12: "seed-6.12"
      }
    }

    /// The release with an NVMe endpoint function driver; nil for another driver.
    public init?(functionDriver: String) {
      guard let release = Self.allCases.first(where: { $0.functionDriver == functionDriver })
      else { return nil }
      self = release
    }

    /// The name of the NVMe endpoint function driver, which is its directory in `pci_ep/functions`.
    public var functionDriver: String {
      switch self {
      case .linux7_2: "nvmet_pci_epf"
      case .linux6_12: "pci_epf_nvme"
      }
    }
  }
}
