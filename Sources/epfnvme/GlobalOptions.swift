// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import BlockDevices
internal import ConfigFS
internal import Glibc
internal import KernelEvents
internal import KernelModules
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// The options that every command has.
struct GlobalOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The kernel to work on: live, simulated (in memory) or simulated=FILE (kept in a file).",
      discussion: "EPFNVME_KERNEL sets the default.", valueName: "kernel"),
    completion: Candidates.kernels)
  var kernel: KernelChoice?

  @Option(
    help: ArgumentHelp(
      "What a new simulated kernel imitates: mainline-7.2 (nvmet_pci_epf) or seed-6.12 (pci_epf_nvme).",
      valueName: "name"), completion: Candidates.personalities)
  var personality: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(name: [.short, .long], help: "Show every step with its reason.")
  var verbose = false

  @Flag(name: [.short, .long], help: "Show errors only.")
  var quiet = false

  @Option(help: ArgumentHelp("Colour: auto, always or never.", valueName: "when"))
  var color: ColorChoice = .auto

  @Option(
    help: ArgumentHelp(
      "The limit of each wait: for the kernel (5 without this), and for another run (0).",
      valueName: "seconds"))
  var timeout: Double?

  func validate() throws {
    if let timeout, !(timeout >= 0 && timeout <= 86400) {
      throw ValidationError("--timeout takes 0 to 86400 seconds.")
    }
    if let personality, SimulatedKernel.Personality(rawValue: personality) == nil {
      throw ValidationError(
        "--personality takes "
          + SimulatedKernel.Personality.allCases.map(\.rawValue).joined(separator: " or ") + ".")
    }
  }

  var terminal: Terminal { Terminal(color: color, isQuiet: quiet, isVerbose: verbose) }

  /// The machine that the options name.
  /// - Throws: ``ProvisioningError`` when a simulated kernel's file cannot be used.
  func provisioner() throws(ProvisioningError) -> Provisioner {
    let choice = kernel ?? KernelChoice.fromEnvironment
    var provisioner: Provisioner
    switch choice {
    case .live:
      provisioner = Provisioner(.live(), run: RunDirectory())
    case .simulated(let file):
      let personality =
        personality.flatMap { SimulatedKernel.Personality(rawValue: $0) } ?? .mainline
      if let file {
        let kernel = try Self.simulatedKernel(in: file, personality)
        provisioner = Provisioner(.simulated(kernel), run: RunDirectory(FilePath(file + ".run")))
      } else {
        // Nothing outlives the process, so neither does its run directory.
        let run = FilePath("/tmp/epfnvme-\(geteuid())-\(getpid())")
        Terminal.directoryToRemove = run.string
        provisioner = Provisioner(
          .simulated(SimulatedKernel(personality, machine: Self.board)), run: RunDirectory(run))
      }
    }
    if let timeout {
      provisioner.timeout = .seconds(timeout)
      provisioner.lockTimeout = .seconds(timeout)
    }
    return provisioner
  }

  /// The simulated kernel that a file keeps; a new one when there is no file.
  /// - Throws: ``ProvisioningError`` when the file cannot be used.
  static func simulatedKernel(
    in file: String, _ personality: SimulatedKernel.Personality = .mainline
  ) throws(ProvisioningError) -> SimulatedKernel {
    do {
      return try SimulatedKernel(
        contentsOf: FilePath(file), personality: personality, machine: board)
    } catch {
      throw ProvisioningError(
        .cannotCreate, "cannot use the simulated kernel: \(error)", path: file,
        hint: "name a file in a directory that you can write to")
    }
  }

  var isSimulated: Bool {
    if case .simulated = kernel ?? KernelChoice.fromEnvironment { true } else { false }
  }

  /// For commands that look at the machine that they run on.
  /// - Throws: ``ProvisioningError`` when a simulated kernel is chosen.
  func needsThisMachine(_ reason: String, for operation: String) throws(ProvisioningError) {
    guard isSimulated else { return }
    throw ProvisioningError(
      .impossible, reason, operation: operation,
      hint: "\(operation) looks at this machine: leave --kernel away, or say --kernel live")
  }

  /// A new simulated machine: a board with a host at the other end of its cable.
  private static var board: SimulatedKernel.Machine {
    var machine = SimulatedKernel.Machine()
    for index in machine.controllers.indices { machine.controllers[index].cable = .host }
    return machine
  }

  /// The driver that an emulation imitates: the one asked for, or the one that the profile needs.
  func emulatedPersonality(for profile: Profile) -> SimulatedKernel.Personality {
    if let named = personality.flatMap({ SimulatedKernel.Personality(rawValue: $0) }) {
      return named
    }
    let isRemote = profile.functions.contains { if case .tcp = $0.target { true } else { false } }
    return profile.driver == .pciEPFNVMe || isRemote ? .seed : .mainline
  }

  /// Runs a command's work; errors are shown as the options ask and end the process with their exit code.
  /// - Parameter inLines: whether its JSON is an object on a line.
  func run(inLines: Bool = false, _ work: () throws -> Void) throws {
    defer { Terminal.removeTemporaryDirectory() }
    do { try work() } catch let error as ProvisioningError {
      let code = error.exitCode
      if json {
        let json = error.json(code: code)
        print(inLines ? json.compactText : json.prettyText)
      }
      // Scripts read standard output; whoever watches reads this.
      terminal.complain(error)
      throw Ending(code: code)
    } catch let located as LocatedIssues {
      if json {
        print(located.json.prettyText)
      } else {
        for issue in located.issues.issues { terminal.complain(issue, in: located.file) }
      }
      throw Ending(code: 65)
    }
  }
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
  case auto, always, never
}

enum KernelChoice: ExpressibleByArgument {
  case live
  case simulated(file: String?)

  init?(argument: String) {
    switch argument {
    case "live": self = .live
    case "simulated": self = .simulated(file: nil)
    default:
      let prefix = "simulated="
      guard argument.hasPrefix(prefix), argument.count > prefix.count else { return nil }
      self = .simulated(file: String(argument.dropFirst(prefix.count)))
    }
  }

  static var fromEnvironment: KernelChoice {
    guard let text = unsafe getenv("EPFNVME_KERNEL").map({ unsafe String(cString: $0) }) else {
      return .live
    }
    return KernelChoice(argument: text) ?? .live
  }
}

/// What is wrong in a profile, with the name of its file.
struct LocatedIssues: Error {
  var file: String
  var issues: ProfileIssues

  var json: JSONValue {
    let first = issues.issues.first { $0.severity == .error }
    return [
      "error": [
        "code": 65, "operation": "validate", "path": .string(file), "value": .null, "errno": .null,
        "message": .string(first?.text(file: file) ?? "malformed profile"),
        "hint": JSONValue(first?.hint), "kernelLog": [],
        "issues": .array(issues.issues.map(\.json)),
      ]
    ]
  }
}
