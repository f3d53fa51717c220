// SPDX-License-Identifier: Apache-2.0

/// A field of whole bytes in a data structure, declared once: name, offset, width, and how nvme-cli prints it.
public struct ByteField<Owner, Value: ByteFieldValue>: Sendable {
  /// The name that nvme-cli prints, the specification's abbreviation in lower case.
  public let name: StaticString
  /// The first byte of the field.
  public let offset: Int
  /// The number of bytes.
  public let count: Int
  /// The format of the value in a dump.
  public let format: ByteFieldFormat
  /// The padding of text up to the field's width.
  public let padding: UInt8

  public init(
    _ name: StaticString, at offset: Int, count: Int, as format: ByteFieldFormat = .decimal,
    padding: UInt8 = 0
  ) {
    self.name = name
    self.offset = offset
    self.count = count
    self.format = format
    self.padding = padding
  }

  /// The same field as bytes, independent of its value's type, for lists of fields.
  public var raw: ByteField<Owner, [UInt8]> {
    ByteField<Owner, [UInt8]>(name, at: offset, count: count, as: format, padding: padding)
  }
}

extension ByteField where Value: FixedWidthInteger {
  /// A number that is as wide as its type.
  public init(_ name: StaticString, at offset: Int, as format: ByteFieldFormat = .decimal) {
    self.init(name, at: offset, count: Value.bitWidth / 8, as: format)
  }
}

extension ByteField where Value: RawRepresentable, Value.RawValue: FixedWidthInteger {
  /// A code or a set of bits that is as wide as its type.
  public init(_ name: StaticString, at offset: Int, as format: ByteFieldFormat = .hexadecimal) {
    self.init(name, at: offset, count: Value.RawValue.bitWidth / 8, as: format)
  }
}
