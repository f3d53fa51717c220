// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

@testable import Provisioning

/// Everything in the reference that is marked undefined or crashing: every command refuses it, or no profile can express it.
@Suite struct HazardTests {
  static let root = "/sys/kernel/config/"
  static let function = root + "pci_ep/functions/nvmet_pci_epf/nullblk-pci"
  static let controller = root + "pci_ep/controllers/a40000000.pcie-ep"
  static let nqn = "nqn.2026-01.org.example:nullblk-pci"
  static let subsystem = root + "nvmet/subsystems/" + nqn
  static let port = root + "nvmet/ports/1"

  /// A row of a sheet, its hazard, and an operation that triggers it on a machine with one function in service.
  struct Row: Sendable, CustomStringConvertible {
    var fact: String
    var hazard: Hazard
    var operations: [Provisioning.Operation]
    var isOutOfTree = false

    var description: String { "\(fact): \(hazard.id)" }
  }

  private static func write(_ path: String, _ text: String) -> Provisioning.Operation {
    .write(path: path, value: .text(text), shown: nil)
  }

  static let guarded: [Row] = [
    // nvmet.md, 4.1; nvmet.md, 21, row 1; nvmet_pci_epf.md#controller-deletion-crashes
    Row(
      fact: "attr_qid_max", hazard: .limitUnderController,
      operations: [write(subsystem + "/attr_qid_max", "2\n")]),
    // nvmet.md, 13; nvmet.md, 21, row 1; nvmet_pci_epf.md#controller-deletion-crashes
    Row(
      fact: "unlink subsystem from port", hazard: .portUnderController,
      operations: [.unlink(path: port + "/subsystems/" + nqn, target: subsystem)]),
    // nvmet.md, 5, 11; nvmet.md, 21, row 2
    Row(
      fact: "ana_grpid, ana_groups 128", hazard: .anaGroup128,
      operations: [
        write(subsystem + "/namespaces/1/ana_grpid", "128\n"),
        write(subsystem + "/namespaces/1/ana_grpid", "0x80"),
        write(subsystem + "/namespaces/1/ana_grpid", "0200\n"),
        .createDirectory(path: port + "/ana_groups/128"),
      ]),
    // nvmet.md, 9.1; nvmet.md, 21, row 3
    Row(
      fact: "traddr of 256, trsvcid of 32 bytes", hazard: .addressLength,
      operations: [
        write(port + "/addr_traddr", String(repeating: "a", count: 256)),
        write(port + "/addr_trsvcid", String(repeating: "1", count: 32) + "\n"),
      ]),
    // nvmet.md, 2; nvmet.md, 21, row 4
    Row(
      fact: "names beyond 223 bytes are cut", hazard: .cutNQN,
      operations: [
        .createDirectory(
          path: root + "nvmet/subsystems/" + String(repeating: "n", count: 224))
      ]),
    // pci_ep.md, 6.1; pci_ep.md, 21, row 2
    Row(
      fact: "subsysnqn beyond its buffer", hazard: .longName,
      operations: [
        write(function + "/nvme/subsysnqn", String(repeating: "q", count: 223)),
        write(function + "/nvme/subsysnqn", String(repeating: "q", count: 224) + "\n"),
        write(function + "/nvme/subsysnqn", String(repeating: "q", count: 4000)),
      ]),
    // configfs.md, 8; pci_ep.md, 7
    Row(
      fact: "target types are not checked", hazard: .wrongTarget,
      operations: [
        .link(path: controller + "/x", target: subsystem),
        .link(path: controller + "/x", target: function + "/nvme"),
        .link(path: function + "/primary/x", target: root + "pci_ep/controllers"),
        .link(path: function + "/primary/x", target: port),
      ]),
    // pci_ep.md, 7; pci_ep.md, 21, row 3
    Row(
      fact: "secondary: bound twice", hazard: .secondary,
      operations: [.link(path: function + "/secondary/x", target: controller)]),
    // pci_ep.md, 10; pci_ep.md, 21, row 4
    Row(
      fact: "a function linked into a function or itself", hazard: .virtualFunction,
      operations: [
        .link(path: function + "/x", target: function),
        .link(
          path: function + "/x", target: root + "pci_ep/functions/nvmet_pci_epf/other"),
      ]),
    // pci_ep.md, 18; pci_ep.md, 21, row 5
    Row(
      fact: "rmmod with functions left", hazard: .moduleUnderFunction,
      operations: [.unloadModule("nvmet-pci-epf"), .unloadModule("nvmet_pci_epf")]),
    // pci_ep.md, 13; pci_ep.md, 21, row 7
    Row(
      fact: "msix_interrupts between bind and init", hazard: .vectorsAfterBind,
      operations: [
        write(function + "/msix_interrupts", "64\n"), write(function + "/msi_interrupts", "16\n"),
      ]),
    // pci_epf_nvme.md, 4.3
    Row(
      fact: "dma_enable after a bind without channels", hazard: .dmaAfterBind,
      operations: [
        write(root + "pci_ep/functions/pci_epf_nvme/pci_epf_nvme.0/nvme/dma_enable", "1\n")
      ],
      isOutOfTree: true),
  ]

  /// One function in service.
  private func machine(_ row: Row) throws -> SimulatedMachine {
    let shipped = ShippedProfile(
      name: row.isOutOfTree ? "null_blk-loop" : "null_blk-pci",
      kernelRelease: row.isOutOfTree ? .linux6_12 : .linux7_2)
    let machine = shipped.fresh()
    try machine.setUp(shipped.located())
    return machine
  }

  @Test(
    "is refused with the consequence and the safe order, and nothing happens", arguments: guarded)
  func refused(_ row: Row) throws {
    for operation in row.operations {
      let machine = try machine(row)
      let before = machine.state()
      var executor = Executor(machine: machine.provisioner.machine, timeout: .seconds(1))
      let error = #expect(throws: ProvisioningError.self, "\(operation.sentence)") {
        try executor.perform(operation)
      }
      #expect(error?.message.contains(row.hazard.consequence) == true, "\(operation.sentence)")
      #expect(error?.hint == row.hazard.safeOrder, "\(operation.sentence)")
      #expect(machine.state() == before, "\(operation.sentence)")
      #expect(machine.kernel.crashes.isEmpty, "\(operation.sentence)")
    }
  }

  @Test(
    "a danger is not excluded where it cannot be looked for: nothing happens without the kernel's answers",
    arguments: guarded)
  func blind(_ row: Row) throws {
    for operation in row.operations {
      let machine = try machine(row)
      let before = machine.state()
      for call in [.read, .list] as [SimulatedKernel.Operation] {
        machine.kernel.inject(.init(call, action: .errno(.ioError), count: nil))
      }
      var executor = Executor(machine: machine.provisioner.machine, timeout: .seconds(1))
      #expect(throws: ProvisioningError.self, "\(operation.sentence)") {
        try executor.perform(operation)
      }
      machine.kernel.removeFaults()
      #expect(machine.state() == before, "\(operation.sentence)")
      #expect(machine.kernel.crashes.isEmpty, "\(operation.sentence)")
    }
  }

  @Test("a namespace with a zoned device is recreated, not given another device")
  func zonedReuse() throws {
    let machine = SimulatedMachine()
    try machine.setUp(
      profile(
        """
        { "version": 1, "name": "zoned",
          "backings": { "d": { "nullBlock": { "device": "zoned0", "zoned": true, "sizeMiB": 256, "zoneSizeMiB": 64, "memoryBacked": true } } },
          "subsystems": [ { "nqn": "nqn.2026-01.org.example:z", "namespaces": [ { "id": 1, "backing": "d", "enabled": false } ] } ] }
        """))
    var executor = Executor(machine: machine.provisioner.machine, timeout: .seconds(1))
    let path = Self.root + "nvmet/subsystems/nqn.2026-01.org.example:z/namespaces/1/device_path"
    let error = #expect(throws: ProvisioningError.self) {
      try executor.perform(Self.write(path, "/dev/sda\n"))
    }
    #expect(error?.hint == Hazard.zonedReuse.safeOrder)
  }

  @Test("a function whose controller could not be created is unlinked at once")
  func failedStaysLinked() throws {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].failingOperations = [.setBAR]
    let simulated = SimulatedMachine(.linux7_2, machine: machine)
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let error = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.setUp(located)
    }
    #expect(error?.kind == .operationFailed)
    #expect(error?.operation == "verify")
    #expect(error?.kernelLog.contains { $0.contains("BAR 0") } == true)
    #expect(!simulated.tree.contains { $0.contains("->") }, "a link is left")
    // Not even started, so no link event can have reached it.
    #expect(!simulated.kernel.logLines.contains { $0.contains("link up") })
    #expect(simulated.kernel.crashes.isEmpty)
  }

  /// A machine where the controller has refused BAR 0 of a `pci_epf_nvme` function, and setup's error.
  private func withRefusedBAR() throws -> (SimulatedMachine, ProvisioningError?) {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].failingOperations = [.setBAR]
    let simulated = SimulatedMachine(.linux6_12, machine: machine)
    let located = try ShippedProfile(name: "null_blk-loop", kernelRelease: .linux6_12).located()
    return (
      simulated,
      simulated.failure { (simulated) throws(ProvisioningError) in try simulated.setUp(located) }
    )
  }

  @Test(
    "a function of pci_epf_nvme whose BAR was refused is left linked, and its controller stopped")
  func freedBAR() throws {
    let (simulated, error) = try withRefusedBAR()
    #expect(error?.kind == .rollbackIncomplete)
    #expect(error?.kernelLog.contains { $0.hasSuffix("Set BAR 0 failed") } == true)
    #expect(error?.hint?.contains(Hazard.freedBAR.safeOrder) == true)
    #expect(error?.leftovers.contains { $0.contains("pci_epf_nvme.0") } == true)
    let name = try #require(simulated.provisioner.names().first)
    let again = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.tearDown(name)
    }
    #expect(again?.kind == .rollbackIncomplete)
    #expect(again?.hint == Hazard.freedBAR.safeOrder)
    let start = simulated.failure { (simulated) throws(ProvisioningError) in
      _ = try simulated.provisioner.setStarted(true, "a40000000.pcie-ep")
    }
    #expect(start?.hint == Hazard.freedBAR.safeOrder)
    #expect(simulated.tree.contains { $0.contains("->") && $0.contains("pci_epf_nvme.0") })
    #expect(simulated.kernel.crashes.isEmpty)
  }

  @Test("the same operation without the check crashes the kernel", arguments: [true, false])
  func freedBARByHand(_ unlinks: Bool) throws {
    let (simulated, _) = try withRefusedBAR()
    if unlinks {
      _ = try? simulated.kernel.removeLink(FilePath(Self.controller + "/pci_epf_nvme.0"))
    } else {
      simulated.kernel.host(.linkUp, at: "a40000000.pcie-ep")
    }
    #expect(simulated.kernel.crashes.count == 1)
  }

  @Test("a kernel that crashes at the first controller is refused before the first write")
  func tlsKernel() throws {
    var machine = SimulatedKernel.Machine()
    machine.options.insert(.tcpTLS)
    let simulated = SimulatedMachine(.linux7_2, machine: machine)
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let error = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.setUp(located)
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.message.contains("CONFIG_NVME_TARGET_TCP_TLS") == true)
    #expect(simulated.kernel.effects == 0)
  }

  @Test(
    "a kernel that accesses a DMA engine without a clock is refused before the first write",
    arguments: [
      ("6.14.2", "nvidia,tegra234-pcie-ep", true, "unsupported"),
      ("6.14.2", "qcom,sdx55-pcie-ep", true, "unsupported"),
      ("6.14.2", "st,stm32mp25-pcie-ep", true, "unsupported"),
      // Without the engine's driver nothing accesses it; other controllers have a clock.
      ("6.14.2", "nvidia,tegra234-pcie-ep", false, "plan"),
      ("6.14.2", "rockchip,rk3588-pcie-ep", true, "plan"), ("6.14.2", "", true, "plan"),
      // Some release of 6.18.y has the fix.
      ("6.18.2", "nvidia,tegra234-pcie-ep", true, "warning"),
      ("6.19", "nvidia,tegra234-pcie-ep", true, "plan"),
    ])
  func dmaBeforeInit(
    _ release: String, _ compatible: String, _ hasDriver: Bool, _ expected: String
  ) throws {
    let release = try #require(SimulatedKernel.Release(rawValue: release))
    let kernel = SimulatedKernel(release)
    let simulated = SimulatedMachine(kernel: kernel) { machine in
      var machine = machine
      machine.compatible = { _ in compatible.isEmpty ? [] : [compatible] }
      machine.kernelOption = { $0 == "DW_EDMA" ? hasDriver : kernel.kernelOption($0) }
      return machine
    }
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let found: String
    do {
      let plan = try simulated.provisioner.plan(located)
      let warns = plan.warnings.contains { $0.message.contains("DMA engine") }
      found = warns ? "warning" : "plan"
    } catch {
      found = "\(error.kind)"
      #expect(error.message.contains("before the host") || error.message.contains("PERST#"))
    }
    #expect(found == expected)
    #expect(kernel.effects == 0)
  }

  /// Requests that a profile must not make.
  static let unwelcome: [(hazard: Hazard, fact: String, functions: String, namespaces: String)] = [
    // nvmet_pci_epf.md#queue-id-beyond-arrays; nvmet.md, 21, row 6
    (
      .queuesBeyondVectors, "queues beyond the vectors",
      """
      { "name": "a", "vendorID": 1, "deviceID": 1, "msixVectors": 4, "ioQueues": 4, "target": { "pci": "nqn.2026-01.org.example:a" } }
      """, #"{ "id": 1, "backing": "d" }"#
    ),
    // nvmet.md, 21, row 7
    (
      .sharedBacking, "two namespaces on one store",
      """
      { "name": "a", "vendorID": 1, "deviceID": 1, "target": { "pci": "nqn.2026-01.org.example:a" } }
      """, #"{ "id": 1, "backing": "d" }, { "id": 2, "backing": "d" }"#
    ),
    // pci_ep.md, 4; pci_ep.md, 21, row 10
    (
      .lateHeader, "one header for all functions of a driver",
      """
      { "name": "a", "vendorID": 1, "deviceID": 1, "target": { "pci": "nqn.2026-01.org.example:a" } },
      { "name": "b", "vendorID": 1, "deviceID": 2, "target": { "pci": "nqn.2026-01.org.example:a" } }
      """, #"{ "id": 1, "backing": "d" }"#
    ),
  ]

  @Test("is refused, or warned of, in the profile", arguments: unwelcome.indices)
  func validated(_ index: Int) throws {
    let row = Self.unwelcome[index]
    let text = """
      { "version": 1, "name": "x",
        "backings": { "d": { "nullBlock": {} } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ \(row.namespaces) ] } ],
        "functions": [ \(row.functions) ] }
      """
    var found: [ProfileIssue]
    do { found = try Profile.decode(Array(text.utf8)).warnings } catch { found = error.issues }
    #expect(!found.isEmpty, "\(row.fact): accepted")
  }

  @Test(
    "no plan, undo or teardown changes anything except configfs, the profile's files and known modules",
    arguments: ShippedProfile.all)
  func inexpressible(_ shipped: ShippedProfile) throws {
    let modules: Set = [
      "null_blk", "loop", "nvmet", "nvme-loop", "nvme-tcp", "nvmet-tcp", "nvmet-pci-epf",
      "nvmet_pci_epf", "pci_epf_nvme", "pci-epf-nvme",
    ]
    let machine = shipped.fresh()
    let plan = try machine.provisioner.plan(shipped.located())
    for step in plan.steps {
      for operation in [step.operation, step.operation.inverse].compactMap({ $0 }) {
        switch operation {
        case .mountConfigFS(let path): #expect(path + "/" == Self.root)
        case .loadModule(let name, _), .unloadModule(let name):
          #expect(modules.contains(name), "\(operation.sentence)")
        case .createFile(let path, _), .removeFile(let path):
          #expect(path.hasPrefix("/srv/"), "\(operation.sentence)")
        case .attachLoop, .detachLoop, .expectConnection, .disconnect: break
        case .awaitDevice(let path): #expect(path.hasPrefix("/dev/"), "\(operation.sentence)")
        case .createDirectory(let path), .removeDirectory(let path),
          .restoreDirectory(let path, _), .write(let path, _, _),
          .link(let path, _), .unlink(let path, _), .awaitDirectory(let path),
          .verifyController(let path, _):
          #expect(path.hasPrefix(Self.root), "\(operation.sentence)")
          #expect(!path.contains("/../") && !path.contains("//"), "\(operation.sentence)")
        }
      }
    }
  }

  @Test("every hazard has a row here")
  func covered() {
    let rows = Self.guarded.map(\.hazard.id) + Self.unwelcome.map(\.hazard.id)
    let ownTests = [
      Hazard.zonedReuse, .failedStaysLinked, .tlsKernel, .freedBAR, .driverUnload,
      .dmaBeforeInit,
    ].map(\.id)
    for hazard in Hazard.all where hazard.prevention != .inexpressible {
      #expect(rows.contains(hazard.id) || ownTests.contains(hazard.id), "\(hazard.id)")
    }
    #expect(Set(Hazard.all.map(\.id)).count == Hazard.all.count)
    #expect(
      Set(Hazard.all.filter { $0.prevention == .inexpressible }.map(\.id)) == [
        "sysfs-unbind", "debugfs-fatal", "controller-driver-removal", "repeated-initialisation",
      ])
  }

  @Test("a subsystem with a PCI controller can be unlinked from another port")
  func otherPort() throws {
    func document(_ ports: String) -> String {
      """
      { "version": 1, "name": "p", "driver": "nvmet_pci_epf",
        "backings": { "a": { "nullBlock": { "sizeMiB": 64 } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:p", "namespaces": [ { "id": 1, "backing": "a" } ] } ],
        "ports": [ \(ports) ],
        "functions": [ { "name": "f", "vendorID": 1, "deviceID": 2, "msixVectors": 8,
          "target": { "pci": "nqn.2026-01.org.example:p" } } ] }
      """
    }
    let tcp = """
      { "id": 127, "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": 4420,
        "subsystems": [ "nqn.2026-01.org.example:p" ] }
      """
    let machine = SimulatedMachine(.linux7_2)
    try machine.setUp(try profile(document(tcp)))
    let outcome = try machine.setUp(try profile(document("")), force: true)
    let unlinked = outcome.plan.steps.compactMap { step in
      if case .unlink(let path, _) = step.operation { path } else { nil }
    }
    #expect(
      unlinked == ["/sys/kernel/config/nvmet/ports/127/subsystems/nqn.2026-01.org.example:p"])
    #expect(machine.kernel.crashes.isEmpty)
  }
}
