// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The attributes of a `pci_epf_nvme` function.
/// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c` of October 2024, `pci_epf_nvme_attrs`.
public struct FabricsGroup: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The fabrics controller to connect to when the function is bound (`ctrl_opts`). Empty by default.
  ///
  /// The text is not parsed until then. EBUSY from a successful bind until the unlink.
  /// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`, `pci_epf_nvme_ctrl_opts_store`.
  public var controllerOptions: Attribute<FabricsOptions> { directory["ctrl_opts"] }

  /// Whether transfers use DMA channels (`dma_enable`). True by default; a bind without channels sets it to false.
  ///
  /// EBUSY while the host has the controller enabled. True after a bind without channels crashes the kernel at the next
  /// transfer: write it before binding only.
  /// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`, `pci_epf_nvme_dma_enable_store`.
  public var usesDMA: Attribute<Bool> { directory["dma_enable"] }

  /// The largest transfer (`mdts_kb`). 128 KiB by default; EBUSY while the host has the controller enabled; counts from
  /// the next enabling.
  /// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`, `pci_epf_nvme_mdts_kb_store`.
  public var transferLimit: Attribute<TransferLimit> { directory["mdts_kb"] }
}
