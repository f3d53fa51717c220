// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// A subsystem: an NVMe device for hosts, with its namespaces.
///
/// The first Identify Controller that a host sends *discovers* the subsystem: from then on version, serial number, model, OUI and firmware
/// give EINVAL until the directory is removed and created again.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attrs`.
public struct Subsystem: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The subsystem's name; nil if it is not valid for this library.
  public var nqn: NQN? { try? NQN(name) }

  /// Whether every host may connect (`attr_allow_any_host`). False by default.
  ///
  /// PCI endpoint functions connect with a random host name and need it. EINVAL while hosts are linked.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_allow_any_host_store`.
  public var allowsAnyHost: Attribute<Bool> { directory["attr_allow_any_host"] }

  /// The specification that the subsystem claims (`attr_version`). 2.1 by default, 1.3 before.
  ///
  /// EINVAL once discovered, or with passthru enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_version_store_locked`.
  public var version: Attribute<SpecificationVersion> { directory["attr_version"] }

  /// The serial number (`attr_serial`). 20 random hexadecimal digits by default; EINVAL once discovered.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_serial_store_locked`.
  public var serial: Attribute<SerialNumber> { directory["attr_serial"] }

  /// The lowest controller ID (`attr_cntlid_min`). 1 by default; not 0, and not above the highest.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_cntlid_min_store`.
  public var minimumControllerID: Attribute<UInt16> { directory["attr_cntlid_min"] }

  /// The highest controller ID (`attr_cntlid_max`). 65519 by default; not 0, and not below the lowest.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_cntlid_max_store`.
  public var maximumControllerID: Attribute<UInt16> { directory["attr_cntlid_max"] }

  /// The PCI vendor ID in Identify Controller (`attr_vendor_id`), which `nvmet_pci_epf` also puts into the device's
  /// header. 0 by default; not in kernels before 6.14.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_vendor_id_store`.
  public var vendorID: Attribute<VendorID> { directory["attr_vendor_id"] }

  /// The PCI subsystem vendor ID (`attr_subsys_vendor_id`), used like ``vendorID``.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_subsys_vendor_id_store`.
  public var subsystemVendorID: Attribute<VendorID> { directory["attr_subsys_vendor_id"] }

  /// The model (`attr_model`). `Linux` by default; EINVAL once discovered.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_model_store_locked`.
  public var model: Attribute<ModelNumber> { directory["attr_model"] }

  /// The highest queue ID, so the number of I/O queues (`attr_qid_max`). 1 to 128, 128 by default.
  ///
  /// A write disconnects every controller of the subsystem; with a PCI controller it crashes the kernel. Write it before
  /// a function is linked, and only if it changes.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_qid_max_store`.
  public var maximumQueueID: Attribute<UInt16> { directory["attr_qid_max"] }

  /// The vendor's OUI (`attr_ieee_oui`). 0 by default; EINVAL once discovered.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_ieee_oui_store_locked`.
  public var organization: Attribute<OUI> { directory["attr_ieee_oui"] }

  /// The firmware revision (`attr_firmware`). The beginning of the kernel's release by default; EINVAL once discovered.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_firmware_store_locked`.
  public var firmware: Attribute<FirmwareRevision> { directory["attr_firmware"] }

  /// Whether new controllers offer protection information (`attr_pi_enable`). False by default; only with `CONFIG_BLK_DEV_INTEGRITY`.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_pi_enable_store`.
  public var offersProtectionInformation: Attribute<Bool> { directory["attr_pi_enable"] }

  public var namespaces: ConfigGroup<TargetNamespace> { ConfigGroup(directory.child("namespaces")) }

  /// The hosts that may connect. EINVAL for a link while any host may.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_allowed_hosts_allow_link`.
  public var allowedHosts: ConfigLinks<Host> { ConfigLinks(directory.child("allowed_hosts")) }

  /// The controller that the subsystem passes through; only with `CONFIG_NVME_TARGET_PASSTHRU`.
  public var passthru: Passthru { Passthru(directory: directory.child("passthru")) }
}

/// An NVMe controller of this machine that a subsystem passes through instead of having namespaces.
///
/// Useless behind a PCI endpoint function: its queue commands are rejected.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_attrs`.
public struct Passthru: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The controller's character device (`device_path`). EBUSY while enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_device_path_store`.
  public var devicePath: Attribute<DevicePath> { directory["device_path"] }

  /// Whether the subsystem passes the controller through (`enable`).
  ///
  /// EINVAL with namespaces, without a path, or for something that is no NVMe controller. Writing false resets the
  /// subsystem's version to 2.1 even if it never was enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_enable_store`.
  public var isEnabled: Attribute<Bool> { directory["enable"] }

  /// Time limit of administration commands in seconds, 0 for the default (`admin_timeout`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_admin_timeout_store`.
  public var adminTimeout: Attribute<UInt32> { directory["admin_timeout"] }

  /// Time limit of I/O commands in seconds, 0 for the default (`io_timeout`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_io_timeout_store`.
  public var ioTimeout: Attribute<UInt32> { directory["io_timeout"] }

  /// Whether the namespaces' identifiers are hidden, any number but 0 (`clear_ids`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_passthru_clear_ids_store`.
  public var clearsIDs: Attribute<UInt32> { directory["clear_ids"] }
}
