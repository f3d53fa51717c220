// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The work items of the drivers: what they look at without being told, and how often.
extension ControllerModel {
  /// How often CC is looked at.
  var registerPeriod: VirtualTime.Milliseconds {
    .init(personality == .pciEPFNVMe ? 5 : 10)
  }

  /// How often idle submission queues are looked at.
  ///
  /// The work of pci_epf_nvme's I/O queues naps and looks again until its jiffy (4 ms) is over, and comes back a jiffy later.
  func queuePeriod(_ queue: Int) -> VirtualTime.Milliseconds {
    .init(personality == .pciEPFNVMe && queue > 0 ? 8 : 5)
  }

  /// How long a look at a queue lasts.
  func spin(_ queue: Int) -> VirtualTime.Milliseconds {
    .init(personality == .pciEPFNVMe && queue > 0 ? 4 : 0)
  }
}

extension Controller {
  /// When something happens by itself; ``VirtualTime/never`` when only the host can make something happen.
  public var nextDue: VirtualTime {
    var next = min(registersDue, keepAlive.due, pollingDue)
    for queue in submissions.indices where submissions[queue].due < next {
      next = submissions[queue].due
    }
    for queue in completions.indices where completions[queue].due < next {
      next = completions[queue].due
    }
    return next
  }

  /// When something happens that a host could notice, unless it acts before: like ``nextDue`` without looks that can find nothing.
  ///
  /// Whoever waits for a host in real time may sleep until then. Never reaches into the host's memory.
  public var nextWork: VirtualTime {
    // It does everything when it is told to, and looks for nothing but doorbells.
    if model.personality == .strict { return nextLook }
    guard isIdle else { return nextDue }
    var next = keepAlive.due
    for queue in completions.indices where completions[queue].due < next {
      next = completions[queue].due
    }
    return next
  }

  /// Lets time pass: everything that is due until then happens, in the order of its time.
  ///
  /// Ticks at which nothing is to be seen are passed over in one step, so that idle time costs nothing.
  public mutating func advance(to time: VirtualTime) {
    while true {
      let due = nextDue
      guard due <= time else { break }
      now = max(now, due)
      runDue()
      if isIdle { skipTicks(until: time) }
    }
    now = max(now, time)
    lookAtDoorbells()
  }

  /// Whether a tick could find anything before the host does something.
  private var isIdle: Bool {
    guard bar[Register.configuration.offset / 4] == configuration, !hasLateShutdown else {
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
    /// The last tick until the moment; nil when none is due until then.
    func last(_ due: VirtualTime, _ period: VirtualTime.Milliseconds) -> VirtualTime? {
      guard due != .never, due <= time else { return nil }
      let step = period.count * 1_000_000
      return VirtualTime(
        nanoseconds: time.nanoseconds - (time.nanoseconds - due.nanoseconds) % step)
    }
    if let tick = last(registersDue, model.registerPeriod) {
      registersDue = tick + model.registerPeriod
    }
    for queue in submissions.indices {
      let period = model.queuePeriod(queue)
      guard let tick = last(submissions[queue].due, period) else { continue }
      submissions[queue].due = tick + period
      submissions[queue].spinsUntil = tick + model.spin(queue)
    }
  }

  /// Runs what is due now: registers before queues, queues by their numbers.
  private mutating func runDue() {
    if registersDue <= now {
      registersDue = now + model.registerPeriod
      lookAtConfiguration()
    }
    for queue in submissions.indices where submissions[queue].due <= now {
      guard submissions[queue].isLive else {
        submissions[queue].due = .never
        continue
      }
      submissions[queue].due = now + model.queuePeriod(queue)
      submissions[queue].spinsUntil = now + model.spin(queue)
      fetch(from: queue)
    }
    for queue in completions.indices where completions[queue].due <= now {
      completions[queue].due = .never
      post(to: queue)
    }
    if keepAlive.due <= now { keepAliveDue() }
    if pollingDue <= now { lookAtDoorbells() }
  }
}
