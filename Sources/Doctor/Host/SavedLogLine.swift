// SPDX-License-Identifier: Apache-2.0

/// A line of a saved kernel log, without what `dmesg`, `journalctl` and syslog put before the message.
enum SavedLogLine {
  /// - Parameter line: without its line feed.
  static func message(of line: ArraySlice<UInt8>) -> String {
    var text = Substring(withoutEscapes(String(decoding: line, as: UTF8.self)))
    if text.last == "\r" { text = text.dropLast() }
    text = withoutPriority(text)
    text = withoutHost(text)
    while let rest = withoutTimestamp(text) { text = rest }
    // `journalctl -o short-monotonic` has the host after the time.
    if let range = text.firstRange(of: " kernel: "), !text[..<range.lowerBound].contains(" ") {
      text = text[range.upperBound...]
    }
    return String(text)
  }

  /// Without the colours of a terminal.
  private static func withoutEscapes(_ text: String) -> String {
    guard text.utf8.contains(0x1b) else { return text }
    var result = ""
    var rest = text[...]
    while let start = rest.firstIndex(of: "\u{1b}") {
      result += rest[..<start]
      rest = rest[start...].dropFirst()
      guard rest.first == "[" else { continue }
      rest = rest.dropFirst().drop { !$0.isLetter }.dropFirst()
    }
    return result + rest
  }

  /// `<3>` of `dmesg --raw`, `kern  :err   : ` of `dmesg --decode`.
  private static func withoutPriority(_ text: Substring) -> Substring {
    if text.first == "<", let end = text.firstIndex(of: ">"),
      text[..<end].dropFirst().allSatisfy(\.isNumber)
    {
      return text[end...].dropFirst()
    }
    let fields = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard fields.count == 3, facilities.contains(String(fields[0].prefix { $0 != " " })),
      fields[0].count == 6
    else { return text }
    return fields[2].first == " " ? fields[2].dropFirst() : fields[2]
  }

  private static let facilities: Set<String> = ["kern", "user", "daemon", "syslog"]

  /// `Nov 30 16:14:30 board kernel: `, also with a date of ISO 8601.
  private static func withoutHost(_ text: Substring) -> Substring {
    guard text.first != "[", let range = text.firstRange(of: " kernel: "),
      text.distance(from: text.startIndex, to: range.lowerBound) < 100
    else { return text }
    return text[range.upperBound...]
  }

  /// `[   12.345678]`, `[Mon Nov 30 16:14:30 2026]`, `[  +0.000003]`, and the caller, `[    T1]`; nil if there is none.
  private static func withoutTimestamp(_ text: Substring) -> Substring? {
    guard text.first == "[", let end = text.firstIndex(of: "]") else { return nil }
    let words = text[..<end].dropFirst().split(separator: " ")
    guard let first = words.first, let last = words.last else { return nil }
    let isTime = words.count == 1 && first.allSatisfy { $0.isNumber || "+.:".contains($0) }
    let isCaller =
      words.count == 1 && (first.first == "T" || first.first == "C")
      && first.dropFirst().allSatisfy(\.isNumber) && first.count > 1
    let isDate = (2...5).contains(words.count) && last.allSatisfy { $0.isNumber || $0 == ":" }
    guard isTime || isCaller || isDate else { return nil }
    let rest = text[end...].dropFirst()
    return rest.first == " " ? rest.dropFirst() : rest
  }
}
