// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// A body's bytes; integers in it are little-endian and need not be aligned.
struct WireBytes {
  var bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  /// - Precondition: its bytes are there.
  func integer<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Value {
    var value: Value = 0
    for index in (0..<MemoryLayout<Value>.size).reversed() {
      value = value << 8 | Value(bytes[offset + index])
    }
    return value
  }

  /// - Throws: EINVAL when the body is shorter.
  func require(_ count: Int) throws(Refusal) {
    guard bytes.count >= count else { throw Refusal(EINVAL) }
  }
}

extension [UInt8] {
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    var rest = value
    for _ in 0..<MemoryLayout<Value>.size {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}

/// The refusal of a request: the errno for its sender.
struct Refusal: Error, Hashable {
  var errno: CInt
  init(_ errno: CInt) { self.errno = errno }
}

/// A structure of the protocol with a fixed size: packed, little-endian, its fields in the order of their declaration.
///
/// Offsets in the documentation of the fields count from the start of the structure.
protocol WireStructure: Hashable, Sendable {
  static var byteCount: Int { get }

  /// - Precondition: the bytes from `start` on contain the structure.
  init(wholeIn body: WireBytes, at start: Int)

  /// Appends ``byteCount`` bytes.
  func append(to bytes: inout [UInt8])
}

extension WireStructure {
  /// - Throws: EINVAL when the body ends before the structure does.
  init(_ body: WireBytes, at start: Int = 0) throws(Refusal) {
    try body.require(start + Self.byteCount)
    self.init(wholeIn: body, at: start)
  }

  /// The structure as a body, or as the start of one.
  /// - Parameter extra: the number of bytes to reserve behind it.
  func bytes(reserving extra: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount + extra)
    append(to: &bytes)
    return bytes
  }
}
