// SPDX-License-Identifier: Apache-2.0

/// Waiting for the kernel, always with a deadline: real time with device events, or the clock of a simulated kernel.
public protocol EventClock: Sendable {
  /// Tests a condition now and again whenever something may have changed, until it holds or the time is up.
  ///
  /// Objects without uevents (a configfs group that appears late) are polled at growing intervals.
  /// - Returns: whether the condition held before the limit.
  func wait(upTo limit: Duration, until condition: () throws -> Bool) rethrows -> Bool

  /// Time since an arbitrary start; only differences mean something.
  var now: Duration { get }
}
