// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One thing that a client did in a session: a message that it sent, or bytes that it had in its memory when it rang a doorbell.
struct RecordedMessage: Equatable {
  /// The descriptors that were sent with a message.
  enum Passed: Equatable {
    /// Memory, with its size in bytes.
    case memory(UInt64)
    case event
    case other
  }

  /// 0 for bytes in memory: the body is an address and its contents.
  var command: UInt16
  var flags: UInt32 = 0
  var body: [UInt8] = []
  var descriptors: [Passed] = []

  static let memory: UInt16 = 0
}

/// Little-endian integers in bytes.
extension [UInt8] {
  func word(at offset: Int) -> UInt32 {
    guard offset + 4 <= count else { return 0 }
    return self[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  func wide(at offset: Int) -> UInt64 {
    UInt64(word(at: offset)) | UInt64(word(at: offset + 4)) << 32
  }

  mutating func add(_ value: UInt16) {
    for shift in [0, 8] { append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
  mutating func add(_ value: UInt32) {
    for shift in stride(from: 0, to: 32, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
    }
  }
  mutating func add(_ value: UInt64) {
    add(UInt32(truncatingIfNeeded: value))
    add(UInt32(truncatingIfNeeded: value >> 32))
  }

  /// Puts an integer of 1 to 8 bytes over what is there, as far as there is room.
  mutating func put(_ value: UInt64, at offset: Int, width: Int) {
    for index in 0..<width where offset + index < count {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }
}

/// A session as text: a line a message, `COMMAND FLAGS DESCRIPTORS BODY`, a run of one byte as `00*4000`.
struct RecordedSession {
  var name: String
  var messages: [RecordedMessage]

  struct Malformed: Error, CustomStringConvertible {
    var file: String
    var line: Int
    var description: String { "\(file):\(line): no recorded message" }
  }

  init(name: String, messages: [RecordedMessage]) {
    (self.name, self.messages) = (name, messages)
  }

  init(contentsOf file: URL) throws {
    name = file.deletingPathExtension().lastPathComponent
    messages = []
    let lines = try String(contentsOf: file, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
      guard let message = Self.message(line) else {
        throw Malformed(file: file.path, line: number + 1)
      }
      messages.append(message)
    }
  }

  private static func message(_ line: Substring) -> RecordedMessage? {
    let words = line.split(separator: " ")
    guard words.count >= 3, let command = UInt16(words[0]), let flags = UInt32(words[1], radix: 16)
    else { return nil }
    var message = RecordedMessage(command: command, flags: flags)
    for name in words[2].split(separator: ",") where name != "-" {
      let parts = name.split(separator: ":")
      switch parts.first {
      case "memory":
        guard parts.count == 2, let size = UInt64(parts[1]) else { return nil }
        message.descriptors.append(.memory(size))
      case "event": message.descriptors.append(.event)
      case "other": message.descriptors.append(.other)
      default: return nil
      }
    }
    for word in words.dropFirst(3) {
      let parts = word.split(separator: "*")
      if parts.count == 2 {
        guard let byte = UInt8(parts[0], radix: 16), let count = Int(parts[1]), count <= 1 << 20
        else { return nil }
        message.body += [UInt8](repeating: byte, count: count)
      } else {
        var digits = word[...]
        while !digits.isEmpty {
          guard let byte = UInt8(digits.prefix(2), radix: 16) else { return nil }
          message.body.append(byte)
          digits = digits.dropFirst(2)
        }
      }
    }
    return message
  }

  var text: String {
    var text =
      "# SPDX-License-Identifier: Apache-2.0\n# command flags descriptors body; command 0: address and bytes in memory\n"
    for message in messages {
      let names = message.descriptors.map {
        switch $0 {
        case .memory(let size): "memory:\(size)"
        case .event: "event"
        case .other: "other"
        }
      }
      text += "\(message.command) \(String(message.flags, radix: 16)) "
      text += (names.isEmpty ? "-" : names.joined(separator: ",")) + Self.hex(message.body) + "\n"
    }
    return text
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    var text = ""
    var plain = false
    var index = 0
    while index < bytes.count {
      var end = index
      while end < bytes.count, bytes[end] == bytes[index] { end += 1 }
      let digits = (bytes[index] < 16 ? "0" : "") + String(bytes[index], radix: 16)
      if end - index >= 8 {
        text += " \(digits)*\(end - index)"
        plain = false
        index = end
      } else {
        text += plain ? digits : " " + digits
        plain = true
        index += 1
      }
    }
    return text
  }

  /// All sessions of a directory, in the order of their names.
  static func all(in directory: String) throws -> [RecordedSession] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
      .filter { $0.hasSuffix(".session") }
      .map { try RecordedSession(contentsOf: URL(fileURLWithPath: "\(directory)/\($0)")) }
  }
}
