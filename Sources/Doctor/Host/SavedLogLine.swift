// SPDX-License-Identifier: Apache-2.0

/// A line of a saved kernel log, without what `dmesg`, `journalctl`, syslog and netconsole put around the message.
enum SavedLogLine {
  /// A message of the kernel has at most 1 KiB; a record of the journal in JSON has more around it.
  private static let longest = 16384

  /// - Parameter line: without its line feed.
  static func message(of line: ArraySlice<UInt8>) -> String {
    var text = Substring(withoutEscapes(String(decoding: line.prefix(longest), as: UTF8.self)))
    if text.utf8.last == UInt8(ascii: "\r") { text = text.dropLast() }
    if let message = messageOfJSON(text) { text = Substring(message) }
    text = withoutRecord(text)
    text = withoutPriority(text)
    text = withoutHost(text)
    while let rest = withoutTimestamp(text) { text = rest }
    // `journalctl -o short-monotonic` has the host after the time.
    if let range = kernel(in: text), !text[..<range.lowerBound].contains(" ") {
      text = text[range.upperBound...]
    }
    return String(text)
  }

  private static func kernel(in text: Substring) -> Range<Substring.Index>? {
    text.utf8.firstRange(of: " kernel: ".utf8)
  }

  /// The message of a line of `dmesg --json` (`"msg": "…"`) or `journalctl -o json` (`"MESSAGE" : "…"`); nil for another line.
  private static func messageOfJSON(_ text: Substring) -> String? {
    let start = text.utf8.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
    guard start == UInt8(ascii: "{") || start == UInt8(ascii: "\"") else { return nil }
    for key in ["\"MESSAGE\"", "\"msg\""] {
      guard let range = text.utf8.firstRange(of: key.utf8) else { continue }
      let value = text[range.upperBound...].drop { ": \t".contains($0) }
      if value.first == "[" {
        // A message that is not UTF-8 is an array of bytes.
        let numbers = value.dropFirst().prefix { $0 != "]" }.split { !$0.isNumber }
        return String(decoding: numbers.compactMap { UInt8($0) }, as: UTF8.self)
      }
      guard value.first == "\"" else { continue }
      return unescaped(value.dropFirst())
    }
    return nil
  }

  /// A JSON string, up to its closing quote.
  private static func unescaped(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let character = rest.first, character != "\"" {
      rest.removeFirst()
      guard character == "\\", let escaped = rest.popFirst() else {
        result.append(character)
        continue
      }
      switch escaped {
      case "n", "r", "t": result.append(" ")
      case "u":
        let code = UInt32(rest.prefix(4), radix: 16).flatMap(Unicode.Scalar.init)
        rest = rest.dropFirst(4)
        if let code { result.unicodeScalars.append(code) }
      default: result.append(escaped)
      }
    }
    return result
  }

  /// `6,339,5140900,-;` of `/dev/kmsg` and of netconsole, which may put the release before it.
  private static func withoutRecord(_ text: Substring) -> Substring {
    guard let end = text.utf8.prefix(160).firstIndex(of: UInt8(ascii: ";")) else { return text }
    let fields = text[..<end].split(separator: ",", omittingEmptySubsequences: false)
    let numbers = fields.drop { !$0.allSatisfy(\.isNumber) || $0.isEmpty }.prefix(3)
    guard fields.count >= 4, fields.count <= 8, numbers.count == 3,
      numbers.startIndex <= fields.startIndex + 1,
      numbers.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isNumber) })
    else { return text }
    return text[end...].dropFirst()
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
    guard text.first != "[", let range = kernel(in: text),
      text.utf8.distance(from: text.startIndex, to: range.lowerBound) < 100
    else { return text }
    return text[range.upperBound...]
  }

  /// `[   12.345678]`, `[Mon Nov 30 16:14:30 2026]`, `[  +0.000003]`, `[<    1.000000>]`, `2026-11-30T16:14:30,123456+00:00`, and the caller,
  /// `[    T1]`; nil if there is none.
  private static func withoutTimestamp(_ text: Substring) -> Substring? {
    if let space = text.firstIndex(of: " "), isISODate(text[..<space]) {
      return text[space...].dropFirst()
    }
    guard text.first == "[", let end = text.firstIndex(of: "]") else { return nil }
    let words = text[..<end].dropFirst().split(separator: " ")
    guard let first = words.first, let last = words.last else { return nil }
    let isTime =
      last.contains(where: \.isNumber) && words.count <= 2
      && words.joined().allSatisfy { $0.isNumber || "+.:<>".contains($0) }
    let isCaller =
      words.count == 1 && (first.first == "T" || first.first == "C")
      && first.dropFirst().allSatisfy(\.isNumber) && first.count > 1
    let isDate = (2...5).contains(words.count) && last.allSatisfy { $0.isNumber || $0 == ":" }
    guard isTime || isCaller || isDate else { return nil }
    let rest = text[end...].dropFirst()
    return rest.first == " " ? rest.dropFirst() : rest
  }

  /// `2026-11-30T16:14:30,123456+00:00` of `dmesg --time-format iso`.
  private static func isISODate(_ word: Substring) -> Bool {
    let parts = word.split(separator: "T", omittingEmptySubsequences: false)
    return parts.count == 2 && parts[0].count == 10 && parts[1].count >= 8
      && parts[0].allSatisfy { $0.isNumber || $0 == "-" }
      && parts[1].allSatisfy { $0.isNumber || ":.,+-Z".contains($0) }
  }
}
