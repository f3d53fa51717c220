// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget
internal import PCIEndpoint

/// Endpoint functions and their targets.
extension ProfileSchema {
  /// A new function shows the header of another function of the driver, so these are the values of a newly loaded driver.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_attrs`; `drivers/nvme/target/pci-epf.c`,
  ///   `nvmet_pci_epf_attrs`; `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
  public static let function = SchemaObject(
    "function",
    [
      SchemaRow("name", .text(.component("a function's name")), required: true),
      SchemaRow(
        "vendorID", .integer(1...0xfffe), required: true, [.init("vendorid", "0xffff")],
        because: "a host treats a slot with the vendor ID 0 or 0xffff as empty"),
      SchemaRow(
        "deviceID", .integer(0...0xffff), required: true, [.init("deviceid", "0xffff")]),
      SchemaRow("revisionID", .integer(0...0xff), [.init("revid", "0x0000")]),
      SchemaRow("subsystemVendorID", .integer(0...0xffff), [.init("subsys_vendor_id", "0x0000")]),
      SchemaRow("subsystemID", .integer(0...0xffff), [.init("subsys_id", "0x0000")]),
      SchemaRow(
        "classCode", .integer(0...0xff_ffff),
        [
          .init("progif_code", "0x0002"), .init("subclass_code", "0x0008"),
          .init("baseclass_code", "0x0001"),
        ]),
      SchemaRow(
        "interruptPin", .integer(0...4), [.init("interrupt_pin", "0x0001")],
        because: "0 is none, 1 is INTA#, 4 is INTD#"),
      SchemaRow("cacheLineSize", .integer(0...0xff), [.init("cache_line_size", "0x0000")]),
      SchemaRow("msixVectors", .integer(0...2048), [.init("msix_interrupts", "0")]),
      SchemaRow("msiVectors", .integer(0...32), [.init("msi_interrupts", "0")]),
      SchemaRow(
        "mdtsKiB", .powerOfTwo(8...2048),
        [.init("nvme/mdts_kb", .varies("128 pages with nvmet_pci_epf, 128 with pci_epf_nvme"))],
        upTo: [.pciEPFNVMe: Int(FabricsGroup.TransferLimit.maximum)],
        because:
          "below 8 KiB Identify would report no limit or a wrong one; nvmet_pci_epf serves at most 2048, pci_epf_nvme 1024"
      ),
      SchemaRow("dma", .boolean, [.init("nvme/dma_enable", "1")]),
      SchemaRow(
        "target", .object("target"), required: true,
        [
          .init("nvme/ctrl_opts", .unwritable("")), .init("nvme/subsysnqn", .unwritable("")),
          .init("nvme/portid", "0"),
        ]),
      SchemaRow(
        "ioQueues", .integer(1...127), upTo: [.pciEPFNVMe: 15],
        because:
          "the admin queue takes one of the driver's: 128 with nvmet_pci_epf, 16 with pci_epf_nvme"),
      SchemaRow("queueSize", .integer(16...1024)),
      SchemaRow("controller", .text(.component("an endpoint controller's name"))),
      SchemaRow("start", .boolean),
      SchemaRow("controllerFeatures", .object("controllerFeatures")),
      SchemaRow("attributes", .attributes),
    ])

  public static let target = SchemaObject(
    "target", isChoice: true,
    [
      SchemaRow("loop", .text(.nqn)), SchemaRow("pci", .text(.nqn)),
      SchemaRow("tcp", .object("tcpTarget")),
    ])

  /// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`.
  public static let tcpTarget = SchemaObject(
    "tcpTarget",
    [
      SchemaRow("nqn", .text(.nqn), required: true),
      SchemaRow("address", .text(.option), required: true),
      SchemaRow("port", .integer(1...0xffff)),
      SchemaRow("hostNQN", .text(.nqn)),
      SchemaRow("hostID", .text(.uuid)),
      SchemaRow("hostAddress", .text(.option)),
      SchemaRow("keepAliveSeconds", .integer(1...Int(Int32.max))),
      SchemaRow("reconnectDelaySeconds", .integer(1...Int(Int32.max))),
      SchemaRow(
        "controllerLossSeconds", .integer(-1...Int(Int32.max)), because: "-1 means forever"),
    ])

  public static let controllerFeatures = SchemaObject(
    "controllerFeatures",
    [
      SchemaRow("msix", .boolean), SchemaRow("msi", .boolean),
      SchemaRow("outboundWindows", .integer(1...0xffff)),
      SchemaRow("maximumFunctions", .integer(1...64)),
    ])
}
