// SPDX-License-Identifier: Apache-2.0

/// A number as `0x…`, with at least so many digits.
public func hexadecimal(_ number: some BinaryInteger, digits: Int = 1) -> String {
  "0x" + hexadecimalDigits(number, count: digits)
}

/// The hexadecimal digits of a number, with zeroes in front up to a count.
public func hexadecimalDigits(_ number: some BinaryInteger, count: Int = 1) -> String {
  let text = String(number, radix: 16)
  return String(repeating: "0", count: max(0, count - text.count)) + text
}
