// SPDX-License-Identifier: Apache-2.0

/// Test data that depends on a seed alone; faster than ``SplitMix64``, and all zeroes for a seed of zero.
/// - Source: G. Marsaglia, Xorshift RNGs, 2003, with the shifts 13, 7 and 17.
public struct XorShift64: RandomNumberGenerator, Sendable {
  @usableFromInline var state: UInt64

  @inlinable public init(seed: UInt64) { state = seed }

  @inlinable public mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  /// The next bytes, one from each number.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) }
  }
}
