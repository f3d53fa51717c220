// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import NVMe
internal import Provisioning

/// Events in the Trace Event Format, which Perfetto and chrome://tracing open: a process a function, a track a queue, one for
/// registers and state, one for interrupts.
/// - Source: "Trace Event Format", Google; timestamps are microseconds.
package struct TraceFile {
  private var events: [JSONValue] = []
  private static let registers = 1000
  private static let interrupts = 1001

  package init() {}

  package mutating func add(_ trace: [TraceEvent], function: String, number: Int) {
    name("process_name", number, 0, function)
    name("thread_name", number, Self.registers, "registers")
    name("thread_name", number, Self.interrupts, "interrupts")
    var open: [UInt32: (start: VirtualTime, name: String)] = [:]
    var named: Set<UInt16> = []
    for event in trace {
      switch event.kind {
      case .command(let queue, let id, _, _):
        if named.insert(queue).inserted {
          self.name(
            "thread_name", number, Int(queue), queue == 0 ? "admin queue" : "I/O queue \(queue)")
        }
        open[UInt32(queue) << 16 | UInt32(id)] = (event.time, TraceText.summary(event.kind))
      case .completion(let queue, let id, let status, _):
        guard let begun = open.removeValue(forKey: UInt32(queue) << 16 | UInt32(id)) else {
          continue
        }
        let length = event.time.nanoseconds - begun.start.nanoseconds
        events.append([
          "name": .string(begun.name), "ph": "X", "pid": JSONValue(number),
          "tid": JSONValue(Int(queue)), "ts": Self.microseconds(begun.start.nanoseconds),
          "dur": Self.microseconds(length),
          "args": ["cid": JSONValue(Int(id)), "status": .string(status.description)],
        ])
      case .interrupt: instant(event, number, Self.interrupts)
      case .register(let offset, _) where offset >= 0x1000: break
      case .register, .status, .link: instant(event, number, Self.registers)
      }
    }
    // Commands that never completed are included.
    for (key, begun) in open.sorted(by: { $0.value.start < $1.value.start }) {
      events.append([
        "name": .string(begun.name + " (never completed)"), "ph": "i", "s": "t",
        "pid": JSONValue(number), "tid": JSONValue(Int(key >> 16)),
        "ts": Self.microseconds(begun.start.nanoseconds),
      ])
    }
  }

  /// Adds events of which each has a name and a time in nanoseconds, as a track of a process.
  package mutating func add(
    _ instants: [(nanoseconds: UInt64, name: String)], process: String, track: String
  ) {
    name("process_name", 0, 0, process)
    name("thread_name", 0, 0, track)
    for instant in instants {
      events.append([
        "name": .string(instant.name), "ph": "i", "s": "p", "pid": JSONValue(0),
        "tid": JSONValue(0), "ts": Self.microseconds(instant.nanoseconds),
      ])
    }
  }

  private mutating func instant(_ event: TraceEvent, _ number: Int, _ track: Int) {
    events.append([
      "name": .string(TraceText.summary(event.kind)), "ph": "i", "s": "t",
      "pid": JSONValue(number), "tid": JSONValue(track),
      "ts": Self.microseconds(event.time.nanoseconds),
    ])
  }

  private mutating func name(_ kind: String, _ number: Int, _ track: Int, _ text: String) {
    events.append([
      "name": .string(kind), "ph": "M", "pid": JSONValue(number), "tid": JSONValue(track),
      "args": ["name": .string(text)],
    ])
  }

  /// With three digits after the point: the format's unit is the microsecond, the controller's the nanosecond.
  private static func microseconds(_ nanoseconds: UInt64) -> JSONValue {
    let rest = String(nanoseconds % 1000)
    return .number(
      "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest)
  }

  /// The file's text.
  package var text: String {
    let document: JSONValue = ["displayTimeUnit": "ms", "traceEvents": .array(events)]
    return document.compactText
  }
}
