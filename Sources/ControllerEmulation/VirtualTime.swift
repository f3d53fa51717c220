// SPDX-License-Identifier: Apache-2.0

/// A moment on the controller's clock, nanoseconds since it was made.
///
/// The caller sets the time; the same events at the same times give the same trace.
public struct VirtualTime: Sendable, Hashable, Comparable {
  public var nanoseconds: UInt64

  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  public static let zero = VirtualTime(nanoseconds: 0)
  /// Later than everything: no event is scheduled.
  public static let never = VirtualTime(nanoseconds: .max)

  public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

  public static func + (time: Self, milliseconds: Milliseconds) -> Self {
    let (sum, overflow) = time.nanoseconds.addingReportingOverflow(milliseconds.count * 1_000_000)
    return overflow ? .never : VirtualTime(nanoseconds: sum)
  }

  /// Never without a duration.
  static func + (time: Self, milliseconds: Milliseconds?) -> Self {
    if let milliseconds { time + milliseconds } else { .never }
  }

  public struct Milliseconds: Sendable, Hashable {
    public var count: UInt64
    public init(_ count: UInt64) { self.count = count }
  }
}

extension VirtualTime: CustomStringConvertible {
  /// Seconds with microseconds, as the kernel's log has them.
  public var description: String {
    let microseconds = String(nanoseconds / 1000 % 1_000_000)
    return "\(nanoseconds / 1_000_000_000)."
      + String(repeating: "0", count: 6 - microseconds.count) + microseconds
  }
}
