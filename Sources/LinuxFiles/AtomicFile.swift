// SPDX-License-Identifier: Apache-2.0
internal import Glibc
package import SystemPackage

/// Files that are replaced as a whole: a reader sees the old text or the new one, also after a failure or a crash.
package enum AtomicFile {
  /// What could not be done.
  package struct Failure: Error {
    /// `create`, `write` or `replace`.
    package var operation: String
    package var errno: Errno

    package init(_ operation: String, _ errno: Errno) {
      self.operation = operation
      self.errno = errno
    }
  }

  /// Replaces a regular file, or makes it.
  ///
  /// The text is complete in another file of the same directory, which then takes the name. A symbolic link of that name is replaced, not
  /// followed.
  /// - Parameters:
  ///   - temporary: the other file, which this process alone uses; one that a killed process has left there is removed.
  ///   - isDurable: whether the text is on the disk before it takes the name.
  /// - Returns: the new file, open for writing at its end.
  /// - Throws: ``Failure``; the file is then as it was, and the other one is gone.
  @discardableResult
  package static func replace(
    _ path: FilePath, with bytes: [UInt8], by temporary: FilePath, mode: UInt32 = 0o600,
    isDurable: Bool = false
  ) throws(Failure) -> Descriptor {
    _ = unsafe unlink(temporary.string)
    let file: Descriptor
    do {
      file = try Descriptor(
        opening: temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    } catch { throw Failure("create", error) }
    do throws(Errno) {
      try file.writeAll(bytes)
      if isDurable { try file.synchronize() }
    } catch {
      _ = unsafe unlink(temporary.string)
      throw Failure("write", error)
    }
    guard unsafe rename(temporary.string, path.string) == 0 else {
      let error = Errno.current
      _ = unsafe unlink(temporary.string)
      throw Failure("replace", error)
    }
    return file
  }

  /// Makes a new file.
  /// - Throws: ``Failure``, EEXIST when there is one of that name; none is left behind.
  package static func create(
    _ path: FilePath, with bytes: [UInt8], mode: UInt32 = 0o600
  ) throws(Failure) {
    let file: Descriptor
    do {
      file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    } catch { throw Failure("create", error) }
    do throws(Errno) {
      try file.writeAll(bytes)
      try file.close()
    } catch {
      _ = unsafe unlink(path.string)
      throw Failure("write", error)
    }
  }

  /// Removes a file that need not be there.
  package static func remove(_ path: FilePath) throws(Errno) {
    guard unsafe unlink(path.string) != 0 else { return }
    let error = Errno.current
    if error != .noSuchFileOrDirectory { throw error }
  }
}
