// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Checks
internal import LinuxFiles
internal import Provisioning
internal import SimulatedKernel

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Find out whether this machine can be an NVMe endpoint, and what mends it if not.",
    discussion: """
      Looks at kernel options, modules, configfs, endpoint controllers, functions, targets, backings, journals and the kernel's log. With a
      profile it also says whether this machine can carry it out. Each finding has an id, what was seen and where, what it means, and what
      mends it. Without root it says what it could not see and concludes nothing from that.

      Exit code 0: no finding is an error; 1: one is.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(help: "The profile; - is standard input.", completion: Candidates.profiles)
  var profile: String?

  func run() throws {
    try global.run {
      let profile = try profile.map { try ProfileArgument.read($0) }
      let provisioner = try global.provisioner()
      let files: any SystemFiles =
        (provisioner.machine.configFS as? SimulatedKernel)?.systemFiles ?? LiveSystemFiles()
      let diagnosis = Doctor(provisioner, files: files).examine(profile)
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
