// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import SimulatedKernel
import Synchronization
import SystemPackage

/// A kernel whose subsystems have one attribute more than this program knows, and whose every directory with attributes has a read-only one,
/// as an out-of-tree driver's statistics.
final class NewerKernel: ConfigFSBackend {
  static let attribute = "attr_colour"
  static let statistics = "statistics"
  /// The value of a new subsystem.
  static let standard = "red\n"

  private let kernel: SimulatedKernel
  private let texts: Mutex<[FilePath: String]> = Mutex([:])
  private let count = Mutex(0)

  init(_ kernel: SimulatedKernel) { self.kernel = kernel }

  /// The number of writes to the attribute.
  var writes: Int { count.withLock { $0 } }

  /// Subsystems that are made from now on are fresh again.
  func reset() { texts.withLock { $0 = [:] } }

  private func isNew(_ path: FilePath) -> Bool { path.lastComponent?.string == Self.attribute }
  private func isSubsystem(_ path: FilePath) -> Bool {
    path.removingLastComponent().string == "/sys/kernel/config/nvmet/subsystems"
  }

  var mountPoint: FilePath { kernel.mountPoint }
  private func isStatistics(_ path: FilePath) -> Bool {
    path.lastComponent?.string == Self.statistics
  }
  func isWritable(_ path: FilePath) throws(Errno) -> Bool {
    if isStatistics(path) { return false }
    if isNew(path) { return true }
    return try kernel.isWritable(path)
  }
  func read(_ path: FilePath) throws(Errno) -> String {
    if isStatistics(path) { return "17\n" }
    guard isNew(path) else { return try kernel.read(path) }
    _ = try kernel.kind(of: path.removingLastComponent())
    return texts.withLock { $0[path] } ?? Self.standard
  }
  func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    if isStatistics(path) { throw .permissionDenied }
    guard isNew(path) else { return try kernel.write(text, to: path) }
    _ = try kernel.kind(of: path.removingLastComponent())
    count.withLock { $0 += 1 }
    texts.withLock { $0[path] = text.last == "\n" ? text : text + "\n" }
    return text.utf8.count
  }
  func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    var entries = try kernel.entries(of: path)
    if entries.contains(where: { $0.kind == .attribute }) {
      entries.append(DirectoryEntry(name: Self.statistics, kind: .attribute))
    }
    return isSubsystem(path)
      ? entries + [DirectoryEntry(name: Self.attribute, kind: .attribute)] : entries
  }
  func kind(of path: FilePath) throws(Errno) -> EntryKind {
    isNew(path) || isStatistics(path) ? .attribute : try kernel.kind(of: path)
  }
  func createDirectory(_ path: FilePath) throws(Errno) { try kernel.createDirectory(path) }
  func removeDirectory(_ path: FilePath) throws(Errno) { try kernel.removeDirectory(path) }
  func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try kernel.createLink(at: path, to: target)
  }
  func removeLink(_ path: FilePath) throws(Errno) { try kernel.removeLink(path) }
  func linkTarget(of path: FilePath) throws(Errno) -> FilePath { try kernel.linkTarget(of: path) }
}
