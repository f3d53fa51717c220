// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning
internal import SimulatedKernel

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check profiles; needs no root and changes nothing.",
    usage: "epfnvme validate [<options>] <profiles> ...",
    discussion: """
      With --kernel simulated=FILE, the identities that the profiles get on that machine are checked too. With \
      --kernel-release the rules that depend on the kernel are those of that release.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(help: "The profiles; - is standard input.", completion: Candidates.profiles)
  var profiles: [String]

  func run() throws {
    var code: CInt = 0
    var reports: [JSONValue] = []
    let machineID = Result { () throws(ProvisioningError) in try global.simulatedMachineID }
    for file in profiles {
      do {
        let located = try ProfileArgument.read(file)
        let issues = try issues(of: located, on: machineID.get())
        if issues.hasErrors { throw LocatedIssues(file: file, issues: issues) }
        reports.append([
          "file": .string(file), "valid": true, "name": .string(located.profile.name),
          "issues": .array(issues.issues.map(\.json)),
        ])
        guard !global.json else { continue }
        for issue in issues.issues { global.terminal.complain(issue, in: file) }
        if !global.quiet { print("\(file): valid") }
      } catch let error as LocatedIssues {
        code = max(code, 65)
        reports.append([
          "file": .string(file), "valid": false,
          "issues": .array(error.issues.issues.map(\.json)),
        ])
        if !global.json {
          for issue in error.issues.issues { global.terminal.complain(issue, in: file) }
        }
      } catch let error as ProvisioningError {
        code = max(code, error.exitCode)
        reports.append([
          "file": .string(file), "valid": false, "error": Failure(error).value, "issues": [],
        ])
        if !global.json { global.terminal.complain(error) }
      }
    }
    if global.json { print(JSONValue.array(reports).prettyText) }
    if code != 0 { throw Ending(code: code) }
  }

  /// The issues that do not depend on a machine, and those of the kernel and the machine that the options select.
  private func issues(of located: Profile.Located, on machineID: String?) -> ProfileIssues {
    var issues = located.warnings
    if let release = global.kernelRelease {
      issues = located.issues(onRelease: release.uname, driver: release.functionDriver)
    }
    if let machineID {
      issues += located.identityIssues(on: machineID).filter { issue in
        !located.warnings.contains { $0.message == issue.message }
      }
    }
    return ProfileIssues(issues)
  }
}
