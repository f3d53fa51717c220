// SPDX-License-Identifier: Apache-2.0
internal import CLinux
public import SystemPackage

/// The place where configfs is, or should be, mounted.
///
/// The directory `/sys/kernel/config` exists as soon as the kernel has configfs; without the mount it is an ordinary sysfs directory with
/// misleading errors, so the file system's magic number is checked.
/// - Source: `fs/configfs/mount.c`; `include/uapi/linux/magic.h`, `CONFIGFS_MAGIC`.
public struct ConfigFSMount: Sendable {
  public let path: FilePath

  public init(at path: FilePath = "/sys/kernel/config") { self.path = path }

  /// Whether configfs is mounted at the path.
  public var isMounted: Bool { LiveConfigFS(mountPoint: path).isMounted }

  /// Mounts configfs unless it is mounted already. All mounts show the same tree.
  ///
  /// - Throws: ENODEV when the kernel has no configfs or its module is not loaded; ENOENT when the directory is missing;
  ///   EPERM without privileges.
  /// - Returns: whether it was this call that mounted it.
  @discardableResult
  public func mountIfNeeded() throws(Errno) -> Bool {
    if isMounted { return false }
    let status = unsafe epfnvme_mount_configfs(path.string)
    guard status == 0 else { throw Errno(rawValue: -status) }
    return true
  }
}
