// SPDX-License-Identifier: Apache-2.0

/// A way to host memory that no pointer leads to: by messages to whoever has it.
///
/// A call lasts until the bytes have moved. Meanwhile it may add regions to the ``HostMemory`` that asks, and remove some.
public protocol RemoteMemory: AnyObject {
  /// Fills a buffer, which is not empty, from an address on.
  /// - Throws: if the owner refuses or does not answer; the buffer's content is then undefined.
  func read(
    at address: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HostMemoryError)

  /// Writes a buffer, which is not empty, from an address on.
  /// - Throws: if the owner refuses or does not answer; some of the bytes may have been written.
  func write(at address: UInt64, from buffer: UnsafeRawBufferPointer) throws(HostMemoryError)
}
