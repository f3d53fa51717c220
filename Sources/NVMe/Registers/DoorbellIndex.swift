// SPDX-License-Identifier: Apache-2.0

/// Which doorbell: a submission queue's tail or a completion queue's head.
/// - Source: NVM Express over PCIe Transport 1.1, 3.1.2.
public struct DoorbellIndex: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable { case submissionTail, completionHead }

  public var queue: UInt16
  public var kind: Kind

  @inlinable public init(_ kind: Kind, queue: UInt16) {
    self.queue = queue
    self.kind = kind
  }

  /// The doorbell at an offset in BAR 0; nil below the first, between two, and past that of queue FFFFh.
  /// - Parameter stride: CAP.DSTRD, 0 to 15.
  @inlinable public init?(offset: UInt64, stride: UInt8) {
    guard offset >= UInt64(Register.doorbells) else { return nil }
    let distance = offset - UInt64(Register.doorbells)
    let shift = UInt64(2 + stride)
    let index = distance >> shift
    guard index << shift == distance, index <= 0x1_ffff else { return nil }
    self.init(
      index & 1 == 0 ? .submissionTail : .completionHead,
      queue: UInt16(truncatingIfNeeded: index >> 1))
  }

  /// The offset in BAR 0.
  /// - Parameter stride: CAP.DSTRD, 0 to 15.
  @inlinable public func offset(stride: UInt8) -> UInt64 {
    UInt64(Register.doorbells) + (UInt64(queue) * 2 + UInt64(kind.rawValue)) << UInt64(2 + stride)
  }
}

extension DoorbellIndex: CustomStringConvertible {
  /// The names of the specification: `SQ1TDBL`, `CQ1HDBL`.
  public var description: String {
    switch kind {
    case .submissionTail: "SQ\(queue)TDBL"
    case .completionHead: "CQ\(queue)HDBL"
    }
  }
}
