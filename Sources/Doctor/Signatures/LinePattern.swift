// SPDX-License-Identifier: Apache-2.0

/// A pattern for a message of the kernel: literal parts in their order, `*` between them for any text, `?` for any byte.
///
/// It matches anywhere in a line; a `$` at its end requires the end of the line.
struct LinePattern: Sendable, Hashable, ExpressibleByStringLiteral {
  let text: String
  private let parts: [[UInt8]]
  private let isAtEnd: Bool

  init(stringLiteral text: String) { self.init(text) }

  init(_ text: String) {
    self.text = text
    isAtEnd = text.hasSuffix("$")
    parts = (isAtEnd ? text.dropLast() : text[...]).split(separator: "*").map { Array($0.utf8) }
  }

  /// Bytes, because a log has thousands of lines and the comparison of characters is slow.
  func matches(_ line: [UInt8]) -> Bool {
    var place = 0
    for (index, part) in parts.enumerated() {
      if isAtEnd, index == parts.count - 1 {
        return line.count - part.count >= place && line.suffix(part.count).elementsEqual(part)
      }
      guard let found = Self.find(part, in: line, from: place) else { return false }
      place = found + part.count
    }
    return true
  }

  private static let any = UInt8(ascii: "?")

  private static func find(_ part: [UInt8], in line: [UInt8], from start: Int) -> Int? {
    guard let first = part.first, line.count - part.count >= start else { return nil }
    for place in start...(line.count - part.count) where line[place] == first {
      var offset = 1
      while offset < part.count, part[offset] == line[place + offset] || part[offset] == any {
        offset += 1
      }
      if offset == part.count { return place }
    }
    return nil
  }
}
