// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import VFIOUser

/// The figures of a served function since the last report.
package struct ServingFigures: Sendable {
  /// `no host`, `disabled` or `enabled`.
  package var state: String
  package var ioQueues: Int
  package var seconds: Double
  package var commands: UInt64
  package var bytesRead: UInt64
  package var bytesWritten: UInt64
}

/// The output of a server.
package protocol ServingView: AnyObject {
  /// Shows a message: the driver's, or about the connection.
  func note(_ text: String)
  func show(_ figures: ServingFigures)
  /// Whether figures are shown that must not become old, with or without a host.
  var isLineOpen: Bool { get }
}

/// Watches a server: the driver's messages and the connections of clients as they occur, figures at intervals, and the trace.
///
/// A host that connects or leaves changes the link of the function.
package final class ServingMonitor: ServerObserver {
  private let function: NVMeFunction
  private let view: any ServingView
  /// Nanoseconds between two reports; nil for none.
  private let interval: UInt64?
  private let keepsTrace: Bool

  private let clock = RealTime(at: .zero)
  private var isConnected = false
  private var due: UInt64
  private var before: (time: UInt64, counters: IOCounters)
  package private(set) var trace: [TraceEvent] = []
  /// More are not kept: a trace is for looking at a beginning.
  private static let traceLimit = 1_000_000

  /// - Parameter interval: seconds between two reports; nil for none.
  package init(
    _ served: ServedFunction, interval: Double?, keepsTrace: Bool, view: any ServingView
  ) {
    function = served.function
    self.view = view
    self.keepsTrace = keepsTrace
    self.interval = interval.map { UInt64($0 * 1e9) }
    before = (clock.now.nanoseconds, function.counters)
    due = before.time
    function.setTracing(keepsTrace)
    function.runInRealTime()
    takeEvents()
  }

  private var now: UInt64 { clock.now.nanoseconds }

  // MARK: ServerObserver

  package func clientConnected() {
    isConnected = true
    view.note("a host has connected")
    function.linkUp()
    takeEvents()
  }

  package func clientLeft(_ reason: String?) {
    isConnected = false
    // Without a notifier the driver does not receive link events.
    if function.model.hasLinkUpNotifier { function.linkDown() }
    takeEvents()
    view.note(reason.map { "the host was disconnected: \($0)" } ?? "the host has disconnected")
  }

  package func worked() {
    takeEvents()
    guard let interval else { return }
    let now = now
    guard now >= due else { return }
    report(now)
    due = now + interval
  }

  package var nanosecondsToReport: UInt64? {
    guard interval != nil, isConnected || view.isLineOpen else { return nil }
    let now = now
    return due > now ? due - now : 0
  }

  // MARK: Reports

  private func takeEvents() {
    let happened = function.takeEvents()
    if keepsTrace, trace.count < Self.traceLimit { trace += happened.trace }
    for line in happened.log { view.note(TraceText.line(line)) }
    for diagnosis in happened.diagnoses { view.note("\(diagnosis.fault): \(diagnosis.text)") }
    // The kernel's copy is for a simulated one.
    _ = function.takeKernelLog()
  }

  /// The figures since the last time.
  private func report(_ now: UInt64) {
    let counters = function.counters
    let seconds = Double(now &- before.time) / 1e9
    let figures = ServingFigures(
      state: !isConnected ? "no host" : function.isEnabled ? "enabled" : "disabled",
      ioQueues: function.liveIOQueues, seconds: seconds,
      commands: counters.commands &- before.counters.commands,
      bytesRead: counters.bytesRead &- before.counters.bytesRead,
      bytesWritten: counters.bytesWritten &- before.counters.bytesWritten)
    before = (now, counters)
    guard seconds > 0 else { return }
    view.show(figures)
  }
}
