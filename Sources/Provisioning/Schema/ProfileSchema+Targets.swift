// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// Hosts, subsystems, namespaces and ports of the kernel's NVMe target.
extension ProfileSchema {
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_attrs`.
  public static let host = SchemaObject(
    "host", "A host of the target with attributes, such as secrets",
    [
      SchemaRow("nqn", .text(.nqn), required: true),
      rawAttributes,
      // Secrets: a NUL byte clears one.
      SchemaRow(
        nil, .unkeyed, "",
        [.init("dhchap_key", .text("")), .init("dhchap_ctrl_key", .text(""))]),
      other("dhchap_hash", "hmac(sha256)"), other("dhchap_dhgroup", "null"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attrs`; the defaults from
  ///   `drivers/nvme/target/core.c`, `nvmet_subsys_alloc`.
  public static let subsystem = SchemaObject(
    "subsystem", "An NVMe subsystem of the kernel's target",
    [
      SchemaRow(
        "nqn", .text(.nqn),
        "The NVMe qualified name: one path component, at most 223 bytes; 222 behind a PCI function. That of a function's subsystem gets the board's suffix, see identity, unless a tcp or rdma port offers it too",
        required: true)
    ] + Profile.Subsystem.schemaRows + [
      SchemaRow(
        "allowedHosts", .texts(.nqn), "Host NQNs, each once; not while allowAnyHost is true"),
      rawAttributes,
      SchemaRow("namespaces", .objects("namespace"), "The namespaces, each with its NSID"),
      other("attr_pi_enable", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_attrs`.
  public static let namespace = SchemaObject(
    "namespace", "A namespace of a subsystem",
    [
      SchemaRow(
        "id", .integer(1...Int(UInt32.max) - 1), "NSID", required: true,
        because: "0 is not a namespace, and 4294967295 means all namespaces"),
      SchemaRow(
        "backing", .text(.reference), "The name of one of the profile's backings", required: true,
        [.init("device_path", .unwritable("(null)"))]),
    ] + Profile.Namespace.schemaRows + [
      rawAttributes,
      command("revalidate_size", ""),
      other("p2pmem", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_attrs`, `nvmet_ports_make`.
  public static let port = SchemaObject(
    "port", "A port of the NVMe target; its first subsystem enables it",
    [
      SchemaRow("id", .integer(0...0xffff), required: true),
      SchemaRow(
        "transport", .words(Profile.Port.Transport.allCases.map(\.rawValue)), "", required: true,
        [.init("addr_trtype", .unwritable(""))]),
    ] + Profile.Port.schemaRows + [
      SchemaRow(
        "subsystems", .texts(.nqn), "NQNs of the subsystems that the port offers, each once"),
      SchemaRow(
        "anaGroups", .objects("anaGroup"), "The ANA states of the port; group 1 always exists"),
      rawAttributes,
      other("addr_treq", "not specified"), other("addr_tsas", "none"),
      other("param_pi_enable", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_groups_make_group`, `nvmet_ana_group_ana_state_show`.
  public static let anaGroup = SchemaObject(
    "anaGroup", "The access of a port to the namespaces of an ANA group",
    [
      SchemaRow(
        "id", .integer(1...127), required: true,
        because: "Linux accepts 128 and then stores 0, which damages its counters"),
      SchemaRow(
        "state", .words(ANAState.allCases.map(\.rawValue)), "", required: true,
        [.init("ana_state", .varies("optimized in group 1, inaccessible in others"))]),
    ])
}

extension Profile.Subsystem: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let model = ProfileKey<String>(
      "model", .text(.printable("a model number", upTo: 40)), "The model number",
      [.init("attr_model", "Linux")])
    public let serial = ProfileKey<String>(
      "serial", .text(.printable("a serial number", upTo: 20)), "The serial number",
      [.init("attr_serial", .varies("20 random hexadecimal digits"))],
      default: "derived, see identity")
    public let firmware = ProfileKey<String>(
      "firmware", .text(.printable("a firmware revision", upTo: 8)), "The firmware revision",
      [.init("attr_firmware", .varies("the first 8 bytes of the kernel's release"))])
    public let ieeeOUI = ProfileKey<UInt32>(
      "ieeeOUI", .integer(0...0xff_ffff), "The vendor's IEEE OUI, 24 bits",
      [.init("attr_ieee_oui", "0x000000")], hexDigits: 6)
    public let version = ProfileKey<String>(
      "version", .text(.version), "The version of NVMe that the controller reports",
      [.init("attr_version", .varies("2.1 since Linux 6.14, 1.3 before"))])
    public let vendorID = ProfileKey<UInt16>(
      "vendorID", .integer(0...0xffff),
      "The PCI vendor ID in Identify, which nvmet_pci_epf uses for the function too; not in Linux 6.12",
      [.init("attr_vendor_id", "0x0")], default: "that of the function", hexDigits: 4)
    public let subsystemVendorID = ProfileKey<UInt16>(
      "subsystemVendorID", .integer(0...0xffff),
      "The PCI subsystem vendor ID in Identify; not in Linux 6.12",
      [.init("attr_subsys_vendor_id", "0x0")], default: "that of the function", hexDigits: 4)
    public let maximumQueueID = ProfileKey<UInt16>(
      "maximumQueueID", .integer(1...128), "The largest number of I/O queues of a controller",
      [.init("attr_qid_max", "128")])
    public let controllerIDMinimum = ProfileKey<UInt16>(
      "controllerIDMinimum", .integer(1...0xffff), "The smallest controller ID",
      [.init("attr_cntlid_min", "1")],
      default: "derived for the subsystem of a function, see identity; otherwise 1")
    public let controllerIDMaximum = ProfileKey<UInt16>(
      "controllerIDMaximum", .integer(1...0xffff), "The largest controller ID",
      [.init("attr_cntlid_max", "65519")],
      default: "derived for the subsystem of a function, see identity; otherwise 65519")
    public let allowAnyHost = ProfileKey<Bool>(
      "allowAnyHost", .boolean,
      "Whether any host may connect; a PCI function connects with a random host NQN, so it requires true",
      [.init("attr_allow_any_host", "0")], default: "true, unless allowedHosts has hosts")
  }
}

extension Profile.Namespace: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let uuid = ProfileKey<String>(
      "uuid", .text(.uuid), "The UUID, with dashes; of one namespace only",
      [.init("device_uuid", .varies("a random UUID"))], default: "derived, see identity"
    )
    public let nguid = ProfileKey<String>(
      "nguid", .text(.nguid),
      "16 bytes, which may be separated by colons and dashes; of one namespace only; zeros are none",
      [.init("device_nguid", "00000000-0000-0000-0000-000000000000")],
      default: "derived, see identity")
    public let anaGroup = ProfileKey<UInt32>(
      "anaGroup", .integer(1...127), "The ANA group", [.init("ana_grpid", "1")],
      because: "Linux accepts 128 and then stores 0, which damages its counters")
    public let bufferedIO = ProfileKey<Bool>(
      "bufferedIO", .boolean, "Uses the page cache; for file systems without O_DIRECT",
      [.init("buffered_io", "0")])
    public let reservations = ProfileKey<Bool>(
      "reservations", .boolean, "Whether hosts may use reservations; not in Linux 6.12",
      [.init("resv_enable", "0")])
    public let enabled = DefaultedKey<Bool>(
      "enabled", .boolean, "Whether hosts see the namespace", default: true, [.init("enable", "0")])
  }
}

extension Profile.Port: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let addressFamily = ProfileKey<String>(
      "addressFamily", .words(AddressFamily.allCases.map(\.rawValue).filter { !$0.isEmpty }),
      "The family of the address; the first two with tcp and rdma",
      [.init("addr_adrfam", .unwritable(""))])
    public let address = ProfileKey<String>(
      "address", .text(.word("a transport address", upTo: 255)),
      "For tcp and rdma: an IP address of the family, with a scope (%eth0) if it is link-local",
      [.init("addr_traddr", "")])
    public let service = ProfileKey<String>(
      "service", .textOrInteger(.word("a transport service", upTo: 31), 1...0xffff),
      "For tcp and rdma: a port number", [.init("addr_trsvcid", "")])
    public let maximumQueueSize = ProfileKey<Int32>(
      "maximumQueueSize", .integer(16...1024), "Entries of a queue",
      // The first link turns −1 into the transport's choice.
      [.init("param_max_queue_size", "-1")], default: "1024",
      because: "the kernel would replace other values when the port is enabled")
    public let inlineDataSize = ProfileKey<Int32>(
      "inlineDataSize", .integer(0...Int(Int32.max)),
      "Bytes of data in a command; tcp and rdma", [.init("param_inline_data_size", "-1")],
      default: "the transport's")
    public let mdts = ProfileKey<Int32>(
      "mdts", .integer(0...255),
      "Maximum data transfer size, as a power of two of 4 KiB; 0 is no limit",
      [.init("param_mdts", .unwritable("-1"))], default: "the kernel's")
  }
}
