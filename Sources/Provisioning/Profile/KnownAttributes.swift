// SPDX-License-Identifier: Apache-2.0

/// Which attributes of a kernel object a profile has keys for, and what they and the others hold in a fresh object.
///
/// Whatever is in neither list is unknown: it is kept as a raw attribute, whatever it holds.
struct KnownAttributes: Sendable {
  /// Attribute → the key that stands for it; empty where no profile can say it.
  var modelled: [String: String]
  /// Attribute → its text in a fresh object, without the line feed. One that depends on the kernel or the transport is not here.
  var defaults: [String: String] = [:]

  /// - Source: `drivers/block/null_blk/main.c`, `nullb_device_attrs`.
  static let nullBlock = KnownAttributes(
    modelled: [
      "size": "sizeMiB", "blocksize": "blockSize", "memory_backed": "memoryBacked",
      "discard": "discard", "cache_size": "cacheSizeMiB", "submit_queues": "submitQueues",
      "hw_queue_depth": "hardwareQueueDepth", "completion_nsec": "completionNanoseconds",
      "irqmode": "irqMode", "mbps": "mbps", "rotational": "rotational", "zoned": "zoned",
      "zone_size": "zoneSizeMiB", "zone_capacity": "zoneCapacityMiB",
      "zone_max_open": "maximumOpenZones", "zone_max_active": "maximumActiveZones",
      // Commands and what the kernel gives out.
      "power": "", "index": "", "badblocks": "", "zone_readonly": "", "zone_offline": "",
    ],
    defaults: [
      "size": "256000", "blocksize": "512", "memory_backed": "0", "discard": "0",
      "cache_size": "0", "submit_queues": "1", "hw_queue_depth": "64", "completion_nsec": "10000",
      "irqmode": "1", "mbps": "0", "rotational": "0", "zoned": "0", "zone_size": "256",
      "zone_capacity": "0", "zone_max_open": "0", "zone_max_active": "0",
      "badblocks_once": "0", "badblocks_partial_io": "0", "blocking": "0", "fua": "1",
      "home_node": "4294967295", "max_sectors": "0", "no_sched": "0", "poll_queues": "1",
      "queue_mode": "2", "shared_tag_bitmap": "0", "shared_tags": "0", "use_per_node_hctx": "0",
      "virt_boundary": "0", "zone_append_max_sectors": "2147483647", "zone_full": "0",
      "zone_nr_conv": "0",
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attrs`.
  static let subsystem = KnownAttributes(
    modelled: [
      "attr_model": "model", "attr_serial": "serial", "attr_firmware": "firmware",
      "attr_ieee_oui": "ieeeOUI", "attr_version": "version", "attr_vendor_id": "vendorID",
      "attr_subsys_vendor_id": "subsystemVendorID", "attr_qid_max": "maximumQueueID",
      "attr_cntlid_min": "controllerIDMinimum", "attr_cntlid_max": "controllerIDMaximum",
      "attr_allow_any_host": "allowAnyHost",
    ],
    defaults: [
      "attr_model": "Linux", "attr_ieee_oui": "0x000000", "attr_vendor_id": "0x0",
      "attr_subsys_vendor_id": "0x0", "attr_qid_max": "128", "attr_cntlid_min": "1",
      "attr_cntlid_max": "65519", "attr_pi_enable": "0",
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_attrs`.
  static let namespace = KnownAttributes(
    modelled: [
      "device_path": "backing", "device_uuid": "uuid", "device_nguid": "nguid",
      "ana_grpid": "anaGroup", "buffered_io": "bufferedIO", "resv_enable": "reservations",
      "enable": "enabled", "revalidate_size": "",
    ],
    defaults: ["ana_grpid": "1", "buffered_io": "0", "resv_enable": "0", "p2pmem": "0"])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_port_attrs`.
  static let port = KnownAttributes(
    modelled: [
      "addr_trtype": "transport", "addr_adrfam": "addressFamily", "addr_traddr": "address",
      "addr_trsvcid": "service", "param_inline_data_size": "inlineDataSize",
      "param_max_queue_size": "maximumQueueSize", "param_mdts": "mdts",
    ],
    defaults: [
      "addr_adrfam": "", "addr_traddr": "", "addr_trsvcid": "", "addr_treq": "not specified",
      "addr_tsas": "none", "param_pi_enable": "0",
    ])

  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_attrs`.
  static let host = KnownAttributes(
    modelled: [:],
    defaults: [
      "dhchap_key": "", "dhchap_ctrl_key": "", "dhchap_hash": "hmac(sha256)",
      "dhchap_dhgroup": "null",
    ])

  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_attrs`.
  static let function = KnownAttributes(
    modelled: [
      "vendorid": "vendorID", "deviceid": "deviceID", "revid": "revisionID",
      "progif_code": "classCode", "subclass_code": "classCode", "baseclass_code": "classCode",
      "cache_line_size": "cacheLineSize", "subsys_vendor_id": "subsystemVendorID",
      "subsys_id": "subsystemID", "interrupt_pin": "interruptPin",
      "msi_interrupts": "msiVectors", "msix_interrupts": "msixVectors",
      "nvme/mdts_kb": "mdtsKiB", "nvme/dma_enable": "dma", "nvme/ctrl_opts": "target",
      "nvme/subsysnqn": "target", "nvme/portid": "target",
    ])
}

extension KnownAttributes {
  /// What is left when the modelled attributes, fresh ones and those without text are gone, in an order that the kernel
  /// takes: a port's `addr_tsas` resets `addr_treq`, so it comes first.
  func raw(_ texts: [Profile.RawAttribute]) -> [Profile.RawAttribute] {
    texts.filter {
      modelled[$0.name] == nil && !$0.text.isEmpty && defaults[$0.name] != $0.text
        // Nothing can be chosen here without TLS; it is what the transport says it is.
        && !($0.name == "addr_tsas" && $0.text == "connected")
    }.sorted {
      ($0.name != "addr_tsas" ? 1 : 0, $0.name) < ($1.name != "addr_tsas" ? 1 : 0, $1.name)
    }
  }
}

/// Secrets in attributes: shown hidden unless somebody asks for them.
enum SecretAttribute {
  /// What stands for a secret that was not asked for; no kernel takes it.
  static let mask = "(hidden)"

  /// Whether an attribute, by its name or path, is a secret.
  static func matches(_ path: String) -> Bool {
    path.hasSuffix("dhchap_key") || path.hasSuffix("dhchap_ctrl_key")
  }

  /// The text of an attribute as it may be shown; an absent secret is no secret.
  static func reported(_ text: String, at path: String) -> String {
    matches(path) && !sameAttributeText(text, "") ? mask : text
  }
}
