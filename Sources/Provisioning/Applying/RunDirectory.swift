// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import Glibc
public import SystemPackage

/// The place of journals and of the machine's lock: `/run/epfnvme`, mode 0700.
///
/// A reboot empties it, as it empties configfs.
public struct RunDirectory: Sendable {
  public let path: FilePath

  public init(_ path: FilePath = "/run/epfnvme") { self.path = path }

  public func journalPath(_ name: String) -> FilePath { path.appending("\(name).json") }
  var lockPath: FilePath { path.appending("lock") }
  /// How debug call sites were before they were switched. Not `.json`, which journals are.
  var callSitesPath: FilePath { path.appending("call-sites") }

  /// The names of all journals, in alphabetical order; none where the directory cannot be read.
  public func journalNames() -> [String] { (try? readNames()) ?? [] }

  func readNames() throws(Errno) -> [String] {
    guard let stream = unsafe opendir(path.string) else { throw Errno(rawValue: errno) }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name.hasSuffix(".json"), !name.hasPrefix(".") { names.append(String(name.dropLast(5))) }
    }
    return names.sorted()
  }

  /// Replaces a file, mode 0600; after this call has returned the new one survives a crash.
  func replace(_ file: FilePath, with text: String) throws(ProvisioningError) {
    try create()
    let temporary = FilePath(file.string + ".new")
    _ = unsafe unlink(temporary.string)
    func failure(_ operation: String) -> ProvisioningError {
      let error = Errno(rawValue: errno)
      return ProvisioningError(
        .cannotCreate, "cannot \(operation) \(file): \(error.nameAndText)", operation: operation,
        path: file.string, errno: error, hint: "nothing is changed unless it can be put back")
    }
    let descriptor = unsafe open(
      temporary.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure("create") }
    defer { _ = close(descriptor) }
    let bytes = Array(text.utf8)
    var offset = 0
    while offset < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress.map { unsafe $0 + offset }, bytes.count - offset)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write") }
      offset += count
    }
    guard fdatasync(descriptor) == 0, unsafe rename(temporary.string, file.string) == 0 else {
      throw failure("write")
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
    // Whoever can write here can make root remove and write what they like.
    var status = stat()
    guard unsafe lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      status.st_uid == geteuid(), status.st_mode & 0o022 == 0
    else {
      throw ProvisioningError(
        .cannotCreate, "\(path) is not a directory that only this user can write to",
        operation: "create", path: path.string,
        hint: "remove it, or make it: install -d -m 0700 \(path)")
    }
  }
}
