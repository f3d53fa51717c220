// SPDX-License-Identifier: Apache-2.0

/// A driver of endpoint functions, by the name of its directory below `functions/`.
public enum FunctionDriver: Hashable, Sendable {
  /// `pci_epf_nvme`, the out-of-tree driver of 2024: forwards a host's commands to a fabrics controller.
  case pciEPFNVMe
  /// `nvmet_pci_epf`, since Linux 6.14: a host's commands go to the NVMe target directly.
  case nvmetPCIEPF
  case other(String)

  public init(name: String) {
    self =
      switch name {
      case "pci_epf_nvme": .pciEPFNVMe
      case "nvmet_pci_epf": .nvmetPCIEPF
      default: .other(name)
      }
  }

  /// The name of the directory.
  public var name: String {
    switch self {
    case .pciEPFNVMe: "pci_epf_nvme"
    case .nvmetPCIEPF: "nvmet_pci_epf"
    case .other(let name): name
    }
  }

  /// The module that registers the driver. It is not loaded on demand.
  public var moduleName: String {
    switch self {
    case .pciEPFNVMe: "pci-epf-nvme"
    case .nvmetPCIEPF: "nvmet-pci-epf"
    // One module serves a directory for each chip.
    case .other(let name) where name.hasPrefix("pci_epf_mhi_"): "pci-epf-mhi"
    case .other(let name): String(name.map { $0 == "_" ? "-" : $0 })
    }
  }

  /// The modules that stay loaded as long as the driver's module.
  public var neededModules: [String] {
    switch self {
    case .pciEPFNVMe: ["nvme_fabrics", "nvme_core"]
    case .nvmetPCIEPF: ["nvmet", "nvme_core"]
    case .other: []
    }
  }

  /// The drivers of NVMe functions, `nvmet_pci_epf` first.
  public static let nvmeDrivers: [FunctionDriver] = [.nvmetPCIEPF, .pciEPFNVMe]
}

extension FunctionDriver: CustomStringConvertible {
  public var description: String { name }
}
