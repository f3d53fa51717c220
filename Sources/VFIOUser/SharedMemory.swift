// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// Anonymous memory that another process can also map, like a guest's RAM.
@safe public final class SharedMemory {
  public let count: Int
  let descriptor: OpenDescriptor
  private let start: UnsafeMutableRawPointer

  /// - Returns: nil when the machine has no room for it.
  public init?(count: Int) {
    let number = unsafe epfnvme_memory_descriptor("guest", UInt64(count))
    guard number >= 0 else { return nil }
    let descriptor = OpenDescriptor(number)
    guard let start = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0),
      unsafe start != MAP_FAILED
    else { return nil }
    self.count = count
    self.descriptor = descriptor
    unsafe self.start = start
  }

  deinit { _ = unsafe munmap(start, count) }

  /// The whole memory, valid as long as this object.
  public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: start, count: count)
  }
}
