// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// A value with the kernel's text in both directions: the text that is written, and the text that is shown afterwards.
public protocol AttributeValue: Hashable, Sendable {
  /// Parses the kernel's text; nil if it is not valid for this type.
  init?(attributeText: String)

  /// The exact bytes of the one `write(2)`: normally the value and one line feed.
  var attributeText: String { get }

  /// The text that the kernel shows after it has accepted ``attributeText``.
  var shownText: String { get }

  /// The text for error messages and logs, unless it is a secret.
  var reportedText: String { get }

  /// The form that the kernel accepts, for error messages.
  static var expectedForm: String { get }
}

extension AttributeValue {
  public var shownText: String { attributeText }
  public var reportedText: String { attributeText }
}

extension String {
  /// The text without the one line feed that attributes end with.
  public var withoutTrailingNewline: String {
    last == "\n" ? String(dropLast()) : self
  }

  /// An integer as `kstrto*` with base 0 reads it: decimal, `0x…`, or octal after a leading zero; one sign, one
  /// trailing line feed.
  public func kernelInteger<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
    var digits = Substring(withoutTrailingNewline)
    var negative = false
    if digits.first == "+" {
      digits.removeFirst()
    } else if T.isSigned, digits.first == "-" {
      digits.removeFirst()
      negative = true
    }
    guard let first = digits.first, first != "+", first != "-" else { return nil }
    var radix = 10
    if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
      digits.removeFirst(2)
      radix = 16
    } else if first == "0", digits.count > 1 {
      digits.removeFirst()
      radix = 8
    }
    guard let next = digits.first, next != "+", next != "-" else { return nil }
    return T((negative ? "-" : "") + digits, radix: radix)
  }
}

extension AttributeValue where Self: FixedWidthInteger {
  public init?(attributeText: String) {
    guard let value = attributeText.kernelInteger(Self.self) else { return nil }
    self = value
  }

  public var attributeText: String { "\(self)\n" }
  public static var expectedForm: String { "an integer from \(min) to \(max)" }
}

extension UInt8: AttributeValue {}
extension UInt16: AttributeValue {}
extension UInt32: AttributeValue {}
extension UInt64: AttributeValue {}
extension Int32: AttributeValue {}

extension Bool: AttributeValue {
  /// Kernels print `0` or `1`; a module parameter prints `N` or `Y`.
  public init?(attributeText: String) {
    switch attributeText.withoutTrailingNewline {
    case "1", "Y": self = true
    case "0", "N": self = false
    default: return nil
    }
  }

  /// Every kernel accepts `1` and `0`.
  public var attributeText: String { self ? "1\n" : "0\n" }
  public static var expectedForm: String { "0 or 1" }
}

/// Free text, one line.
extension String: AttributeValue {
  public init?(attributeText: String) {
    self = attributeText.withoutTrailingNewline
  }

  public var attributeText: String { self + "\n" }
  public static var expectedForm: String { "one line of text" }
}

/// A 16-bit number that the kernel shows as `0x1d94`, four digits at least.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, the header attributes.
public struct Hex16: AttributeValue, RawRepresentable, ExpressibleByIntegerLiteral {
  public var rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }
  public init(integerLiteral value: UInt16) { rawValue = value }

  public init?(attributeText: String) {
    guard let value = attributeText.kernelInteger(UInt16.self) else { return nil }
    rawValue = value
  }

  public var attributeText: String { description + "\n" }
  public static var expectedForm: String { "a number from 0x0000 to 0xffff" }
}

extension Hex16: CustomStringConvertible {
  public var description: String { hexadecimal(rawValue, digits: 4) }
}

/// An 8-bit number that the kernel nevertheless shows with four digits, `0x0002`.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, the header attributes.
public struct Hex8: AttributeValue, RawRepresentable, ExpressibleByIntegerLiteral {
  public var rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(integerLiteral value: UInt8) { rawValue = value }

  public init?(attributeText: String) {
    guard let value = attributeText.kernelInteger(UInt8.self) else { return nil }
    rawValue = value
  }

  public var attributeText: String { Hex16(rawValue: UInt16(rawValue)).attributeText }
  public static var expectedForm: String { "a number from 0x00 to 0xff" }
}
