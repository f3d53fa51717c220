// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// The input of one `write(2)` for a driver: the bytes up to the first NUL, as every kernel parser reads them, and the number of bytes.
///
/// The kernel's text parsers, each implemented once.
/// - Source: `lib/kstrtox.c`, `lib/vsprintf.c`, `lib/string_helpers.c`.
struct Written: Sendable {
  /// A C string: no NUL.
  var bytes: [UInt8]
  /// The count that `store` receives, including the NUL and the bytes after it.
  var count: Int

  init(_ written: some Collection<UInt8>) {
    count = written.count
    bytes = Array(written.prefix { $0 != 0 })
  }

  init(_ text: String) { self.init(text.utf8) }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The bytes before the first line feed.
  var firstLine: String {
    String(decoding: bytes.prefix { $0 != newline }, as: UTF8.self)
  }

  /// Equal, or equal but for one more line feed (`sysfs_streq`).
  func equals(_ word: String) -> Bool {
    bytes.last == newline
      ? bytes.dropLast().elementsEqual(word.utf8) : bytes.elementsEqual(word.utf8)
  }

  /// `kstrtoull` with base 0, and the limit of a smaller type.
  func unsigned(upTo limit: UInt64 = .max) throws(Errno) -> UInt64 {
    var rest = bytes[...]
    if rest.first == UInt8(ascii: "+") { rest.removeFirst() }
    let value = try magnitude(rest)
    guard value <= limit else { throw .outOfRange }
    return value
  }

  /// `kstrtoint` with base 0.
  func signed() throws(Errno) -> Int {
    guard bytes.first == UInt8(ascii: "-") else {
      return Int(try unsigned(upTo: UInt64(Int32.max)))
    }
    let value = try magnitude(bytes.dropFirst())
    guard value <= UInt64(Int32.max) + 1 else { throw .outOfRange }
    return -Int(value)
  }

  private func magnitude(_ text: ArraySlice<UInt8>) throws(Errno) -> UInt64 {
    var rest = text
    var radix: UInt64 = 10
    if rest.first == UInt8(ascii: "0") {
      let next = Array(rest.dropFirst().prefix(2))
      if next.count == 2, next[0] | 0x20 == UInt8(ascii: "x"), digit(next[1], 16) != nil {
        radix = 16
        rest.removeFirst(2)
      } else {
        radix = 8
      }
    }
    var value: UInt64 = 0
    var digits = 0
    var overflows = false
    while let byte = rest.first, let digit = digit(byte, radix) {
      let (product, first) = value.multipliedReportingOverflow(by: radix)
      let (sum, second) = product.addingReportingOverflow(digit)
      overflows = overflows || first || second
      value = sum
      digits += 1
      rest.removeFirst()
    }
    if overflows { throw .outOfRange }
    guard digits > 0 else { throw .invalidArgument }
    if rest.first == newline { rest.removeFirst() }
    guard rest.isEmpty else { throw .invalidArgument }
    return value
  }

  /// `kstrtobool`: the first character decides, the second one after an `o`.
  func bool(_ kernelRelease: SimulatedKernel.Release) throws(Errno) -> Bool {
    switch bytes.first {
    case UInt8(ascii: "1"), UInt8(ascii: "y"), UInt8(ascii: "Y"), UInt8(ascii: "t"),
      UInt8(ascii: "T"):
      return true
    case UInt8(ascii: "0"), UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "f"),
      UInt8(ascii: "F"):
      return false
    case UInt8(ascii: "e"), UInt8(ascii: "E"):
      if kernelRelease.generation == .linux7_2 { return true }
    case UInt8(ascii: "d"), UInt8(ascii: "D"):
      if kernelRelease.generation == .linux7_2 { return false }
    case UInt8(ascii: "o"), UInt8(ascii: "O"):
      switch bytes.dropFirst().first {
      case UInt8(ascii: "n"), UInt8(ascii: "N"): return true
      case UInt8(ascii: "f"), UInt8(ascii: "F"): return false
      default: break
      }
    default: break
    }
    throw .invalidArgument
  }

  /// `sscanf("%hu")`: decimal, cut to 16 bits, anything may follow.
  func shortNumber() throws(Errno) -> UInt16 {
    var scanner = Scanner(bytes[...])
    guard let value = scanner.unsigned() else { throw .invalidArgument }
    return UInt16(truncatingIfNeeded: value)
  }

  /// `sscanf("%d.%d.%d")`: how many numbers there are.
  func dottedNumbers() -> [Int32] {
    var scanner = Scanner(bytes[...])
    var numbers: [Int32] = []
    while numbers.count < 3, let number = scanner.signed() {
      numbers.append(Int32(truncatingIfNeeded: number))
      guard scanner.take(UInt8(ascii: ".")) else { break }
    }
    return numbers
  }

  /// `sscanf("%s")`: the first word, empty if there is only white space.
  var firstWord: String {
    String(
      decoding: bytes.drop(while: isSpace).prefix { !isSpace($0) }, as: UTF8.self)
  }

  /// 36 characters of a UUID; the rest is ignored (`uuid_parse`).
  var uuid: String? {
    guard bytes.count >= 36 else { return nil }
    for (index, byte) in bytes.prefix(36).enumerated() {
      if [8, 13, 18, 23].contains(index) {
        guard byte == UInt8(ascii: "-") else { return nil }
      } else if digit(byte, 16) == nil {
        return nil
      }
    }
    return String(decoding: bytes.prefix(36), as: UTF8.self).lowercased()
  }

  /// Sixteen bytes in hexadecimal, each with an optional `-` or `:` after it, in the form of a UUID.
  var guid: String? {
    var rest = bytes[...]
    var digits = ""
    for index in 0..<16 {
      let pair = rest.prefix(2)
      guard pair.count == 2, pair.allSatisfy({ digit($0, 16) != nil }) else { return nil }
      if [4, 6, 8, 10].contains(index) { digits += "-" }
      digits += String(decoding: pair, as: UTF8.self).lowercased()
      rest = rest.dropFirst(2)
      if let next = rest.first, next == UInt8(ascii: "-") || next == UInt8(ascii: ":") {
        rest = rest.dropFirst()
      }
    }
    return digits
  }
}

let newline = UInt8(ascii: "\n")

func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

/// The value of a digit in a radix.
func digit(_ byte: UInt8, _ radix: UInt64) -> UInt64? {
  let value: UInt64
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt64(byte - UInt8(ascii: "0"))
  case UInt8(ascii: "a")...UInt8(ascii: "f"): value = UInt64(byte - UInt8(ascii: "a")) + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): value = UInt64(byte - UInt8(ascii: "A")) + 10
  default: return nil
  }
  return value < radix ? value : nil
}

/// The kernel's `vsscanf` for decimal numbers.
private struct Scanner {
  var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func unsigned() -> UInt64? {
    rest = rest.drop(while: isSpace)
    guard let first = rest.first, digit(first, 10) != nil else { return nil }
    var value: UInt64 = 0
    while let byte = rest.first, let digit = digit(byte, 10) {
      // Digits beyond 64 bits leave the largest number.
      let (product, first) = value.multipliedReportingOverflow(by: 10)
      let (sum, second) = product.addingReportingOverflow(digit)
      value = first || second ? .max : sum
      rest.removeFirst()
    }
    return value
  }

  mutating func signed() -> Int64? {
    rest = rest.drop(while: isSpace)
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative {
      guard let next = rest.dropFirst().first, digit(next, 10) != nil else { return nil }
      rest.removeFirst()
    }
    guard let value = unsigned() else { return nil }
    let number = Int64(truncatingIfNeeded: value)
    return isNegative ? 0 &- number : number
  }

  mutating func take(_ byte: UInt8) -> Bool {
    guard rest.first == byte else { return false }
    rest.removeFirst()
    return true
  }
}

/// Strings are bytes to the kernel: no normalisation.
func sameBytes(_ left: String, _ right: String) -> Bool {
  // Texts with the same bytes are equal, and most are not: `==` is the faster comparison.
  left == right && left.utf8.elementsEqual(right.utf8)
}

extension String {
  /// The first bytes, as `strscpy` or `%.*s` cuts them.
  func cut(toBytes count: Int) -> String {
    utf8.count <= count ? self : String(decoding: utf8.prefix(count), as: UTF8.self)
  }

  /// Pads the text with spaces to a length in bytes.
  func padded(toBytes count: Int) -> String {
    self + String(repeating: " ", count: max(0, count - utf8.count))
  }

  /// Whether every byte is a printable ASCII character or a space.
  var isPrintableASCII: Bool { utf8.allSatisfy { (0x20...0x7e).contains($0) } }
}
