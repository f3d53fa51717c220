// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import EndpointProvisioning
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage
internal import TestSupport

/// Profiles, and the formats that become profiles.
enum ProfileFuzzing {
  // MARK: Profiles

  static func profile(_ bytes: [UInt8]) throws {
    guard let located = try decoded({ () throws(ProfileIssues) in try Profile.decode(bytes) })
    else {
      return
    }
    try checkText(located.profile)
    try checkMachine(located)
  }

  static func profileSeeds() throws -> [[UInt8]] {
    try ShippedProfile.names.map { try readFile(ShippedProfile.directory.appending($0 + ".json")) }
      + [SimulatedKernel.Release.linux6_12, .linux7_2].flatMap { release in
        (1...8 as ClosedRange<UInt64>).map {
          Array(ProfileGenerator.profile(seed: $0, for: release).json.prettyText.utf8)
        }
      }
  }

  /// The result of a decoder; nil for an input that it refuses, with reasons that can be shown.
  private static func decoded<Result>(
    _ decode: () throws(ProfileIssues) -> Result
  ) throws(FuzzViolation) -> Result? {
    do throws(ProfileIssues) { return try decode() } catch {
      try FuzzViolation.unless(error.hasErrors, "refused without an error")
      for issue in error.issues {
        try FuzzViolation.unless(!issue.text(file: "input").isEmpty, "an issue without a text")
        _ = issue.json.compactText
      }
      return nil
    }
  }

  /// A profile that is written and read again is the same.
  private static func checkText(_ profile: Profile) throws(FuzzViolation) {
    let text = profile.json.prettyText
    let again: Profile
    do { again = try Profile.decode(Array(text.utf8)).profile } catch {
      throw FuzzViolation("the text of a valid profile is refused: \(error)\n\(text)")
    }
    try FuzzViolation.unless(again == profile, "read again, it is another profile:\n\(text)")
  }

  /// A profile that a machine accepts is what `check` finds, is removed completely, and has the same result the second time.
  private static func checkMachine(_ located: Profile.Located) throws {
    let profile = located.profile
    // Each object costs time, and the paths are the same from the third one on.
    guard profile.subsystems.count <= 4, profile.functions.count <= 4, profile.ports.count <= 4,
      profile.backings.count <= 4
    else { return }
    let kernel = SimulatedKernel(
      .init(for: profile), machine: SimulatedBoard.machine(for: profile))
    let machine = SimulatedMachine(kernel: kernel)
    guard let first = try attempt(located, on: machine) else {
      try FuzzViolation.unless(kernel.crashes.isEmpty, "the kernel crashed: \(kernel.crashes)")
      return
    }
    let failures = try machine.provisioner.check(located).failures
    try FuzzViolation.unless(failures.isEmpty, "check after setup: \(failures)")
    try FuzzViolation.unless(
      try !machine.setUp(located).changed, "a second setup changed something")
    try FuzzViolation.unless(try machine.tearDown(profile.name), "nothing to tear down")
    let empty = machine.tree
    let second = try attempt(located, on: machine)
    try FuzzViolation.unless(second == first, "the second setup has another result")
    try machine.tearDown(profile.name)
    try FuzzViolation.unless(machine.tree == empty, "teardown leaves something")
    try FuzzViolation.unless(machine.journal(profile.name) == nil, "a journal is left")
    try FuzzViolation.unless(kernel.crashes.isEmpty, "the kernel crashed: \(kernel.crashes)")
  }

  /// Sets a profile up.
  /// - Returns: the tree; nil if the machine does not accept the profile.
  private static func attempt(
    _ located: Profile.Located, on machine: SimulatedMachine
  ) throws -> [String]? {
    do throws(ProvisioningError) {
      try machine.setUp(located)
      return machine.tree
    } catch {
      try FuzzViolation.unless(
        error.kind != .internal && error.kind != .rollbackIncomplete, "setup: \(error)")
      try FuzzViolation.unless(
        machine.journal(located.profile.name) == nil, "a journal is left after \(error)")
      return nil
    }
  }

  // MARK: Imports

  static func nvmetcli(_ bytes: [UInt8]) throws {
    try checkImport { () throws(ProfileIssues) in try Import(nvmetcli: bytes, as: "imported") }
  }

  static func nvmetcfg(_ bytes: [UInt8]) throws {
    try checkImport { () throws(ProfileIssues) in try Import(nvmetcfg: bytes, as: "imported") }
  }

  static func script(_ bytes: [UInt8]) throws {
    let line = String(decoding: bytes, as: UTF8.self)
    try checkImport { () throws(ProfileIssues) in try Import(script: line) }
  }

  private static func checkImport(_ read: () throws(ProfileIssues) -> Import) throws {
    guard let result = try decoded(read) else { return }
    try FuzzViolation.unless(
      result.warnings.allSatisfy { $0.severity == .warning }, "an error among the warnings")
    try checkText(result.profile)
  }

  static func nvmetcliSeeds() throws -> [[UInt8]] {
    let profiles = (1...8 as ClosedRange<UInt64>).map {
      ProfileGenerator.profile(seed: $0, for: .linux7_2)
    }
    return try profiles.compactMap { profile in
      let machine = SimulatedMachine(
        kernel: SimulatedKernel(.linux7_2, machine: ProfileGenerator.machine))
      try machine.setUp(Profile.decode(Array(profile.json.compactText.utf8)))
      return Array(try machine.provisioner.exportNvmetcli().json.prettyText.utf8)
    }
  }

  static let nvmetcfgSeeds: [[UInt8]] = [
    """
    ---
    version: 0
    subsystems:
      "nqn.2026-01.org.example:a":
        model: A model  # a comment
        serial: '0123'
        allowed_hosts:
          - nqn.2026-01.org.example:host
        namespaces:
          1:
            enabled: true
            device_path: /dev/nvme0n1
            device_uuid: 01234567-89ab-cdef-0123-456789abcdef
            device_nguid: ~
          2: { enabled: false, device_path: "/srv/disk \\x41.img" }
    ports:
      1:
        port_type: Tcp
        port_addr: "192.0.2.1:4420"
        subsystems: ["nqn.2026-01.org.example:a"]
      2:
        port_type: Loop
        subsystems: []
    """,
    "version: 0\nsubsystems: {}\nports: {}\n",
    "subsystems:\n  a: |\n      text\n",
    "ports:\n  3:\n    port_type: 'Rdma'\n    port_addr: \"[::1]:4420\"\n    subsystems:\n    - b\n",
  ].map { Array($0.utf8) }

  static let scriptSeeds: [[UInt8]] = [
    "nvmet-pci-epf --nrioq 4 start", "sudo ./nvme-epf --mdts 256 -q 4 --loop /dev/sda start",
    "sudo env A=1 'nvmet-pci-epf' --mdts 512 --mqes 64 --nsdev \"/dev/nvme0n1\" --sched none --rot start",
    "sudo -E nvme-epf-script -d -b --threads 4 --model A\\ model start",
    "nvme-epf --tcp 192.0.2.10 4420 nqn.2026-01.org.example:remote --disable-dma start",
    "nvmet-pci-epf --buffered-io --debug stop",
  ].map { Array($0.utf8) }
}
