// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import LibC
internal import LinuxFiles
internal import Provisioning

/// The command line: commands parse, call the library and show the result.
@main
struct EPFNVMe: ParsableCommand {
  static let version = "0.1.0"

  static let introduction = """
    Try it on any machine, without a board:

      epfnvme setup --kernel simulated=/tmp/board
      epfnvme status --kernel simulated=/tmp/board
      epfnvme teardown --kernel simulated=/tmp/board

    On a board, as root:

      epfnvme doctor my.json       diagnose the machine for a profile
      epfnvme validate my.json     check a profile; change nothing
      epfnvme plan my.json         show what setup would do, and why
      epfnvme setup my.json        apply the profile in one transaction
      epfnvme check my.json        compare the machine with the profile
      epfnvme teardown my.json     remove what setup created

    Results go to standard output, everything else to standard error.
    """

  static let configuration = CommandConfiguration(
    commandName: "epfnvme",
    abstract: "Turn a Linux board with a PCIe endpoint controller into an NVMe SSD.",
    discussion: """
      \(introduction)

      Exit codes:

      \(ExitCodes.helpText)
      """,
    version: version,
    subcommands: [
      ManualCommand.self,
      SetupCommand.self, PlanCommand.self, TeardownCommand.self, StatusCommand.self,
      ValidateCommand.self, StartCommand.self, StopCommand.self, BounceCommand.self,
      ControllersCommand.self, CheckCommand.self, SmokeCommand.self, DoctorCommand.self,
      PredictCommand.self, EmulateCommand.self, ServeCommand.self, LinkCommand.self,
      DiffCommand.self, ExportCommand.self, ImportCommand.self, MonitorCommand.self,
      DebugCommand.self,
      HostCommand.self,
      ExchangeCommand.self,
    ])

  static func main() {
    // Before anything can open a file that would get the number of a closed one.
    StandardDescriptors.openMissing()
    // A reader that leaves early, or a limit on the size of files, is no reason to die in the middle of a transaction.
    _ = signal(SIGPIPE, SIG_IGN)
    _ = signal(SIGXFSZ, SIG_IGN)
    LibC.exit(Output.finish(perform()))
  }

  /// Parses the command line and runs the command.
  /// - Returns: its exit code.
  private static func perform() -> CInt {
    do {
      var command = try parseAsRoot()
      try command.run()
      return 0
    } catch let ending as Ending {
      return ending.code
    } catch {
      let code = exitCode(for: error)
      let message = fullMessage(for: error)
      if code == .success {
        print(BashCompletions.completed(message))
        return 0
      }
      if code == .validationFailure, asksForJSON {
        let hint = message.split(separator: "\n").last { $0.contains(" --help'") }
        let failure = Failure(
          usage: Self.message(for: error),
          hint: hint.map { String($0.drop { $0 == " " }) })
        print(failure.json.compactText)
      }
      if !message.isEmpty { Terminal.printLine(message) }
      return code == .validationFailure ? 64 : code.rawValue
    }
  }

  /// Whether a command line that cannot be parsed requests JSON.
  private static var asksForJSON: Bool {
    let words = CommandLine.arguments.dropFirst().prefix { $0 != "--" }
    let asksPlan =
      words.first == "plan"
      && (words.contains("--format=json")
        || zip(words, words.dropFirst()).contains { $0 == ("--format", "json") })
    return words.contains("--json") || asksPlan
  }
}
