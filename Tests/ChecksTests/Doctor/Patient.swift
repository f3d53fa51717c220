// SPDX-License-Identifier: Apache-2.0
import Checks
import ConfigFS
import KernelModules
import LinuxFiles
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport

/// A simulated machine to be broken, and looked at by the doctor.
final class Patient {
  var machine = SimulatedKernel.Machine()
  let personality: SimulatedKernel.Personality
  /// What is done to procfs and sysfs.
  var falsify: (inout SimulatedFiles) -> Void = { _ in }
  /// What the doctor is asked about; nil for no profile.
  var profile: Profile.Located?
  var journals: [String: String]?

  private var standing: SimulatedMachine?

  init(_ personality: SimulatedKernel.Personality) {
    self.personality = personality
    for index in machine.controllers.indices { machine.controllers[index].cable = .host }
  }

  /// The machine; made at the first use.
  var simulated: SimulatedMachine {
    if let standing { return standing }
    let made = SimulatedMachine(personality, machine: machine)
    standing = made
    return made
  }

  var kernel: SimulatedKernel { simulated.kernel }

  /// The shipped profile for the driver.
  var shipped: Profile.Located {
    get throws {
      try ShippedProfile(
        name: personality == .mainline ? "null_blk-pci" : "null_blk-loop", personality: personality
      ).located()
    }
  }

  static let controller = "a40000000.pcie-ep"
  var name: String { personality == .mainline ? "nullblk-pci" : "nullblk-loop" }
  var nqn: String {
    personality == .mainline ? "nqn.2026-01.org.example:nullblk-pci" : "pci_epf_nvme.0.nqn"
  }
  /// The directory of the profile's function.
  var function: String {
    "pci_ep/functions/\(personality.functionDriver)/"
      + (personality == .mainline ? "nullblk-pci" : "pci_epf_nvme.0")
  }
  var subsystem: String { "nvmet/subsystems/\(nqn)" }
  var link: String {
    let name = FilePath(function).lastComponent?.string ?? ""
    return "pci_ep/controllers/\(Self.controller)/\(name)"
  }

  /// Sets the shipped profile up and lets a host find and enable it.
  func work() throws {
    try simulated.setUp(shipped)
    attachHost()
  }

  func attachHost() {
    kernel.advance(by: .seconds(1))
    kernel.host(.enable, at: Self.controller)
    kernel.advance(by: .seconds(1))
  }

  // MARK: By hand

  private func path(_ short: String) -> FilePath {
    FilePath("/sys/kernel/config").pushing(FilePath(short))
  }

  func write(_ text: String, to short: String) throws {
    _ = try kernel.write(text + "\n", to: path(short))
  }

  func make(_ short: String) throws { try kernel.createDirectory(path(short)) }

  func link(_ short: String, to target: String) throws {
    try kernel.createLink(at: path(short), to: path(target))
  }

  func unlink(_ short: String) throws { try kernel.removeLink(path(short)) }

  /// Stops the controller, takes the function off, does something, and puts it on again; a host follows.
  func rebind(_ change: () throws -> Void) throws {
    try write("0", to: "pci_ep/controllers/\(Self.controller)/start")
    try unlink(link)
    try change()
    try link(link, to: function)
    try write("1", to: "pci_ep/controllers/\(Self.controller)/start")
    attachHost()
  }

  // MARK: The doctor

  func examine() -> Diagnosis {
    var files = kernel.systemFiles
    falsify(&files)
    // A run directory of its own, when the journals are the matter.
    let provisioner =
      journals.map { SimulatedMachine(kernel: kernel, journals: $0) } ?? simulated
    defer { withExtendedLifetime(provisioner) {} }
    return Doctor(provisioner.provisioner, files: files).examine(profile)
  }
}
