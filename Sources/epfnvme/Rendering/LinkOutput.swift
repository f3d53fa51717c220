// SPDX-License-Identifier: Apache-2.0
internal import EndpointLink
internal import LibC
internal import ProfileEmulation
internal import Provisioning

/// The output of `link`: each change of the link as a line or as JSON, and the trace.
final class LinkOutput {
  private let terminal: Terminal
  private let isJSON: Bool
  /// Whether changes are the result; else they are messages.
  private let hasResult: Bool
  private let keepsTrace: Bool
  private let start = ContinuousClock.now
  private(set) var instants: [(nanoseconds: UInt64, name: String)] = []
  /// More are not kept: a trace is for looking at a beginning.
  private static let traceLimit = 1_000_000

  init(_ terminal: Terminal, isJSON: Bool, hasResult: Bool, keepsTrace: Bool) {
    self.terminal = terminal
    self.isJSON = isJSON
    self.hasResult = hasResult
    self.keepsTrace = keepsTrace
  }

  func ready(_ link: EndpointLink, board: String, hosts: [String]) {
    guard isJSON else {
      return say("the board connects to \(board), the host to \(hosts.joined(separator: ", "))")
    }
    emit([
      "event": "ready", "board": .string(board), "hosts": .array(hosts.map { .string($0) }),
      "functions": JSONValue(link.options.functions),
      "windowMiB": JSONValue(Int(link.options.windowSize >> 20)),
      "reset": .string(link.options.resetSignal.rawValue),
    ])
  }

  func show(_ notice: LinkNotice, isUp: Bool) {
    let time = (ContinuousClock.now - start).components
    let nanoseconds =
      UInt64(time.seconds) * 1_000_000_000 + UInt64(time.attoseconds / 1_000_000_000)
    let text = Terminal.printable(notice.text)
    if keepsTrace, instants.count < Self.traceLimit { instants.append((nanoseconds, text)) }
    let milliseconds = nanoseconds / 1_000_000
    let rest = String(milliseconds % 1000)
    let seconds =
      "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    guard isJSON else {
      let padding = String(repeating: " ", count: max(0, 9 - seconds.count))
      return say("\(padding)\(seconds) \(text)")
    }
    emit([
      "event": "link", "seconds": .number(seconds), "change": .string(notice.name),
      "up": .bool(isUp),
      "function": notice.function.map { JSONValue($0) } ?? .null, "text": .string(text),
    ])
  }

  func end(_ link: EndpointLink) {
    guard isJSON else { return }
    let counters = link.controller.counters
    emit([
      "event": "end", "transfers": JSONValue(counters.transfers),
      "failedTransfers": JSONValue(counters.failedTransfers),
      "bytesToHost": .number("\(counters.bytesToHost)"),
      "bytesFromHost": .number("\(counters.bytesFromHost)"),
      "windowReads": JSONValue(counters.windowReads),
      "windowWrites": JSONValue(counters.windowWrites),
      "functions": .array(
        link.functions.map { function in
          [
            "reads": JSONValue(function.counters.reads),
            "writes": JSONValue(function.counters.writes),
            "interrupts": JSONValue(function.counters.interrupts),
            "droppedInterrupts": JSONValue(function.counters.droppedInterrupts),
          ]
        }),
    ])
  }

  private func emit(_ json: JSONValue) { _ = Output.emit(json.compactText) }

  private func say(_ text: String) {
    guard !terminal.isQuiet else { return }
    if hasResult { _ = Output.emit(text) } else { terminal.note(text) }
  }
}

extension LinkNotice {
  /// The name of the change in JSON.
  fileprivate var name: String {
    switch self {
    case .started: "started"
    case .stopped: "stopped"
    case .boardReset: "boardReset"
    case .up: "up"
    case .down: "down"
    case .reset: "reset"
    case .resetCompleted: "resetCompleted"
    case .resetTimedOut: "resetTimedOut"
    case .boardConnected: "boardConnected"
    case .boardLeft: "boardLeft"
    case .hostConnected: "hostConnected"
    case .hostLeft: "hostLeft"
    }
  }

  /// The function that the host has accessed; nil for other changes.
  fileprivate var function: Int? {
    switch self {
    case .reset(let function, _), .hostConnected(let function), .hostLeft(let function, _):
      function
    case .started, .stopped, .boardReset, .up, .down, .resetCompleted, .resetTimedOut,
      .boardConnected, .boardLeft:
      nil
    }
  }

  fileprivate var text: String {
    switch self {
    case .started: "controller started"
    case .stopped: "controller stopped"
    case .boardReset: "board reset"
    case .up: "link up"
    case .down: "link down"
    case .reset(let function, .hot): "function \(function) reset by the host: hot reset"
    case .reset(let function, .perst): "function \(function) reset by the host: PERST#"
    case .reset(let function, nil): "function \(function) reset by the host"
    case .resetCompleted: "reset completed"
    case .resetTimedOut: "reset completed without the board, which did not acknowledge it in 4 s"
    case .boardConnected: "board connected"
    case .boardLeft(let reason): "board disconnected" + (reason.map { ": \($0)" } ?? "")
    case .hostConnected(let function): "host connected to function \(function)"
    case .hostLeft(let function, let reason):
      "host disconnected from function \(function)" + (reason.map { ": \($0)" } ?? "")
    }
  }
}
