// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// The backend of a namespace.
///
/// An enumeration instead of a protocol: it is dispatched once per command, without a witness table. Offsets and counts are bytes; the
/// caller has checked that they are inside ``size``.
public enum Backend: Sendable {
  /// Discards writes and reads zeroes: a null_blk device without memory.
  case null(size: UInt64)
  case memory(MemoryStore)
  /// A regular file or a block device.
  case file(FileStore)

  /// Bytes.
  public var size: UInt64 {
    switch self {
    case .null(let size): size
    case .memory(let store): UInt64(store.count)
    case .file(let store): store.size
    }
  }

  /// - Returns: the errno of a failure.
  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Failure? {
    switch self {
    case .null:
      unsafe buffer.zero()
      return nil
    case .memory(let store):
      unsafe store.read(at: offset, into: buffer)
      return nil
    case .file(let store): return unsafe store.read(at: offset, into: buffer)
    }
  }

  /// - Parameter isDurable: the data is on the medium when the call returns.
  func write(
    at offset: UInt64, from buffer: UnsafeRawBufferPointer, isDurable: Bool
  ) -> Failure? {
    switch self {
    case .null: return nil
    case .memory(let store):
      return unsafe store.write(at: offset, from: buffer)
    case .file(let store):
      return unsafe store.write(at: offset, from: buffer) ?? (isDurable ? store.flush() : nil)
    }
  }

  func flush() -> Failure? {
    if case .file(let store) = self { store.flush() } else { nil }
  }

  func zero(at offset: UInt64, count: UInt64) -> Failure? {
    switch self {
    case .null: return nil
    case .memory(let store):
      unsafe store.bytes(at: offset, count: Int(count)).zero()
      return nil
    case .file(let store): return store.zero(at: offset, count: count)
    }
  }

  /// Deallocates storage if possible; the blocks then read zero, or as before.
  func deallocate(at offset: UInt64, count: UInt64) -> Failure? {
    switch self {
    case .null: nil
    case .memory: zero(at: offset, count: count)
    case .file(let store): store.punch(at: offset, count: count)
    }
  }

  /// The failure of a backend.
  struct Failure: Error {
    var errno: CInt
  }
}

/// Blocks in memory, initially zero. Memory is allocated at the first write, so that a large disk is cheap.
///
/// A disk may be larger than the address space: blocks beyond its mapping read zero and cannot be written.
@safe public final class MemoryStore: @unchecked Sendable {
  // One controller uses a store at a time, and a controller has one owner; the mapping exists as long as the store.
  private let start: UnsafeMutableRawPointer
  public let count: Int
  /// Bytes from the beginning that have a place in the address space.
  private let mapped: Int

  /// - Parameter count: bytes.
  /// - Precondition: the address space has room for a page.
  public init(count: Int) {
    self.count = count
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    var size = max(count, 1)
    while true {
      if let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0),
        unsafe start != MAP_FAILED
      {
        unsafe self.start = start
        mapped = size
        return
      }
      precondition(size > 4096, "no room for a page of address space")
      size /= 2
    }
  }

  deinit { unsafe _ = munmap(start, mapped) }

  /// Whether all of a range has a place in the address space.
  func hasPlace(at offset: UInt64, count: Int) -> Bool {
    offset <= UInt64(mapped) && count <= mapped - Int(offset)
  }

  /// The part of a range that has a place in the address space.
  func bytes(at offset: UInt64, count: Int) -> UnsafeMutableRawBufferPointer {
    precondition(offset <= UInt64(self.count) && count <= self.count - Int(offset))
    let inside = max(0, min(count, mapped - Int(offset)))
    guard inside > 0 else { return unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0) }
    return unsafe UnsafeMutableRawBufferPointer(start: start + Int(offset), count: inside)
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    let bytes = unsafe self.bytes(at: offset, count: buffer.count)
    unsafe buffer.copyMemory(from: .init(bytes))
    if bytes.count < buffer.count {
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[bytes.count...]).zero()
    }
  }

  /// - Returns: ENOSPC, as null_blk does when memory is exhausted, if a part is not mapped.
  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) -> Backend.Failure? {
    let bytes = unsafe self.bytes(at: offset, count: buffer.count)
    guard bytes.count == buffer.count else { return Backend.Failure(errno: ENOSPC) }
    unsafe bytes.copyMemory(from: buffer)
    return nil
  }
}

/// A regular file or block device, opened for reading and writing.
public final class FileStore: Sendable {
  private let descriptor: CInt
  /// The offset of the store in the file.
  private let base: UInt64
  /// Bytes, as they were when it was opened.
  public let size: UInt64
  /// Whether it is a block device, which nvmet accesses through the block layer.
  public let isBlockDevice: Bool

  public struct OpenError: Error, Hashable, Sendable {
    public var path: String
    public var errno: CInt
  }

  /// - Parameters:
  ///   - offset: bytes of the file to leave alone at its beginning.
  /// - isExclusive: refuses a block device that is mounted or opened exclusively, and prevents others from doing so.
  /// - Throws: ``OpenError``; EBUSY for a block device in use, EINVAL for an offset beyond the end.
  public init(path: String, offset: UInt64 = 0, isExclusive: Bool = false) throws(OpenError) {
    // Without O_CREAT, O_EXCL is about block devices alone.
    let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC | (isExclusive ? O_EXCL : 0))
    guard descriptor >= 0 else { throw OpenError(path: path, errno: errno) }
    let end = lseek(descriptor, 0, SEEK_END)
    var facts = stat()
    guard end >= 0, unsafe fstat(descriptor, &facts) == 0 else {
      let error = OpenError(path: path, errno: errno)
      close(descriptor)
      throw error
    }
    guard offset <= UInt64(end) else {
      close(descriptor)
      throw OpenError(path: path, errno: EINVAL)
    }
    self.descriptor = descriptor
    base = offset
    size = UInt64(end) - offset
    isBlockDevice = facts.st_mode & S_IFMT == S_IFBLK
  }

  deinit { close(descriptor) }

  func read(
    at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) -> Backend.Failure? {
    var done = 0
    while done < buffer.count {
      let count = unsafe pread(
        descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
        off_t(base + offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      if count < 0 { return Backend.Failure(errno: errno) }
      // The file has become shorter.
      if count == 0 { return Backend.Failure(errno: EIO) }
      done += count
    }
    return nil
  }

  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) -> Backend.Failure? {
    var done = 0
    while done < buffer.count {
      let count = unsafe pwrite(
        descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
        off_t(base + offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return Backend.Failure(errno: count < 0 ? errno : EIO) }
      done += count
    }
    return nil
  }

  func flush() -> Backend.Failure? {
    fdatasync(descriptor) == 0 ? nil : Backend.Failure(errno: errno)
  }

  /// - Source: `drivers/nvme/target/io-cmd-file.c`, `nvmet_file_execute_write_zeroes`.
  func zero(at offset: UInt64, count: UInt64) -> Backend.Failure? {
    epfnvme_zero_range(descriptor, Int64(base + offset), Int64(count)) == 0
      ? nil : Backend.Failure(errno: errno)
  }

  func punch(at offset: UInt64, count: UInt64) -> Backend.Failure? {
    epfnvme_punch_hole(descriptor, Int64(base + offset), Int64(count)) == 0
      ? nil : Backend.Failure(errno: errno)
  }
}

extension UnsafeMutableRawBufferPointer {
  func zero() {
    guard let start = baseAddress else { return }
    unsafe _ = memset(start, 0, count)
  }
}
