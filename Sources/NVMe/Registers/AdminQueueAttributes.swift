// SPDX-License-Identifier: Apache-2.0

/// Admin Queue Attributes (AQA), offset 24h, 32 bits.
/// - Source: NVM Express Base 2.1, 3.1.4.8.
public struct AdminQueueAttributes: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt16>.submissionQueueSize.number,
      BitField<Self, UInt16>.completionQueueSize.number,
    ]
  }
}

extension BitField where Owner == AdminQueueAttributes, Value == UInt16 {
  /// The entries of the admin submission queue (ASQS), 0's based.
  @inlinable public static var submissionQueueSize: Self { Self("ASQS", 0...11) }

  /// The entries of the admin completion queue (ACQS), 0's based.
  @inlinable public static var completionQueueSize: Self { Self("ACQS", 16...27) }
}
