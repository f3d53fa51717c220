// SPDX-License-Identifier: Apache-2.0
import Doctor
import ConfigFS
import KernelEvents
import KernelModules
import LinuxFiles
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport

/// A simulated machine that a test breaks and the doctor examines.
final class Patient {
  var machine = SimulatedKernel.Machine()
  let kernelRelease: SimulatedKernel.Release
  /// The changes to procfs and sysfs.
  var falsify: (inout SimulatedFiles) -> Void = { _ in }
  /// The profile to diagnose; nil for none.
  var profile: Profile.Located?
  var journals: [String: String]?
  /// Links that the doctor sees in configfs although the kernel does not have them, by path below the mount point.
  var overlay: [String: String] = [:]
  /// Whether the doctor may do what root may.
  var isPrivileged = true

  private var standing: SimulatedMachine?

  init(_ kernelRelease: SimulatedKernel.Release) {
    self.kernelRelease = kernelRelease
    // A stable release without the known bugs of 6.12.
    if kernelRelease == .linux6_12 { machine.release = "6.12.117" }
    machine.machineID = "0123456789abcdef0123456789abcdef"
    for index in machine.controllers.indices {
      machine.controllers[index].cable = .host
      // The hardware is what the files say.
      machine.controllers[index].compatible = nil
    }
  }

  /// The machine; made at the first use.
  var simulated: SimulatedMachine {
    if let standing { return standing }
    let made = SimulatedMachine(kernelRelease, machine: machine)
    standing = made
    return made
  }

  var kernel: SimulatedKernel { simulated.kernel }

  /// The shipped profile for the driver, with a name that the rules have nothing against.
  var shipped: Profile.Located {
    get throws {
      let profile = ShippedProfile(
        name: kernelRelease == .linux7_2 ? "null_blk-pci" : "null_blk-loop",
        kernelRelease: kernelRelease)
      let text = String(decoding: try readFile(profile.file), as: UTF8.self)
      // A disk that keeps its data, and a name that the machine does not complete.
      return try Profile.decode(
        Array(
          text.replacing("pci_epf_nvme.0.nqn", with: nqn)
            .replacing("\"memoryBacked\": false", with: "\"memoryBacked\": true")
            .replacing("\"version\": 1,", with: "\"version\": 1, \"identity\": \"profile\",").utf8
        ))
    }
  }

  static let controller = "a40000000.pcie-ep"
  var name: String { kernelRelease == .linux7_2 ? "nullblk-pci" : "nullblk-loop" }
  var nqn: String {
    "nqn.2026-01.org.example:" + name
  }
  /// The directory of the profile's function.
  var function: String {
    "pci_ep/functions/\(kernelRelease.functionDriver)/"
      + (kernelRelease == .linux7_2 ? "nullblk-pci" : "pci_epf_nvme.0")
  }
  var subsystem: String { "nvmet/subsystems/\(nqn)" }
  var link: String {
    let name = FilePath(function).lastComponent?.string ?? ""
    return "pci_ep/controllers/\(Self.controller)/\(name)"
  }

  /// Sets the shipped profile up; a host then finds and enables it.
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

  func examine() -> MachineDiagnosis {
    var files = kernel.systemFiles
    falsify(&files)
    var machine = simulated.provisioner.machine
    machine.configFS = OverlaidConfigFS(kernel: kernel, links: overlay)
    var run = simulated.provisioner.run
    // A separate run directory for tests of journals.
    let other = journals.map { SimulatedMachine(kernel: kernel, journals: $0) }
    defer { withExtendedLifetime(other) {} }
    if let other { run = other.provisioner.run }
    if !isPrivileged {
      machine.facts.isPrivileged = false
      machine.log = UnreadableLog()
      // Without root the error is EACCES; tests that run as root get ENOTDIR.
      run = RunDirectory("/dev/null/epfnvme")
    }
    return MachineDoctor(Provisioner(machine, run: run), files: files).examine(profile)
  }
}

/// A kernel's log that the process may not read.
private struct UnreadableLog: KernelLog {
  func mark() -> KernelLogMark? { nil }
  func lines(moving mark: inout KernelLogMark) -> [KernelLogLine] { [] }
  func allLines() -> [KernelLogLine]? { nil }
}

/// A kernel's configfs with links that it does not have.
private struct OverlaidConfigFS: ConfigFSBackend {
  let kernel: SimulatedKernel
  let links: [String: String]

  var mountPoint: FilePath { kernel.mountPoint }

  private func target(_ path: FilePath) -> FilePath? {
    links.first { mountPoint.pushing(FilePath($0.key)) == path }
      .map { mountPoint.pushing(FilePath($0.value)) }
  }

  func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    let added = links.keys.map { mountPoint.pushing(FilePath($0)) }
      .filter { $0.removingLastComponent() == path }
      .compactMap { $0.lastComponent.map { DirectoryEntry(name: $0.string, kind: .link) } }
    return try kernel.entries(of: path) + added
  }

  func linkTarget(of path: FilePath) throws(Errno) -> FilePath {
    if let target = target(path) { return target }
    return try kernel.linkTarget(of: path)
  }

  func kind(of path: FilePath) throws(Errno) -> EntryKind {
    target(path) == nil ? try kernel.kind(of: path) : .link
  }

  func isWritable(_ path: FilePath) throws(Errno) -> Bool { try kernel.isWritable(path) }

  func read(_ path: FilePath) throws(Errno) -> String { try kernel.read(path) }
  func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    try kernel.write(text, to: path)
  }
  func createDirectory(_ path: FilePath) throws(Errno) { try kernel.createDirectory(path) }
  func removeDirectory(_ path: FilePath) throws(Errno) { try kernel.removeDirectory(path) }
  func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try kernel.createLink(at: path, to: target)
  }
  func removeLink(_ path: FilePath) throws(Errno) { try kernel.removeLink(path) }
}
