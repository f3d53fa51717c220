// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract:
      "Export this machine's configuration as a profile, nvmetcli JSON or a script.",
    discussion: """
      Without a name everything is exported, including objects that epfnvme did not create. What the format cannot \
      represent is reported on standard error. Nothing is changed.

      The nvmetcli format holds the kernel's NVMe target only: hosts, ports, subsystems. The shell format is a script: \
      run it with the argument up or down.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case profile, nvmetcli, shell }

  @OptionGroup var global: GlobalOptions
  @Argument(help: "Export only the objects of these profiles.", completion: Candidates.names)
  var names: [String] = []
  @Option(help: "profile, nvmetcli or shell.") var format: Format = .profile
  @Option(help: ArgumentHelp("The name of the exported profile.", valueName: "name"))
  var `as`: String?
  @Flag(help: "Write DH-HMAC-CHAP secrets; without it they are hidden.") var withSecrets = false
  @OptionGroup var file: OutputFile

  func validate() throws {
    if global.json, format == .shell {
      throw ValidationError("--format shell is a script: omit --json.")
    }
    if let name = `as`, let problem = Profile.problem(withName: name) {
      throw ValidationError("--as: \(problem).")
    }
    if format == .nvmetcli, `as` != nil {
      throw ValidationError("--as names a profile; nvmetcli's JSON has no name.")
    }
  }

  func run() throws {
    try global.run {
      let provisioner = try global.provisioner()
      let text: String
      let warnings: [ProfileIssue]
      switch format {
      case .nvmetcli:
        let export = try provisioner.exportNvmetcli(names, withSecrets: withSecrets)
        (text, warnings) = (export.json.prettyText + "\n", export.warnings)
      case .profile:
        let export = try provisioner.export(names, as: `as`, withSecrets: withSecrets)
        (text, warnings) = (export.profile.json.prettyText + "\n", export.warnings)
      case .shell:
        let export = try provisioner.export(names, as: `as`, withSecrets: withSecrets)
        let plan = try provisioner.planFromNothing(export.profile)
        (text, warnings) = (plan.shellScript, export.warnings)
      }
      for warning in warnings { global.terminal.complain(warning, in: provisioner.machine.label) }
      try file.write(text)
    }
  }
}
