// SPDX-License-Identifier: Apache-2.0
internal import Checks
internal import ControllerEmulation
internal import EndpointProvisioning
internal import LibC
internal import HostDriver
internal import Numbers
internal import NVMe
internal import PCI
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// A profile in service without a kernel or a board: provisioned on a simulated kernel that suits it, then driven by a host in process.
///
/// The device is the function that the profile binds on a simulated kernel. Its backings are in memory, so that this machine is not
/// changed.
final class Emulation {
  /// The options of an emulation.
  struct Way {
    /// Whether the device is the reference controller instead of the driver's.
    var isReference = false
    /// Whether time is the machine's.
    var isRealTime = false
  }

  /// One function and its host.
  final class Endpoint {
    let name: String
    let function: NVMeFunction
    let player: ScenarioPlayer

    init(name: String, _ device: SimulatedKernel.Device, _ way: Way) {
      self.name = name
      function =
        way.isReference ? device.function.reference(memory: device.memory) : device.function
      if way.isRealTime { function.runInRealTime() }
      let board = Board(function, isRealTime: way.isRealTime)
      player = ScenarioPlayer(function, memory: device.memory, clock: board, link: board)
      function.setTracing(true)
    }

    /// Lets one thing happen.
    func play(_ step: Scenario.Step) throws(ProvisioningError) {
      do { try player.play(step) } catch {
        throw ProvisioningError(
          .different, "the controller failed: \(error)", operation: error.step,
          path: name,
          hint:
            "see the trace; a quirk of the driver may be the cause (epfnvme emulate --list-quirks)"
        )
      }
    }

    /// The results of nvme-cli commands.
    func answers(_ found: ProbeResult) throws(ProvisioningError) -> [(Inquiry, Inquiry.Answer)] {
      let inquiries = Inquiry.all(for: found)
      do { return Array(zip(inquiries, try player.host.answers(to: inquiries))) } catch {
        throw ProvisioningError(
          .different, "the controller failed: \(error)", operation: error.step,
          path: name,
          hint: "epfnvme emulate --scenario conformance shows which commands it completes")
      }
    }

    /// The registers of BAR 0 as a host finds them after probing.
    var registers: [JSONValue.Member] {
      Register.all.map {
        .init(
          $0.abbreviation ?? "\($0)",
          .string(hexadecimal(player.host.value(of: $0))))
      }
    }

    /// The function as a host finds it, before any I/O.
    func prediction(_ found: ProbeResult) -> [JSONValue.Member] {
      func object(_ fields: [(name: String, value: String)]) -> JSONValue {
        .object(fields.map { .init($0.name, .string($0.value)) })
      }
      let model = function.model
      return [
        .init("name", .string(name)),
        .init("cap", .string(hexadecimal(found.capabilities.rawValue))),
        .init("vs", .string(hexadecimal(found.version.rawValue))),
        .init("bar0Size", JSONValue(model.bar0Size)),
        .init("msixTableOffset", JSONValue(model.msixTableOffset)),
        .init("vectors", JSONValue(model.interrupts.vectors)),
        .init("ioQueues", JSONValue(found.ioQueues)),
        .init("maximumTransfer", JSONValue(model.maximumTransfer)),
        .init(
          "identifyController", object(found.identifyController.fields)),
        .init(
          "namespaces",
          .array(
            found.namespaces.map {
              [
                "id": JSONValue($0.id), "blocks": JSONValue($0.blocks),
                "blockSize": JSONValue($0.blockSize),
                "identify": object($0.identify.fieldsAndFormats),
              ]
            })),
      ]
    }
  }

  /// Time passes for the device where the host waits; the link is its own.
  private final class Board: HostClock, LinkControl {
    private let function: NVMeFunction
    private let isRealTime: Bool
    init(_ function: NVMeFunction, isRealTime: Bool) {
      self.function = function
      self.isRealTime = isRealTime
    }
    func linkUp() { function.linkUp() }
    func linkDown() { function.linkDown() }
    func wait(milliseconds: UInt64) {
      guard isRealTime else { return function.advance(to: function.now + .init(milliseconds)) }
      usleep(UInt32(clamping: milliseconds * 1000))
      function.catchUp()
    }
  }

  let kernelRelease: SimulatedKernel.Release
  /// The kernel messages from loading the driver to binding.
  let bindLog: [String]
  /// Its configfs, set up.
  let tree: TreeSnapshot
  let kernel: SimulatedKernel
  /// The bound functions' directories below configfs.
  let functions: [String]

  /// - Parameter adjust: sets further properties of the machine.
  /// - Throws: ``ProvisioningError`` when the profile cannot be set up on this kernel release.
  init(
    _ located: Profile.Located, _ kernelRelease: SimulatedKernel.Release,
    quirks: Set<Quirk>? = nil, adjust: (inout SimulatedKernel.Machine) -> Void = { _ in }
  ) throws(ProvisioningError) {
    self.kernelRelease = kernelRelease
    var machine = Self.machine(for: located.profile)
    machine.quirks = quirks
    adjust(&machine)
    let kernel = SimulatedKernel(kernelRelease, machine: machine)
    let run = FilePath("/tmp/epfnvme-\(geteuid())-\(getpid())-emulate")
    defer { Self.remove(run) }
    let provisioner = Provisioner(.simulated(kernel), run: RunDirectory(run))
    _ = try provisioner.setUp(located, force: false) { _ in }
    bindLog = kernel.logLines
    tree = provisioner.snapshot()
    self.kernel = kernel
    functions = kernel.controllers.keys.sorted()
  }

  /// The values of the profile that are visible on a board.
  func boardPrediction(_ located: Profile.Located) -> BoardPrediction {
    var unknown: Set<String> = []
    for subsystem in located.profile.subsystems {
      // The kernel sets these according to its version.
      if subsystem.firmware == nil { unknown.insert("attr_firmware") }
      if subsystem.version == nil { unknown.insert("attr_version") }
    }
    return BoardPrediction(
      driver: kernelRelease.functionDriver, log: bindLog, tree: tree, unknown: unknown)
  }

  /// The names of the functions, in their order.
  var functionNames: [String] { functions.map(Self.name) }

  static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Calls a closure with every function and its host, in the order of the names.
  func forEachEndpoint(
    _ way: Way = Way(),
    _ body: (_ number: Int, Endpoint) throws(ProvisioningError) -> Void
  ) throws(ProvisioningError) {
    for (number, path) in functions.enumerated() {
      try kernel.withDevice(of: path) { (device) throws(ProvisioningError) in
        try body(number, Endpoint(name: Self.name(path), device, way))
      }
    }
  }

  private static func remove(_ run: FilePath) {
    let directory = RunDirectory(run)
    for name in directory.journalNames() { _ = unsafe unlink(directory.journalPath(name).string) }
    _ = unsafe unlink(run.appending("lock").string)
    _ = unsafe rmdir(run.string)
  }

  /// A simulated machine with everything that the profile requires: controllers, devices, files, remote targets.
  private static func machine(for profile: Profile) -> SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    let named = Set(profile.functions.map(\.controller)).subtracting(["auto"]).sorted()
    if !named.isEmpty {
      machine.controllers = named.map { name in
        var controller = SimulatedKernel.EndpointController.rock5B
        controller.name = name
        return controller
      }
    }
    for index in machine.controllers.indices {
      machine.controllers[index].maximumFunctions = 8
      machine.controllers[index].apply(profile)
    }
    for backing in profile.backings {
      switch backing.store {
      case .nullBlock: break
      case .block(let path): add(path, .init(.blockDevice, size: 64 << 30), to: &machine)
      case .file(let file): add(file, to: &machine)
      case .loopDevice(let loop): add(loop.file, to: &machine)
      }
    }
    for function in profile.functions {
      if case .tcp(let target) = function.target {
        machine.tcpTargets.append(
          .init(target.address, port: target.port, subsystems: [target.nqn]))
      }
    }
    return machine
  }

  private static func add(_ file: Profile.File, to machine: inout SimulatedKernel.Machine) {
    let size = (file.sizeMiB ?? 1024) << 20
    add(file.path, file.create ? nil : .init(.regularFile, size: size), to: &machine)
  }

  private static func add(
    _ path: String, _ object: SimulatedKernel.StoredObject?,
    to machine: inout SimulatedKernel.Machine
  ) {
    var directory = FilePath(path).removingLastComponent()
    while !directory.isEmpty, machine.storage[directory.string] == nil {
      machine.storage[directory.string] = .init(.directory)
      directory.removeLastComponent()
    }
    if let object { machine.storage[path] = object }
  }
}
