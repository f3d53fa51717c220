// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
public import SystemPackage

extension SimulatedKernel: ConfigFSBackend {
  private static let root = FilePath(defaultMountPoint)
  public var mountPoint: FilePath { Self.root }

  public func read(_ path: FilePath) throws(Errno) -> String {
    try look(.read, path.string) { (kernel) throws(Errno) in try kernel.read(path.string) }
  }

  public func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    try change(.write, path.string) { (kernel) throws(Errno) in
      try kernel.write(text, to: path.string)
    }
  }

  public func createDirectory(_ path: FilePath) throws(Errno) {
    try change(.create, path.string) { (kernel) throws(Errno) in
      try kernel.createDirectory(path.string)
    }
  }

  public func removeDirectory(_ path: FilePath) throws(Errno) {
    try change(.remove, path.string) { (kernel) throws(Errno) in
      try kernel.removeDirectory(path.string)
    }
  }

  public func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    try change(.link, path.string) { (kernel) throws(Errno) in
      try kernel.createLink(at: path.string, to: target.string)
    }
  }

  public func removeLink(_ path: FilePath) throws(Errno) {
    try change(.unlink, path.string) { (kernel) throws(Errno) in
      try kernel.removeLink(path.string)
    }
  }

  public func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    try look(.list, path.string) { (kernel) throws(Errno) in try kernel.entries(of: path.string) }
  }

  public func linkTarget(of path: FilePath) throws(Errno) -> FilePath {
    try look(.read, path.string) { (kernel) throws(Errno) in
      FilePath(try kernel.linkTarget(of: path.string))
    }
  }

  public func kind(of path: FilePath) throws(Errno) -> EntryKind {
    try look(.list, path.string) { (kernel) throws(Errno) in try kernel.kind(of: path.string) }
  }

  public func isWritable(_ path: FilePath) throws(Errno) -> Bool {
    try look(.list, path.string) { (kernel) throws(Errno) in
      try kernel.isWritable(path.string)
    }
  }
}
