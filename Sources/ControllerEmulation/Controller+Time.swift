// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The work items of the controller: its polling, and its intervals.
extension Controller {
  /// The time of the next internal event; ``VirtualTime/never`` if only the host can cause one.
  var nextDue: VirtualTime {
    if hasCrashed { return .never }
    var next = min(registersDue, keepAlive.due, doorbellBuffersDue)
    for queue in submissions.indices where submissions[queue].due < next {
      next = submissions[queue].due
    }
    for queue in completions.indices where completions[queue].due < next {
      next = completions[queue].due
    }
    return next
  }

  /// The time of the next event that a host could notice, unless the host acts before: like ``nextDue`` without polls that cannot find
  /// anything.
  ///
  /// A caller that waits for a host in real time may sleep until then. Does not access the host's memory.
  var nextWork: VirtualTime {
    if hasCrashed { return .never }
    // Without register polling it acts on writes, and polls only doorbells.
    if B.registerPeriod == nil { return nextLook }
    guard isIdle else { return nextDue }
    var next = keepAlive.due
    for queue in completions.indices where completions[queue].due < next {
      next = completions[queue].due
    }
    return next
  }

  /// Advances time: all events that are due until then happen, in order of time.
  ///
  /// Ticks without work are skipped in one step, so that idle time is free.
  mutating func advance(to time: VirtualTime) {
    while true {
      let due = nextDue
      guard due <= time else { break }
      now = max(now, due)
      runDue()
      if isIdle { skipTicks(until: time) }
    }
    now = max(now, time)
    if !hasCrashed { pollDoorbells() }
  }

  /// Whether a tick could find anything before the host does something.
  private var isIdle: Bool {
    guard bar[Register.configuration.offset / 4] == configuration.rawValue, !B.hasLateShutdown(self)
    else {
      return false
    }
    for queue in submissions.indices where submissions[queue].isLive {
      if doorbell(submission: queue) & 0xffff != submissions[queue].head { return false }
    }
    for queue in completions.indices where !completions[queue].waiting.isEmpty { return false }
    return true
  }

  /// Moves each periodic item to its first tick after a moment, on its own grid.
  private mutating func skipTicks(until time: VirtualTime) {
    /// The last tick until the moment; nil if none is due until then.
    func last(_ due: VirtualTime, _ period: VirtualTime.Milliseconds?) -> VirtualTime? {
      guard let period, due != .never, due <= time else { return nil }
      let step = period.count * 1_000_000
      return VirtualTime(
        nanoseconds: time.nanoseconds - (time.nanoseconds - due.nanoseconds) % step)
    }
    if let tick = last(registersDue, B.registerPeriod) { registersDue = tick + B.registerPeriod }
    for queue in submissions.indices {
      let period = B.queuePeriod(queue)
      guard let tick = last(submissions[queue].due, period) else { continue }
      submissions[queue].due = tick + period
      submissions[queue].spinsUntil = tick + B.spin(queue)
    }
  }

  /// Processes the work that is due: registers before queues, queues by number.
  private mutating func runDue() {
    if registersDue <= now {
      registersDue = now + B.registerPeriod
      pollConfiguration()
    }
    for queue in submissions.indices where submissions[queue].due <= now {
      guard submissions[queue].isLive else {
        submissions[queue].due = .never
        continue
      }
      submissions[queue].due = now + B.queuePeriod(queue)
      submissions[queue].spinsUntil = now + B.spin(queue)
      fetch(from: queue)
    }
    for queue in completions.indices where completions[queue].due <= now {
      completions[queue].due = .never
      post(to: queue)
    }
    if keepAlive.due <= now { B.keepAliveExpired(&self) }
    if doorbellBuffersDue <= now { pollDoorbells() }
  }
}
