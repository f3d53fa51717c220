// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ConfigFS
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Convert nvmetcli JSON, nvmetcfg YAML or a script's command line to a profile.",
    usage: "epfnvme import [<options>] [<input>]",
    discussion: """
      Needs neither root nor a board and changes nothing. What cannot be converted is an error or a warning with its \
      reason.

        epfnvme import /etc/nvmet/config.json --output disk.json
        epfnvme import --from-script 'nvmet-pci-epf --nrioq 4 --mdts 256 start'

      Scripts: nvmet-pci-epf (nvmet_pci_epf), nvme-epf and nvme-epf-script (pci_epf_nvme), also behind sudo. A file that \
      does not begin with { is the YAML that nvmet state save of nvmetcfg writes. Exit code 65: the input is malformed.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(
    help: "The JSON of nvmetcli or the YAML of nvmetcfg; - is standard input.",
    completion: .file(extensions: ["json", "yaml", "yml"]))
  var input: String?
  @Option(help: ArgumentHelp("The command line of a script.", valueName: "command"))
  var fromScript: String?
  @Option(help: ArgumentHelp("The profile's name; by default the input's.", valueName: "name"))
  var name: String?
  @OptionGroup var file: OutputFile

  func validate() throws {
    if (input == nil) == (fromScript == nil) {
      throw ValidationError("Give either a file or --from-script 'COMMAND'.")
    }
    if let name, let problem = Profile.problem(withName: name) {
      throw ValidationError("--name: \(problem).")
    }
  }

  func run() throws {
    try global.run {
      let source = input ?? "(script)"
      let bytes = try input.map { path throws(ProvisioningError) in try read(path) }
      let found: Import
      do throws(ProfileIssues) {
        found =
          if let fromScript {
            try Import(script: fromScript, as: name)
          } else {
            try Import(document: bytes ?? [], as: name ?? Self.name(of: source))
          }
      } catch { throw LocatedIssues(file: source, issues: error) }
      for warning in found.warnings { global.terminal.complain(warning, in: source) }
      try file.write(found.profile.json.prettyText + "\n")
    }
  }

  private func read(_ path: String) throws(ProvisioningError) -> [UInt8] {
    do {
      return try path == "-" ? StandardDescriptors.readInput() : readBytes(FilePath(path))
    } catch {
      throw ProvisioningError(
        .inputMissing, "cannot read \(path): \(error.nameAndText)", operation: "read", path: path,
        errno: error, hint: "nvmetcli save FILE writes one, nvmet state save FILE too")
    }
  }

  /// The file's name without its ending, when a profile can have it.
  private static func name(of path: String) -> String {
    let stem = FilePath(path).stem ?? ""
    return Profile.problem(withName: stem) == nil ? stem : "imported"
  }
}
