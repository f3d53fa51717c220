// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
internal import LibC
internal import Provisioning
internal import VFIOUser

/// The output of a server: the driver's messages, connections of clients, a live line or periodic statistics.
final class ServingMonitor: ServerObserver {
  private let name: String
  private let function: NVMeFunction
  private let terminal: Terminal
  private let isJSON: Bool
  private let isLive: Bool
  /// Nanoseconds between two statistics; nil for none.
  private let interval: UInt64?
  private let keepsTrace: Bool
  /// Whether regular figures are the result; else they are messages.
  private let hasResult: Bool

  private let clock = RealTime(at: .zero)
  private var isConnected = false
  private var isLineOpen = false
  private var due: UInt64
  private var before: (time: UInt64, counters: IOCounters)
  private(set) var trace: [TraceEvent] = []
  /// More are not kept: a trace is for looking at a beginning.
  private static let traceLimit = 1_000_000

  init(
    _ served: ServedFunction, _ terminal: Terminal, isJSON: Bool, interval: Double?,
    keepsTrace: Bool, hasResult: Bool
  ) {
    name = served.name
    function = served.function
    self.terminal = terminal
    self.isJSON = isJSON
    self.keepsTrace = keepsTrace
    self.hasResult = hasResult
    isLive = interval == nil && !isJSON && !terminal.isQuiet && Terminal.isInteractive
    let seconds = interval ?? (isLive ? 1 : nil)
    self.interval = seconds.map { UInt64($0 * 1e9) }
    before = (clock.now.nanoseconds, function.counters)
    due = before.time
    function.setTracing(keepsTrace)
    function.runInRealTime()
    takeEvents()
  }

  private var now: UInt64 { clock.now.nanoseconds }

  // MARK: ServerObserver

  func clientConnected() {
    isConnected = true
    line("a host has connected")
    function.linkUp()
    takeEvents()
  }

  func clientLeft(_ reason: String?) {
    isConnected = false
    // Without a notifier the driver does not receive link events.
    if function.model.hasLinkUpNotifier { function.linkDown() }
    takeEvents()
    line(reason.map { "the host was disconnected: \($0)" } ?? "the host has disconnected")
  }

  func worked() {
    takeEvents()
    guard let interval else { return }
    let now = now
    guard now >= due else { return }
    report(now)
    due = now + interval
  }

  var nanosecondsToReport: UInt64? {
    guard interval != nil, isConnected || isLineOpen else { return nil }
    let now = now
    return due > now ? due - now : 0
  }

  // MARK: Lines

  private func takeEvents() {
    let happened = function.takeEvents()
    if keepsTrace, trace.count < Self.traceLimit { trace += happened.trace }
    for line in happened.log { self.line(TraceText.line(line)) }
    for diagnosis in happened.diagnoses {
      line("\(diagnosis.fault): \(diagnosis.text)")
    }
    // The kernel's copy is for a simulated one.
    _ = function.takeKernelLog()
  }

  private func line(_ text: String) {
    closeLine()
    terminal.note(Terminal.printable("\(name): \(text)"))
  }

  /// Ends the live line.
  func closeLine() {
    guard isLineOpen else { return }
    isLineOpen = false
    Terminal.raw("\r\u{1b}[K")
  }

  /// The figures since the last time.
  private func report(_ now: UInt64) {
    let counters = function.counters
    let seconds = Double(now &- before.time) / 1e9
    let commands = counters.commands &- before.counters.commands
    let read = counters.bytesRead &- before.counters.bytesRead
    let written = counters.bytesWritten &- before.counters.bytesWritten
    before = (now, counters)
    guard seconds > 0 else { return }
    let state =
      !isConnected ? "no host" : function.isEnabled ? "enabled" : "disabled"
    let iops = Int(Double(commands) / seconds)
    if isJSON {
      let json: JSONValue = [
        "event": "statistics", "state": .string(state),
        "ioQueues": JSONValue(function.liveIOQueues), "seconds": .number(Self.decimal(seconds, 3)),
        "commands": .number("\(commands)"), "bytesRead": .number("\(read)"),
        "bytesWritten": .number("\(written)"),
      ]
      _ = Output.emit(json.compactText)
      return
    }
    let text =
      "\(name): \(state), \(function.liveIOQueues) I/O queues, \(iops) IOPS, "
      + "read \(Self.decimal(Double(read) / seconds / 1e6, 1)) MB/s, "
      + "written \(Self.decimal(Double(written) / seconds / 1e6, 1)) MB/s"
    guard isLive else {
      if hasResult { _ = Output.emit(text) } else { Terminal.printLine(text) }
      return
    }
    Terminal.raw("\r\u{1b}[K" + text)
    isLineOpen = true
  }

  private static func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((value * Double(scale)).rounded())
    let rest = String(whole % scale)
    return "\(whole / scale)." + String(repeating: "0", count: digits - rest.count) + rest
  }
}
