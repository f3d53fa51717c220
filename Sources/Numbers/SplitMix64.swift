// SPDX-License-Identifier: Apache-2.0

/// Pseudo-random numbers that depend on a seed alone: the same in every run.
/// - Source: SplitMix64, as in Java's `SplittableRandom`.
public struct SplitMix64: RandomNumberGenerator, Hashable, Sendable {
  /// Seed of a generator that continues with the same numbers.
  public private(set) var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
