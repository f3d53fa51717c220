// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import EndpointProvisioning
internal import LibC
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage
internal import TestSupport

/// Files that earlier processes left: the state file of a simulated kernel, and a journal.
enum MachineFuzzing {
  // MARK: The state file

  static func state(_ bytes: [UInt8]) throws {
    let directory = PrivateFiles()
    let file = directory.path.appending("kernel")
    try AtomicFile.replace(file, with: bytes, by: directory.path.appending("new"))
    let kernel: SimulatedKernel?
    do { kernel = try SimulatedKernel.snapshot(of: file) } catch {
      try FuzzViolation.unless(error.description.contains(file.string), "an error without the file")
      return
    }
    guard let kernel else { throw FuzzViolation("a file that exists is not there") }
    let machine = SimulatedMachine(kernel: kernel)
    _ = machine.tree
    _ = try? machine.provisioner.status()
    for controller in kernel.controllers.keys.sorted() {
      for event in SimulatedKernel.HostEvent.allCases { kernel.host(event, at: controller) }
    }
    kernel.advance(by: .seconds(3))
    for shipped in try standing.get() {
      // The objects on the machine have no owner, so that the profile is refused, adopted or set up beside it.
      _ = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(shipped.located, force: true)
        try machine.tearDown(shipped.located.profile.name)
      }
    }
    // It is still a state that can be kept.
    _ = try? SimulatedKernel(contentsOf: file)
  }

  static func stateSeeds() throws -> [[UInt8]] {
    try standing.get().map(\.state)
  }

  // MARK: The journal

  static func journal(_ bytes: [UInt8]) throws {
    for shipped in try standing.get() {
      let kernel = shipped.kernel.copy()
      let machine = SimulatedMachine(kernel: kernel, journals: [shipped.located.profile.name: ""])
      let name = shipped.located.profile.name
      let run = machine.provisioner.run
      try AtomicFile.replace(
        run.journalPath(name), with: bytes, by: run.path.appending("new"))
      _ = try? machine.provisioner.status()
      _ = try? machine.provisioner.teardownPlan(name)
      let before = machine.tree
      let refused = machine.failure { (machine) throws(ProvisioningError) in
        try machine.tearDown(name)
      }
      if let refused {
        try FuzzViolation.unless(refused.kind != .internal, "\(refused)")
        try FuzzViolation.unless(
          refused.kind != .cannotCreate || machine.tree == before,
          "the machine was changed although the journal is damaged")
      } else {
        try FuzzViolation.unless(machine.journal(name) == nil, "a journal is left")
      }
      let error = machine.failure { (machine) throws(ProvisioningError) in
        try machine.setUp(shipped.located)
      }
      try FuzzViolation.unless(error?.kind != .internal, "\(String(describing: error))")
      try FuzzViolation.unless(kernel.crashes.isEmpty, "the kernel crashed: \(kernel.crashes)")
    }
  }

  static func journalSeeds() throws -> [[UInt8]] {
    try standing.get().flatMap { shipped in
      let lines = shipped.journal.split(separator: "\n", omittingEmptySubsequences: true)
      let commit = lines.firstIndex { $0.contains("commit") } ?? lines.endIndex
      return [
        Array(shipped.journal.utf8),
        // Cut off in a step, and in a line.
        Array((lines[..<commit].joined(separator: "\n") + "\n").utf8),
        Array(shipped.journal.utf8.prefix(shipped.journal.utf8.count / 2)),
      ]
    }
  }

  // MARK: Machines

  /// A profile that is set up on a machine.
  private struct Standing: Sendable {
    var located: Profile.Located
    var kernel: SimulatedKernel
    var journal: String
    var state: [UInt8]
  }

  private static let standing = Result { () throws -> [Standing] in
    try [
      ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2),
      ShippedProfile(name: "null_blk-loop", kernelRelease: .linux6_12),
    ].map { shipped in
      let directory = PrivateFiles()
      let file = directory.path.appending("kernel")
      let located = try shipped.located()
      let machine = SimulatedMachine(
        kernel: try SimulatedKernel(
          contentsOf: file, kernelRelease: shipped.kernelRelease, machine: shipped.machine))
      try machine.setUp(located)
      return Standing(
        located: located, kernel: machine.kernel.copy(),
        journal: machine.journal(located.profile.name) ?? "", state: try readFile(file))
    }
  }
}

/// A directory in memory, removed with its files at the end.
private final class PrivateFiles {
  let path: FilePath

  init() {
    var random = SystemRandomNumberGenerator()
    path = FilePath("/dev/shm/epfnvme-fuzz-\(String(random.next(), radix: 16))")
    _ = unsafe mkdir(path.string, 0o700)
  }

  deinit {
    for name in (try? directoryNames(path)) ?? [] {
      _ = unsafe unlink(path.appending(name).string)
    }
    _ = unsafe rmdir(path.string)
  }
}
