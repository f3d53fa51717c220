// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import Numbers
internal import NVMe

/// A controller's events as lines of text.
package enum TraceText {
  package static func line(_ event: TraceEvent) -> String {
    "[\(padded(event.time))] \(words(event.kind))"
  }

  package static func line(_ line: LogLine) -> String {
    "[\(padded(line.time))] kernel: \(line.text)"
  }

  /// Without time and place.
  static func summary(_ kind: TraceEvent.Kind) -> String {
    if case .command(let queue, _, let opcode, _) = kind {
      return name(of: opcode, on: queue)
    }
    return String(words(kind).drop { $0 == " " })
  }

  private static func name(of opcode: UInt8, on queue: UInt16) -> String {
    let name =
      queue == 0 ? AdminOpcode(rawValue: opcode).name : NVMOpcode(rawValue: opcode).name
    return name ?? "opcode \(hexadecimal(opcode))"
  }

  private static func padded(_ time: VirtualTime) -> String {
    let text = "\(time)"
    return String(repeating: " ", count: max(0, 12 - text.count)) + text
  }

  private static func words(_ kind: TraceEvent.Kind) -> String {
    switch kind {
    case .register(let offset, let value): return register(Int(offset), value)
    case .status(let value): return "CSTS = \(hexadecimal(value)) \(state(value))"
    case .command(let queue, let id, let opcode, let namespace):
      let space = namespace == 0 ? "" : " nsid \(namespace == .max ? "all" : "\(namespace)")"
      return "  SQ \(queue) cid \(id): \(name(of: opcode, on: queue))\(space)"
    case .completion(let queue, let id, let status, let result):
      let value = result == 0 ? "" : " result \(hexadecimal(result))"
      return "  CQ \(queue) cid \(id): \(status)\(value)"
    case .interrupt(let vector): return "    interrupt, vector \(vector)"
    case .link(let isUp): return isUp ? "link up" : "link down"
    }
  }

  private static func register(_ offset: Int, _ value: UInt32) -> String {
    if let bell = DoorbellIndex(offset: UInt64(offset), stride: 0) {
      let words = bell.kind == .submissionTail ? "SQ \(bell.queue) tail" : "CQ \(bell.queue) head"
      return "  \(words) <- \(value)"
    }
    return "\(name(ofRegisterAt: offset)) <- \(hexadecimal(value))"
  }

  private static func name(ofRegisterAt offset: Int) -> String {
    if let name = Register(rawValue: UInt32(offset)).abbreviation { return name }
    if let name = Register(rawValue: UInt32(offset & ~7)).abbreviation { return "\(name) (high)" }
    return "register \(hexadecimal(offset))"
  }

  private static func state(_ value: UInt32) -> String {
    let status = ControllerStatus(rawValue: value)
    var words: [String] = []
    if status[.ready] { words.append("ready") }
    if status[.fatal] { words.append("fatal") }
    if status[.shutdown] == .complete { words.append("shutdown complete") }
    return words.isEmpty ? "(not ready)" : "(\(words.joined(separator: ", ")))"
  }
}
