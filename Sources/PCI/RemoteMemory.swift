// SPDX-License-Identifier: Apache-2.0

/// Access to host memory without a mapping, by messages to its owner.
///
/// A call returns when the bytes are transferred. Meanwhile it may add regions to the calling ``HostMemory``, and remove some.
public protocol RemoteMemory: AnyObject {
  /// Fills a buffer, which is not empty, from an address on.
  /// - Throws: if the owner refuses or does not reply; the buffer's content is then undefined.
  func read(
    at address: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HostMemoryError)

  /// Writes a buffer, which is not empty, from an address on.
  /// - Throws: if the owner refuses or does not reply; some of the bytes may have been written.
  func write(at address: UInt64, from buffer: UnsafeRawBufferPointer) throws(HostMemoryError)
}
