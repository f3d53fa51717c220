// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// An endpoint controller (EPC): the PCI device side of this machine's link to a host.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epc_type`.
public struct EndpointController: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// Whether link training is on (`start`). False by default.
  ///
  /// EALREADY for the current value; EINVAL if the controller cannot start. The kernel does not check that a function is bound.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epc_start_store`.
  public var isStarted: Attribute<Bool> { directory["start"] }

  /// The functions bound from this side. Those bound through ``EndpointFunction/primary`` do not show here.
  ///
  /// A link binds: function numbers are assigned in the order of linking. Its errno is that of the driver's `bind`; later failures, in
  /// `epc_init`, are only in the kernel log.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epc_epf_link`.
  public var functions: ConfigLinks<EndpointFunction> { ConfigLinks(directory) }
}
