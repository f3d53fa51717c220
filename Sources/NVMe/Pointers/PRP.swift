// SPDX-License-Identifier: Apache-2.0

/// A physical region page entry: the address of a page of the host, or of a place within its first.
///
/// Sizes are bytes; a page is a power of two from 4096.
/// - Source: NVM Express Base 2.1, 4.3.1.
@frozen public struct PRP: RawRepresentable, Hashable, Sendable {
  /// The length of an entry in a list, in bytes.
  @inlinable public static var byteCount: Int { 8 }

  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The offset within the page (PBAO).
  @inlinable public func offset(pageSize: UInt64) -> UInt64 { rawValue & (pageSize - 1) }

  /// Whether the offset is a multiple of four, as required.
  @inlinable public var isDwordAligned: Bool { rawValue & 3 == 0 }

  /// The number of bytes of a transfer in this entry's page.
  @inlinable public func count(of length: UInt64, pageSize: UInt64) -> UInt64 {
    min(length, pageSize - offset(pageSize: pageSize))
  }

  /// The number of list entries from this address to the end of its page; if more are needed, the last is a pointer.
  @inlinable public func listCapacity(pageSize: UInt64) -> UInt64 {
    (pageSize - offset(pageSize: pageSize)) / UInt64(Self.byteCount)
  }
}
