// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import SystemPackage

/// An endpoint function (EPF): a PCI function that a driver implements in software.
///
/// All functions of one driver share one header: a value written to ``vendorID`` … ``interruptPin`` of one appears in all, and persists
/// until the driver is unloaded. The driver writes the header to the controller at `epc_init`, usually while linking; later writes change
/// only the shown value. The two interrupt counts are separate for each function.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_attrs`.
public struct EndpointFunction: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The driver, from the name of the directory above.
  public var driver: FunctionDriver {
    FunctionDriver(name: directory.parentName)
  }

  /// The PCI vendor ID at 00h (`vendorid`). 0xffff by default.
  ///
  /// `nvmet_pci_epf` overwrites it with the subsystem's ID; `pci_epf_nvme` also puts it into Identify Controller.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u16`.
  public var vendorID: Attribute<Hex16> { directory["vendorid"] }

  /// The PCI device ID at 02h (`deviceid`). 0xffff by default.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u16`.
  public var deviceID: Attribute<Hex16> { directory["deviceid"] }

  /// The PCI revision ID at 08h (`revid`). 0 by default.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var revisionID: Attribute<Hex8> { directory["revid"] }

  /// The programming interface at 09h (`progif_code`). 2 by default with the NVMe drivers.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var programmingInterface: Attribute<Hex8> { directory["progif_code"] }

  /// The subclass at 0Ah (`subclass_code`). 8, non-volatile memory, by default with the NVMe drivers.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var subclass: Attribute<Hex8> { directory["subclass_code"] }

  /// The base class at 0Bh (`baseclass_code`). 1, mass storage, by default with the NVMe drivers.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var baseClass: Attribute<Hex8> { directory["baseclass_code"] }

  /// The cache line size at 0Ch (`cache_line_size`). 0 by default.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var cacheLineSize: Attribute<Hex8> { directory["cache_line_size"] }

  /// The PCI subsystem vendor ID at 2Ch (`subsys_vendor_id`). 0 by default; `nvmet_pci_epf` overwrites it like
  /// ``vendorID``.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u16`.
  public var subsystemVendorID: Attribute<Hex16> { directory["subsys_vendor_id"] }

  /// The PCI subsystem ID at 2Eh (`subsys_id`). 0 by default.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u16`.
  public var subsystemID: Attribute<Hex16> { directory["subsys_id"] }

  /// The interrupt pin at 3Dh (`interrupt_pin`), 1 to 4 for INTA to INTD. 1 by default; the kernel accepts any byte.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `PCI_EPF_HEADER_W_u8`.
  public var interruptPin: Attribute<Hex8> { directory["interrupt_pin"] }

  /// The number of MSI vectors to offer (`msi_interrupts`). 0 by default; above 32 fails later, without an error of the link.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_msi_interrupts_store`.
  public var msiVectors: Attribute<UInt8> { directory["msi_interrupts"] }

  /// The number of MSI-X vectors to offer (`msix_interrupts`). 0 by default; above 2048 fails later, without an error of the link. Affects
  /// the BAR's size at the link.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_msix_interrupts_store`.
  public var msixVectors: Attribute<UInt16> { directory["msix_interrupts"] }

  /// The controller, when the function is bound from this side: one at most, EBUSY for a second.
  ///
  /// Kernels before 7.2 create the directory a millisecond after the function's.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_primary_epc_epf_link`.
  public var primary: ConfigLinks<EndpointController> { ConfigLinks(directory.child("primary")) }

  /// A second controller. The NVMe drivers do not support one.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_secondary_epc_epf_link`.
  public var secondary: ConfigLinks<EndpointController> {
    ConfigLinks(directory.child("secondary"))
  }

  /// The functions that are virtual functions of this one. The NVMe drivers do not support any.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_vepf_link`.
  public var virtualFunctions: ConfigLinks<EndpointFunction> { ConfigLinks(directory) }

  /// The driver's attributes; nil for a driver without an `nvme` group.
  ///
  /// Kernels before 7.2 create the directory a millisecond after the function's.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_ep_cfs_add_type_group`.
  public var nvmeGroup: NVMeGroup? {
    let group = directory.child("nvme")
    return switch driver {
    case .pciEPFNVMe: .fabrics(FabricsGroup(directory: group))
    case .nvmetPCIEPF: .target(TargetGroup(directory: group))
    case .other: nil
    }
  }

  /// Whether the kernel has created all of the function's directories.
  public var isComplete: Bool {
    primary.exists && secondary.exists && nvmeGroup?.directory.exists != false
  }
}

/// The `nvme` group of an NVMe function, by driver.
public enum NVMeGroup: Sendable {
  /// `pci_epf_nvme`: a PCI function on top of a fabrics host.
  case fabrics(FabricsGroup)
  /// `nvmet_pci_epf`: a port of the target.
  case target(TargetGroup)

  public var directory: ConfigDirectory {
    switch self {
    case .fabrics(let group): group.directory
    case .target(let group): group.directory
    }
  }
}
