// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import Testing

@Suite("Undefined behaviour is recorded, and all later calls fail")
struct HazardTests {
  typealias Step = @Sendable (SimulatedKernel) throws -> Void

  private static let rows: [(String, Step)] = [
    // pci_ep.md, 7
    ("a controller linked", { try $0.link(Names.controller + "/x", Names.subsystem) }),
    ("an interface linked", { try $0.link(Names.function + "/primary/x", "pci_ep/controllers") }),
    ("a function linked", { try $0.link(Names.function + "/x", "nvmet/hosts") }),
    // pci_ep.md, 21, row 2
    (
      "subsysnqn longer",
      { try $0.put(String(repeating: "q", count: 224), Names.function + "/nvme/subsysnqn") }
    ),
    // pci_ep.md, 21, row 3
    (
      "secondary together with primary",
      {
        try $0.bind()
        try $0.link(Names.function + "/secondary/x", Names.controller)
      }
    ),
    // bugs.md, 1, row 4
    (
      "a namespace without device_path enabled",
      {
        try $0.make(Names.subsystem + "/namespaces/2")
        try $0.put("1", Names.subsystem + "/namespaces/2/buffered_io")
        try $0.put("1", Names.subsystem + "/namespaces/2/enable")
      }
    ),
    // bugs.md, 1, row 2
    (
      "a function that was bound once is unbound",
      {
        try $0.make("pci_ep/functions/nvmet_pci_epf/f1")
        try $0.bind()
        try $0.unlink(Names.controller + "/f0")
        try $0.link("pci_ep/functions/nvmet_pci_epf/f1/v", Names.function)
        try $0.link(Names.controller + "/f1", "pci_ep/functions/nvmet_pci_epf/f1")
      }
    ),
    // bugs.md, 1, row 3
    (
      "an endpoint function with a controller of the discovery subsystem",
      {
        try $0.put(SimulatedKernel.discoveryNQN + "\n", Names.function + "/nvme/subsysnqn")
        try $0.bind()
      }
    ),
    // bugs.md, 1, row 1
    (
      "secondary/ linked after the function was bound once",
      {
        try $0.bind()
        try $0.unlink(Names.controller + "/f0")
        try $0.link(Names.function + "/secondary/x", Names.controller)
      }
    ),
    // pci_ep.md, 21, row 4
    ("a function linked into itself", { try $0.link(Names.function + "/x", Names.function) }),
    // pci_ep.md, 21, row 5
    ("nvmet_pci_epf unloaded", { try $0.unlinkTargetAndUnload() }),
    // nvmet.md, 21, row 1
    (
      "attr_qid_max written",
      {
        try $0.bind()
        try $0.put("8", Names.subsystem + "/attr_qid_max")
      }
    ),
    (
      "a subsystem unlinked from its port",
      {
        try $0.bind()
        try $0.unlink(Names.port + "/subsystems/nq")
      }
    ),
    // nvmet.md, 21, row 2
    ("ana_grpid 128", { try $0.put("128", Names.subsystem + "/namespaces/1/ana_grpid") }),
    ("ANA group 128", { try $0.make(Names.port + "/ana_groups/128") }),
    // nvmet.md, 21, row 3
    (
      "addr_traddr of 256 bytes",
      {
        try $0.make("nvmet/ports/2")
        try $0.put(String(repeating: "a", count: 256), "nvmet/ports/2/addr_traddr")
      }
    ),
  ]

  @Test("each hazard of the reference", arguments: rows.indices)
  func hazard(index: Int) throws {
    let (cause, step) = Self.rows[index]
    var machine = SimulatedKernel.Machine()
    machine.controllers = [.virtual("a40000000.pcie-ep")]
    machine.controllers[0].maximumFunctions = 8
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    try kernel.makeFunction()
    #expect(kernel.crashes == [])
    #expect(kernel.errno { try step($0) } == .ioError)
    #expect(kernel.crashes.first?.hasPrefix(cause) == true)
    #expect(kernel.errno { _ = try $0.names("") } == .ioError)
    #expect(kernel.errno { try $0.load("loop") } == .ioError)
  }

  // pci_ep.md, 21, row 8
  @Test("link down after a failed initialisation")
  func failedInit() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.makeFunction(msix: 1)
    try kernel.bind()
    kernel.host(.linkUp, at: "a40000000.pcie-ep")
    #expect(kernel.logLines.last == "(NULL device *): PCI link up")
    kernel.host(.linkDown, at: "a40000000.pcie-ep")
    #expect(kernel.crashes.count == 1)
  }

  // nvmet.md, 21, row 5
  @Test("kernels with TLS cannot run nvmet_pci_epf")
  func tls() throws {
    var machine = SimulatedKernel.Machine()
    machine.options.insert(.tcpTLS)
    let kernel = SimulatedKernel(.linux7_2, machine: machine)
    try kernel.makeFunction()
    #expect(kernel.errno { try $0.bind() } == .ioError)
    #expect(kernel.kernelOption("NVME_TARGET_TCP_TLS") == true)
  }
}

extension SimulatedKernel {
  /// Unloads the driver while its function directory exists and nothing pins it.
  func unlinkTargetAndUnload() throws {
    try removeTargetLink()
    try unload("nvmet_pci_epf")
  }
}
