// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import LibC
internal import Provisioning
internal import SystemPackage

/// Writes the manual pages; `make install` runs it.
struct ManualCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual", abstract: "Write the manual pages into a directory.",
    usage: "epfnvme manual [<options>] <directory>",
    discussion: "SOURCE_DATE_EPOCH sets their date.", shouldDisplay: false)

  @OptionGroup var global: GlobalOptions
  @Argument(help: "The directory, which must exist.", completion: .directory) var directory: String

  func run() throws {
    try global.run {
      guard let root = CommandInfo.root() else {
        throw ProvisioningError(
          .internal, "the command definitions cannot be read", operation: "describe")
      }
      for command in root.all {
        let page = ManualPage(command: command, root: root, date: Self.date)
        try DocumentFile(
          name: "the manual page", path: FilePath(directory).appending(page.fileName).string,
          mode: 0o644
        ).overwrite(page.text)
      }
    }
  }

  /// Today, or the day of SOURCE_DATE_EPOCH, so that a build can be repeated.
  private static var date: String {
    let given = unsafe getenv("SOURCE_DATE_EPOCH").flatMap { Int(unsafe String(cString: $0)) }
    var seconds = given ?? time(nil)
    var parts = tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(1900 + parts.tm_year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
  }
}
