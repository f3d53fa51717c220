// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import PCIEndpoint
import RecordedConfigFS
import SystemPackage
import Testing

@Suite("The pci_ep tree")
struct EndpointTreeTests {
  let backend = RecordedConfigFS(
    directories: [
      "pci_ep/controllers/a40000000.pcie-ep", "pci_ep/functions/nvmet_pci_epf/f/primary",
      "pci_ep/functions/nvmet_pci_epf/f/secondary", "pci_ep/functions/nvmet_pci_epf/f/nvme",
      "pci_ep/functions/pci_epf_nvme/g/nvme", "pci_ep/functions/pci_epf_test/h/primary",
      "pci_ep/functions/pci_epf_test/h/secondary",
    ], attributes: ["pci_ep/controllers/a40000000.pcie-ep/start": "0\n"])
  var tree: EndpointTree { EndpointTree(on: backend) }

  @Test("the kernel's drivers, controllers and functions are listed")
  func lists() throws {
    #expect(tree.isAvailable)
    #expect(try tree.drivers() == [.nvmetPCIEPF, .pciEPFNVMe, .other("pci_epf_test")])
    #expect(try tree.controllers().map(\.name) == ["a40000000.pcie-ep"])
    #expect(try tree.allFunctions().map(\.name) == ["f", "g", "h"])
    #expect(try tree.allFunctions().map(\.driver) == tree.drivers())
    #expect(tree.has(.nvmetPCIEPF))
    #expect(!tree.has(.other("pci_epf_ntb")))
  }

  @Test("a machine without endpoint support has no tree")
  func absent() {
    let tree = EndpointTree(on: RecordedConfigFS(directories: ["nvmet"]))
    #expect(!tree.isAvailable)
    #expect(
      throws: ConfigFSError(.list, "/config/pci_ep/functions", .system(.noSuchFileOrDirectory))
    ) {
      try tree.drivers()
    }
  }

  @Test("a function is complete when the kernel has created all of its directories")
  func complete() {
    #expect(tree.functions(of: .nvmetPCIEPF)["f"].isComplete)
    #expect(!tree.functions(of: .pciEPFNVMe)["g"].isComplete)
    #expect(tree.functions(of: .other("pci_epf_test"))["h"].isComplete)
    #expect(!tree.functions(of: .nvmetPCIEPF)["absent"].isComplete)
  }

  @Test("binding is a link to the function or to the controller")
  func binding() throws {
    let function = tree.functions(of: .nvmetPCIEPF)["f"]
    let controller = tree.controller("a40000000.pcie-ep")
    try controller.functions.link(function)
    #expect(try controller.functions.all().map(\.item.driver) == [.nvmetPCIEPF])
    try function.primary.link(controller)
    try function.virtualFunctions.link(tree.functions(of: .other("pci_epf_test"))["h"])
    #expect(
      backend.calls
        == [
          .createLink(
            "/config/pci_ep/controllers/a40000000.pcie-ep/f",
            to: "/config/pci_ep/functions/nvmet_pci_epf/f"),
          .createLink(
            "/config/pci_ep/functions/nvmet_pci_epf/f/primary/a40000000.pcie-ep",
            to: "/config/pci_ep/controllers/a40000000.pcie-ep"),
          .createLink(
            "/config/pci_ep/functions/nvmet_pci_epf/f/h",
            to: "/config/pci_ep/functions/pci_epf_test/h"),
        ])
    #expect(try controller.isStarted.read() == false)
  }

  @Test("the group of a function is its driver's")
  func groups() throws {
    guard case .target(let target) = tree.functions(of: .nvmetPCIEPF)["f"].nvmeGroup else {
      Issue.record("nvmet_pci_epf has a target group")
      return
    }
    #expect(target.portID.path == "/config/pci_ep/functions/nvmet_pci_epf/f/nvme/portid")
    #expect(target.subsystemNQN.path.lastComponent == "subsysnqn")
    #expect(target.transferLimit.path.lastComponent == "mdts_kb")
    guard case .fabrics(let fabrics) = tree.functions(of: .pciEPFNVMe)["g"].nvmeGroup else {
      Issue.record("pci_epf_nvme has a fabrics group")
      return
    }
    #expect(fabrics.controllerOptions.path.lastComponent == "ctrl_opts")
    #expect(fabrics.usesDMA.path.lastComponent == "dma_enable")
    #expect(fabrics.transferLimit.path.lastComponent == "mdts_kb")
    #expect(tree.functions(of: .other("pci_epf_test"))["h"].nvmeGroup == nil)
  }

  @Test("each attribute has the kernel's name")
  func names() {
    let function = tree.functions(of: .nvmetPCIEPF)["f"]
    let header = [
      function.vendorID.path, function.deviceID.path, function.revisionID.path,
      function.programmingInterface.path, function.subclass.path, function.baseClass.path,
      function.cacheLineSize.path, function.subsystemVendorID.path, function.subsystemID.path,
      function.interruptPin.path, function.msiVectors.path, function.msixVectors.path,
    ]
    #expect(
      header.map { $0.lastComponent?.string }
        == [
          "vendorid", "deviceid", "revid", "progif_code", "subclass_code", "baseclass_code",
          "cache_line_size", "subsys_vendor_id", "subsys_id", "interrupt_pin", "msi_interrupts",
          "msix_interrupts",
        ])
  }

  @Test(
    "a driver's module has a different name",
    arguments: [
      ("nvmet_pci_epf", "nvmet-pci-epf"), ("pci_epf_nvme", "pci-epf-nvme"),
      ("pci_epf_test", "pci-epf-test"), ("pci_epf_mhi_sdx55", "pci-epf-mhi"),
    ])
  func module(driver: String, module: String) {
    #expect(FunctionDriver(name: driver).moduleName == module)
    #expect(FunctionDriver(name: driver).name == driver)
  }
}

@Suite("The groups' values")
struct GroupValueTests {
  @Test("a subsystem's name always ends with the line feed that the driver drops")
  func subsystemNQN() throws {
    #expect(try SubsystemNQN("abc").attributeText == "abc\n")
    #expect(try SubsystemNQN("abc").shownText == "abc\n")
    #expect(SubsystemNQN(attributeText: "\n") == SubsystemNQN.none)
  }

  @Test("a subsystem's name holds 222 bytes", arguments: [(222, true), (223, false)])
  func subsystemNQNLength(length: Int, isGood: Bool) {
    let text = String(repeating: "q", count: length)
    #expect((SubsystemNQN(attributeText: text + "\n") != nil) == isGood)
    #expect((try? SubsystemNQN(text)) != nil ? isGood : !isGood)
  }

  @Test("a subsystem's name has one line")
  func subsystemNQNLines() {
    let error = #expect(throws: InvalidValue.self) { try SubsystemNQN("one\ntwo") }
    #expect(error?.reason == "contains a control character")
  }

  @Test(
    "a fabrics function's largest transfer is a power of two from 8 to 1024",
    arguments: [8, 128, 1024] as [UInt32])
  func fabricsLimit(kibibytes: UInt32) throws {
    let limit = try FabricsGroup.TransferLimit(kibibytes: kibibytes)
    #expect(limit.attributeText == "\(kibibytes)\n")
    #expect(FabricsGroup.TransferLimit(attributeText: limit.shownText) == limit)
  }

  @Test(
    "values that the driver would clamp, refuse or report incorrectly are refused",
    arguments: [0, 1, 2, 4, 96, 100, 129, 1000, 2048, 4096] as [UInt32])
  func fabricsLimitRefused(kibibytes: UInt32) {
    #expect(throws: InvalidValue.self) { try FabricsGroup.TransferLimit(kibibytes: kibibytes) }
  }

  @Test(
    "the target driver's limit grows with the page size",
    arguments: [(2048, 4096, true), (4096, 4096, false), (8192, 16384, true), (4, 4096, false)]
      as [(UInt32, Int, Bool)])
  func targetLimit(kibibytes: UInt32, pageSize: Int, isGood: Bool) {
    let limit = try? TargetGroup.TransferLimit(kibibytes: kibibytes, pageSize: pageSize)
    #expect((limit != nil) == isGood)
    #expect(TargetGroup.TransferLimit.default(pageSize: 4096) == 512)
    #expect(TargetGroup.TransferLimit.default(pageSize: 65536) == 8192)
  }

  @Test("small limits of a kernel can be read", arguments: ["1\n", "2\n", "4\n"])
  func smallLimits(text: String) {
    #expect(TargetGroup.TransferLimit(attributeText: text)?.attributeText == text)
    #expect(FabricsGroup.TransferLimit(attributeText: text)?.attributeText == text)
  }
}
