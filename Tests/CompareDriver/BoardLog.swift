// SPDX-License-Identifier: Apache-2.0
import LibC

/// The kernel lines of the board, from the file that the machine writes its console to.
final class BoardLog {
  /// No file at this path.
  struct NoConsole: Error { var path: String }

  private let file: CInt
  /// The part of a line that has arrived.
  private var rest: [UInt8] = []
  private let prefix: String

  /// Lines that tell of the emulated machine's speed, and those of the block layer, which name the worker that ran: neither nvmet nor the driver
  /// compares the blocks of Write Zeroes with the size of the disk.
  private static func isIgnored(_ line: Substring) -> Bool {
    ["workqueue: ", "clocksource: ", "tsc: ", "TSC found unstable", "sched_clock: "].contains {
      line.hasPrefix($0)
    }
      || line.hasSuffix(": attempt to access beyond end of device")
      || line.contains(": rw=") && line.contains(", nr_sectors = ")
  }

  /// - Parameter driver: its device is left out of the lines.
  init(_ path: String, driver: String) throws {
    file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw NoConsole(path: path) }
    prefix = "\(driver) \(driver).0: "
  }

  deinit { close(file) }

  /// The whole lines since the last call, without their time.
  func take() -> [String] {
    var lines: [String] = []
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe read(file, &bytes, bytes.count)
      guard count > 0 else { return lines }
      for byte in bytes[..<count] {
        guard byte == UInt8(ascii: "\n") else {
          rest.append(byte)
          continue
        }
        if let line = text(String(decoding: rest, as: UTF8.self)) { lines.append(line) }
        rest = []
      }
    }
  }

  /// The whole lines since the last call, as soon as there are so many, or after a second.
  func take(atLeast count: Int) -> [String] {
    var lines = take()
    for _ in 0..<1000 where lines.count < count {
      usleep(1000)
      lines += take()
    }
    return lines
  }

  /// A line without the time, the driver's device and the carriage return; nil for one that does not count.
  private func text(_ line: String) -> String? {
    var text = line.filter { $0 != "\r" && $0 != "\r\n" }[...]
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      text = text[text.index(after: end)...].drop { $0 == " " }
    }
    if text.hasPrefix(prefix) { text = text.dropFirst(prefix.count) }
    guard !text.isEmpty, !Self.isIgnored(text) else { return nil }
    return String(text)
  }
}
