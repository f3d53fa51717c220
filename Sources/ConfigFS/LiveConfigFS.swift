// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// The backend that makes real system calls below a mount point.
public struct LiveConfigFS: ConfigFSBackend {
  public let mountPoint: FilePath

  public init(mountPoint: FilePath = "/sys/kernel/config") {
    self.mountPoint = mountPoint
  }

  /// Whether configfs, and not an empty sysfs directory, is at the mount point.
  /// - Source: `include/uapi/linux/magic.h`, `CONFIGFS_MAGIC`.
  public var isMounted: Bool {
    unsafe epfnvme_filesystem_magic(mountPoint.string) == 0x6265_6570
  }

  public func read(_ path: FilePath) throws(Errno) -> String {
    let descriptor = try open(path, O_RDONLY)
    defer { _ = close(descriptor) }
    // `show` never returns more than one page of 4096 bytes.
    return unsafe try withUnsafeTemporaryAllocation(byteCount: 4097, alignment: 1) {
      (buffer) throws(Errno) -> String in
      var count = 0
      while count < buffer.count {
        let target = unsafe buffer.baseAddress.map { unsafe $0 + count }
        let status = unsafe LibC.read(descriptor, target, buffer.count - count)
        if status < 0 {
          let error = Errno(rawValue: LibC.errno)
          if error == .interrupted { continue }
          throw error
        }
        if status == 0 { break }
        count += status
      }
      return unsafe String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  public func write(_ text: String, to path: FilePath) throws(Errno) -> Int {
    // Never O_CREAT: its EACCES would hide that the attribute does not exist.
    let descriptor = try open(path, O_WRONLY)
    defer { _ = close(descriptor) }
    var text = text
    while true {
      let taken = text.withUTF8 { unsafe LibC.write(descriptor, $0.baseAddress, $0.count) }
      if taken >= 0 { return taken }
      let error = Errno(rawValue: LibC.errno)
      if error != .interrupted { throw error }
    }
  }

  public func createDirectory(_ path: FilePath) throws(Errno) {
    try check(unsafe mkdir(path.string, 0o755))
  }

  public func removeDirectory(_ path: FilePath) throws(Errno) {
    try check(unsafe rmdir(path.string))
  }

  public func createLink(at path: FilePath, to target: FilePath) throws(Errno) {
    precondition(target.isAbsolute, "configfs resolves relative targets from the working directory")
    try check(unsafe symlink(target.string, path.string))
  }

  public func removeLink(_ path: FilePath) throws(Errno) {
    try check(unsafe unlink(path.string))
  }

  public func entries(of path: FilePath) throws(Errno) -> [DirectoryEntry] {
    try directoryEntries(path).map { entry in
      let kind: EntryKind =
        switch entry.type {
        case CInt(DT_DIR): .directory
        case CInt(DT_LNK): .link
        default: .attribute
        }
      return DirectoryEntry(name: entry.name, kind: kind)
    }
  }

  public func linkTarget(of path: FilePath) throws(Errno) -> FilePath {
    guard let resolved = unsafe realpath(path.string, nil) else {
      throw Errno(rawValue: LibC.errno)
    }
    defer { unsafe free(resolved) }
    return unsafe FilePath(String(cString: resolved))
  }

  public func kind(of path: FilePath) throws(Errno) -> EntryKind {
    var status = stat()
    try check(unsafe lstat(path.string, &status))
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .directory
    case S_IFLNK: return .link
    default: return .attribute
    }
  }

  public func isWritable(_ path: FilePath) throws(Errno) -> Bool {
    var status = stat()
    try check(unsafe lstat(path.string, &status))
    return status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH) != 0
  }

  private func open(_ path: FilePath, _ flags: CInt) throws(Errno) -> CInt {
    while true {
      let descriptor = unsafe LibC.open(path.string, flags | O_CLOEXEC)
      if descriptor >= 0 { return descriptor }
      let error = Errno(rawValue: LibC.errno)
      if error != .interrupted { throw error }
    }
  }

  private func check(_ status: CInt) throws(Errno) {
    if status != 0 { throw Errno(rawValue: LibC.errno) }
  }
}
