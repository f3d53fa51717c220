// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import SystemPackage

/// An event of a kernel.
public enum KernelEvent: Sendable, Hashable {
  case device(DeviceEvent)
  case line(KernelLogLine)
}

/// Device events and log messages as they arrive, from its creation on.
///
/// On a simulated kernel, which sends no uevents, only the log, polled ten times a second.
public final class EventStream {
  /// A class, so that it can be optional.
  private final class Monitor {
    let events: DeviceMonitor
    init() throws(Errno) { events = try DeviceMonitor() }
  }

  private let monitor: Monitor?
  private let log: any KernelLog
  private let clock: (any EventClock)?
  private let logDescriptor: CInt
  private var mark: KernelLogMark?

  /// This machine's.
  public init() {
    let log = LiveKernelLog()
    self.log = log
    clock = nil
    logDescriptor = log.descriptor
    // No netlink in a container.
    monitor = try? Monitor()
    mark = log.mark()
  }

  /// A kernel's that has a log and a clock only.
  public init(log: any KernelLog, clock: any EventClock) {
    self.log = log
    self.clock = clock
    logDescriptor = -1
    monitor = nil
    mark = log.mark()
  }

  /// Whether uevents are available.
  public var hasDeviceEvents: Bool { monitor != nil }
  /// Whether the log can be read.
  public var hasLog: Bool { mark != nil }

  /// The kernel's time now, by the clock of the time stamps in its log.
  public var time: Duration {
    if let clock { return clock.now }
    var now = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
  }

  /// The events that have arrived; waits for the first one.
  /// - Returns: no events on a timeout. A signal ends the wait early.
  public func next(upTo limit: Duration) -> [KernelEvent] {
    let found = pending()
    guard found.isEmpty else { return found }
    if clock != nil {
      _ = waitForInput(-1, upTo: min(limit, .milliseconds(100)))
    } else {
      let (seconds, attoseconds) = limit.components
      let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
      var requests = [
        pollfd(fd: monitor?.events.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: logDescriptor, events: Int16(POLLIN), revents: 0),
      ]
      _ = unsafe poll(&requests, 2, CInt(clamping: max(0, milliseconds)))
    }
    return pending()
  }

  private func pending() -> [KernelEvent] {
    var found: [KernelEvent] = []
    if let monitor {
      while let event = monitor.events.next() { found.append(.device(event)) }
    }
    if var mark {
      found += log.lines(moving: &mark).map { .line($0) }
      self.mark = mark
    }
    return found
  }
}
