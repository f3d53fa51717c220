// SPDX-License-Identifier: Apache-2.0

/// The fields of the NVM command set.
/// - Source: NVM Command Set 1.1, 3.3.
extension SubmissionEntry {
  /// The first logical block (SLBA), CDW10 and CDW11.
  @inlinable public var firstBlock: UInt64 { UInt64(dwords[10]) | UInt64(dwords[11]) << 32 }
  /// The number of logical blocks: NLB, CDW12 bits 15:0, plus one.
  @inlinable public var blockCount: UInt64 { UInt64(dwords[12] & 0xffff) + 1 }
  /// Whether the data is durable when the command completes (FUA), CDW12 bit 30.
  @inlinable public var isDurable: Bool { dwords[12] & 1 << 30 != 0 }

  /// The number of ranges of Dataset Management: NR, CDW10 bits 7:0, plus one.
  @inlinable public var rangeCount: UInt64 { UInt64(dwords[10] & 0xff) + 1 }
  /// Whether Dataset Management deallocates the ranges (AD), CDW11 bit 2.
  @inlinable public var deallocates: Bool { dwords[11] & 4 != 0 }

  /// CDW10 to CDW12 of a command on logical blocks.
  /// - Precondition: `count` is at least one.
  public static func words(firstBlock: UInt64, count: UInt64) -> [UInt32] {
    [
      UInt32(truncatingIfNeeded: firstBlock), UInt32(firstBlock >> 32),
      UInt32(truncatingIfNeeded: count - 1),
    ]
  }
}
