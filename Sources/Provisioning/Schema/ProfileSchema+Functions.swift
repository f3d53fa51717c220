// SPDX-License-Identifier: Apache-2.0
internal import NVMeTarget
internal import PCIEndpoint

/// Endpoint functions and their targets.
extension ProfileSchema {
  /// A new function shows the header of another function of the driver, so these are the values of a newly loaded driver.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_attrs`; `drivers/nvme/target/pci-epf.c`,
  ///   `nvmet_pci_epf_attrs`; `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
  public static let function = SchemaObject(
    "function", "A PCI endpoint function: an NVMe controller as the PCIe host sees it",
    [
      SchemaRow(
        "name", .text(.component("a function's name")),
        "The directory below pci_ep/functions/DRIVER; it is visible in configfs only",
        required: true),
      SchemaRow(
        "vendorID", .integer(1...0xfffe), "PCI vendor ID, 16 bits", required: true,
        [.init("vendorid", "0xffff")],
        because: "a host treats a slot with the vendor ID 0 or 0xffff as empty"),
      SchemaRow(
        "deviceID", .integer(0...0xffff), "PCI device ID, 16 bits", required: true,
        [.init("deviceid", "0xffff")]),
    ] + Profile.Function.schemaRows + [
      SchemaRow(
        "target", .object("target"), "The NVMe target behind the function", required: true,
        [
          .init("nvme/ctrl_opts", .unwritable("")), .init("nvme/subsysnqn", .unwritable("")),
          .init("nvme/portid", "0"),
        ]),
      SchemaRow(
        "controllerFeatures", .object("controllerFeatures"),
        "Features of the endpoint controller that the kernel does not export"),
      rawAttributes,
    ])

  public static let target = SchemaObject(
    "target", "The target of a function: one of three; loop and pci both name a local subsystem",
    isChoice: true,
    [
      SchemaRow(
        "loop", .text(.nqn), "The NQN of a subsystem of this profile, reached through a loop port"),
      SchemaRow(
        "pci", .text(.nqn), "The NQN of a subsystem of this profile, reached through a pci port"),
      SchemaRow("tcp", .object("tcpTarget"), "A remote NVMe/TCP target; pci_epf_nvme only"),
    ])

  /// - Source: `drivers/nvme/host/fabrics.c`, `nvmf_parse_options`.
  public static let tcpTarget = SchemaObject(
    "tcpTarget", "A remote NVMe/TCP target; pci_epf_nvme only",
    [
      SchemaRow("nqn", .text(.nqn), "The NQN of the remote subsystem", required: true),
      SchemaRow("address", .text(.option), "An IP address", required: true),
    ] + Profile.TCPTarget.schemaRows)

  public static let controllerFeatures = SchemaObject(
    "controllerFeatures", "Features of the endpoint controller that the kernel does not export",
    Profile.ControllerFeatures.schemaRows)
}

extension Profile.Function: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let revisionID = DefaultedKey<UInt8>(
      "revisionID", .integer(0...0xff), "PCI revision ID", default: 0, [.init("revid", "0x0000")],
      hexDigits: 2)
    public let subsystemVendorID = ProfileKey<UInt16>(
      "subsystemVendorID", .integer(0...0xffff), "PCI subsystem vendor ID, 16 bits",
      [.init("subsys_vendor_id", "0x0000")], hexDigits: 4)
    public let subsystemID = ProfileKey<UInt16>(
      "subsystemID", .integer(0...0xffff), "PCI subsystem ID, 16 bits",
      [.init("subsys_id", "0x0000")], hexDigits: 4)
    public let classCode = DefaultedKey<UInt32>(
      "classCode", .integer(0...0xff_ffff),
      "Base class, sub-class and programming interface, 24 bits; NVMe drivers match 0x010802 only",
      default: 0x01_0802,
      [
        .init("progif_code", "0x0002"), .init("subclass_code", "0x0008"),
        .init("baseclass_code", "0x0001"),
      ], hexDigits: 6)
    public let interruptPin = DefaultedKey<UInt8>(
      "interruptPin", .integer(0...4), "The INTx pin: 0 is none, 1 is INTA#, 4 is INTD#",
      default: 1, [.init("interrupt_pin", "0x0001")],
      because: "0 is none, 1 is INTA#, 4 is INTD#")
    public let cacheLineSize = DefaultedKey<UInt8>(
      "cacheLineSize", .integer(0...0xff), "The cache line size register", default: 0,
      [.init("cache_line_size", "0x0000")])
    public let msixVectors = DefaultedKey<UInt16>(
      "msixVectors", .integer(0...2048),
      "MSI-X vectors: 0, or at least ioQueues + 1, since the admin queue needs one", default: 0,
      [.init("msix_interrupts", "0")])
    public let msiVectors = DefaultedKey<UInt8>(
      "msiVectors", .integer(0...32), "MSI vectors, used when the controller has no MSI-X",
      default: 0, [.init("msi_interrupts", "0")])
    public let mdtsKiB = ProfileKey<UInt32>(
      "mdtsKiB", .powerOfTwo(8...2048), "Maximum data transfer size",
      [.init("nvme/mdts_kb", .varies("128 pages with nvmet_pci_epf, 128 with pci_epf_nvme"))],
      upTo: [.pciEPFNVMe: Int(FabricsGroup.TransferLimit.maximum)],
      because:
        "below 8 KiB Identify would report no limit or a wrong one; nvmet_pci_epf serves at most 2048, pci_epf_nvme 1024"
    )
    public let dma = ProfileKey<Bool>(
      "dma", .boolean, "Whether the controller's DMA engine is used; pci_epf_nvme only",
      [.init("nvme/dma_enable", "1")])
    public let ioQueues = ProfileKey<UInt16>(
      "ioQueues", .integer(1...127), "I/O queue pairs, the admin queue not counted",
      upTo: [.pciEPFNVMe: 15],
      because:
        "the admin queue takes one of the driver's: 128 with nvmet_pci_epf, 16 with pci_epf_nvme")
    public let queueSize = ProfileKey<UInt16>(
      "queueSize", .integer(16...1024), "Entries of a queue", default: "the driver's")
    public let controller = DefaultedKey<String>(
      "controller", .text(.component("an endpoint controller's name")),
      "The endpoint controller's name; auto is the only one", default: "auto")
    public let start = DefaultedKey<Bool>(
      "start", .boolean, "Whether setup starts the endpoint controller", default: true)
  }
}

extension Profile.TCPTarget: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let port = DefaultedKey<UInt16>(
      "port", .integer(1...0xffff), "The TCP port", default: 4420)
    public let hostNQN = ProfileKey<String>(
      "hostNQN", .text(.nqn), "The NQN of the connecting host",
      default: "the kernel's, random")
    public let hostID = ProfileKey<String>(
      "hostID", .text(.uuid), "The ID of the connecting host; one host NQN has one ID",
      default: "the kernel's, random")
    public let hostAddress = ProfileKey<String>(
      "hostAddress", .text(.option), "The local IP address to connect from")
    public let keepAliveSeconds = ProfileKey<UInt32>(
      "keepAliveSeconds", .integer(1...Int(Int32.max)), "The keep-alive timeout", default: "5")
    public let reconnectDelaySeconds = ProfileKey<UInt32>(
      "reconnectDelaySeconds", .integer(1...Int(Int32.max)), "The time between two attempts",
      default: "10")
    public let controllerLossSeconds = ProfileKey<Int32>(
      "controllerLossSeconds", .integer(-1...Int(Int32.max)),
      "How long to try to reconnect; -1 means forever", default: "600",
      because: "-1 means forever")
  }
}

extension Profile.ControllerFeatures: KeyedObject {
  public static let declared = DeclaredKeys(Keys.init)

  public struct Keys: Sendable {
    public let msix = ProfileKey<Bool>("msix", .boolean, "Whether the controller supports MSI-X")
    public let msi = ProfileKey<Bool>("msi", .boolean, "Whether the controller supports MSI")
    public let outboundWindows = ProfileKey<UInt16>(
      "outboundWindows", .integer(1...0xffff),
      "The number of outbound address windows: nvmet_pci_epf has (windows − 2) / 2 queue pairs, the admin pair counted, from these releases of Linux on: \(OutboundWindowRule.beginText)"
    )
    public let maximumFunctions = ProfileKey<UInt8>(
      "maximumFunctions", .integer(1...64),
      "The number of functions that the controller supports: max-functions in the device tree, 1 if that is not set"
    )
  }
}
