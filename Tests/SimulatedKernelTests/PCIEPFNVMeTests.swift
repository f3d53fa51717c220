// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import SimulatedKernel
import SystemPackage
import Testing

@Suite("pci_epf_nvme on Linux 6.12")
struct PCIEPFNVMeTests {
  private static let device = "pci_epf_nvme pci_epf_nvme.0: "

  // pci_epf_nvme.md, 4.1
  @Test("primary, secondary and nvme appear 1 ms after mkdir")
  func lateGroups() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.load("pci_epf_nvme")
    try kernel.make(Names.pciEPFNVMeFunction)
    #expect(try kernel.names(Names.pciEPFNVMeFunction).count == 12)
    #expect(
      kernel.errno { try $0.put("x", Names.pciEPFNVMeFunction + "/nvme/ctrl_opts") }
        == .noSuchFileOrDirectory)
    let before = kernel.now
    #expect(
      kernel.wait(upTo: .seconds(1)) { (try? kernel.names(Names.pciEPFNVMeFunction).count) == 15 })
    #expect(kernel.now - before == .milliseconds(1))
    #expect(!kernel.wait(upTo: .seconds(5)) { false })
    #expect(kernel.now - before == .milliseconds(5001))
  }

  // pci_epf_nvme.md, 19.1
  @Test(
    "queue limiting",
    arguments: [
      (4, 32, 0, 4, ["NVMe PCI controller supports MSI-X, 32 vectors"]),
      (
        4, 4, 0, 3,
        ["NVMe PCI controller supports MSI-X, 4 vectors", "Limiting number of queues to 4"]
      ),
      (
        32, 64, 0, 15,
        ["NVMe PCI controller supports MSI-X, 64 vectors", "Limiting number of queues to 16"]
      ),
      (
        8, 0, 4, 3,
        ["NVMe PCI controller supports MSI, 4 vectors", "Limiting number of queues to 4"]
      ),
      (4, 0, 0, 4, []),
    ] as [(Int, Int, Int, Int, [String])])
  func limits(fabrics: Int, msix: Int, msi: Int, queues: Int, lines: [String]) throws {
    var machine = SimulatedKernel.Machine()
    machine.onlineCPUs = 64
    let kernel = SimulatedKernel(.linux6_12, machine: machine)
    try kernel.makePCIEPFNVMeFunction(
      msix: msix, options: "transport=loop,nqn=nq,nr_io_queues=\(fabrics)")
    try kernel.put("\(msi)", Names.pciEPFNVMeFunction + "/msi_interrupts")
    try kernel.put("128", Names.subsystem + "/attr_qid_max")
    let logged = try kernel.logged { try $0.bind() }
    let expected =
      ["NVMe fabrics controller created, \(fabrics) I/O queues"] + lines
      + ["NVMe PCI controller: \(queues) I/O queues"]
    #expect(logged.suffix(expected.count) == expected.map { Self.device + $0 })
    #expect(kernel.controllers[Names.pciEPFNVMeFunction]?.ioQueues == queues)
  }

  // pci_epf_nvme.md, 19.1; pci_epf_nvme.md#fabrics-controller-leaks
  @Test("one vector is not enough, and the fabrics controller stays")
  func oneVector() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.makePCIEPFNVMeFunction(msix: 1)
    #expect(kernel.errno { try $0.bind() } == .invalidArgument)
    #expect(
      kernel.logLines.suffix(2) == [
        Self.device + "Invalid number of queues 1", Self.device + "Deleting controller",
      ])
    let lines = try kernel.logged { try $0.removeTargetLink() }
    #expect(lines == ["nvme nvme1: Removing ctrl: NQN \"nq\""])
  }

  /// Linux 6.12 with pci_epf_nvme, with or without one of the driver's quirks.
  private func kernel(
    _ quirk: Quirk, isOn: Bool, _ change: (inout SimulatedKernel.Machine) -> Void = { _ in }
  ) -> SimulatedKernel {
    var machine = SimulatedKernel.Machine()
    if !isOn { machine.quirks = Behaviour.pciEPFNVMe.quirks.subtracting([quirk]) }
    change(&machine)
    return SimulatedKernel(.linux6_12, machine: machine)
  }

  // pci_epf_nvme.md#fabrics-controller-leaks
  @Test(
    "a failed bind leaves the connection; without the quirk it does not",
    arguments: [true, false])
  func leak(_ isOn: Bool) throws {
    let kernel = kernel(.fabricsControllerLeaks, isOn: isOn)
    try kernel.makePCIEPFNVMeFunction(msix: 1)
    #expect(kernel.errno { try $0.bind() } == .invalidArgument)
    #expect(try kernel.connections().isEmpty != isOn)
  }

  // pci_epf_nvme.md#fabrics-controller-stays
  @Test(
    "unbind leaves the connection; without the quirk it does not", arguments: [true, false])
  func staying(_ isOn: Bool) throws {
    let kernel = kernel(.fabricsControllerStays, isOn: isOn)
    try kernel.makePCIEPFNVMeFunction()
    try kernel.bind()
    #expect(try kernel.connections().count == 1)
    try kernel.unlink(Names.controller + "/f0")
    #expect(try kernel.connections().isEmpty != isOn)
  }

  // pci_epf_nvme.md#shared-header
  @Test(
    "functions share a header, which outlives them; without the quirk each has its own",
    arguments: [true, false])
  func header(_ isOn: Bool) throws {
    let kernel = kernel(.sharedHeader, isOn: isOn)
    try kernel.load("pci_epf_nvme")
    try kernel.make(Names.pciEPFNVMeFunction)
    try kernel.put("0x1234", Names.pciEPFNVMeFunction + "/deviceid")
    let other = "pci_ep/functions/pci_epf_nvme/f1"
    try kernel.make(other)
    #expect(kernel.text(Names.pciEPFNVMeFunction + "/deviceid") == "0x1234\n")
    #expect(kernel.text(other + "/deviceid") == (isOn ? "0x1234\n" : "0xffff\n"))
  }

  // pci_epf_nvme.md#reinitialization-crashes
  @Test(
    "initialising an endpoint controller again crashes the kernel; without the quirk it continues",
    arguments: [true, false])
  func again(_ isOn: Bool) throws {
    let kernel = kernel(.reinitializationCrashes, isOn: isOn) {
      $0.controllers[0].initializesAtReset = true
    }
    try kernel.makePCIEPFNVMeFunction()
    try kernel.bind()
    let name = "a40000000.pcie-ep"
    kernel.host(.releaseReset, at: name)
    kernel.host(.assertReset, at: name)
    kernel.host(.releaseReset, at: name)
    #expect((kernel.errno { _ = try $0.names("nvmet") } != nil) == isOn)
  }

  // pci_epf_nvme.md, 5.2, 5.3
  @Test(
    "options that are refused, with errno and log",
    arguments: [
      (
        "transport=loop,nqn=nq,nr-io-queues=4", .invalidArgument,
        "unknown parameter or missing value 'nr-io-queues=4' in ctrl creation request"
      ),
      (
        "transport=loop,nqn=", .invalidArgument,
        "unknown parameter or missing value 'nqn=' in ctrl creation request"
      ),
      ("transport=loop,nqn=nq,nr_io_queues=0", .invalidArgument, "Invalid number of IOQs 0"),
      ("transport=loop,nqn=nq,queue_size=8", .invalidArgument, "Invalid queue_size 8"),
      (
        "transport=loop,nqn=nq,queue_size=8x", .invalidArgument,
        "unknown parameter or missing value 'queue_size=8x' in ctrl creation request"
      ),
      ("transport=loop,nqn=nq,hostid=1", .invalidArgument, "Invalid hostid 1"),
      ("nqn=nq", .invalidArgument, "missing parameter 'transport=%s'"),
      ("transport=loop", .invalidArgument, "missing parameter 'nqn=%s'"),
      ("transport=foo,nqn=nq", .invalidArgument, "no handler found for transport foo."),
      ("transport=tcp,nqn=nq", .invalidArgument, "missing parameter 'traddr=%s'"),
      (
        "transport=loop,nqn=nq,ctrl_loss_tmo=1", .invalidArgument,
        "invalid parameter 'ctrl_loss_tmo=%d'"
      ),
      ("transport=loop,nqn=nq,hdr_digest", .invalidArgument, "invalid parameter 'hdr_digest'"),
      ("transport=loop,nqn=other", .ioError, nil),
      ("transport=tcp,nqn=nq,traddr=10.0.0.9", .noRouteToHost, nil),
      ("transport=loop,nqn=nqn.2014-08.org.nvmexpress.discovery", .invalidArgument, nil),
    ] as [(String, Errno, String?)])
  func refused(options: String, errno: Errno, line: String?) throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.makePCIEPFNVMeFunction(options: options)
    let logged = kernel.logged { kernel in #expect(kernel.errno { try $0.bind() } == errno) }
    if let line { #expect(logged.contains("nvme_fabrics: " + line)) }
    if !options.contains("discovery") {
      #expect(logged.last == Self.device + "Create nvme fabrics controller failed")
    } else {
      #expect(
        logged.suffix(2) == [
          Self.device + "Unsupported controller type", Self.device + "Deleting controller",
        ])
    }
    #expect(
      kernel.errno { try $0.put("nqn=x", Names.pciEPFNVMeFunction + "/nvme/ctrl_opts") } == nil)
  }

  // pci_epf_nvme.md, 5.3
  @Test("without ctrl_opts")
  func noOptions() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.load("pci_epf_nvme")
    try kernel.make(Names.pciEPFNVMeFunction)
    #expect(kernel.errno { try $0.bind() } == .invalidArgument)
    #expect(kernel.logLines.last == Self.device + "No nvme fabrics options specified")
  }

  // pci_epf_nvme.md, 5.2
  @Test("a TCP target, which refuses the second connection")
  func tcp() throws {
    var machine = SimulatedKernel.Machine()
    machine.tcpTargets = [.init("10.0.0.2", subsystems: ["remote"], ioQueues: 2)]
    let kernel = SimulatedKernel(.linux6_12, machine: machine)
    let options = "transport=tcp,traddr=10.0.0.2,trsvcid=4420,nqn=remote"
    try kernel.makePCIEPFNVMeFunction(options: options)
    try kernel.bind()
    #expect(kernel.controllers[Names.pciEPFNVMeFunction]?.ioQueues == 2)
    #expect(
      kernel.logLines.contains("nvme nvme1: mapped 2/0/0 default/read/poll queues."))
    try kernel.unlink(Names.controller + "/f0")
    #expect(kernel.errno { try $0.bind() } == .alreadyInProcess)
    try kernel.put(options + ",duplicate_connect", Names.pciEPFNVMeFunction + "/nvme/ctrl_opts")
    try kernel.bind()
    try kernel.unlink(Names.controller + "/f0")
    let refused = "transport=tcp,traddr=10.0.0.2,nqn=remote"
    try kernel.put(refused, Names.pciEPFNVMeFunction + "/nvme/ctrl_opts")
    #expect(kernel.errno { try $0.bind() } == .connectionRefused)
  }

  // pci_epf_nvme.md, 4.3
  @Test("attributes are locked in the states of the table")
  func locks() throws {
    let kernel = SimulatedKernel(.linux6_12)
    try kernel.makePCIEPFNVMeFunction()
    try kernel.bind()
    let group = Names.pciEPFNVMeFunction + "/nvme/"
    #expect(kernel.errno { try $0.put("nqn=x", group + "ctrl_opts") } == .resourceBusy)
    #expect(kernel.errno { try $0.put("64", group + "mdts_kb") } == nil)
    kernel.host(.linkUp, at: "a40000000.pcie-ep")
    kernel.host(.enable, at: "a40000000.pcie-ep")
    #expect(
      kernel.logLines.suffix(2) == [Self.device + "Link UP", Self.device + "Enabling controller"])
    #expect(kernel.errno { try $0.put("64", group + "mdts_kb") } == .resourceBusy)
    #expect(kernel.errno { try $0.put("0", group + "dma_enable") } == .resourceBusy)
    kernel.host(.disable, at: "a40000000.pcie-ep")
    #expect(kernel.errno { try $0.put("0", group + "dma_enable") } == nil)
    // The loop connection has identified the subsystem.
    #expect(
      kernel.errno { try $0.put("m", Names.subsystem + "/attr_model") } == .invalidArgument)
  }

  // pci_epf_nvme.md, 4.3
  @Test("a machine without DMA channels clears dma_enable at bind")
  func noDMA() throws {
    let kernel = SimulatedKernel.withVirtualController(.linux6_12)
    try kernel.makePCIEPFNVMeFunction()
    try kernel.bind()
    #expect(kernel.text(Names.pciEPFNVMeFunction + "/nvme/dma_enable") == "0\n")
    #expect(kernel.logLines.contains(Self.device + "DMA not supported, falling back to mmio"))
  }

  // pci_epf_nvme.md, 7.2
  @Test(
    "BAR 0's size",
    arguments: [(0, 8192), (32, 8192), (246, 8192), (247, 16384), (1024, 32768), (2048, 65536)]
      as [(Int, UInt64)])
  func barSize(vectors: Int, size: UInt64) throws {
    let kernel = SimulatedKernel.withVirtualController(.linux6_12)
    try kernel.makePCIEPFNVMeFunction(msix: vectors)
    try kernel.bind()
    #expect(kernel.controllers[Names.pciEPFNVMeFunction]?.bar0Size == size)
  }
}

extension SimulatedKernel {
  func removeTargetLink() throws { try unlink(Names.port + "/subsystems/nq") }
}
