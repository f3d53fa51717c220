// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import EndpointProvisioning
internal import LibC
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

/// The options that every command has.
struct GlobalOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The kernel to work on: live, simulated (in memory) or simulated=FILE (kept in a file); EPFNVME_KERNEL sets the default.",
      valueName: "kernel"),
    completion: Candidates.kernels)
  var kernel: KernelChoice?

  @Option(
    help: ArgumentHelp(
      "The release of a new simulated kernel: 6.14 to 7.3 (nvmet_pci_epf), also with the stable release as 6.14.2, or 6.12 (pci_epf_nvme); 7.2 is 7.2.13.",
      valueName: "release"))
  var kernelRelease: SimulatedKernel.Release?

  @Flag(help: "Print the result, or the error, as JSON.")
  var json = false

  @Flag(name: [.short, .long], help: "Show every step with its reason.")
  var verbose = false

  @Flag(name: [.short, .long], help: "Show errors only.")
  var quiet = false

  @Option(help: ArgumentHelp("Colour: auto, always or never.", valueName: "when"))
  var color: ColorChoice = .auto

  @Option(
    help: ArgumentHelp(
      "The limit of each wait: for the kernel (default: 5) and for another run of epfnvme (default: 0).",
      valueName: "seconds"))
  var timeout: Double?

  func validate() throws {
    if let timeout, !(timeout >= 0 && timeout <= 86400) {
      throw ValidationError("--timeout takes 0 to 86400 seconds.")
    }
  }

  var terminal: Terminal { Terminal(color: color, isQuiet: quiet, isVerbose: verbose) }

  /// The machine that the options name.
  /// - Parameter profile: the profile for which a new simulated kernel is created.
  /// - Throws: ``ProvisioningError`` when a simulated kernel's file cannot be used.
  func provisioner(for profile: Profile? = nil) throws(ProvisioningError) -> Provisioner {
    let choice = kernel ?? KernelChoice.fromEnvironment
    var provisioner: Provisioner
    switch choice {
    case .live:
      provisioner = Provisioner(.live(), run: RunDirectory())
    case .simulated(let file):
      let board = SimulatedBoard.machine(for: profile, named: file ?? "")
      if let file {
        let kernel = try Self.simulatedKernel(in: file, kernelRelease, board)
        provisioner = Provisioner(.simulated(kernel), run: RunDirectory(FilePath(file + ".run")))
      } else {
        // The kernel exists only in this process, and so does its run directory.
        let run = FilePath("/tmp/epfnvme-\(geteuid())-\(getpid())")
        Terminal.directoryToRemove = run.string
        provisioner = Provisioner(
          .simulated(SimulatedKernel(kernelRelease ?? .linux7_2, machine: board)),
          run: RunDirectory(run))
      }
    }
    if let timeout {
      provisioner.timeout = .seconds(timeout)
      provisioner.lockTimeout = .seconds(timeout)
    }
    return provisioner
  }

  /// The simulated kernel in a file; a new one if the file does not exist.
  /// - Parameters:
  ///   - kernelRelease: the kernel to simulate; nil selects that of the file, or `7.2` for a new one.
  ///   - board: the machine around a new one.
  /// - Throws: ``ProvisioningError`` when the file cannot be used, or when its kernel is another one.
  static func simulatedKernel(
    in file: String, _ kernelRelease: SimulatedKernel.Release? = nil,
    _ board: SimulatedKernel.Machine? = nil
  ) throws(ProvisioningError) -> SimulatedKernel {
    let kernel: SimulatedKernel
    do {
      kernel = try SimulatedKernel(
        contentsOf: FilePath(file), kernelRelease: kernelRelease ?? .linux7_2,
        machine: board ?? SimulatedBoard.machine(for: nil, named: file))
    } catch {
      throw ProvisioningError(
        .cannotCreate, "cannot use the simulated kernel: \(error)", path: file,
        hint: "name a file in a directory that you can write to")
    }
    guard kernelRelease == nil || kernelRelease == kernel.kernelRelease else {
      throw ProvisioningError(
        .impossible,
        "the simulated kernel in \(file) has the kernel release \(kernel.kernelRelease.rawValue)",
        operation: "open", path: file, value: kernelRelease?.rawValue,
        hint: "--kernel-release is for a new one: name another file, or remove this one")
    }
    return kernel
  }

  /// The ID of the machine around the simulated kernel in a file, which need not exist yet; nil for another kernel.
  var simulatedMachineID: String? {
    get throws(ProvisioningError) {
      guard case .simulated(let file?) = kernel ?? KernelChoice.fromEnvironment else { return nil }
      do {
        return try SimulatedKernel.snapshot(of: FilePath(file))?.facts.machineID
          ?? SimulatedBoard.machine(for: nil, named: file).machineID
      } catch {
        throw ProvisioningError(
          .inputMissing, "cannot read the simulated kernel in \(file): \(error)", operation: "read",
          path: file)
      }
    }
  }

  var isSimulated: Bool {
    if case .simulated = kernel ?? KernelChoice.fromEnvironment { true } else { false }
  }

  /// For commands that inspect the machine on which they run.
  /// - Throws: ``ProvisioningError`` when a simulated kernel is chosen.
  func needsThisMachine(_ reason: String, for operation: String) throws(ProvisioningError) {
    guard isSimulated else { return }
    throw ProvisioningError(
      .impossible, reason, operation: operation,
      hint:
        "\(operation) inspects this machine: omit --kernel and EPFNVME_KERNEL, or use --kernel live"
    )
  }

  /// The driver to emulate: the requested one, or the one that the profile requires.
  func emulatedRelease(for profile: Profile) -> SimulatedKernel.Release {
    kernelRelease ?? SimulatedKernel.Release(for: profile)
  }

  /// Runs a command; errors are printed in the requested format and end the process with their exit code.
  /// - Parameters:
  ///   - inJSON: whether the result is JSON, with or without `--json`.
  ///   - inLines: whether its JSON is an object on a line.
  func run(inJSON: Bool = false, inLines: Bool = false, _ work: () throws -> Void) throws {
    defer { Terminal.removeTemporaryDirectory() }
    func show(_ failure: Failure) {
      guard json || inJSON else { return }
      print(inLines ? failure.json.compactText : failure.json.prettyText)
    }
    do { try work() } catch let error as ProvisioningError {
      show(Failure(error))
      // Scripts read standard output; this is for users.
      terminal.complain(error)
      throw Ending(code: error.exitCode)
    } catch let located as LocatedIssues {
      show(Failure(located))
      for issue in located.issues.issues { terminal.complain(issue, in: located.file) }
      throw Ending(code: 65)
    } catch let error as ValidationError {
      // It depends on the profile or the machine. The parser would add the usage of the root command.
      show(Failure(usage: error.message))
      Terminal.printLine("Error: \(error.message)")
      throw Ending(code: 64)
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

/// The issues of a profile, with the name of its file.
struct LocatedIssues: Error {
  var file: String
  var issues: ProfileIssues
}
