// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget

/// Hosts, subsystems, namespaces and ports of the kernel's NVMe target.
extension ProfileSchema {
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_attrs`.
  public static let host = SchemaObject(
    "host",
    [
      SchemaRow("nqn", .text(.nqn), required: true),
      SchemaRow("attributes", .attributes),
      // Secrets: a NUL byte clears one.
      SchemaRow(
        nil, .unkeyed,
        [.init("dhchap_key", .text("")), .init("dhchap_ctrl_key", .text(""))]),
      other("dhchap_hash", "hmac(sha256)"), other("dhchap_dhgroup", "null"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attrs`; the defaults from
  ///   `drivers/nvme/target/core.c`, `nvmet_subsys_alloc`.
  public static let subsystem = SchemaObject(
    "subsystem",
    [
      SchemaRow("nqn", .text(.nqn), required: true),
      SchemaRow(
        "model", .text(.printable("a model number", upTo: 40)), [.init("attr_model", "Linux")]),
      SchemaRow(
        "serial", .text(.printable("a serial number", upTo: 20)),
        [.init("attr_serial", .varies("20 random hexadecimal digits"))]),
      SchemaRow(
        "firmware", .text(.printable("a firmware revision", upTo: 8)),
        [.init("attr_firmware", .varies("the first 8 bytes of the kernel's release"))]),
      SchemaRow("ieeeOUI", .integer(0...0xff_ffff), [.init("attr_ieee_oui", "0x000000")]),
      SchemaRow(
        "version", .text(.version),
        [.init("attr_version", .varies("2.1 since Linux 6.14, 1.3 before"))]),
      SchemaRow("vendorID", .integer(0...0xffff), [.init("attr_vendor_id", "0x0")]),
      SchemaRow("subsystemVendorID", .integer(0...0xffff), [.init("attr_subsys_vendor_id", "0x0")]),
      SchemaRow("maximumQueueID", .integer(1...128), [.init("attr_qid_max", "128")]),
      SchemaRow("controllerIDMinimum", .integer(1...0xffff), [.init("attr_cntlid_min", "1")]),
      SchemaRow("controllerIDMaximum", .integer(1...0xffff), [.init("attr_cntlid_max", "65519")]),
      SchemaRow("allowAnyHost", .boolean, [.init("attr_allow_any_host", "0")]),
      SchemaRow("allowedHosts", .texts(.nqn)),
      SchemaRow("namespaces", .objects("namespace")),
      SchemaRow("attributes", .attributes),
      other("attr_pi_enable", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_attrs`.
  public static let namespace = SchemaObject(
    "namespace",
    [
      SchemaRow(
        "id", .integer(1...Int(UInt32.max) - 1), required: true,
        because: "0 is not a namespace, and 4294967295 means all namespaces"),
      SchemaRow(
        "backing", .text(.reference), required: true,
        [.init("device_path", .unwritable("(null)"))]),
      SchemaRow("uuid", .text(.uuid), [.init("device_uuid", .varies("a random UUID"))]),
      SchemaRow(
        "nguid", .text(.nguid), [.init("device_nguid", "00000000-0000-0000-0000-000000000000")]),
      SchemaRow(
        "anaGroup", .integer(1...127), [.init("ana_grpid", "1")],
        because: "Linux accepts 128 and then stores 0, which damages its counters"),
      SchemaRow("bufferedIO", .boolean, [.init("buffered_io", "0")]),
      SchemaRow("reservations", .boolean, [.init("resv_enable", "0")]),
      SchemaRow("enabled", .boolean, [.init("enable", "0")]),
      SchemaRow("attributes", .attributes),
      command("revalidate_size", ""),
      other("p2pmem", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_attrs`, `nvmet_ports_make`.
  public static let port = SchemaObject(
    "port",
    [
      SchemaRow("id", .integer(0...0xffff), required: true),
      SchemaRow(
        "transport", .words(Profile.Port.Transport.allCases.map(\.rawValue)), required: true,
        [.init("addr_trtype", .unwritable(""))]),
      SchemaRow(
        "addressFamily", .words(AddressFamily.allCases.map(\.rawValue).filter { !$0.isEmpty }),
        [.init("addr_adrfam", .unwritable(""))]),
      SchemaRow(
        "address", .text(.word("a transport address", upTo: 255)), [.init("addr_traddr", "")]),
      SchemaRow(
        "service", .textOrInteger(.word("a transport service", upTo: 31), 1...0xffff),
        [.init("addr_trsvcid", "")]),
      SchemaRow("subsystems", .texts(.nqn)),
      SchemaRow(
        "maximumQueueSize", .integer(16...1024),
        // The first link turns −1 into the transport's choice.
        [.init("param_max_queue_size", "-1")],
        because: "the kernel would replace other values when the port is enabled"),
      SchemaRow(
        "inlineDataSize", .integer(0...Int(Int32.max)), [.init("param_inline_data_size", "-1")]),
      SchemaRow("mdts", .integer(0...255), [.init("param_mdts", .unwritable("-1"))]),
      SchemaRow("anaGroups", .objects("anaGroup")),
      SchemaRow("attributes", .attributes),
      other("addr_treq", "not specified"), other("addr_tsas", "none"),
      other("param_pi_enable", "0"),
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_groups_make_group`, `nvmet_ana_group_ana_state_show`.
  public static let anaGroup = SchemaObject(
    "anaGroup",
    [
      SchemaRow(
        "id", .integer(1...127), required: true,
        because: "Linux accepts 128 and then stores 0, which damages its counters"),
      SchemaRow(
        "state", .words(ANAState.allCases.map(\.rawValue)), required: true,
        [.init("ana_state", .varies("optimized in group 1, inaccessible in others"))]),
    ])
}
