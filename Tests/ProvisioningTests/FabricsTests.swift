// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelEvents
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

@testable import Provisioning

/// The features of `pci_epf_nvme` that `nvmet_pci_epf` lacks: an option string, a DMA switch, a connection to the target.
@Suite("The fabrics side of pci_epf_nvme")
struct FabricsTests {
  private static let root = "/sys/kernel/config/pci_ep/"
  private static let function = FilePath(root + "functions/pci_epf_nvme/pci_epf_nvme.0")
  private static let link = FilePath(root + "controllers/a40000000.pcie-ep/pci_epf_nvme.0")
  private static let start = FilePath(root + "controllers/a40000000.pcie-ep/start")
  private static let shipped = ShippedProfile(name: "null_blk-loop", kernelRelease: .linux6_12)

  /// The shipped profile in service.
  private func standing(
    _ machine: SimulatedKernel.Machine = SimulatedKernel.Machine()
  ) throws -> (SimulatedMachine, Profile.Located) {
    let simulated = SimulatedMachine(.linux6_12, machine: machine)
    let located = try Self.shipped.located()
    try simulated.setUp(located)
    return (simulated, located)
  }

  /// That check, diff and setup find nothing to do; also without a journal, as on a machine that others have set up, by its own
  /// export.
  private func expectAllRight(_ simulated: SimulatedMachine, _ located: Profile.Located) throws {
    let stranger = SimulatedMachine(kernel: simulated.kernel.copy())
    let exported = try stranger.provisioner.export(as: "exported").profile
    let own = Profile.Located(profile: exported, warnings: [], places: [:])
    for (machine, profile) in [(simulated, located), (stranger, own)] {
      let name = profile.profile.name
      #expect(try machine.provisioner.check(profile).failures == [], "\(name)")
      #expect(try machine.provisioner.differences(profile) == [], "\(name)")
      let steps = try machine.provisioner.plan(profile).steps
      #expect(steps.filter { $0.operation.isEffect } == [], "\(name)")
    }
  }

  @Test(
    "check, diff and setup agree that a machine in service matches, independent of how it was set up"
  )
  func agreement() throws {
    let (simulated, located) = try standing()
    try expectAllRight(simulated, located)
  }

  @Test("options in another order, on lines and with other number formats are equivalent")
  func order() throws {
    let (simulated, located) = try standing()
    let options = Self.function.appending("nvme/ctrl_opts")
    let shown = try simulated.kernel.read(options)
    let items = shown.split(whereSeparator: { ",\n".contains($0) }).filter { $0 != "hidden_ns" }
    try #require(items.count > 1)
    _ = try simulated.kernel.write("0", to: Self.start)
    try simulated.kernel.removeLink(Self.link)
    for connection in try simulated.kernel.connections() {
      try simulated.kernel.disconnect(connection.name)
    }
    _ = try simulated.kernel.write(items.reversed().joined(separator: ",") + "\n", to: options)
    #expect(try simulated.kernel.read(options) != shown)
    try simulated.kernel.createLink(at: Self.link, to: Self.function)
    _ = try simulated.kernel.write("1", to: Self.start)
    try expectAllRight(simulated, located)
  }

  @Test("a machine without a DMA engine matches")
  func withoutDMA() throws {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].hasDMA = false
    let (simulated, located) = try standing(machine)
    let attribute = Self.function.appending("nvme/dma_enable")
    #expect(try simulated.kernel.read(attribute) == "0\n")
    #expect(simulated.kernel.logLines.contains { $0.contains("DMA not supported") })
    try expectAllRight(simulated, located)
    // Nor does its export ask for no DMA, with which bind leaves the driver's locks unset.
    let stranger = SimulatedMachine(kernel: simulated.kernel.copy())
    let exported = try stranger.provisioner.export(as: "copy")
    #expect(exported.profile.functions.map(\.dma) == [nil])
    #expect(try simulated.tearDown(located.profile.name))
  }

  @Test("a DMA engine that others have switched off is a difference")
  func dmaSwitchedOff() throws {
    let (simulated, located) = try standing()
    _ = try simulated.kernel.write("0", to: Self.function.appending("nvme/dma_enable"))
    let failures = try simulated.provisioner.check(located).failures
    #expect(
      failures.map(\.id) == [
        "attribute pci_ep/functions/pci_epf_nvme/pci_epf_nvme.0/nvme/dma_enable"
      ])
  }

  @Test("a lost connection is reported by check, diff and status until the kernel has restored it")
  func lost() throws {
    let (simulated, located) = try standing()
    let name = try #require(try simulated.kernel.connections().first).name
    let provisioner = simulated.provisioner
    #expect(try provisioner.status().endpoints[0].functions[0].connection?.isLive == true)
    try simulated.kernel.setConnection(name, isLive: false)
    let failure = try #require(try provisioner.check(located).failures.first)
    #expect(failure.id.hasPrefix("connection "))
    #expect(failure.actual == "\(name) (connecting)")
    let difference = try #require(try provisioner.differences(located).first)
    #expect(difference.kind == .lost)
    #expect(!difference.isFixedBySetup)
    #expect(difference.disruptions == [])
    // The kernel reconnects; setup does not get in its way.
    #expect(try provisioner.plan(located).steps.filter { $0.operation.isEffect } == [])
    let connection = try provisioner.status().endpoints[0].functions[0].connection
    #expect(connection?.name == name)
    #expect(connection?.state == "connecting")
    try simulated.kernel.setConnection(name, isLive: true)
    try expectAllRight(simulated, located)
    #expect(throws: Errno.noSuchFileOrDirectory) {
      try simulated.kernel.setConnection("nvme99", isLive: true)
    }
  }

  @Test("a removed connection is restored with --force by binding again")
  func gone() throws {
    let (simulated, located) = try standing()
    for connection in try simulated.kernel.connections() {
      try simulated.kernel.disconnect(connection.name)
    }
    #expect(try simulated.provisioner.differences(located).map(\.kind) == [.missing])
    #expect(try simulated.provisioner.check(located).failures.count == 1)
    let refusal = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.setUp(located)
    }
    #expect(refusal?.kind == .disruptive)
    try simulated.setUp(located, force: true)
    try expectAllRight(simulated, located)
    try simulated.tearDown(located.profile.name)
    #expect(try simulated.kernel.connections() == [])
  }

  @Test(
    "a failed connect has a hint that names its cause",
    arguments: [
      (Errno.connectionRefused, [], "nothing listens"),
      (.timedOut, [], "no reply"),
      (.networkUnreachable, [], "no route"),
      (.noRouteToHost, [], "no machine replies"),
      (.addressNotAvailable, [], "host_traddr"),
      (.alreadyInProcess, [], "nvme disconnect"),
      (
        .invalidArgument, ["nvme_fabrics: no handler found for transport tcp."], "modprobe nvme-tcp"
      ),
      (
        .invalidArgument, ["nvme_fabrics: no handler found for transport loop."],
        "CONFIG_NVME_TARGET_LOOP"
      ),
      (
        .invalidArgument, ["pci_epf_nvme pci_epf_nvme.0: No nvme fabrics options specified"],
        "ctrl_opts"
      ),
      (
        .ioError, ["nvme nvme1: Connect for subsystem n is not allowed, hostnqn: h"],
        "attr_allow_any_host"
      ),
      (
        .ioError, ["nvme nvme1: Connect Invalid Data Parameter, subsysnqn \"n\""],
        "no such subsystem"
      ),
      (
        .invalidArgument,
        ["nvme_fabrics: unknown parameter or missing value 'x' in ctrl creation request"],
        "hidden_ns"
      ),
    ])
  func hints(_ errno: Errno, _ log: [String], _ words: String) {
    let operation = Provisioning.Operation.link(
      path: Self.link.string, target: Self.function.string)
    let hint = Hints.hint(for: operation, errno, kernelLog: log)
    #expect(hint.contains(words), "\(hint)")
    #expect(hint != Hints.hint(for: operation, .badMessage), "the general one")
  }
}
