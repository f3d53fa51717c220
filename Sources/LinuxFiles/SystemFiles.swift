// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// Files of procfs, sysfs, debugfs and `/boot`: those of this machine, or substitutes.
public protocol SystemFiles: Sendable {
  /// The whole of a file; that of a `.gz` file unpacked.
  func bytes(of path: FilePath) throws(Errno) -> [UInt8]

  /// The names in a directory, without `.` and `..`.
  func names(in directory: FilePath) throws(Errno) -> [String]

  /// The text of a symbolic link's target.
  func linkText(of path: FilePath) throws(Errno) -> String
}

extension SystemFiles {
  /// The text of a file without the line feed of sysfs.
  public func text(of path: FilePath) throws(Errno) -> String {
    String(decoding: try bytes(of: path), as: UTF8.self).trimmed
  }
}

/// This machine's files.
public struct LiveSystemFiles: SystemFiles {
  public init() {}

  /// - Throws: also ENOPKG when a `.gz` file cannot be unpacked: `gzip` is missing, or it failed.
  public func bytes(of path: FilePath) throws(Errno) -> [UInt8] {
    guard path.extension == "gz" else { return try readBytes(path) }
    // For its errno: gzip would report only a failure.
    _ = try Descriptor(opening: path, 0)
    for gzip in ["/usr/bin/gzip", "/bin/gzip"] {
      if let ending = try? ChildProcess([gzip, "-dc", path.string]).run(), ending.status == 0 {
        return Array(ending.output.utf8)
      }
    }
    throw Errno(rawValue: 65)
  }

  public func names(in directory: FilePath) throws(Errno) -> [String] {
    try directoryNames(directory)
  }

  public func linkText(of path: FilePath) throws(Errno) -> String {
    try LinuxFiles.linkText(path)
  }
}
