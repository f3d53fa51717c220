// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc
internal import LinuxFiles

/// The command line: commands parse, call the library and show the result.
@main
struct EPFNVMe: ParsableCommand {
  static let version = "0.1.0"

  static let introduction = """
    Try it on any machine, without a board:

      epfnvme setup --kernel simulated=/tmp/board Configs/profiles/null_blk-loop.json
      epfnvme status --kernel simulated=/tmp/board
      epfnvme teardown --kernel simulated=/tmp/board nullblk-loop

    On a board, as root:

      epfnvme doctor my.json       can this machine do it, and what mends it if not?
      epfnvme validate my.json     check a profile; touches nothing
      epfnvme plan my.json         what would be done, and why
      epfnvme setup my.json        do it, all or nothing
      epfnvme check my.json        is everything as it should be?
      epfnvme teardown my.json     take it back, and only it

    Results go to standard output, everything else to standard error.
    """

  static let configuration = CommandConfiguration(
    commandName: "epfnvme",
    abstract: "Turn a Linux board with a PCIe endpoint controller into an NVMe SSD.",
    discussion: """
      \(introduction)

      Exit codes:

      \(ExitCodes.table.map { "  \($0.code): \($0.meaning)" }.joined(separator: "\n"))
      """,
    version: version,
    subcommands: [
      ManualCommand.self,
      SetupCommand.self, PlanCommand.self, TeardownCommand.self, StatusCommand.self,
      ValidateCommand.self, StartCommand.self, StopCommand.self, BounceCommand.self,
      ControllersCommand.self, CheckCommand.self, SmokeCommand.self, DoctorCommand.self,
      PredictCommand.self, EmulateCommand.self, ServeCommand.self, DiffCommand.self,
      ExportCommand.self, ImportCommand.self, MonitorCommand.self, DebugCommand.self,
      HostCommand.self,
      ExchangeCommand.self,
    ])

  static func main() {
    // Before anything can open a file that would get the number of a closed one.
    StandardDescriptors.openMissing()
    // A reader that leaves early, or a limit on the size of files, is no reason to die in the middle of a transaction.
    _ = signal(SIGPIPE, SIG_IGN)
    _ = signal(SIGXFSZ, SIG_IGN)
    Glibc.exit(Output.finish(perform()))
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
      if !message.isEmpty { Terminal.complain(message) }
      return code == .validationFailure ? 64 : code.rawValue
    }
  }
}

/// The end of a command that has said all there is to say.
struct Ending: Error {
  var code: CInt
}
