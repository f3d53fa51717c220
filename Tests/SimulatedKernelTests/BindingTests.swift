// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import Testing

@Suite("pci_ep: functions, links and controllers")
struct BindingTests {
  typealias Controller = SimulatedKernel.EndpointController

  private func kernel(
    _ kernelRelease: SimulatedKernel.Release = .linux7_2, _ change: (inout Controller) -> Void
  ) -> SimulatedKernel {
    var controller = Controller.virtual("a40000000.pcie-ep")
    change(&controller)
    var machine = SimulatedKernel.Machine()
    machine.controllers = [controller]
    return SimulatedKernel(kernelRelease, machine: machine)
  }

  // pci_ep.md, 5
  @Test("one counter numbers the functions of all drivers")
  func numbers() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("pci_epf_test")
    try kernel.load("nvmet_pci_epf")
    try kernel.make("pci_ep/functions/pci_epf_test/f1")
    try kernel.make("pci_ep/functions/nvmet_pci_epf/nv0")
    try kernel.make("pci_ep/functions/pci_epf_test/f2")
    #expect(try kernel.names("pci_ep/functions/pci_epf_test/f2").last == "pci_epf_test.2")
    try kernel.drop("pci_ep/functions/pci_epf_test/f1")
    try kernel.make("pci_ep/functions/pci_epf_test/f3")
    #expect(try kernel.names("pci_ep/functions/pci_epf_test/f3").last == "pci_epf_test.0")
  }

  // pci_ep.md, 4
  @Test("all functions of a driver share one header, for as long as the module stays")
  func sharedHeader() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet_pci_epf")
    try kernel.make("pci_ep/functions/nvmet_pci_epf/a")
    try kernel.make("pci_ep/functions/nvmet_pci_epf/b")
    try kernel.put("0x1234", "pci_ep/functions/nvmet_pci_epf/a/deviceid")
    try kernel.put("4", "pci_ep/functions/nvmet_pci_epf/a/msix_interrupts")
    #expect(kernel.text("pci_ep/functions/nvmet_pci_epf/b/deviceid") == "0x1234\n")
    #expect(kernel.text("pci_ep/functions/nvmet_pci_epf/b/msix_interrupts") == "0\n")
    try kernel.drop("pci_ep/functions/nvmet_pci_epf/a")
    try kernel.drop("pci_ep/functions/nvmet_pci_epf/b")
    try kernel.make("pci_ep/functions/nvmet_pci_epf/c")
    #expect(kernel.text("pci_ep/functions/nvmet_pci_epf/c/deviceid") == "0x1234\n")
    try kernel.drop("pci_ep/functions/nvmet_pci_epf/c")
    try kernel.unload("nvmet_pci_epf")
    try kernel.load("nvmet_pci_epf")
    try kernel.make("pci_ep/functions/nvmet_pci_epf/c")
    #expect(kernel.text("pci_ep/functions/nvmet_pci_epf/c/deviceid") == "0xffff\n")
  }

  // pci_ep.md, 13
  @Test("bind refuses an invalid function, with errno and kernel message")
  func bindErrors() throws {
    let rows: [((inout Controller) -> Void, Errno, String)] = [
      ({ $0.hasFeatures = false }, .notSupportedOnSocket, "epc_features not implemented"),
      ({ $0.bar0 = .reserved }, .operationNotSupportedByDevice, "BAR 0 is not free"),
      ({ $0.bar0 = .fixed(128) }, .noMemory, "BAR 0 size 128 B too small, need 5256 B"),
      (
        { $0.maximumFunctions = 0 }, .invalidArgument,
        "pci_epc a40000000.pcie-ep: Exceeding max supported Function Number"
      ),
    ]
    for (change, errno, line) in rows {
      let kernel = kernel(.linux7_2, change)
      try kernel.makeFunction()
      #expect(kernel.errno { try $0.bind() } == errno)
      #expect(kernel.logLines.last?.hasSuffix(line) == true)
      #expect(try kernel.names(Names.controller) == ["start"])
      #expect(kernel.errno { try $0.drop(Names.function) } == nil)
    }
  }

  // pci_ep.md, 13
  @Test("BAR 0's size follows the vectors at bind time")
  func barSizes() throws {
    for (vectors, size) in [(8, 8192), (190, 8192), (3000, 65536)] as [(Int, UInt64)] {
      let kernel = kernel { _ in }
      try kernel.makeFunction(msix: vectors)
      try kernel.bind()
      // 3000 vectors are refused, but only after the BAR has its size.
      #expect(kernel.controllers[Names.function]?.bar0Size == (vectors > 2048 ? nil : size))
    }
    let rock = SimulatedKernel(.linux7_2)
    try rock.makeFunction()
    try rock.bind()
    #expect(rock.controllers[Names.function]?.bar0Size == 1 << 20)
  }

  // pci_ep.md, 13
  @Test("errors of epc_init are only in the log, and nvme/ stays writable")
  func initErrors() throws {
    typealias Row = (
      change: (inout Controller) -> Void, setUp: (SimulatedKernel) throws -> Void, lines: [String]
    )
    let rows: [Row] = [
      (
        { _ in }, { try $0.put("1", Names.function + "/msix_interrupts") },
        [
          "PCI endpoint controller supports MSI-X, 1 vectors", "Invalid maximum number of queues 1",
        ]
      ),
      (
        { _ in }, { try $0.put("2", Names.function + "/nvme/portid") },
        [
          "PCI endpoint controller supports MSI-X, 8 vectors", "Port not found",
          "Failed to create NVMe PCI target controller (err=-22)",
        ]
      ),
      (
        { _ in }, { try $0.put("other\n", Names.function + "/nvme/subsysnqn") },
        [
          "PCI endpoint controller supports MSI-X, 8 vectors",
          "nvmet: connect request for invalid subsystem other!",
          "Failed to create target controller",
          "Failed to create NVMe PCI target controller (err=-12)",
        ]
      ),
      (
        { $0.failingOperations = [.setMSIX] }, { _ in },
        [
          "DMA not supported, falling back to MMIO", "Failed to configure MSI-X",
          "Destroying PCI ctrl \"nq\"", "PCI link down",
        ]
      ),
      (
        { $0.failingOperations = [.setBAR] }, { _ in },
        [
          "Failed to set BAR 0 (err=-22)", "Destroying PCI ctrl \"nq\"", "PCI link down",
        ]
      ),
      (
        { $0.failingOperations = [.writeHeader] }, { _ in },
        [
          "Failed to write configuration header (err=-22)", "Destroying PCI ctrl \"nq\"",
          "PCI link down",
        ]
      ),
    ]
    for row in rows {
      let kernel = kernel(.linux7_2, row.change)
      try kernel.makeFunction()
      try row.setUp(kernel)
      let lines = try kernel.logged { try $0.bind() }
      let prefix = "nvmet_pci_epf nvmet_pci_epf.0: "
      #expect(
        lines.suffix(row.lines.count) == row.lines.map { $0.hasPrefix("nvmet:") ? $0 : prefix + $0 }
      )
      #expect(kernel.controllers[Names.function] == nil)
      #expect(kernel.errno { try $0.put("1\n", Names.function + "/nvme/portid") } == nil)
    }
  }

  // pci_ep.md, 13
  @Test("the host has a random NQN, so allowed hosts don't help")
  func anyHost() throws {
    let kernel = kernel { _ in }
    try kernel.makeFunction()
    try kernel.put("0", Names.subsystem + "/attr_allow_any_host")
    try kernel.bind()
    #expect(kernel.controllers[Names.function] == nil)
    #expect(kernel.logLines.contains { $0.hasSuffix("for subsystem nq not allowed") })
  }

  // pci_ep.md, 13
  @Test(
    "I/O queues are the least of attr_qid_max and vectors - 1",
    arguments: [(8, 0, 4), (0, 4, 3), (4, 32, 3), (0, 0, 4)])
  func queues(msix: Int, msi: Int, queues: Int) throws {
    let kernel = kernel { _ in }
    try kernel.makeFunction(msix: msix)
    try kernel.put("\(msi)\n", Names.function + "/msi_interrupts")
    try kernel.bind()
    #expect(kernel.controllers[Names.function]?.ioQueues == queues)
  }

  // pci_ep.md, 8
  @Test("a second primary link of either kind gives EBUSY; secondary alone gives EINVAL")
  func secondLink() throws {
    let kernel = kernel { $0.maximumFunctions = 4 }
    try kernel.makeFunction()
    #expect(
      kernel.errno { try $0.link(Names.function + "/secondary/c", Names.controller) }
        == .invalidArgument)
    try kernel.link(Names.function + "/primary/c", Names.controller)
    #expect(kernel.errno { try $0.bind() } == .resourceBusy)
    #expect(
      kernel.errno { try $0.link(Names.function + "/primary/d", Names.controller) }
        == .resourceBusy)
    #expect(
      try kernel.linkText(of: kernel.path(Names.function + "/primary/c"))
        == "../../../../../pci_ep/controllers/a40000000.pcie-ep")
    try kernel.unlink(Names.function + "/primary/c")
    #expect(kernel.errno { try $0.bind() } == nil)
  }

  // pci_ep.md, 10
  @Test("virtual functions")
  func virtualFunctions() throws {
    let kernel = kernel { $0.maximumFunctions = 4 }
    try kernel.load("pci_epf_test")
    for name in ["p", "v", "w"] { try kernel.make("pci_ep/functions/pci_epf_test/" + name) }
    let parent = "pci_ep/functions/pci_epf_test/p"
    let child = "pci_ep/functions/pci_epf_test/v"
    try kernel.link(parent + "/vf", child)
    #expect(kernel.errno { try $0.drop(child) } == .resourceBusy)
    #expect(kernel.errno { try $0.drop(parent) } == .directoryNotEmpty)
    #expect(
      kernel.errno { try $0.link("pci_ep/functions/pci_epf_test/w/x", child) } == .resourceBusy)
    #expect(kernel.errno { try $0.link(Names.controller + "/p", parent) } == .invalidArgument)
    #expect(kernel.logLines.last?.hasSuffix("No support for virt function") == true)
    try kernel.unlink(parent + "/vf")
    #expect(kernel.errno { try $0.link(Names.controller + "/v", child) } == .invalidArgument)
    #expect(kernel.errno { try $0.link(Names.controller + "/p", parent) } == nil)
    #expect(kernel.errno { try $0.link(parent + "/vf", child) } == .resourceBusy)
  }

  // pci_ep.md, 11
  @Test(
    "start",
    arguments: [
      ("0\n", false, .alreadyInProcess), ("x", false, .invalidArgument), ("1\n", false, nil),
      ("1\n", true, .invalidArgument),
    ] as [(String, Bool, Errno?)])
  func start(written: String, fails: Bool, errno: Errno?) throws {
    let kernel = kernel { if fails { $0.failingOperations = [.start] } }
    #expect(kernel.errno { try $0.put(written, Names.controller + "/start") } == errno)
    #expect(kernel.text(Names.controller + "/start") == (errno == nil ? "1\n" : "0\n"))
    if fails {
      #expect(
        kernel.logLines.last
          == "pci_epc a40000000.pcie-ep: failed to start endpoint controller")
    }
    if errno == nil {
      #expect(
        kernel.errno { try $0.put("1\n", Names.controller + "/start") } == .alreadyInProcess)
    }
  }

  // pci_ep.md, 9
  @Test("unlinking from a started controller warns once per boot, and works")
  func unlinkWarning() throws {
    let kernel = kernel { _ in }
    try kernel.makeFunction()
    for round in 1...2 {
      try kernel.bind()
      if round == 1 { try kernel.put("1", Names.controller + "/start") }
      let lines = try kernel.logged { try $0.unlink(Names.controller + "/f0") }
      #expect(lines.contains { $0.hasPrefix("WARNING") } == (round == 1))
    }
  }

  // pci_ep.md, 12
  @Test("a controller that initialises at PERST# creates the target controller then")
  func lateInit() throws {
    let kernel = kernel {
      $0.initializesAtReset = true
      $0.hasLinkUpNotifier = true
    }
    try kernel.makeFunction()
    try kernel.bind()
    #expect(kernel.controllers[Names.function] == nil)
    #expect(kernel.errno { try $0.put("256", Names.function + "/nvme/mdts_kb") } == nil)
    kernel.host(.releaseReset, at: "a40000000.pcie-ep")
    #expect(kernel.controllers[Names.function]?.maximumTransfer == 262144)
    kernel.host(.linkUp, at: "a40000000.pcie-ep")
    kernel.host(.enable, at: "a40000000.pcie-ep")
    #expect(kernel.controllers[Names.function]?.isEnabled == true)
    kernel.host(.assertReset, at: "a40000000.pcie-ep")
    #expect(kernel.controllers[Names.function] == nil)
    #expect(kernel.logLines.last?.hasSuffix("Disabling controller") == true)
  }

  // pci_ep.md, 6.2
  @Test("barN_size of pci_epf_test")
  func testGroup() throws {
    let kernel = kernel { _ in }
    try kernel.load("pci_epf_test")
    try kernel.make("pci_ep/functions/pci_epf_test/t")
    let group = "pci_ep/functions/pci_epf_test/t/pci_epf_test.0"
    #expect(kernel.text(group + "/bar5_size") == "1048576\n")
    #expect(kernel.errno { try $0.put("3", group + "/bar0_size") } == .invalidArgument)
    #expect(kernel.errno { try $0.put("0x80000000", group + "/bar0_size") } == .invalidArgument)
    #expect(kernel.errno { try $0.put("4294967296", group + "/bar0_size") } == .outOfRange)
    try kernel.put("65536", group + "/bar0_size")
    try kernel.link(Names.controller + "/t", "pci_ep/functions/pci_epf_test/t")
    #expect(kernel.logLines.last?.hasSuffix("MSI configuration failed") == true)
    #expect(kernel.errno { try $0.put("1024", group + "/bar0_size") } == .notSupportedOnSocket)
  }
}
