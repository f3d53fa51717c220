// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Doctor
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Diagnose whether this machine can be an NVMe endpoint.",
    usage: "epfnvme doctor [<options>] [<profile>]",
    discussion: """
      Inspects kernel options, modules, configfs, endpoint controllers, functions, targets, backings, journals and the \
      kernel log, and with a profile also whether this machine can carry it out. Each finding has an id, the evidence, its \
      meaning, and how to fix it. Without root the doctor reports what it could not read and draws no conclusion from it.

      Exit code 0: no finding is an error; 1: at least one is.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(help: "The profile; - is standard input.", completion: Candidates.profiles)
  var profile: String?

  func run() throws {
    try global.run {
      let profile = try profile.map { try ProfileArgument.read($0) }
      let provisioner = try global.provisioner(for: profile?.profile)
      let files: any SystemFiles =
        (provisioner.machine.configFS as? SimulatedKernel)?.systemFiles ?? LiveSystemFiles()
      let diagnosis = MachineDoctor(provisioner, files: files).examine(profile)
      if global.json {
        print(diagnosis.json.prettyText)
      } else {
        print(
          DiagnosisText(
            diagnosis: diagnosis, terminal: global.terminal,
            isBrief: global.quiet
          ).text)
      }
      if !diagnosis.isFit { throw Ending(code: 1) }
    }
  }
}
