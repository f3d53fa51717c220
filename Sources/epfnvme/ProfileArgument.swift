// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import Provisioning
internal import SystemPackage

/// Profile arguments of commands: the path of a file, or `-` for standard input.
enum ProfileArgument {
  /// - Throws: ``ProvisioningError`` when the file cannot be read, ``LocatedIssues`` when it is malformed.
  static func read(_ path: String) throws -> Profile.Located {
    let bytes: [UInt8]
    do {
      bytes = try path == "-" ? StandardDescriptors.readInput() : readBytes(FilePath(path))
    } catch {
      throw ProvisioningError(
        .inputMissing, "cannot read the profile \(path): \(error.nameAndText)", operation: "read",
        path: path, errno: error,
        hint: error == .noSuchFileOrDirectory
          ? "shipped profiles are in \(InstalledFiles.shippedProfiles)" : nil)
    }
    do { return try Profile.decode(bytes) } catch { throw LocatedIssues(file: path, issues: error) }
  }
}
