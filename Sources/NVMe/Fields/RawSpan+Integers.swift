// SPDX-License-Identifier: Apache-2.0

extension RawSpan {
  /// Loads a little-endian integer at a byte offset; traps past the end.
  @inlinable func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T
  {
    // The load checks its bounds, and every bit pattern is an integer.
    unsafe T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension MutableRawSpan {
  /// Stores an integer as little-endian bytes at a byte offset; traps past the end.
  @inlinable mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int)
  {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
