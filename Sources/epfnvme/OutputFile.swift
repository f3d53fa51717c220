// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Provisioning

/// The destination of a command's document: standard output, or a file that only its owner can read.
struct OutputFile: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "Write to a file, mode 0600, or to a device or a pipe; - is standard output. A symbolic link to a file is refused.",
      valueName: "file"),
    completion: .file())
  var output: String?
  @Flag(help: "Replace the file when it exists; only regular files are replaced.") var force = false

  func validate() throws {
    if force, output == nil { throw ValidationError("--force requires --output.") }
  }

  /// - Throws: ``ProvisioningError`` of kind `cannotCreate`; the file is then as it was.
  func write(_ text: String) throws(ProvisioningError) {
    guard let output, !DocumentFile.isStandardOutput(output) else {
      return print(text, terminator: "")
    }
    try DocumentFile(name: "the result", path: output, mode: 0o600).write(text, replaces: force)
  }
}
