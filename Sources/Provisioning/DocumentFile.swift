// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LibC
package import LinuxFiles
package import SystemPackage

/// A file of the user's choice for a document: afterwards it is complete, or as it was.
///
/// Only regular files are replaced. Character devices and pipes are written to; block devices, sockets and directories are refused.
package struct DocumentFile {
  /// The kind of file at the path.
  private enum Kind {
    case missing, regular
    /// A character device or a pipe, or a link to one.
    case stream(isLink: Bool)
    /// With its target.
    case linkToRegular(String)
    case unfit(String)
  }

  /// The name in messages: `the report`.
  package let name: String
  package let path: String
  /// Permissions of a new file.
  package let mode: UInt32
  /// The limit of the wait for the reader of a pipe.
  package var patience: Duration = .seconds(5)

  package init(name: String, path: String, mode: UInt32) {
    self.name = name
    self.path = path
    self.mode = mode
  }

  /// Whether a path means standard output, which commands write to without this type.
  package static func isStandardOutput(_ path: String) -> Bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(path)
  }

  /// Writes the whole document.
  /// - Parameter replaces: whether a regular file that is there is replaced.
  /// - Throws: ``ProvisioningError`` of kind `cannotCreate`; a regular file is then as it was.
  package func write(_ text: String, replaces: Bool) throws(ProvisioningError) {
    let bytes = Array(text.utf8)
    switch try kind() {
    case .missing where !replaces:
      do { try AtomicFile.create(FilePath(path), with: bytes, mode: mode) } catch {
        throw failure(error.operation, error.errno)
      }
    case .regular where !replaces: throw failure("create", .fileExists)
    case .missing, .regular:
      do {
        try AtomicFile.replace(
          FilePath(path), with: bytes, by: FilePath("\(path).\(getpid()).new"), mode: mode)
      } catch { throw failure(error.operation, error.errno) }
    case .stream(let isLink):
      let file = try openStream(isLink)
      do {
        try StandardDescriptors.write(bytes, to: file.number)
        try file.close()
      } catch { throw failure("write", error) }
    case .linkToRegular(let target):
      throw refusal("a symbolic link to \(target)", "name the file itself, or remove the link")
    case .unfit(let what): throw refusal(what, "name a regular file")
    }
  }

  /// Opens a file for a document that grows: a regular one is emptied, through a link, too.
  /// - Throws: ``ProvisioningError`` of kind `cannotCreate`, or `interrupted` while a pipe has no reader.
  package func open() throws(ProvisioningError) -> Descriptor {
    switch try kind() {
    case .stream(let isLink): return try openStream(isLink)
    case .unfit(let what): throw refusal(what, "name a regular file")
    case .missing, .regular, .linkToRegular: break
    }
    do {
      return try Descriptor(
        opening: FilePath(path), O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, mode: mode)
    } catch { throw failure("create", error) }
  }

  /// Writes the whole document over what a link to a regular file leads to; anything else as ``write(_:replaces:)`` does.
  package func overwrite(_ text: String) throws(ProvisioningError) {
    guard case .linkToRegular = try kind() else { return try write(text, replaces: true) }
    let file = try open()
    do {
      try file.writeAll(Array(text.utf8))
      try file.close()
    } catch { throw failure("write", error) }
  }

  /// Whether the document can be written more than once: to a stream it cannot.
  package func isRegular() throws(ProvisioningError) -> Bool {
    if case .stream = try kind() { false } else { true }
  }

  // MARK: Kinds

  private func kind() throws(ProvisioningError) -> Kind {
    guard let found = try fileType(following: false) else { return .missing }
    guard found == S_IFLNK else { return Self.kind(found, isLink: false) }
    let target = (try? linkText(FilePath(path))) ?? "another file"
    guard let leadsTo = try fileType(following: true) else {
      return .unfit("a symbolic link to \(target), which does not exist")
    }
    return leadsTo == S_IFREG ? .linkToRegular(target) : Self.kind(leadsTo, isLink: true)
  }

  private static func kind(_ mode: mode_t, isLink: Bool) -> Kind {
    switch mode {
    case S_IFREG: .regular
    case S_IFIFO, S_IFCHR: .stream(isLink: isLink)
    case S_IFDIR: .unfit("a directory")
    case S_IFBLK: .unfit("a block device")
    case S_IFSOCK: .unfit("a socket")
    default: .unfit("not a regular file")
    }
  }

  /// The file type, a `S_IFMT` value; nil if the file does not exist.
  private func fileType(following: Bool) throws(ProvisioningError) -> mode_t? {
    var status = stat()
    let flags = following ? 0 : AT_SYMLINK_NOFOLLOW
    let result = unsafe fstatat(AT_FDCWD, path, &status, flags)
    if result == 0 { return status.st_mode & S_IFMT }
    let error = Errno(rawValue: errno)
    if error == .noSuchFileOrDirectory { return nil }
    throw failure("create", error)
  }

  /// Waits for the reader of a pipe, for a limited time or until a signal arrives.
  private func openStream(_ isLink: Bool) throws(ProvisioningError) -> Descriptor {
    let start = ContinuousClock.now
    while true {
      do throws(Errno) {
        let file = try Descriptor(
          opening: FilePath(path), O_WRONLY | O_NONBLOCK | O_NOCTTY | (isLink ? 0 : O_NOFOLLOW))
        // The file may have been replaced meanwhile.
        let kind = try file.kind()
        guard kind == S_IFIFO || kind == S_IFCHR else { throw Errno.fileExists }
        _ = fcntl(file.number, F_SETFL, 0)
        return file
      } catch {
        guard error == .noSuchAddressOrDevice else { throw failure("open", error) }
      }
      if let signal = Signals.caught {
        throw .interrupted(by: signal, "\(name) \(path) is a pipe without a reader")
      }
      guard ContinuousClock.now - start < patience else {
        throw refusal(
          "a pipe that no process opened for reading within \(patience)", "start its reader first")
      }
      _ = poll(nil, 0, 50)
    }
  }

  // MARK: Errors

  package func failure(_ operation: String, _ errno: Errno) -> ProvisioningError {
    ProvisioningError(
      .cannotCreate, "cannot write \(name) \(path): \(errno.nameAndText)",
      operation: "\(operation) file", path: path, errno: errno,
      hint: errno == .fileExists
        ? "--force replaces it"
        : errno == .noSpace
          ? "free some space, or name a file elsewhere"
          : "name a file in a directory that exists and that you can write to")
  }

  private func refusal(_ what: String, _ hint: String) -> ProvisioningError {
    ProvisioningError(
      .cannotCreate, "cannot write \(name) \(path): it is \(what)", operation: "create file",
      path: path, hint: hint)
  }
}
