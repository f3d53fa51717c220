// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// A port: a transport and an address at which hosts find the subsystems that are linked to it.
///
/// The first link enables the port, the last one's removal disables it. While enabled, every attribute gives EACCES.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_attrs`.
public struct Port: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The port ID in the directory's name, with which `nvmet_pci_epf` finds its port.
  public var id: UInt16? { name.kernelInteger() }

  /// The transport (`addr_trtype`). Unset by default; a write resets ``transportSpecificAddress``.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_trtype_store`.
  public var transport: Attribute<TransportType> { directory["addr_trtype"] }

  /// The address family (`addr_adrfam`). Unset by default; tcp needs it.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_adrfam_store`.
  public var addressFamily: Attribute<AddressFamily> { directory["addr_adrfam"] }

  /// Whether hosts need a secure channel (`addr_treq`). Not specified by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_treq_store`.
  public var secureChannel: Attribute<SecureChannel> { directory["addr_treq"] }

  /// The address (`addr_traddr`). Empty by default; loop and pci ignore it.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_traddr_store`.
  public var address: Attribute<TransportAddress> { directory["addr_traddr"] }

  /// The service (`addr_trsvcid`), tcp's port number. Empty by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_trsvcid_store`.
  public var serviceID: Attribute<ServiceID> { directory["addr_trsvcid"] }

  /// The transport-specific address subtype (`addr_tsas`): TLS for tcp.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_tsas_store`.
  public var transportSpecificAddress: Attribute<TransportSpecificAddress> {
    directory["addr_tsas"]
  }

  /// Bytes of data that commands may carry (`param_inline_data_size`). −1 until enabled, then the transport's choice.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_param_inline_data_size_store`.
  public var inlineDataSize: Attribute<Int32> { directory["param_inline_data_size"] }

  /// Entries of the largest queue (`param_max_queue_size`). −1 until enabled, then 16 to 1024.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_param_max_queue_size_store`.
  public var maximumQueueSize: Attribute<Int32> { directory["param_max_queue_size"] }

  /// The largest transfer as a power of two of pages (`param_mdts`), 0 to 255. −1 by default, which cannot be written
  /// back; 0 once enabled; not in 6.12.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_param_mdts_store`.
  public var maximumTransfer: Attribute<Int32> { directory["param_mdts"] }

  /// Whether the port offers protection information (`param_pi_enable`). pci, loop and tcp cannot; only with
  /// `CONFIG_BLK_DEV_INTEGRITY`.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_param_pi_enable_store`.
  public var offersProtectionInformation: Attribute<Bool> { directory["param_pi_enable"] }

  /// The subsystems that the port offers. EEXIST if linked under any name; EINVAL without a transport or if its module is missing.
  /// Unlinking one that a PCI controller serves crashes the kernel: unlink the function first.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_subsys_allow_link`.
  public var subsystems: ConfigLinks<Subsystem> { ConfigLinks(directory.child("subsystems")) }

  public var referrals: ConfigGroup<Referral> { ConfigGroup(directory.child("referrals")) }

  /// The ANA groups. Group 1 always exists and cannot be removed.
  public var anaGroups: ConfigGroup<ANAGroup> { ConfigGroup(directory.child("ana_groups")) }

  /// The state of a group on a port, by its number: a directory may spell it `2`, `02` or `0x2`, and the kernel keeps one state of each
  /// number. Group 1 is optimized until it is written, a group that the port does not have is inaccessible.
  /// - Parameters:
  ///   - names: of the directories in `ana_groups`.
  ///   - text: the `ana_state` of a directory; nil if it cannot be read.
  /// - Returns: the state, and the directory that has it; nil for a state that is not known here.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_groups_make_group`, `nvmet_ports_make`.
  public static func anaState(
    of group: UInt32, among names: some Sequence<String>, text: (String) -> String?
  ) -> (state: ANAState?, name: String?) {
    let missing: ANAState = group == 1 ? .optimized : .inaccessible
    let name = names.sorted().first { $0.kernelInteger(UInt32.self) == group }
    guard let name, let text = text(name) else { return (missing, name) }
    return (ANAState(attributeText: text), name)
  }
}

/// An ANA group of one port.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_group_attrs`.
public struct ANAGroup: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The group ID that the directory's name spells.
  public var id: UInt32? { name.kernelInteger() }

  /// The access state of the group's namespaces on the port (`ana_state`). Optimized for group 1, else inaccessible; a write notifies the
  /// hosts.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_group_ana_state_store`.
  public var state: Attribute<ANAState> { directory["ana_state"] }
}

/// Another port that discovery reports to hosts.
///
/// While enabled its address attributes give EACCES.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_referral_attrs`.
public struct Referral: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The address family (`addr_adrfam`). Shows `pci` until written.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_adrfam_store`.
  public var addressFamily: Attribute<AddressFamily> { directory["addr_adrfam"] }

  /// The other port's ID (`addr_portid`). 0 by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_portid_store`.
  public var portID: Attribute<UInt16> { directory["addr_portid"] }

  /// Whether hosts need a secure channel (`addr_treq`). Not specified by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_treq_store`.
  public var secureChannel: Attribute<SecureChannel> { directory["addr_treq"] }

  /// The address (`addr_traddr`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_traddr_store`.
  public var address: Attribute<TransportAddress> { directory["addr_traddr"] }

  /// The service (`addr_trsvcid`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_trsvcid_store`.
  public var serviceID: Attribute<ServiceID> { directory["addr_trsvcid"] }

  /// The transport (`addr_trtype`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_trtype_store`.
  public var transport: Attribute<TransportType> { directory["addr_trtype"] }

  /// Whether discovery shows the referral (`enable`).
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_referral_enable_store`.
  public var isEnabled: Attribute<Bool> { directory["enable"] }
}
