// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import ConfigFS
internal import Glibc
internal import Provisioning
internal import SystemPackage

/// Where a command's document goes: to standard output, or into a file that nobody else can read.
struct OutputFile: ParsableArguments {
  @Option(
    name: [.short, .long], help: ArgumentHelp("Write to a file, mode 0600.", valueName: "file"),
    completion: .file())
  var output: String?
  @Flag(help: "Replace the file when it exists.") var force = false

  func validate() throws {
    if force, output == nil { throw ValidationError("--force is for --output.") }
  }

  /// - Throws: ``ProvisioningError`` of kind `cannotCreate`; the file is then as it was.
  func write(_ text: String) throws(ProvisioningError) {
    guard let output else {
      print(text, terminator: "")
      return
    }
    // A document that replaces another one is complete before it does.
    let path = force ? "\(output).\(getpid()).new" : output
    var isMade = false
    do {
      let file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .noFollow],
        permissions: [.ownerRead, .ownerWrite])
      isMade = true
      try file.closeAfter { _ = try file.writeAll(Array(text.utf8)) }
      if force, unsafe rename(path, output) != 0 { throw Errno(rawValue: errno) }
    } catch {
      if isMade { _ = unsafe unlink(path) }
      let errno = error as? Errno ?? .ioError
      throw ProvisioningError(
        .cannotCreate, "cannot write \(output): \(errno.nameAndText)", operation: "create file",
        path: output, errno: errno, hint: errno == .fileExists ? "--force replaces it" : nil)
    }
  }
}
