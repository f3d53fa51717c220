// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ConfigFS
internal import Doctor
internal import HostTools
internal import KernelEvents
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel
internal import SystemPackage

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Diagnose whether this machine can be an NVMe endpoint.",
    usage: "epfnvme doctor [<options>] [<profile>]",
    discussion: """
      Inspects kernel options, modules, configfs, endpoint controllers, functions, targets, backings, journals and the \
      kernel log, and with a profile also whether this machine can carry it out. Each finding has an id, the evidence, its \
      meaning, and how to fix it. Without root the doctor reports what it could not read and draws no conclusion from it.

      With --host it diagnoses the machine that should see the disk: its kernel log, its PCI bus, IOMMU, interrupts, and \
      why an NVMe controller has no disk; with a profile also whether the disk of the profile is there. --log examines a \
      saved kernel log instead (the output of dmesg or journalctl -k), on any machine.

      Exit code 0: no finding is an error; 1: at least one is.
      """)

  @OptionGroup var global: GlobalOptions
  @Flag(help: "Diagnose the host of the disk instead of the board.") var host = false
  @OptionGroup var saved: SavedLogOption
  @Argument(help: "The profile; - is standard input.", completion: Candidates.profiles)
  var profile: String?

  func validate() throws {
    if saved.log != nil, !host { throw ValidationError("--log requires --host.") }
    try saved.check(with: profile)
  }

  func run() throws {
    try global.run {
      let profile = try profile.map { try ProfileArgument.read($0) }
      if host { return try global.explainHost(saved, profile?.profile) }
      let provisioner = try global.provisioner(for: profile?.profile)
      let files: any SystemFiles =
        (provisioner.machine.configFS as? SimulatedKernel)?.systemFiles ?? LiveSystemFiles()
      try global.show(MachineDoctor(provisioner, files: files).examine(profile))
    }
  }
}

/// A kernel log in a file.
struct SavedLogOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Examine this saved kernel log of the host only; - is standard input.", valueName: "file"),
    completion: .file())
  var log: String?

  func check(with profile: String?) throws {
    guard log != nil, profile != nil else { return }
    throw ValidationError(
      "--log cannot be combined with a profile: only the log is examined, not the bus.")
  }

  /// - Throws: ``ProvisioningError`` when it cannot be read.
  func read(_ path: String) throws(ProvisioningError) -> [UInt8] {
    do {
      return try path == "-"
        ? StandardDescriptors.readInput() : LiveSystemFiles().bytes(of: FilePath(path))
    } catch {
      throw ProvisioningError(
        .inputMissing, "cannot read the kernel log \(path): \(error.nameAndText)",
        operation: "read", path: path, errno: error,
        hint: error == .fileTooLarge
          ? "save the last boot only, on the host: sudo dmesg > FILE, or journalctl -k -b > FILE"
          : "save it on the host: sudo dmesg > FILE")
    }
  }
}

extension GlobalOptions {
  /// Diagnoses the host of a disk: this machine, or the one of a saved log.
  func explainHost(_ saved: SavedLogOption, _ profile: Profile?) throws {
    if let path = saved.log {
      let name = path == "-" ? "standard input" : FilePath(path).lastComponent?.string ?? path
      let bytes = try saved.read(path)
      if let problem = HostDoctor.problem(withLog: bytes) {
        throw ProvisioningError(
          .inputMissing, "cannot examine the kernel log \(path == "-" ? name : path): \(problem)",
          operation: "read",
          path: path, hint: "save it on the host: sudo dmesg > FILE, or journalctl -k -b > FILE")
      }
      return try show(HostDoctor.examine(savedLog: bytes, name: name))
    }
    try needsThisMachine("a simulated kernel has no PCI bus of a host", for: "doctor")
    try show(
      HostDoctor.examine(
        HostBus(), log: LiveKernelLog().allLines(), release: KernelFacts.live().release,
        profile: profile))
  }

  /// Prints a diagnosis.
  /// - Throws: ``Ending`` with exit code 1 if a finding is an error.
  func show(_ diagnosis: MachineDiagnosis) throws {
    if json {
      print(diagnosis.json.prettyText)
    } else {
      print(DiagnosisText(diagnosis: diagnosis, terminal: terminal, isBrief: quiet).text)
    }
    if !diagnosis.isFit { throw Ending(code: 1) }
  }
}
