// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import Numbers

/// A UUID in its usual form of 36 characters, kept in lower case as the kernel shows it (`%pUb`).
///
/// - Source: `lib/uuid.c`, `uuid_parse`; `drivers/nvme/target/configfs.c`, `nvmet_ns_device_uuid_store`.
public struct UUIDText: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text.lowercased() }

  public static var kind: String { "a UUID" }
  public static func problem(with text: String) -> String? {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return "has \(bytes.count) characters instead of 36" }
    for (index, byte) in bytes.enumerated() {
      let expectsDash = [8, 13, 18, 23].contains(index)
      guard expectsDash ? byte == 0x2d : hexadecimalDigit(byte) != nil else {
        return "is not of the form 01234567-89ab-cdef-0123-456789abcdef"
      }
    }
    return nil
  }

  /// The nil UUID, which is not reported to hosts.
  public static let zero = UUIDText(validated: "00000000-0000-0000-0000-000000000000")
}

/// A Namespace Globally Unique Identifier of 16 bytes, shown like a UUID (`device_nguid`).
///
/// Accepted with a `-`, a `:` or nothing after each byte.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_device_nguid_store`.
public struct NGUID: AttributeValue, CustomStringConvertible {
  public let bytes: [UInt8]

  /// - Throws: ``InvalidValue`` when it is not 32 hexadecimal digits with at most one separator after each pair.
  public init(_ text: String) throws(InvalidValue) {
    var digits: [UInt8] = []
    var maySeparate = false
    for byte in text.utf8 {
      if let digit = hexadecimalDigit(byte) {
        digits.append(digit)
        maySeparate = digits.count.isMultiple(of: 2)
      } else if maySeparate, byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":") {
        maySeparate = false
      } else {
        throw InvalidValue(
          text, isNot: "an NGUID", because: "contains characters other than digits")
      }
    }
    guard digits.count == 32 else {
      throw InvalidValue(
        text, isNot: "an NGUID", because: "has \(digits.count) hexadecimal digits instead of 32")
    }
    bytes = stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  public init?(attributeText: String) {
    guard let value = try? NGUID(attributeText.withoutTrailingNewline) else { return nil }
    self = value
  }

  public var attributeText: String { description + "\n" }
  public static var expectedForm: String { "32 hexadecimal digits" }

  /// `01234567-89ab-cdef-0123-456789abcdef`.
  public var description: String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      text += hexadecimalDigits(byte, count: 2)
    }
    return text
  }
}

/// A PCI vendor ID as nvmet shows it, without leading zeros: `0x15b7`, `0x8` (`attr_vendor_id`).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_vendor_id_show`.
public struct VendorID: AttributeValue, RawRepresentable, ExpressibleByIntegerLiteral,
  CustomStringConvertible
{
  public var rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }
  public init(integerLiteral value: UInt16) { rawValue = value }

  public init?(attributeText: String) {
    guard let value = attributeText.kernelInteger(UInt16.self) else { return nil }
    rawValue = value
  }

  public var attributeText: String { description + "\n" }
  public var description: String { hexadecimal(rawValue) }
  public static var expectedForm: String { "a number from 0x0 to 0xffff" }
}

/// An IEEE organisation identifier of 24 bits, shown with six digits: `0x002538` (`attr_ieee_oui`).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_ieee_oui_show`.
public struct OUI: AttributeValue, CustomStringConvertible {
  public let rawValue: UInt32

  /// - Throws: ``InvalidValue`` above 0xffffff.
  public init(_ value: UInt32) throws(InvalidValue) {
    guard value <= 0xff_ffff else {
      throw InvalidValue(
        hexadecimal(value), isNot: "an OUI", because: "has more than 24 bits")
    }
    rawValue = value
  }

  public init?(attributeText: String) {
    guard let value = attributeText.kernelInteger(UInt32.self), value <= 0xff_ffff else {
      return nil
    }
    rawValue = value
  }

  public var attributeText: String { description + "\n" }
  public var description: String { hexadecimal(rawValue, digits: 6) }
  public static var expectedForm: String { "a number from 0x000000 to 0xffffff" }
}

/// The version of the NVMe specification that a subsystem claims, `2.1` or `1.3.1` (`attr_version`).
///
/// The kernel does not check the ranges (1.256 becomes 1.0), so they are checked here.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_attr_version_store_locked`.
public struct SpecificationVersion: AttributeValue, Comparable, CustomStringConvertible {
  public let major: UInt16
  public let minor: UInt8
  public let tertiary: UInt8

  public init(_ major: UInt16, _ minor: UInt8, _ tertiary: UInt8 = 0) {
    self.major = major
    self.minor = minor
    self.tertiary = tertiary
  }

  /// - Throws: ``InvalidValue`` unless it is two or three decimal numbers with dots.
  public init(_ text: String) throws(InvalidValue) {
    guard let value = SpecificationVersion(attributeText: text) else {
      throw InvalidValue(
        text, isNot: "a version of NVMe", because: "is not of the form 2.1 or 1.3.1")
    }
    self = value
  }

  public init?(attributeText: String) {
    let parts = attributeText.withoutTrailingNewline.split(
      separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3,
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let major = UInt16(parts[0]), let minor = UInt8(parts[1]),
      let tertiary = parts.count == 3 ? UInt8(parts[2]) : 0
    else { return nil }
    self.init(major, minor, tertiary)
  }

  public var attributeText: String { description + "\n" }
  public var description: String {
    tertiary == 0 ? "\(major).\(minor)" : "\(major).\(minor).\(tertiary)"
  }
  public static var expectedForm: String { "a version such as 2.1 or 1.3.1" }

  public static func < (a: Self, b: Self) -> Bool {
    (a.major, a.minor, a.tertiary) < (b.major, b.minor, b.tertiary)
  }
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x41 + 10
  case 0x61...0x66: byte - 0x61 + 10
  default: nil
  }
}
