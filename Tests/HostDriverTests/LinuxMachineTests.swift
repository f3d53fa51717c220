// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import HostDriver
import NVMe
import NVMeEmulation
import PCI
import Testing

/// One Linux machine with several controllers: what it refuses, and its kernel's words.
@Suite struct LinuxMachineTests {
  private static func identifier(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 16) }

  private static func namespace(
    _ id: UInt32, uuid: UInt8 = 0, nguid: UInt8 = 0
  ) -> ControllerEmulation.Namespace {
    ControllerEmulation.Namespace(
      id: id, backend: .memory(MemoryStore(count: 1 << 20)), uuid: identifier(uuid),
      nguid: identifier(nguid))
  }

  private func host(
    _ machine: LinuxMachine, _ nqn: String, id: UInt16 = 1,
    _ namespaces: [ControllerEmulation.Namespace]
  ) -> LinuxHost {
    var model = ControllerModel(.nvmetPCIEPF)
    model.nqn = nqn
    model.controllerID = id
    model.namespaces = namespaces
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    host.machine = machine
    function.linkUp()
    return host
  }

  @Test("two subsystems give two disks")
  func different() throws {
    let machine = LinuxMachine()
    let first = try host(machine, "nqn.a", [Self.namespace(1, uuid: 1)]).probe()
    let second = try host(machine, "nqn.b", [Self.namespace(1, uuid: 2)]).probe()
    #expect([first.name, second.name] == ["nvme0", "nvme1"])
    #expect((first.namespaces + second.namespaces).map(\.disk) == ["nvme0n1", "nvme1n1"])
    #expect(machine.disks == ["nvme0n1", "nvme1n1"] && machine.log.isEmpty)
  }

  @Test("a second controller of one subsystem with the same ID is refused")
  func sameController() throws {
    let machine = LinuxMachine()
    _ = try host(machine, "nqn.a", [Self.namespace(1, uuid: 1)]).probe()
    let second = host(machine, "nqn.a", [Self.namespace(1, uuid: 1)])
    let error = #expect(throws: HostError.self) { try second.probe() }
    #expect(error?.message == "Duplicate cntlid 1 with nvme0, subsys nqn.a, rejecting")
    #expect(
      machine.log == [
        "nvme nvme1: Duplicate cntlid 1 with nvme0, subsys nqn.a, rejecting",
        "nvme 0000:02:00.0: probe with driver nvme failed with error -22",
      ])
    let refusal = try #require(machine.refusals.first)
    #expect(machine.refusals.count == 1 && refusal.object == .controller)
    #expect(refusal.controller == "nvme1" && refusal.message == machine.log[0])
    #expect(machine.disks == ["nvme0n1"])
  }

  @Test("after the first one has left, the second one is accepted")
  func after() throws {
    let machine = LinuxMachine()
    let first = host(machine, "nqn.a", [Self.namespace(1, uuid: 1)])
    _ = try first.probe()
    try first.shutDown()
    #expect(machine.disks.isEmpty)
    let second = try host(machine, "nqn.a", [Self.namespace(1, uuid: 1)]).probe()
    #expect(second.name == "nvme0" && second.namespaces.map(\.disk) == ["nvme0n1"])
  }

  @Test("a controller with another ID is a second path to the same disk")
  func secondPath() throws {
    let machine = LinuxMachine()
    _ = try host(machine, "nqn.a", [Self.namespace(1, uuid: 1)]).probe()
    let second = try host(machine, "nqn.a", id: 2, [Self.namespace(1, uuid: 1)]).probe()
    #expect(second.namespaces.map(\.disk) == ["nvme0n1"] && machine.disks == ["nvme0n1"])
  }

  private static let device = "nvme nvme1: VID:DID 0000:5fff model:Linux firmware:"

  /// Namespaces of the second controller, its subsystem and ID → its disks and the messages.
  @Test(
    "identifiers that are there already",
    arguments: [
      (
        "nqn.b", namespace(1, uuid: 1),
        [device, "nvme nvme1: ignoring nsid 1 because of duplicate IDs"]
      ),
      (
        "nqn.b", namespace(1, uuid: 3, nguid: 9),
        [device, "nvme nvme1: ignoring nsid 1 because of duplicate IDs"]
      ),
      ("nqn.a", namespace(1, uuid: 3), ["nvme nvme1: IDs don't match for shared namespace 1"]),
      ("nqn.a", namespace(2, uuid: 1), ["nvme nvme1: duplicate IDs in subsystem for nsid 2"]),
    ])
  func clashes(
    _ nqn: String, _ other: ControllerEmulation.Namespace, _ messages: [String]
  ) throws {
    let machine = LinuxMachine()
    _ = try host(machine, "nqn.a", [Self.namespace(1, uuid: 1, nguid: 9)]).probe()
    let second = try host(machine, nqn, id: 2, [other]).probe()
    #expect(second.namespaces.isEmpty && machine.log == messages, "\(machine.log)")
    #expect(machine.disks == ["nvme0n1"])
  }

  @Test("two namespaces of one controller with one UUID: the second one is no disk")
  func withinSubsystem() throws {
    let machine = LinuxMachine()
    let found = try host(
      machine, "nqn.a", [Self.namespace(1, uuid: 1), Self.namespace(2, uuid: 1)]
    ).probe()
    #expect(found.namespaces.map(\.id) == [1])
    #expect(machine.log == ["nvme nvme0: duplicate IDs in subsystem for nsid 2"])
  }

  @Test("without identifiers nothing clashes")
  func none() throws {
    let machine = LinuxMachine()
    _ = try host(machine, "nqn.a", [Self.namespace(1)]).probe()
    _ = try host(machine, "nqn.b", [Self.namespace(1)]).probe()
    #expect(machine.disks == ["nvme0n1", "nvme1n1"] && machine.log.isEmpty)
  }

  @Test("a subsystem keeps its number until its last controller has left")
  func numbers() throws {
    let machine = LinuxMachine()
    let first = host(machine, "nqn.a", [Self.namespace(1, uuid: 1)])
    _ = try first.probe()
    _ = try host(machine, "nqn.a", id: 2, [Self.namespace(1, uuid: 1)]).probe()
    try first.shutDown()
    let other = try host(machine, "nqn.b", [Self.namespace(1, uuid: 2)]).probe()
    #expect(other.name == "nvme2", "nvme0 is the number of the subsystem")
    #expect(machine.disks == ["nvme0n1", "nvme2n1"])
  }

  // MARK: Time-outs

  @Test("a controller that does not become ready is reported in the kernel's words")
  func notReady() throws {
    let machine = LinuxMachine()
    var model = ControllerModel(.nvmetPCIEPF)
    model.nqn = "nqn.a"
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    host.machine = machine
    // Without a link the driver does not look at CC.
    #expect(throws: HostError.self) { try host.probe() }
    #expect(machine.log == ["nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0"])
    // The number is free again.
    function.linkUp()
    #expect(try host.probe().name == "nvme0")
  }

  @Test("a command that does not complete is reported in the kernel's words")
  func commandTimeout() throws {
    var model = ControllerModel(.nvmetPCIEPF)
    model.nqn = "nqn.a"
    model.namespaces = [Self.namespace(1, uuid: 1)]
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    function.linkUp()
    let found = try host.probe()
    let disk = try #require(found.namespaces.first)
    function.linkDown()
    let io = #expect(throws: HostError.self) { try host.read(disk, firstBlock: 0) }
    #expect(
      io?.message.hasPrefix("I/O tag ") == true
        && io?.message.hasSuffix(" opcode 0x2 (I/O Cmd) QID 1 timeout, reset controller") == true,
      "\(io?.message ?? "")")
    // The kernel's %#x has the prefix of zero, too.
    var command = try #require(Inquiry.all(for: found).first)
    command.isIO = true
    command.entry = SubmissionEntry(opcode: 0, id: 0, namespaceID: 1)
    let flush = #expect(throws: HostError.self) { try host.answers(to: [command]) }
    #expect(
      flush?.message.hasSuffix(" opcode 0x0 (I/O Cmd) QID 1 timeout, reset controller") == true,
      "\(flush?.message ?? "")")
    let admin = #expect(throws: HostError.self) { try host.identify(.controller) }
    #expect(
      admin?.message.hasSuffix(" opcode 0x6 (Admin Cmd) QID 0 timeout, reset controller") == true,
      "\(admin?.message ?? "")")
  }
}
