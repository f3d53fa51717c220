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
