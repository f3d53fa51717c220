// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A set-up of other hands, made as the public board scripts make theirs, before, under and after a profile. The lab's suite
/// `45-foreign` holds a real kernel to the same.
@Suite struct ForeignSetupTests {
  private static let root = "/sys/kernel/config/"
  private static let controller = "a40000000.pcie-ep"
  private static let start = root + "pci_ep/controllers/\(controller)/start"

  /// The operations of a shell: `mkdir`, `echo`, `ln -s`, and the reverse.
  struct Script: Sendable {
    let kernel: SimulatedKernel
    var isMainline: Bool { kernel.kernelRelease == .linux7_2 }

    func make(_ path: String) throws { try kernel.createDirectory(FilePath(root + path)) }
    func echo(_ text: String, _ path: String) throws {
      _ = try kernel.write(text + "\n", to: FilePath(root + path))
    }
    func link(_ path: String, to target: String) throws {
      try kernel.createLink(at: FilePath(root + path), to: FilePath(root + target))
    }
    func unlink(_ path: String) throws { try kernel.removeLink(FilePath(root + path)) }
    func remove(_ path: String) throws { try kernel.removeDirectory(FilePath(root + path)) }
    func exists(_ path: String) -> Bool { (try? kernel.kind(of: FilePath(root + path))) != nil }
    func read(_ path: String) -> String? { try? kernel.read(FilePath(root + path)) }

    var driver: String { kernel.kernelRelease.functionDriver }

    /// A disk of null_blk's own, a subsystem NAME.nqn, a port, and a bound function.
    func setUp(_ name: String, port: Int) throws {
      let subsystem = "nvmet/subsystems/\(name).nqn"
      let function = "pci_ep/functions/\(driver)/\(name)"
      try make(subsystem)
      try echo("1", subsystem + "/attr_allow_any_host")
      try echo("Board script", subsystem + "/attr_model")
      try echo("4", subsystem + "/attr_qid_max")
      // The driver takes the function's identifiers from here.
      if isMainline { try echo("0x1b96", subsystem + "/attr_vendor_id") }
      try make(subsystem + "/namespaces/1")
      try echo("/dev/nullb0", subsystem + "/namespaces/1/device_path")
      try echo("1", subsystem + "/namespaces/1/enable")
      try make("nvmet/ports/\(port)")
      try echo(isMainline ? "pci" : "loop", "nvmet/ports/\(port)/addr_trtype")
      try link("nvmet/ports/\(port)/subsystems/\(name).nqn", to: subsystem)
      try make(function)
      // The driver's own directory in it comes a moment later.
      kernel.advance(by: .seconds(1))
      try echo("0x1b96", function + "/vendorid")
      try echo("0xbeef", function + "/deviceid")
      try echo("32", function + "/msix_interrupts")
      if isMainline {
        try echo("\(port)", function + "/nvme/portid")
        try echo("\(name).nqn", function + "/nvme/subsysnqn")
      } else {
        let options = "transport=loop,nqn=\(name).nqn,nr_io_queues=2"
        _ = try kernel.write(options, to: FilePath(root + function + "/nvme/ctrl_opts"))
      }
      try link("pci_ep/controllers/\(controller)/\(name)", to: function)
    }
  }

  /// A machine with a controller for some functions, everything loaded, and `/dev/nullb0`.
  private func machine(
    _ kernelRelease: SimulatedKernel.Release, functions: Int = 2
  ) throws -> (SimulatedMachine, Script) {
    var hardware = SimulatedKernel.Machine()
    hardware.controllers[0].maximumFunctions = functions
    let machine = SimulatedMachine(kernelRelease, machine: hardware)
    for module in ["nvmet", "nvme_loop", kernelRelease.functionDriver] {
      try machine.kernel.load(module)
    }
    try machine.kernel.load("null_blk", parameters: ["nr_devices=1", "gb=1"])
    return (machine, Script(kernel: machine.kernel))
  }

  /// One null_blk namespace behind one function.
  private func endpoint(
    subsystem: String = "ours.nqn", function: String = "ours.0", starts: Bool = true,
    functions: Int = 2
  ) throws -> Profile.Located {
    try profile(
      """
      { "version": 1, "name": "ours",
        "backings": { "d": { "nullBlock": { "device": "ours", "sizeMiB": 64 } } },
        "subsystems": [ { "nqn": "\(subsystem)", "maximumQueueID": 4,
          "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "\(function)", "vendorID": "0x1b96", "deviceID": "0xbeef",
          "msixVectors": 32, "start": \(starts), "target": { "loop": "\(subsystem)" },
          "controllerFeatures": { "maximumFunctions": \(functions) } } ] }
      """)
  }

  // MARK: Before ours

  @Test(
    "foreign objects with a profile's names and other contents are refused, also with force",
    arguments: SimulatedKernel.Release.allCases,
    [("ours.0.nqn", "ours.0"), ("ours.nqn", "ours.0"), ("ours.0.nqn", "mine.0")])
  func inTheWay(
    _ kernelRelease: SimulatedKernel.Release, _ names: (subsystem: String, function: String)
  ) throws {
    let (machine, script) = try machine(kernelRelease)
    try script.setUp("ours.0", port: 1)
    _ = try machine.kernel.write("1\n", to: FilePath(Self.start))
    let before = machine.state()
    let located = try endpoint(subsystem: names.subsystem, function: names.function)
    for force in [false, true] {
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(located, force: force)
      }
      #expect(error?.kind == .impossible)
      #expect(error?.hint?.isEmpty == false)
      #expect(machine.state() == before)
      #expect(machine.provisioner.run.journalNames() == [])
    }
  }

  @Test(
    "a foreign set-up that equals its export is adopted whole or refused whole",
    arguments: SimulatedKernel.Release.allCases)
  func equal(_ kernelRelease: SimulatedKernel.Release) throws {
    let (machine, script) = try machine(kernelRelease)
    try script.setUp("ours.0", port: 1)
    let before = machine.state()
    let export = try machine.provisioner.export(as: "exported").profile
    let located = try Profile.decode(Array(export.json.compactText.utf8))
    #expect(try machine.provisioner.check(located).failures == [])
    #expect(try machine.provisioner.differences(located) == [])
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(located)
    }
    #expect(machine.state() == before)
    guard error == nil else {
      #expect(error?.kind == .impossible)
      #expect(machine.provisioner.run.journalNames() == [])
      return
    }
    #expect(machine.provisioner.run.journalNames() == ["exported"])
    #expect(try machine.setUp(located).plan.steps.isEmpty)
    try machine.tearDown("exported")
    #expect(!machine.tree.contains { $0.contains("ours.0") })
    #expect(machine.provisioner.run.journalNames() == [])
  }

  @Test(
    "a foreign function beside a profile's stays as it is",
    arguments: SimulatedKernel.Release.allCases)
  func beside(_ kernelRelease: SimulatedKernel.Release) throws {
    let (machine, script) = try machine(kernelRelease)
    try script.setUp("other", port: 7)
    let before = machine.state()
    let located = try endpoint(starts: false)
    try machine.setUp(located)
    #expect(Set(before).subtracting(machine.state()) == [])
    #expect(try machine.provisioner.check(located).failures == [])
    try machine.tearDown("ours")
    #expect(machine.state() == before)

    // Its link is up: what would take it down is refused or wants force.
    _ = try machine.kernel.write("1\n", to: FilePath(Self.start))
    let started = machine.state()
    let starting = try endpoint()
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(starting)
    }
    #expect([.disruptive, .impossible].contains(error?.kind))
    #expect(machine.state() == started)
  }

  // MARK: Under ours

  /// Something of others in or on an object of the profile.
  struct Addition: Sendable, CustomStringConvertible {
    var description: String
    /// Its name in errors.
    var name: String
    var path: String
    var add: @Sendable (Script) throws -> Void
    var takeAway: @Sendable (Script) throws -> Void
  }

  static let additions = [
    Addition(
      description: "a namespace", name: "namespaces/9",
      path: "nvmet/subsystems/ours.nqn/namespaces/9",
      add: { try $0.make("nvmet/subsystems/ours.nqn/namespaces/9") },
      takeAway: { try $0.remove("nvmet/subsystems/ours.nqn/namespaces/9") }),
    Addition(
      description: "a port", name: "ports/7", path: "nvmet/ports/7/subsystems/ours.nqn",
      add: {
        try $0.link("nvmet/ports/7/subsystems/ours.nqn", to: "nvmet/subsystems/ours.nqn")
      },
      takeAway: { try $0.unlink("nvmet/ports/7/subsystems/ours.nqn") }),
    Addition(
      description: "a function", name: "other", path: "pci_ep/controllers/\(controller)/other",
      add: {
        try $0.make("pci_ep/functions/pci_epf_test/other")
        try $0.link(
          "pci_ep/controllers/\(controller)/other", to: "pci_ep/functions/pci_epf_test/other")
      },
      takeAway: {
        try $0.unlink("pci_ep/controllers/\(controller)/other")
        try $0.remove("pci_ep/functions/pci_epf_test/other")
      }),
  ]

  @Test(
    "additions of others to a profile's objects survive its teardown, which can finish after their removal",
    arguments: SimulatedKernel.Release.allCases, additions)
  func under(_ kernelRelease: SimulatedKernel.Release, _ addition: Addition) throws {
    let (machine, script) = try machine(kernelRelease)
    try machine.kernel.load("pci_epf_test")
    try machine.kernel.load("nvmet_tcp")
    try script.make("nvmet/subsystems/other.nqn")
    try script.make("nvmet/ports/7")
    // With pci_epf_nvme a loop port would be ours as well.
    try script.echo("tcp", "nvmet/ports/7/addr_trtype")
    try script.echo("ipv4", "nvmet/ports/7/addr_adrfam")
    try script.echo("127.0.0.1", "nvmet/ports/7/addr_traddr")
    try script.echo("4420", "nvmet/ports/7/addr_trsvcid")
    try script.link("nvmet/ports/7/subsystems/other.nqn", to: "nvmet/subsystems/other.nqn")
    let before = machine.state()
    try machine.setUp(try endpoint(starts: false))
    try addition.add(script)
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.tearDown("ours")
    }
    #expect(script.exists(addition.path))
    if let error {
      #expect("\(error)".contains(addition.name))
      try addition.takeAway(script)
      try machine.tearDown("ours")
    } else {
      try addition.takeAway(script)
    }
    #expect(machine.state() == before)
    #expect(machine.provisioner.run.journalNames() == [])
    #expect(machine.kernel.crashes.isEmpty)
  }

  @Test(
    "a value that others changed is a difference, and does not stop teardown",
    arguments: SimulatedKernel.Release.allCases)
  func value(_ kernelRelease: SimulatedKernel.Release) throws {
    let (machine, script) = try machine(kernelRelease)
    let before = machine.state()
    let located = try endpoint()
    try machine.setUp(located)
    try script.echo("0", "nvmet/subsystems/ours.nqn/attr_allow_any_host")
    #expect(
      try machine.provisioner.check(located).failures.map(\.id) == [
        "attribute nvmet/subsystems/ours.nqn/attr_allow_any_host"
      ])
    try machine.tearDown("ours")
    #expect(machine.state() == before)
  }

  // MARK: After ours

  @Test(
    "a board script over a live profile stops at a name that is taken, and elsewhere does no harm",
    arguments: SimulatedKernel.Release.allCases)
  func after(_ kernelRelease: SimulatedKernel.Release) throws {
    let (machine, script) = try machine(kernelRelease, functions: 1)
    let before = machine.state()
    let located = try endpoint(subsystem: "ours.0.nqn", functions: 1)
    try machine.setUp(located)
    let standing = machine.state()
    #expect(throws: Errno.fileExists) { try script.setUp("ours.0", port: 1) }
    #expect(machine.state() == standing)
    // Other names: everything works but the link on a started controller.
    #expect(throws: Errno.self) { try script.setUp("other", port: 7) }
    #expect(try machine.provisioner.check(located).failures == [])
    #expect(try machine.setUp(located).plan.steps.isEmpty)
    let foreign = machine.state().filter { $0.contains("other") || $0.contains("ports/7") }
    #expect(!foreign.isEmpty)
    try machine.tearDown("ours")
    #expect(Set(foreign).subtracting(machine.state()) == [])
    #expect(Set(machine.state()).subtracting(before).allSatisfy { foreign.contains($0) })
    #expect(machine.kernel.crashes.isEmpty)
  }
}
