// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check profiles; needs no root and changes nothing.",
    usage: "epfnvme validate [<options>] <profiles> ...",
    discussion: """
      With --kernel simulated=FILE, the identities that the profiles get on that machine are checked too.
      """)

  @OptionGroup var global: GlobalOptions
  @Argument(help: "The profiles; - is standard input.", completion: Candidates.profiles)
  var profiles: [String]

  func run() throws {
    var code: CInt = 0
    var reports: [JSONValue] = []
    for file in profiles {
      do {
        let located = try ProfileArgument.read(file)
        if let machineID = try global.simulatedMachineID {
          let more = located.identityIssues(on: machineID).filter { issue in
            !located.warnings.contains { $0.message == issue.message }
          }
          let issues = ProfileIssues(located.warnings + more)
          if issues.hasErrors { throw LocatedIssues(file: file, issues: issues) }
        }
        reports.append([
          "file": .string(file), "valid": true, "name": .string(located.profile.name),
          "issues": .array(located.warnings.map(\.json)),
        ])
        guard !global.json else { continue }
        for issue in located.warnings { global.terminal.complain(issue, in: file) }
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
}
