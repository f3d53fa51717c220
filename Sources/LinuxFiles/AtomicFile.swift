// SPDX-License-Identifier: Apache-2.0
internal import LibC
package import SystemPackage

/// Atomic replacement of files: a reader sees the old text or the new one, also after a failure or a crash.
package enum AtomicFile {
  /// The operation that failed.
  package struct Failure: Error {
    /// `create`, `write` or `replace`.
    package var operation: String
    package var errno: Errno

    package init(_ operation: String, _ errno: Errno) {
      self.operation = operation
      self.errno = errno
    }
  }

  /// Replaces a regular file, or creates it.
  ///
  /// The text is written to a temporary file in the same directory, which is then renamed. A symbolic link of that name is replaced, not
  /// followed.
  /// - Parameters:
  /// - temporary: the temporary file, which only this process uses; a file that a killed process left is removed.
  /// - isDurable: whether the text is flushed to the disk before the rename.
  /// - Returns: the new file, open for writing at its end.
  /// - Throws: ``Failure``; the file is then unchanged, and the temporary one is removed.
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

  /// Creates a new file.
  /// - Throws: ``Failure``, EEXIST if the name exists; no partial file is left.
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
