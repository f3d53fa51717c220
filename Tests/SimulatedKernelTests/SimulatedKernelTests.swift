// SPDX-License-Identifier: Apache-2.0
import KernelEvents
import SimulatedKernel
import SystemPackage
import Testing

@Suite("A whole setup on the simulated kernel")
struct WholeSetupTests {
  // pci_ep.md, 13
  @Test("nvmet_pci_epf: a function is set up, with its log, and removed completely")
  func linux7_2() throws {
    let kernel = SimulatedKernel.withVirtualController()
    let before = kernel.snapshot()
    try kernel.makeFunction()
    let lines = try kernel.logged { try $0.bind() }
    #expect(
      lines.map { $0.split(separator: "uuid:").first ?? "" } == [
        "nvmet_pci_epf nvmet_pci_epf.0: PCI endpoint controller supports MSI-X, 8 vectors",
        "nvmet: Created nvm controller 1 for subsystem nq for NQN nqn.2014-08.org.nvmexpress:",
        "nvmet_pci_epf nvmet_pci_epf.0: New PCI ctrl \"nq\", 4 I/O queues, mdts 524288 B",
        "nvmet_pci_epf nvmet_pci_epf.0: DMA not supported, falling back to MMIO",
        "nvmet_pci_epf nvmet_pci_epf.0: PCI link up",
      ])
    #expect(kernel.text(Names.function + "/vendorid") == "0x1b96\n")
    #expect(kernel.controllers[Names.function]?.bar0Size == 8192)
    #expect(kernel.errno { try $0.put("1\n", Names.function + "/nvme/portid") } == .resourceBusy)
    try kernel.put("1\n", Names.controller + "/start")
    try kernel.put("0\n", Names.controller + "/start")
    #expect(
      try kernel.logged { try $0.unlink(Names.controller + "/f0") } == [
        "nvmet_pci_epf nvmet_pci_epf.0: Destroying PCI ctrl \"nq\"",
        "nvmet_pci_epf nvmet_pci_epf.0: PCI link down",
      ])
    try kernel.drop(Names.function)
    try kernel.removeTarget()
    for module in ["nvmet_pci_epf", "nvmet", "null_blk"] { try kernel.unload(module) }
    #expect(kernel.snapshot() == before)
    #expect(kernel.crashes == [])
  }

  // pci_epf_nvme.md, 14.1
  @Test(
    "pci_epf_nvme: a function is set up on the loop transport, with its log")
  func linux6_12() throws {
    // In earlier releases unloading the driver is a use after free.
    let kernel = SimulatedKernel(try #require(SimulatedKernel.Release(rawValue: "6.12.117")))
    let before = kernel.snapshot()
    try kernel.makePCIEPFNVMeFunction()
    let lines = try kernel.logged { try $0.bind() }
    let device = "pci_epf_nvme pci_epf_nvme.0: "
    #expect(
      lines.filter { !$0.hasPrefix("nvmet:") } == [
        device + "DMA RX channel dma0chan0, maximum segment size 4294967295 B",
        device + "DMA TX channel dma0chan1, maximum segment size 4294967295 B",
        device + "DMA supported",
        "nvme nvme1: creating 4 I/O queues.",
        "nvme nvme1: new ctrl: \"nq\"",
        device + "NVMe fabrics controller created, 4 I/O queues",
        device + "NVMe PCI controller supports MSI-X, 32 vectors",
        device + "NVMe PCI controller: 4 I/O queues",
      ])
    #expect(
      kernel.text(Names.pciEPFNVMeFunction + "/nvme/ctrl_opts")
        == "transport=loop,nqn=nq,nr_io_queues=4,hidden_ns\n")
    try kernel.put("1\n", Names.controller + "/start")
    try kernel.put("0\n", Names.controller + "/start")
    #expect(
      try kernel.logged { try $0.unlink(Names.controller + "/f0") } == [
        device + "Deleting controller"
      ])
    try kernel.drop(Names.pciEPFNVMeFunction)
    try kernel.removeTarget()
    #expect(kernel.logLines.last == "nvme nvme1: Removing ctrl: NQN \"nq\"")
    for module in ["pci_epf_nvme", "nvme_loop", "nvmet", "null_blk"] { try kernel.unload(module) }
    #expect(kernel.snapshot() == before)
    #expect(kernel.crashes == [])
  }
}

extension SimulatedKernel {
  func removeTarget() throws {
    try unlink(Names.port + "/subsystems/nq")
    try drop(Names.port)
    try drop(Names.subsystem + "/namespaces/1")
    try drop(Names.subsystem)
    try drop("nullb/disk")
  }
}
