// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
internal import Numbers
internal import Provisioning
internal import SystemPackage

/// The destination and style of text: results go to standard output, everything else to standard error.
struct Terminal {
  enum Style: String {
    case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36"
  }

  let isQuiet: Bool
  let isVerbose: Bool
  private let colorsOutput: Bool
  private let colorsErrors: Bool

  init(color: ColorChoice, isQuiet: Bool, isVerbose: Bool) {
    self.isQuiet = isQuiet
    self.isVerbose = isVerbose
    colorsOutput = Self.hasColor(color, STDOUT_FILENO)
    colorsErrors = Self.hasColor(color, STDERR_FILENO)
  }

  /// NO_COLOR and TERM=dumb are conventions that other tools follow too.
  private static func hasColor(_ choice: ColorChoice, _ descriptor: CInt) -> Bool {
    switch choice {
    case .always: true
    case .never: false
    case .auto:
      isatty(descriptor) == 1 && environment("NO_COLOR")?.isEmpty ?? true
        && environment("TERM") != "dumb"
    }
  }

  private static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  func paint(_ text: String, _ style: Style) -> String {
    colorsOutput ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  func paintError(_ text: String, _ style: Style) -> String {
    colorsErrors ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Prints a line on standard error, independent of the options, after earlier output.
  static func printLine(_ text: String) {
    Output.flush()
    raw(text + "\n")
  }

  /// Text on standard error as it is.
  ///
  /// A message that cannot be written is lost, as are the messages after it if the reader does not read: see
  /// ``StandardDescriptors/write(_:to:)``.
  static func raw(_ text: String) {
    guard unsafe !isDeaf else { return }
    do throws(Errno) {
      try StandardDescriptors.write(Array(text.utf8), to: STDERR_FILENO)
    } catch { unsafe isDeaf = error == .timedOut }
  }

  private nonisolated(unsafe) static var isDeaf = false

  /// A line on standard error, unless quiet.
  func note(_ text: String) {
    if !isQuiet { Self.printLine(text) }
  }

  func complain(_ error: ProvisioningError) {
    Self.printLine(paintError("error: ", .red) + Self.printable("\(error)"))
  }

  func complain(_ issue: ProfileIssue, in file: String) {
    if isQuiet, issue.severity == .warning { return }
    Self.printLine(Self.printable(issue.text(file: file)))
  }

  /// Text from a profile or a kernel must not control the terminal.
  static func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
      if isControl, scalar != "\n", scalar != "\t" {
        result += "\\x" + hexadecimalDigits(scalar.value, count: 2)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  // MARK: The temporary run directory

  nonisolated(unsafe) static var directoryToRemove: String?

  static func removeTemporaryDirectory() {
    guard let path = unsafe directoryToRemove else { return }
    for name in ["lock"] { _ = unsafe unlink("\(path)/\(name)") }
    let run = RunDirectory(FilePath(path))
    for name in run.journalNames() { _ = unsafe unlink("\(path)/\(name).json") }
    _ = unsafe rmdir(path)
    unsafe directoryToRemove = nil
  }
}
