// SPDX-License-Identifier: Apache-2.0

/// A scatter gather list descriptor, 16 bytes.
/// - Source: NVM Express Base 2.1, 4.3.2.
public struct SGLDescriptor: Hashable, Sendable {
  /// The length in bytes.
  @inlinable public static var byteCount: Int { 16 }

  /// Bytes 0 to 7: the address, or the offset in a capsule.
  public var low: UInt64
  /// Bytes 8 to 15: length and identifier.
  public var high: UInt64

  @inlinable public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// A descriptor with a 32-bit length: every type but the keyed one.
  @inlinable public init(
    _ type: Kind, subtype: Subtype = .address, address: UInt64, length: UInt32
  ) {
    self.init(
      low: address,
      high: UInt64(length) | UInt64(type.rawValue) << 60 | UInt64(subtype.rawValue) << 56)
  }

  /// A keyed data block, whose length has 24 bits.
  @inlinable public init(
    keyed subtype: Subtype = .address, address: UInt64, length: UInt32, key: UInt32
  ) {
    precondition(length >> 24 == 0, "the value is wider than its field")
    self.init(
      low: address,
      high: UInt64(length) | UInt64(key) << 24 | UInt64(Kind.keyedDataBlock.rawValue) << 60
        | UInt64(subtype.rawValue) << 56)
  }

  /// Loads a descriptor from 16 bytes at an offset; traps if there are fewer.
  @inlinable public init(_ bytes: RawSpan, at offset: Int = 0) {
    self.init(
      low: bytes.load(UInt64.self, at: offset), high: bytes.load(UInt64.self, at: offset + 8))
  }

  /// Stores the descriptor as 16 bytes at an offset; traps if there are fewer.
  @inlinable public func store(into bytes: inout MutableRawSpan, at offset: Int = 0) {
    bytes.store(low, at: offset)
    bytes.store(high, at: offset + 8)
  }

  /// The type, bits 7:4 of byte 15.
  @inlinable public var type: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: high >> 60)) }

  /// The subtype, bits 3:0 of byte 15.
  @inlinable public var subtype: Subtype {
    Subtype(rawValue: UInt8(truncatingIfNeeded: high >> 56) & 0xf)
  }

  /// The address in memory, or the offset for the subtype `offset`; a bit bucket has none.
  @inlinable public var address: UInt64 { low }

  /// The length in bytes: 24 bits of a keyed data block, 32 of the others.
  @inlinable public var length: UInt32 {
    UInt32(truncatingIfNeeded: type == .keyedDataBlock ? high & 0xff_ffff : high)
  }

  /// The key of a keyed data block; nil for the others.
  @inlinable public var key: UInt32? {
    type == .keyedDataBlock ? UInt32(truncatingIfNeeded: high >> 24) : nil
  }
}
