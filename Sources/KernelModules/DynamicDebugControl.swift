// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// The file that lists and switches debug call sites.
public protocol DynamicDebugControl: Sendable {
  var path: FilePath { get }
  func read() throws(Errno) -> String
  /// One query: words that select call sites, then flags, `module nvmet +p`. A query without a match is not an error.
  func write(_ query: String) throws(Errno)
}

/// The running kernel's.
public struct LiveDynamicDebug: DynamicDebugControl {
  public let path: FilePath

  public init(path: FilePath) { self.path = path }

  /// The file of procfs, which needs no mount, or that of debugfs; nil when the kernel has neither.
  ///
  /// Only root can access debugfs, so without permission this also returns its path.
  /// - Source: `lib/dynamic_debug.c`, `dynamic_debug_init_control`; both since Linux 5.7.
  public static func find(
    procfs: FilePath = "/proc", debugfs: FilePath = "/sys/kernel/debug"
  ) -> LiveDynamicDebug? {
    for directory in [procfs, debugfs] {
      let path = directory.appending("dynamic_debug/control")
      if unsafe access(path.string, F_OK) == 0 || Errno.current == .permissionDenied {
        return LiveDynamicDebug(path: path)
      }
    }
    return nil
  }

  public func read() throws(Errno) -> String { try readFile(path) }

  public func write(_ query: String) throws(Errno) {
    let descriptor = try Descriptor(opening: path, O_WRONLY)
    let bytes = Array(query.utf8)
    // A write is one query: the kernel accepts it completely or refuses it.
    let count = unsafe bytes.withUnsafeBytes {
      unsafe LibC.write(descriptor.number, $0.baseAddress, $0.count)
    }
    if count < 0 { throw .current }
  }
}
