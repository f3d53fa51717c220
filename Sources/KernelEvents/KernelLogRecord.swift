// SPDX-License-Identifier: Apache-2.0

/// A record of `/dev/kmsg`: `prio,sequence,time,flags;text`, then lines with a leading blank that name the device.
/// - Source: `Documentation/ABI/testing/dev-kmsg`; `kernel/printk/printk.c`, `info_print_ext_header`.
package struct KernelLogRecord: Equatable {
  var sequence: UInt64
  /// syslog severity.
  var level: UInt8
  /// 0 for the kernel; programs that write to the log have others.
  var facility: UInt32
  /// Whether the text continues the previous record (flag `+`).
  var continues: Bool
  var text: String

  package init?(parsing record: String) {
    guard let semicolon = record.firstIndex(of: ";") else { return nil }
    let fields = record[..<semicolon].split(separator: ",", omittingEmptySubsequences: false)
    // Later kernels may add fields.
    guard fields.count >= 4, let priority = UInt32(fields[0]), let sequence = UInt64(fields[1])
    else { return nil }
    self.sequence = sequence
    level = UInt8(priority & 7)
    facility = priority >> 3
    continues = fields[3].contains("+")
    let body = record[record.index(after: semicolon)...]
    text = Self.unescape(body.prefix { $0 != "\n" })
  }

  /// Bytes outside printable ASCII, and the backslash, are written as `\x1b`.
  private static func unescape(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let escape = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), escape.count == 3, escape.first == UInt8(ascii: "x"),
        let code = UInt8(String(decoding: escape.dropFirst(), as: UTF8.self), radix: 16)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The latest records in order; when it is full, the older half is dropped.
package struct KernelLogWindow {
  private var records: [KernelLogRecord] = []
  private let capacity: Int
  /// The sequence number that the next record will have at least; 0 before the first.
  private(set) var next: UInt64 = 0

  package init(capacity: Int) { self.capacity = capacity }

  package mutating func append(_ record: KernelLogRecord) {
    records.append(record)
    // The kernel never comes that far.
    next = record.sequence == .max ? .max : record.sequence + 1
    if records.count > capacity { records.removeFirst(records.count - capacity / 2) }
  }

  /// The messages of the kernel from a sequence number on, with fragments joined.
  package func lines(from sequence: UInt64) -> [KernelLogLine] {
    var lines: [KernelLogLine] = []
    for record in records where record.sequence >= sequence && record.facility == 0 {
      if record.continues, let last = lines.indices.last {
        lines[last].text += record.text
      } else {
        lines.append(KernelLogLine(level: record.level, text: record.text))
      }
    }
    return lines
  }
}
