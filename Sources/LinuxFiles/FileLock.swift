// SPDX-License-Identifier: Apache-2.0
internal import LibC
package import SystemPackage

/// An exclusive lock on a file, which the kernel releases when the process ends, however it ends.
///
/// - Source: flock(2).
package struct FileLock: ~Copyable {
  package let file: Descriptor

  /// Opens the file, without following a symbolic link, and creates it with mode 0600 if necessary. It is not locked yet.
  package init(_ path: FilePath) throws(Errno) {
    file = try Descriptor(opening: path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
  }

  /// Locks it.
  /// - Returns: false if another process holds the lock, or a signal came.
  package func tryLock() throws(Errno) -> Bool {
    guard flock(file.number, LOCK_EX | LOCK_NB) != 0 else { return true }
    let error = Errno.current
    guard error == .wouldBlock || error == .interrupted else { throw error }
    return false
  }

  /// Locks it, after the process that holds the lock.
  package func lock() throws(Errno) {
    while flock(file.number, LOCK_EX) != 0 {
      let error = Errno.current
      if error != .interrupted { throw error }
    }
  }

  // Closing the descriptor alone would leave the lock to a child that another thread has forked and that has not called exec yet.
  deinit { _ = flock(file.number, LOCK_UN) }
}
