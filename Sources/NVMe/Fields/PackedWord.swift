// SPDX-License-Identifier: Apache-2.0
internal import Numbers

/// A word of bit fields: a register, or a dword of a command, a completion or a feature.
public protocol PackedWord: RawRepresentable, Hashable, Sendable, CustomStringConvertible
where RawValue: FixedWidthInteger & UnsignedInteger {
  init(rawValue: RawValue)
  var rawValue: RawValue { get set }

  /// Every field that the specification defines, from bit 0 up.
  static var layout: [BitField<Self, UInt64>] { get }
}

extension PackedWord {
  /// The value of a field.
  ///
  /// A value that is wider than the field is the caller's mistake, and traps.
  @inlinable public subscript<Value>(_ field: BitField<Self, Value>) -> Value {
    get { Value(bits: UInt64(truncatingIfNeeded: rawValue >> RawValue(field.shift)) & field.mask) }
    set {
      precondition(newValue.bits & ~field.mask == 0, "the value is wider than its field")
      let mask = RawValue(truncatingIfNeeded: field.mask) << RawValue(field.shift)
      let bits = RawValue(truncatingIfNeeded: newValue.bits) << RawValue(field.shift)
      rawValue = rawValue & ~mask | bits
    }
  }

  /// Each field's abbreviation and value.
  public var fields: [(name: String, value: UInt64)] {
    Self.layout.map { (name: $0.name.description, value: self[$0]) }
  }

  /// The word in hexadecimal and its fields, for traces: `0x00460001: EN 1, CSS 0, …`.
  public var description: String {
    let names = fields.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    let word = hexadecimal(rawValue, digits: RawValue.bitWidth / 4)
    return names.isEmpty ? word : "\(word): \(names)"
  }
}
