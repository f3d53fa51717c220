// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// A namespace: a block device or a file, exported to hosts.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_attrs`.
public struct TargetNamespace: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The namespace ID that the directory's name spells.
  public var id: UInt32? { name.kernelInteger() }

  /// The backing of the namespace (`device_path`). EBUSY while enabled; checked only when it is enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_device_path_store`.
  public var devicePath: Attribute<DevicePath> { directory["device_path"] }

  /// The NGUID (`device_nguid`). Zeros by default, which means none; EBUSY while enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_device_nguid_store`.
  public var nguid: Attribute<NGUID> { directory["device_nguid"] }

  /// The UUID (`device_uuid`). Random by default; EBUSY while enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_device_uuid_store`.
  public var uuid: Attribute<UUIDText> { directory["device_uuid"] }

  /// The ANA group (`ana_grpid`). 1 by default, up to 127: the kernel accepts 128 and stores 0.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_ana_grpid_store`.
  public var anaGroupID: Attribute<UInt32> { directory["ana_grpid"] }

  /// Whether the namespace is visible to hosts (`enable`). Enabling opens the device, disabling waits for I/O.
  ///
  /// ENOENT, EISDIR, EACCES, EROFS … from opening; EINVAL without a path or for a file without direct I/O. With passthru active the write
  /// succeeds without an effect.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_ns_enable`.
  public var isEnabled: Attribute<Bool> { directory["enable"] }

  /// Whether the device is used as a file through the page cache (`buffered_io`). False by default; EINVAL while
  /// enabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_buffered_io_store`.
  public var usesBufferedIO: Attribute<Bool> { directory["buffered_io"] }

  /// Reads the device's size again when true is written (`revalidate_size`). EINVAL while disabled.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_revalidate_size_store`.
  public var revalidateSize: WriteOnlyAttribute<Bool> { directory[writeOnly: "revalidate_size"] }

  /// Whether the namespace supports reservations (`resv_enable`). False by default; EINVAL while enabled; not in 6.12.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_resv_enable_store`.
  public var supportsReservations: Attribute<Bool> { directory["resv_enable"] }

  /// The peer-to-peer memory that transfers may use (`p2pmem`). Off by default; EBUSY while enabled, ENODEV for a device without it; only
  /// with `CONFIG_PCI_P2PDMA`.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_p2pmem_store`.
  public var peerMemory: Attribute<PeerMemory> { directory["p2pmem"] }
}
