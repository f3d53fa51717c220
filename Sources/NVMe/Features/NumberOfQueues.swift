// SPDX-License-Identifier: Apache-2.0

/// Number of Queues (feature 07h): requested in CDW11, granted in completion DW0.
/// - Source: NVM Express Base 2.1, 5.1.25.
public struct NumberOfQueues: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, UInt16>.submissionQueues.number,
      BitField<Self, UInt16>.completionQueues.number,
    ]
  }
}

extension NumberOfQueues {
  /// The number of queue pairs that a grant allows.
  public var pairs: Int { Int(min(self[.submissionQueues], self[.completionQueues])) + 1 }
}

extension BitField where Owner == NumberOfQueues, Value == UInt16 {
  /// I/O submission queues (NSQR, NSQA), 0's based; FFFFh is invalid.
  @inlinable public static var submissionQueues: Self { Self("NSQ", 0...15) }

  /// I/O completion queues (NCQR, NCQA), 0's based; FFFFh is invalid.
  @inlinable public static var completionQueues: Self { Self("NCQ", 16...31) }
}
