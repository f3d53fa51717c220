// SPDX-License-Identifier: Apache-2.0

/// The polling times of the reference controller for doorbells without register writes: buffers in the host's memory, or pages that the
/// host has mapped.
///
/// After a command it polls continuously, for about the time between two commands of this host. Then it pauses: with buffers until the
/// requested doorbell write; with pages for increasing intervals.
struct DoorbellPolling {
  /// The time of the last commands, or of the enable.
  private var lastCommands: VirtualTime
  /// The duration of continuous polling, nanoseconds.
  private var window = leastWindow
  /// The time of the next poll after that, with pages.
  private var nextLook = VirtualTime.zero

  /// Approximately the cost of waking a sleeping server.
  private static let leastWindow: UInt64 = 50_000
  /// For longer times between commands, polling has little benefit.
  private static let mostWindow: UInt64 = 2_000_000
  private static let longestPause: UInt64 = 10_000_000

  init(from now: VirtualTime = .zero) { lastCommands = now }

  /// The end of continuous polling.
  var windowEnd: VirtualTime { VirtualTime(nanoseconds: lastCommands.nanoseconds &+ window) }

  /// Commands were found: the time since the previous ones predicts the time to the next.
  mutating func sawCommands(at now: VirtualTime) {
    let pause = now.nanoseconds &- lastCommands.nanoseconds
    lastCommands = now
    window =
      pause > Self.mostWindow
      ? Self.leastWindow
      : min(max(2 * pause, window - window / 16, Self.leastWindow), Self.mostWindow)
  }

  /// The pages were polled.
  mutating func looked(at now: VirtualTime) {
    let pause = min((now.nanoseconds &- lastCommands.nanoseconds) / 8, Self.longestPause)
    nextLook = VirtualTime(nanoseconds: now.nanoseconds &+ pause)
  }

  /// The time of the next poll of the pages.
  func nextLook(from now: VirtualTime) -> VirtualTime { now < windowEnd ? now : nextLook }
}
