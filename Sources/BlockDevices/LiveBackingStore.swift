// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// The files and block devices of this machine.
public struct LiveBackingStore: BackingStore {
  public init() {}

  public func describe(_ path: FilePath) throws(Errno) -> BackingDescription {
    var status = stat()
    guard unsafe stat(path.string, &status) == 0 else { throw .current }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      return BackingDescription(
        kind: .regularFile, size: UInt64(status.st_size), blockSize: Int(status.st_blksize),
        isReadOnly: unsafe faccessat(AT_FDCWD, path.string, W_OK, AT_EACCESS) != 0,
        allowsDirectIO: try Self.allowsDirectIO(path))
    case S_IFBLK: return try describeDevice(path, number: UInt64(status.st_rdev))
    case let type:
      let kind: BackingDescription.Kind =
        type == S_IFDIR ? .directory : type == S_IFCHR ? .characterDevice : .other
      return BackingDescription(
        kind: kind, size: 0, blockSize: Int(status.st_blksize), allowsDirectIO: false)
    }
  }

  /// - Source: `block/ioctl.c`, `blkdev_common_ioctl`.
  private func describeDevice(
    _ path: FilePath, number: UInt64
  ) throws(Errno) -> BackingDescription {
    // O_NONBLOCK: do not wait for a drive without a medium.
    let descriptor = try Descriptor(opening: path, O_RDONLY | O_NONBLOCK)
    return BackingDescription(
      kind: .blockDevice,
      size: UInt64(try Errno.check(epfnvme_block_size_bytes(descriptor.number))),
      blockSize: Int(try Errno.check(Int64(epfnvme_block_sector_size(descriptor.number)))),
      isReadOnly: try Errno.check(Int64(epfnvme_block_is_read_only(descriptor.number))) != 0,
      mountPoint: Self.mountPoint(ofDevice: number))
  }

  /// nvmet opens a file with `O_DIRECT`; on file systems without support, the open fails with EINVAL.
  private static func allowsDirectIO(_ path: FilePath) throws(Errno) -> Bool {
    let descriptor = unsafe epfnvme_open_direct(path.string)
    if descriptor == -EINVAL { return false }
    guard descriptor >= 0 else { throw Errno(rawValue: -descriptor) }
    close(descriptor)
    return true
  }

  /// The mount point of a device or of one of its partitions.
  private static func mountPoint(ofDevice number: UInt64) -> FilePath? {
    guard let text = try? readFile("/proc/self/mountinfo") else { return nil }
    let name = "\(epfnvme_major(number)):\(epfnvme_minor(number))"
    var names: Set = [name]
    let directory = FilePath("/sys/dev/block").appending(name)
    for entry in (try? directoryNames(directory)) ?? [] {
      let part = directory.appending(entry)
      guard (try? readFile(part.appending("partition"))) != nil,
        let number = try? readFile(part.appending("dev"))
      else { continue }
      names.insert(number.trimmed)
    }
    return MountTable(parsing: text).entries.first { entry in
      if names.contains(entry.device) { return true }
      guard entry.source.hasPrefix("/dev/") else { return false }
      var status = stat()
      guard unsafe stat(entry.source, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else {
        return false
      }
      let source = UInt64(status.st_rdev)
      return names.contains("\(epfnvme_major(source)):\(epfnvme_minor(source))")
    }?.mountPoint
  }

  /// - Source: `block/genhd.c`, `part_devt`; sysfs shows a partition as a directory in its disk's.
  public func identity(of path: FilePath) throws(Errno) -> StoreIdentity {
    var status = stat()
    guard unsafe stat(path.string, &status) == 0 else { throw .current }
    guard status.st_mode & S_IFMT == S_IFBLK else {
      return StoreIdentity(number: "\(UInt64(status.st_dev)) \(UInt64(status.st_ino))")
    }
    let number = UInt64(status.st_rdev)
    let name = "\(epfnvme_major(number)):\(epfnvme_minor(number))"
    let directory = FilePath("/sys/dev/block").appending(name)
    guard (try? readFile(directory.appending("partition"))) != nil,
      let disk = try? readFile(directory.pushing("../dev"))
    else { return StoreIdentity(number: name) }
    return StoreIdentity(number: name, disk: disk.trimmed)
  }

  public func createFile(_ path: FilePath, size: UInt64) throws(Errno) {
    guard let length = Int(exactly: size) else { throw .fileTooLarge }
    let descriptor = try Descriptor(
      opening: path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    guard ftruncate(descriptor.number, length) == 0 else {
      let error = Errno.current
      // The name did not exist before, so this process created the file.
      unsafe unlink(path.string)
      throw error
    }
  }

  public func removeFile(_ path: FilePath) throws(Errno) {
    guard unsafe unlink(path.string) == 0 else { throw .current }
  }
}
