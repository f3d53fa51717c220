// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import LinuxFiles
public import SystemPackage

/// Loop devices.
/// - Source: `drivers/block/loop.c`, `loop_configure`, `loop_control_get_free`, `loop_clr_fd`.
extension LiveBackingStore {
  /// The number of retries after losing a race with another process.
  private static var attempts: Int { 64 }

  /// - Throws: EINVAL also if direct I/O was requested and the kernel silently omitted it.
  public func attachLoop(_ loop: LoopConfiguration) throws(Errno) -> FilePath {
    let mode = loop.isReadOnly ? O_RDONLY : O_RDWR
    let file = try Descriptor(opening: FilePath(loop.file), mode)
    // Opening the control device loads the module.
    let control = try Descriptor(opening: "/dev/loop-control", O_RDWR)
    var last = Errno.resourceBusy
    for _ in 0..<Self.attempts {
      let number = try Errno.check(Int64(epfnvme_loop_get_free(control.number)))
      let path = FilePath("/dev/loop\(number)")
      do {
        try bind(path, mode, to: file, loop)
        return path
      } catch {
        // EBUSY: bound by another process since; ENXIO: being unbound; ENOENT: removed since.
        guard [.resourceBusy, .noSuchAddressOrDevice, .noSuchFileOrDirectory].contains(error) else {
          throw error
        }
        last = error
      }
    }
    throw last
  }

  private func bind(
    _ path: FilePath, _ mode: CInt, to file: borrowing Descriptor, _ loop: LoopConfiguration
  ) throws(Errno) {
    let device = try Descriptor(opening: path, mode)
    _ = try Errno.check(
      Int64(
        unsafe epfnvme_loop_configure(
          device.number, file.number, loop.file, loop.offset, loop.blockSize,
          loop.isReadOnly ? 1 : 0, loop.usesDirectIO ? 1 : 0)))
    guard loop.usesDirectIO, try attribute("loop/dio", of: path) == "0" else { return }
    _ = try Errno.check(Int64(epfnvme_loop_clear(device.number)))
    throw .invalidArgument
  }

  /// With other openers (an enabled namespace) the kernel reports success and unbinds at the last close.
  public func detachLoop(_ device: FilePath) throws(Errno) {
    let descriptor = try Descriptor(opening: device, O_RDONLY)
    _ = try Errno.check(Int64(epfnvme_loop_clear(descriptor.number)))
  }

  /// - Source: `drivers/block/loop.c`, `loop_attr_offset_show`, `loop_attr_dio_show`; `block/blk-sysfs.c`.
  public func loopConfiguration(of device: FilePath) throws(Errno) -> LoopConfiguration? {
    guard let text = try attribute("loop/backing_file", of: device) else { return nil }
    let deleted = " (deleted)"
    let isDeleted = unsafe text.hasSuffix(deleted) && access(text, F_OK) != 0
    return LoopConfiguration(
      file: isDeleted ? String(text.dropLast(deleted.count)) : text,
      offset: try attribute("loop/offset", of: device).flatMap { UInt64($0) } ?? 0,
      blockSize: try attribute("queue/logical_block_size", of: device).flatMap { UInt32($0) } ?? 0,
      usesDirectIO: try attribute("loop/dio", of: device) == "1",
      isReadOnly: try attribute("ro", of: device) == "1")
  }

  public func boundLoops() throws(Errno) -> [(device: FilePath, file: FilePath)] {
    let numbers = try directoryNames("/sys/block").compactMap { name in
      name.hasPrefix("loop") ? UInt32(name.dropFirst(4)) : nil
    }
    var found: [(device: FilePath, file: FilePath)] = []
    for number in numbers.sorted() {
      let device = FilePath("/dev/loop\(number)")
      // A device that disappears meanwhile is not bound.
      do {
        if let file = try loopFile(of: device) { found.append((device, file)) }
      } catch .operationNotSupportedByDevice {
        continue
      }
    }
    return found
  }

  /// An attribute of a loop device, below `/sys/block/loopN`; nil for attributes that only a bound device has.
  /// - Throws: ENODEV for a path that is not a loop device.
  private func attribute(_ name: String, of device: FilePath) throws(Errno) -> String? {
    let directory = FilePath("/sys/block").appending(device.lastComponent?.string ?? "")
    do {
      return try readFile(directory.pushing(FilePath(name))).trimmed
    } catch .noSuchFileOrDirectory {
      guard device.lastComponent?.string.hasPrefix("loop") == true,
        unsafe access(directory.string, F_OK) == 0
      else { throw .operationNotSupportedByDevice }
      return nil
    }
  }
}
