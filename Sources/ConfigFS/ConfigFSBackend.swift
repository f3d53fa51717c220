// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// The operations of a configfs tree, at the level of system calls; each failure is a bare `Errno`.
///
/// Everything above it runs unchanged on a real kernel and on the simulated one. Paths are absolute and begin with
/// ``mountPoint``.
public protocol ConfigFSBackend: Sendable {
  /// Where the tree is mounted, usually `/sys/kernel/config`.
  var mountPoint: FilePath { get }

  /// Opens an attribute, reads its whole text and closes it. Each call returns the current value.
  func read(_ path: FilePath) throws(Errno) -> String

  /// Opens an attribute without `O_CREAT`, hands the text over in a single `write(2)` and closes it.
  /// - Returns: the number of bytes that the kernel accepted.
  func write(_ text: String, to path: FilePath) throws(Errno) -> Int

  /// `mkdir(2)`.
  func createDirectory(_ path: FilePath) throws(Errno)

  /// `rmdir(2)`.
  func removeDirectory(_ path: FilePath) throws(Errno)

  /// `symlink(2)`. configfs resolves the target immediately, so it must be absolute.
  func createLink(at path: FilePath, to target: FilePath) throws(Errno)

  /// `unlink(2)`.
  func removeLink(_ path: FilePath) throws(Errno)

  /// The entries of a directory in the kernel's order, without `.` and `..`.
  func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry]

  /// The absolute path that a link leads to, resolved.
  func linkTarget(of path: FilePath) throws(Errno) -> FilePath

  /// The type of the entry at a path; a link is not followed.
  func kind(of path: FilePath) throws(Errno) -> EntryKind

  /// Whether the mode of an attribute has a write permission. Without one, configfs refuses every open for writing, root's as well.
  func isWritable(_ path: FilePath) throws(Errno) -> Bool
}

/// The type of a directory entry.
public enum EntryKind: String, Sendable, Hashable, Codable {
  case directory, attribute, link
}

/// One name in a configfs directory.
public struct DirectoryEntry: Sendable, Hashable {
  public var name: String
  public var kind: EntryKind

  public init(name: String, kind: EntryKind) {
    self.name = name
    self.kind = kind
  }
}
