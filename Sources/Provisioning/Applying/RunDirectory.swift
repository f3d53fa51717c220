// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// The place of journals and of the machine's lock: `/run/epfnvme`, mode 0700.
///
/// A reboot empties it, as it empties configfs.
public struct RunDirectory: Sendable {
  public let path: FilePath

  public init(_ path: FilePath = "/run/epfnvme") { self.path = path }

  public func journalPath(_ name: String) -> FilePath { path.appending("\(name).json") }
  var lockPath: FilePath { path.appending("lock") }
  /// The previous state of debug call sites. Not `.json`, the suffix of journals.
  var callSitesPath: FilePath { path.appending("call-sites") }

  /// The names of all journals, in alphabetical order; none where the directory cannot be read.
  public func journalNames() -> [String] { (try? readNames()) ?? [] }

  /// The same; none where there is no directory.
  /// - Throws: ``ProvisioningError`` when the directory cannot be read: of kind `needsPrivileges` when this user may not.
  func names() throws(ProvisioningError) -> [String] {
    do { return try readNames() } catch .noSuchFileOrDirectory { return [] } catch {
      let isDenied = error == .permissionDenied
      throw ProvisioningError(
        isDenied ? .needsPrivileges : .cannotCreate,
        "cannot determine which profiles are set up: cannot read \(path): \(error.nameAndText)",
        operation: "read", path: path.string, errno: error,
        hint: isDenied ? "run as root" : "check that path")
    }
  }

  func readNames() throws(Errno) -> [String] {
    try directoryNames(path).filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }
      .map { String($0.dropLast(5)) }.sorted()
  }

  /// Replaces a file, mode 0600; after this call has returned the new one survives a crash.
  func replace(_ file: FilePath, with text: String) throws(ProvisioningError) {
    try create()
    do {
      try AtomicFile.replace(
        file, with: Array(text.utf8), by: FilePath(file.string + ".new"), isDurable: true)
    } catch {
      throw ProvisioningError(
        .cannotCreate, "cannot \(error.operation) \(file): \(error.errno.nameAndText)",
        operation: error.operation, path: file.string, errno: error.errno,
        hint: "nothing is changed unless it can be undone")
    }
  }

  func create() throws(ProvisioningError) {
    if unsafe mkdir(path.string, 0o700) == 0 { return }
    let error = Errno(rawValue: errno)
    guard error == .fileExists else {
      throw ProvisioningError(
        error == .permissionDenied ? .needsPrivileges : .cannotCreate,
        "cannot create \(path): \(error.nameAndText)", operation: "create", path: path.string,
        errno: error, hint: error == .permissionDenied ? "run as root" : nil)
    }
    // A user who can write here can make root remove and write arbitrary files.
    var status = stat()
    guard unsafe lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == geteuid(), status.st_mode & 0o022 == 0
    else {
      throw ProvisioningError(
        .cannotCreate, "\(path) is not a directory that only this user can write to",
        operation: "create", path: path.string,
        hint: "remove it, or create it: install -d -m 0700 \(path)")
    }
  }
}
