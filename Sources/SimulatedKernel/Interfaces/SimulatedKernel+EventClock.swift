// SPDX-License-Identifier: Apache-2.0
public import KernelEvents

extension SimulatedKernel: EventClock {
  public var now: Duration { observe { .nanoseconds($0.clock) } }

  /// Advances the clock from one internal event to the next, and tests after each. Takes no real time.
  public func wait(upTo limit: Duration, until condition: () throws -> Bool) rethrows -> Bool {
    let end = now + limit
    while true {
      if try condition() { return true }
      let time = now
      guard time < end else { return false }
      let next = observe { $0.nextEvent.map { Duration.nanoseconds($0) } }
      advance(by: min(next ?? end, end) - time)
    }
  }

  /// Advances virtual time.
  public func advance(by duration: Duration) {
    let (seconds, attoseconds) = duration.components
    amend { $0.advance(to: $0.clock + seconds * 1_000_000_000 + attoseconds / 1_000_000_000) }
  }
}
