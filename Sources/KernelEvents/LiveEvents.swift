// SPDX-License-Identifier: Apache-2.0
internal import SystemPackage

/// Waiting in real time: device events wake it, and objects without events are polled at growing intervals.
public struct LiveEvents: EventClock {
  private let start = ContinuousClock.now

  public init() {}

  public var now: Duration { start.duration(to: .now) }

  public func wait(upTo limit: Duration, until condition: () throws -> Bool) rethrows -> Bool {
    // Usually the condition is already true, without cost.
    if try condition() { return true }
    let end = now + limit
    guard now < end else { return false }
    // Without a monitor (no netlink in a container) only the intervals are used.
    if let monitor = try? DeviceMonitor() {
      return try wait(until: end, condition) { interval in
        guard monitor.wait(upTo: interval) else { return }
        while monitor.next() != nil {}
      }
    }
    return try wait(until: end, condition) { interval in _ = waitForInput(-1, upTo: interval) }
  }

  private func wait(
    until end: Duration, _ condition: () throws -> Bool, pause: (Duration) -> Void
  ) rethrows -> Bool {
    var interval = RecheckInterval()
    while true {
      // The condition may have become true while the monitor was created.
      if try condition() { return true }
      let left = end - now
      guard left > .zero else { return false }
      pause(min(left, interval.next()))
    }
  }
}

/// The polling interval: 1 ms at first, doubled each time, 100 ms at most.
struct RecheckInterval {
  private var value = Duration.milliseconds(1)

  mutating func next() -> Duration {
    defer { value = min(value * 2, .milliseconds(100)) }
    return value
  }
}
