// SPDX-License-Identifier: Apache-2.0

/// When a strict controller looks by itself for doorbells that no write tells it of: buffers in the host's memory, or pages that the host has
/// mapped.
///
/// After a command it looks without a pause, about as long as this host takes from one command to the next. Then it rests: with
/// buffers until it is rung, which it has asked for; with pages for ever longer pauses.
struct DoorbellPolling {
  /// When commands were seen last, or the controller was enabled.
  private var lastCommands: VirtualTime
  /// How long it looks without a pause, nanoseconds.
  private var window = leastWindow
  /// When it looks again after that, with pages.
  private var nextLook = VirtualTime.zero

  /// About what waking a sleeping server costs.
  private static let leastWindow: UInt64 = 50_000
  /// A host that takes longer from command to command gains little.
  private static let mostWindow: UInt64 = 2_000_000
  private static let longestPause: UInt64 = 10_000_000

  init(from now: VirtualTime = .zero) { lastCommands = now }

  /// Until when it looks without a pause.
  var windowEnd: VirtualTime { VirtualTime(nanoseconds: lastCommands.nanoseconds &+ window) }

  /// Commands have been found: the pause before them is what to expect of the next one.
  mutating func sawCommands(at now: VirtualTime) {
    let pause = now.nanoseconds &- lastCommands.nanoseconds
    lastCommands = now
    window =
      pause > Self.mostWindow
      ? Self.leastWindow
      : min(max(2 * pause, window - window / 16, Self.leastWindow), Self.mostWindow)
  }

  /// Pages have been looked at.
  mutating func looked(at now: VirtualTime) {
    let pause = min((now.nanoseconds &- lastCommands.nanoseconds) / 8, Self.longestPause)
    nextLook = VirtualTime(nanoseconds: now.nanoseconds &+ pause)
  }

  /// When pages are looked at again.
  func nextLook(from now: VirtualTime) -> VirtualTime { now < windowEnd ? now : nextLook }
}
