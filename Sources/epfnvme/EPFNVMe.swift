// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Glibc

/// The command line: commands parse, call the library and show the result.
@main
struct EPFNVMe: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "epfnvme",
    abstract: "Turn a Linux board with a PCIe endpoint controller into an NVMe SSD.",
    discussion: """
      Try it on any machine, without a board:

        epfnvme setup --kernel simulated=/tmp/board Configs/profiles/null_blk-loop.json
        epfnvme status --kernel simulated=/tmp/board
        epfnvme teardown --kernel simulated=/tmp/board nullblk-loop

      On a board, as root:

        epfnvme validate my.json     check a profile; touches nothing
        epfnvme plan my.json         what would be done, and why
        epfnvme setup my.json        do it, all or nothing
        epfnvme check my.json        is everything as it should be?
        epfnvme teardown my.json     take it back, and only it

      Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 check failed, 4 all skipped, 64 usage, 65 profile malformed,
      66 input missing, 69 kernel support missing, 70 internal, 73 cannot create output, 74 failed and rolled back,
      75 timed out or locked, 76 rollback incomplete, 77 needs privileges, 78 impossible on this machine,
      130/143 interrupted and rolled back.
      """,
    version: version,
    subcommands: [
      SetupCommand.self, PlanCommand.self, TeardownCommand.self, StatusCommand.self,
      ValidateCommand.self, StartCommand.self, StopCommand.self, BounceCommand.self,
      ControllersCommand.self, CheckCommand.self, SmokeCommand.self, PredictCommand.self,
      EmulateCommand.self, ServeCommand.self, DiffCommand.self, ExportCommand.self,
      ImportCommand.self,
      ExchangeCommand.self,
    ])

  static func main() {
    // A reader that leaves early is no reason to die in the middle of a transaction.
    _ = signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let ending as Ending {
      Glibc.exit(ending.code)
    } catch {
      let code = exitCode(for: error)
      let message = fullMessage(for: error)
      if code == .success {
        print(message)
        Glibc.exit(0)
      }
      if !message.isEmpty { Terminal.complain(message) }
      Glibc.exit(code == .validationFailure ? 64 : code.rawValue)
    }
  }
}

/// The end of a command that has said all there is to say.
struct Ending: Error {
  var code: CInt
}
