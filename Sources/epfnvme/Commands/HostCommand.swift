// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import HostTools
internal import LibC
internal import KernelEvents
internal import Provisioning
internal import SystemPackage

struct HostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "host",
    abstract: "Find, explain, rescan, rebind or remove the disk on the host.",
    discussion: """
      For the machine at the other end of the cable. Disks are found by PCI class and by the IDs of --profile, or of \
      --vendor and --device.

        epfnvme host find
        epfnvme host explain
        epfnvme host rescan --profile my.json
        epfnvme host rebind --vendor 0x15b7 --device 0x5fff
        epfnvme host remove 0000:01:00.0
      """,
    subcommands: [
      HostFindCommand.self, HostExplainCommand.self, HostRescanCommand.self, HostRebindCommand.self,
      HostRemoveCommand.self,
    ])
}

struct HostFindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "find", abstract: "List the NVMe controllers on this machine's bus.",
    usage: "epfnvme host find [<options>]",
    discussion: """
      Shows name, IDs, driver, controller, state, namespaces, and what uses them. With IDs only matching controllers are \
      listed, and the exit code is 66 when there is none; with --all every controller is listed, and a star marks those \
      that match.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var ids: DiskOptions
  @Flag(help: "With IDs: list the other controllers as well.") var all = false

  func run() throws {
    try global.run {
      let (bus, query) = (try global.hostBus(), try ids.query())
      let disks = try bus.disks(all ? nil : query?.ids, wanted: query?.ids)
      if let query, !disks.contains(where: { $0.isWanted == true }) {
        throw HostBus.notThere(query)
      }
      DiskList.show(disks, global)
    }
  }
}

struct HostExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Explain why a disk does not work on this machine.",
    usage: "epfnvme host explain [<options>] [<profile>]",
    discussion: """
      The same as the command doctor with --host: findings from the kernel log, the PCI bus, IOMMU and interrupts, each \
      with evidence, meaning and fix; with a profile also whether the disk of the profile is there. Exit code 0: no finding \
      is an error; 1: at least one is.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var saved: SavedLogOption
  @Argument(help: "The profile; - is standard input.", completion: Candidates.profiles)
  var profile: String?

  func validate() throws { try saved.check(with: profile) }

  func run() throws {
    try global.run {
      try global.explainHost(saved, try profile.map { try ProfileArgument.read($0).profile })
    }
  }
}

struct HostRescanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rescan", abstract: "Rescan the PCI bus for new devices.",
    usage: "epfnvme host rescan [<options>]",
    discussion: """
      With IDs the command waits, up to the limit of --timeout, until a matching disk is live and has a namespace; the \
      exit code is 75 when none appears. Without IDs it lists the controllers that are present after the rescan.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var ids: DiskOptions
  @Option(help: ArgumentHelp("Only this bus (0000:01).", valueName: "bus")) var bus: String?

  func run() throws {
    try global.run {
      let (machine, query) = (try global.hostBus(), try ids.query())
      do throws(HostViewError) { try machine.rescan(bus) } catch { throw ProvisioningError(error) }
      Output.hasChanged("the PCI bus was rescanned")
      if let query {
        try global.wait("no disk with \(query.words) became usable", "rescan") {
          machine.isUsable(query.ids)
        }
      }
      DiskList.show(try machine.disks(query?.ids, wanted: query?.ids), global)
    }
  }
}

struct HostRebindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebind",
    abstract: "Unbind a disk from its driver and bind it to the NVMe driver again.",
    usage: "epfnvme host rebind [<options>] [<disk>]",
    discussion: """
      The driver resets and probes the controller again. The command waits, up to the limit of --timeout, until the \
      controller is live and has a namespace. It is refused with exit code 64 while the disk is mounted, used as swap, \
      part of another device or opened exclusively, or bound to a driver other than nvme, unless --force is given.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var target: DiskArgument

  func run() throws {
    try global.run {
      let device = try target.device(global)
      // Between unbind and bind no signal may end the process.
      Signals.remember()
      do throws(HostViewError) { try device.rebind(force: target.force) } catch {
        throw ProvisioningError(error)
      }
      Output.hasChanged("\(device.name) was rebound to its driver")
      try global.wait(
        "\(device.name) is bound to its driver, but has no usable disk", "rebind"
      ) { device.isUsable }
      DiskList.show(try global.hostBus().disks(named: device.name), global)
    }
  }
}

struct HostRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a disk from the PCI bus, as if it were unplugged.",
    usage: "epfnvme host remove [<options>] [<disk>]",
    discussion: """
      For a board that is about to be switched off or restarted; the rescan command finds it again. Refused with exit code \
      64 while the disk is mounted, used as swap, part of another device or opened exclusively, unless --force is given.
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var target: DiskArgument

  func run() throws {
    try global.run {
      let device = try target.device(global)
      do throws(HostViewError) { try device.remove(force: target.force) } catch {
        throw ProvisioningError(error)
      }
      Output.hasChanged("\(device.name) was removed")
      if global.json {
        print((["name": .string(device.name), "removed": true] as JSONValue).prettyText)
      } else if !global.quiet {
        print("\(device.name): removed")
      }
    }
  }
}

/// IDs from a profile or from options.
struct DiskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The profile whose functions have the IDs of the disk.", valueName: "file"),
    completion: Candidates.profiles)
  var profile: String?
  @Option(help: ArgumentHelp("PCI vendor ID.", valueName: "hex")) var vendor: String?
  @Option(help: ArgumentHelp("PCI device ID.", valueName: "hex")) var device: String?

  func validate() throws {
    guard (vendor == nil) == (device == nil) else {
      throw ValidationError("--vendor and --device require each other.")
    }
    guard vendor == nil || profile == nil else {
      throw ValidationError(
        "--profile cannot be combined with --vendor and --device: the profile has the IDs.")
    }
    for (name, text) in [("--vendor", vendor), ("--device", device)] {
      if let text, Self.number(text) == nil {
        throw ValidationError("\(name) takes 0x0000 to 0xffff, not \(text).")
      }
    }
  }

  /// nil when no ids are given.
  func query() throws -> DiskQuery? {
    if let profile { return DiskQuery(try ProfileArgument.read(profile).profile) }
    guard let vendor = vendor.flatMap(Self.number), let device = device.flatMap(Self.number) else {
      return nil
    }
    return DiskQuery(DiskIDs(vendorID: vendor, deviceID: device))
  }

  /// Hexadecimal with or without `0x`, as lspci prints them.
  private static func number(_ text: String) -> UInt16? {
    UInt16(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16)
  }
}

/// The one disk that is changed.
struct DiskArgument: ParsableArguments {
  @Argument(
    help: "A PCI function (0000:01:00.0) or /dev/nvmeN; by default the disk with the IDs.",
    completion: Candidates.disks)
  var disk: String?
  @OptionGroup var options: DiskOptions
  @Flag(help: "Proceed although the disk is in use.") var force = false

  func validate() throws {
    let hasIDs = options.profile != nil || options.vendor != nil
    if disk == nil, !hasIDs {
      throw ValidationError(
        "Name the disk: a PCI function, /dev/nvmeN, a --profile, or --vendor and --device.")
    }
    if disk != nil, hasIDs {
      throw ValidationError("A named disk cannot be combined with --profile, --vendor or --device.")
    }
  }

  func device(_ global: GlobalOptions) throws -> BusDevice {
    let bus = try global.hostBus()
    guard let query = try options.query() else {
      do throws(HostViewError) { return try bus.device(disk ?? "") } catch {
        throw ProvisioningError(error)
      }
    }
    return try bus.device("auto", with: query)
  }
}

extension GlobalOptions {
  /// - Throws: ``ProvisioningError`` when a simulated kernel is chosen.
  fileprivate func hostBus() throws(ProvisioningError) -> HostBus {
    try needsThisMachine("a simulated kernel has no PCI bus of a host", for: "host")
    return HostBus()
  }

  /// Waits for a disk.
  /// - Throws: ``ProvisioningError`` when it does not appear in time, or a signal arrives.
  fileprivate func wait(
    _ words: String, _ operation: String, until condition: () -> Bool
  ) throws(ProvisioningError) {
    Signals.remember()
    let limit = timeout ?? 5
    let isThere = LiveEvents().wait(upTo: .seconds(limit)) { Signals.caught != nil || condition() }
    if let signal = Signals.caught {
      var error = ProvisioningError(
        .interrupted, "interrupted by signal \(signal) while waiting for the disk",
        operation: operation)
      error.signal = signal
      throw error
    }
    guard isThere else {
      throw ProvisioningError(
        .timedOut, "\(words) within \(limit) s", operation: operation,
        hint: "--timeout SECONDS waits longer; see dmesg for the NVMe driver's reason")
    }
  }
}

/// Prints disks as text or JSON.
private enum DiskList {
  static func show(_ disks: [HostDisk], _ global: GlobalOptions) {
    if global.json {
      print(JSONValue.array(disks.map(\.json)).prettyText)
      return
    }
    guard !global.quiet else { return }
    for disk in disks { print(Terminal.printable(text(disk))) }
    if disks.isEmpty { global.terminal.note("no NVMe controller is on this machine's bus") }
  }

  private static func text(_ disk: HostDisk) -> String {
    let mark = disk.isWanted.map { $0 ? "* " : "  " } ?? ""
    var lines = [
      "\(mark)\(disk.name)  \(disk.ids.text)  \(disk.driver ?? "no driver")"
        + (disk.controller.map { "  \($0) \(disk.state ?? "")" } ?? "")
    ]
    for space in disk.namespaces {
      lines.append("    \(space.path)" + (space.sizeBytes.map { "  \(StatusText.size($0))" } ?? ""))
    }
    for user in disk.users { lines.append("    in use: \(user)") }
    return lines.joined(separator: "\n")
  }
}
