// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation

/// A controller's events as lines that a person can follow.
enum TraceText {
  static func line(_ event: TraceEvent) -> String { "[\(padded(event.time))] \(words(event.kind))" }

  static func line(_ line: LogLine) -> String { "[\(padded(line.time))] kernel: \(line.text)" }

  /// Without time and place.
  static func summary(_ kind: TraceEvent.Kind) -> String {
    if case .command(let queue, _, let opcode, _) = kind {
      return name(of: opcode, on: queue)
    }
    return String(words(kind).drop { $0 == " " })
  }

  private static func name(of opcode: UInt8, on queue: UInt16) -> String {
    (queue == 0 ? adminNames[opcode] : ioNames[opcode]) ?? "opcode 0x\(hex(UInt32(opcode)))"
  }

  private static func padded(_ time: VirtualTime) -> String {
    let text = "\(time)"
    return String(repeating: " ", count: max(0, 12 - text.count)) + text
  }

  private static func words(_ kind: TraceEvent.Kind) -> String {
    switch kind {
    case .register(let offset, let value): return register(Int(offset), value)
    case .status(let value): return "CSTS = 0x\(hex(value)) \(state(value))"
    case .command(let queue, let id, let opcode, let namespace):
      let space = namespace == 0 ? "" : " nsid \(namespace == .max ? "all" : "\(namespace)")"
      return "  SQ \(queue) cid \(id): \(name(of: opcode, on: queue))\(space)"
    case .completion(let queue, let id, let status, let result):
      let value = result == 0 ? "" : " result 0x\(String(result, radix: 16))"
      return "  CQ \(queue) cid \(id): \(statusName(status))\(value)"
    case .interrupt(let vector): return "    interrupt, vector \(vector)"
    case .link(let isUp): return isUp ? "link up" : "link down"
    }
  }

  private static func register(_ offset: Int, _ value: UInt32) -> String {
    if offset >= 0x1000 {
      let index = (offset - 0x1000) / 4
      return "  \(index & 1 == 0 ? "SQ \(index / 2) tail" : "CQ \(index / 2) head") <- \(value)"
    }
    let name = registerNames[offset] ?? "register 0x\(hex(UInt32(offset)))"
    return "\(name) <- 0x\(hex(value))"
  }

  private static func hex(_ value: UInt32) -> String { String(value, radix: 16) }

  private static func state(_ value: UInt32) -> String {
    var words: [String] = []
    if value & 1 != 0 { words.append("ready") }
    if value & 2 != 0 { words.append("fatal") }
    if value & 0xc == 8 { words.append("shutdown complete") }
    return words.isEmpty ? "(not ready)" : "(\(words.joined(separator: ", ")))"
  }

  static func statusName(_ status: UInt16) -> String {
    guard status != 0 else { return "success" }
    let name = statusNames[status & 0x7ff] ?? "error"
    return "\(name) (0x\(String(status, radix: 16)))"
  }

  private static let registerNames: [Int: String] = [
    0x00: "CAP", 0x04: "CAP (high)", 0x08: "VS", 0x0c: "INTMS", 0x10: "INTMC", 0x14: "CC",
    0x1c: "CSTS", 0x20: "NSSR", 0x24: "AQA", 0x28: "ASQ", 0x2c: "ASQ (high)", 0x30: "ACQ",
    0x34: "ACQ (high)",
  ]
  private static let adminNames: [UInt8: String] = [
    0x00: "Delete I/O SQ", 0x01: "Create I/O SQ", 0x02: "Get Log Page", 0x04: "Delete I/O CQ",
    0x05: "Create I/O CQ", 0x06: "Identify", 0x08: "Abort", 0x09: "Set Features",
    0x0a: "Get Features", 0x0c: "Asynchronous Event Request", 0x18: "Keep Alive",
  ]
  private static let ioNames: [UInt8: String] = [
    0x00: "Flush", 0x01: "Write", 0x02: "Read", 0x08: "Write Zeroes", 0x09: "Dataset Management",
  ]
  /// - Source: NVM Express Base 2.1, figures 99 to 102.
  private static let statusNames: [UInt16: String] = [
    0x001: "Invalid Command Opcode", 0x002: "Invalid Field in Command",
    0x004: "Data Transfer Error",
    0x006: "Internal Error", 0x00b: "Invalid Namespace or Format", 0x00c: "Command Sequence Error",
    0x00f: "Data SGL Length Invalid", 0x011: "SGL Descriptor Type Invalid",
    0x013: "PRP Offset Invalid", 0x01a: "Keep Alive Timeout Invalid", 0x080: "LBA Out of Range",
    0x081: "Capacity Exceeded", 0x100: "Completion Queue Invalid",
    0x101: "Invalid Queue Identifier", 0x102: "Invalid Queue Size",
    0x105: "Asynchronous Event Request Limit Exceeded", 0x108: "Invalid Interrupt Vector",
    0x109: "Invalid Log Page", 0x10c: "Invalid Queue Deletion",
  ]
}
