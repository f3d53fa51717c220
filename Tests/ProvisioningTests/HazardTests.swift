// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import Testing
import TestSupport

@testable import Provisioning

/// Everything in the reference that is marked undefined or crashing: every command refuses it, or no profile can express it.
@Suite struct HazardTests {
  static let root = "/sys/kernel/config/"
  static let function = root + "pci_ep/functions/nvmet_pci_epf/nullblk-pci"
  static let controller = root + "pci_ep/controllers/a40000000.pcie-ep"
  static let nqn = "nqn.2026-01.org.example:nullblk-pci"
  static let subsystem = root + "nvmet/subsystems/" + nqn
  static let port = root + "nvmet/ports/1"

  /// A row of a document, its hazard, and an operation that triggers it on a machine with one function in service.
  struct Row: Sendable, CustomStringConvertible {
    var fact: String
    var hazard: Hazard
    var operations: [Provisioning.Operation]
    var isOutOfTree = false

    var description: String { "\(fact): \(hazard.id)" }
  }

  static func write(_ path: String, _ text: String) -> Provisioning.Operation {
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
  func machine(_ row: Row) throws -> SimulatedMachine {
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
