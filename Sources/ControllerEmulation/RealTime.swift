// SPDX-License-Identifier: Apache-2.0
internal import LibC

/// The machine's monotonic clock as a controller's time.
public struct RealTime: Sendable {
  private let origin: UInt64

  /// A clock that starts at a moment now.
  public init(at time: VirtualTime) { origin = Self.monotonic &- time.nanoseconds }

  public var now: VirtualTime { VirtualTime(nanoseconds: Self.monotonic &- origin) }

  /// Nanoseconds; the clock never goes back.
  private static var monotonic: UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
