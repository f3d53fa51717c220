// SPDX-License-Identifier: Apache-2.0

/// A number as `0x…`, with at least so many digits.
func hexadecimal(_ number: some BinaryInteger, digits: Int = 1) -> String {
  "0x" + hexadecimalDigits(number, count: digits)
}

/// The hexadecimal digits of a number, with zeroes in front up to a count.
func hexadecimalDigits(_ number: some BinaryInteger, count: Int) -> String {
  let text = String(number, radix: 16)
  return String(repeating: "0", count: max(0, count - text.count)) + text
}

extension String {
  /// The text with spaces after it up to a width.
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
