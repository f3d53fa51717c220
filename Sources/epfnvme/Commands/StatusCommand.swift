// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import LibC
internal import Provisioning

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show controllers, functions, targets, namespaces and backings.",
    usage: "epfnvme status [<options>]")

  @OptionGroup var global: GlobalOptions
  @Flag(help: "Update every second until interrupted.") var watch = false

  func run() throws {
    try global.run(inLines: watch) {
      let provisioner = try global.provisioner()
      if watch { Signals.remember() }
      repeat {
        let status = try provisioner.status()
        let clear = watch && isatty(STDOUT_FILENO) == 1 ? "\u{1b}[H\u{1b}[2J" : ""
        let text =
          global.json
          ? (watch ? status.json.compactText : status.json.prettyText)
          : StatusText(status: status, terminal: global.terminal).text
        guard Output.emit(clear + text) else { break }
        // A signal ends the wait at once.
        if watch { _ = poll(nil, 0, 1000) }
      } while watch && Signals.caught == nil
    }
  }
}
