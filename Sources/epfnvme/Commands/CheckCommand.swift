// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BoardTests
internal import HostTools
internal import Provisioning

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Compare this machine with a profile, value by value.",
    discussion: """
      On the board, every module, device, attribute, link and controller of the profile is compared, and the kernel log is \
      searched for errors of the driver. With --host, on the machine that sees the disk, configuration space, registers and \
      Identify are compared with the emulation of the profile's driver; values that depend on the board are checked by \
      rule. Nothing is changed.

      With --lockstep the disk is unbound from its driver, the controller is enabled, disabled and shut down by register \
      writes, and every change of CSTS is compared with the emulation. This is refused while the disk is in use, and needs \
      --destructive.

      Exit code 0: no difference; 1: something differs; 4: nothing could be inspected. With --verbose, values that agree are \
      shown as well.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ProfileSource
  @Option(
    help: ArgumentHelp(
      "The disk on this machine: a PCI function (0000:01:00.0), /dev/nvmeN, or auto.",
      valueName: "device"), completion: Candidates.hostDevices)
  var host: String?
  @Flag(
    help:
      "Expect the reference controller instead of the driver's (with --host)."
  )
  var reference = false
  @Flag(help: "Also drive the controller's registers (with --host).") var lockstep = false
  @Flag(help: "Allow --lockstep to unbind the disk from its driver.") var destructive = false

  func validate() throws {
    if reference, host == nil { throw ValidationError("--reference requires --host.") }
    if lockstep, host == nil { throw ValidationError("--lockstep requires --host.") }
    if destructive, !lockstep { throw ValidationError("--destructive requires --lockstep.") }
    if lockstep, !destructive {
      throw ValidationError(
        "--lockstep unbinds the disk from its driver: add --destructive if its data may be lost.")
    }
  }

  func run() throws {
    try global.run {
      let located = try source.located()
      let check: Check
      if let host {
        let side = try global.hostSide(located, disk: host, isReference: reference)
        for issue in side.ignored { global.terminal.complain(issue, in: source.name) }
        check = try side.check(withLockstep: lockstep)
      } else {
        check = try BoardCheck.run(
          located, on: try global.provisioner(for: located.profile))
      }
      if global.json {
        print(check.json.prettyText)
      } else if !global.quiet {
        show(check, located.profile.name)
      }
      if !check.hasPassed { throw Ending(code: 1) }
      if check.skipped.count == check.cases.count { throw Ending(code: 4) }
    }
  }

  private func show(_ check: Check, _ name: String) {
    let terminal = global.terminal
    for item in check.cases where global.verbose || !item.hasPassed {
      switch item.outcome {
      case .passed: print("\(terminal.paint("ok  ", .green)) \(Terminal.printable(item.id))")
      case .skipped(let reason):
        print("skip \(Terminal.printable("\(item.id): \(reason)"))")
      case .failed:
        let actual = item.actual.map { "\"\($0)\"" } ?? "missing"
        let words = "\(item.id): \(actual), should be \"\(item.expected)\""
        print("\(terminal.paint("FAIL", .red)) \(Terminal.printable(words))")
        print(terminal.paint("     \(item.meaning)", .dim))
      }
    }
    let skipped = check.skipped.count
    let looked = check.cases.count - skipped
    let rest = skipped > 0 ? ", \(skipped) skipped" : ""
    print(
      check.hasPassed
        ? "\(name): \(looked) cases, all as expected\(rest)"
        : "\(name): \(check.failures.count) of \(looked) cases differ\(rest)")
  }
}

extension GlobalOptions {
  /// The host of a profile's disk.
  /// - Throws: ``ProvisioningError`` when a simulated kernel is chosen, or the profile cannot be emulated.
  func hostSide(
    _ located: Profile.Located, disk: String, isReference: Bool = false
  ) throws(ProvisioningError) -> HostSide {
    try needsThisMachine("a simulated kernel has no PCI bus of a host", for: "check")
    return try HostSide(
      located, emulatedRelease(for: located.profile), disk: disk, isReference: isReference)
  }
}
