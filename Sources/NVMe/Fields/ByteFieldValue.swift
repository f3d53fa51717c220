// SPDX-License-Identifier: Apache-2.0

/// A value of a byte field.
public protocol ByteFieldValue: Hashable, Sendable {
  /// Loads the value from the bytes of its field.
  init(fieldBytes: ArraySlice<UInt8>, padding: UInt8)

  /// The value's bytes, as many as the field has.
  func fieldBytes(count: Int, padding: UInt8) -> [UInt8]
}

extension ByteFieldValue where Self: FixedWidthInteger & UnsignedInteger {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
    self = fieldBytes.reversed().reduce(0) { $0 << 8 | Self($1) }
  }

  public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] {
    precondition(
      count * 8 >= Self.bitWidth || self >> (count * 8) == 0, "the value is wider than its field")
    return (0..<count).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }
}

extension UInt16: ByteFieldValue {}
extension UInt32: ByteFieldValue {}
extension UInt64: ByteFieldValue {}
extension UInt128: ByteFieldValue {}

extension UInt8: ByteFieldValue {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
    self = fieldBytes[fieldBytes.startIndex]
  }
  public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] { [self] }
}

extension ByteFieldValue
where Self: RawRepresentable, RawValue: ByteFieldValue & FixedWidthInteger & UnsignedInteger {
  public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] {
    rawValue.fieldBytes(count: count, padding: padding)
  }
}

extension ByteFieldValue where Self: Code {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
    self.init(rawValue: RawValue(fieldBytes: fieldBytes, padding: padding))
  }
}

extension ByteFieldValue where Self: OptionSet, RawValue: ByteFieldValue {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
    self.init(rawValue: RawValue(fieldBytes: fieldBytes, padding: padding))
  }
}

/// Text: NQNs end with a NUL, ASCII strings are filled with spaces; a text that is too long is cut.
extension String: ByteFieldValue {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
    var text = fieldBytes.prefix { $0 != 0 }
    while text.last == padding { text.removeLast() }
    self = String(decoding: text, as: UTF8.self)
  }

  public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] {
    let text = Array(utf8.prefix(count))
    return text + [UInt8](repeating: padding, count: count - text.count)
  }
}

/// Bytes in the order of the structure.
extension Array: ByteFieldValue where Element == UInt8 {
  public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) { self = Array(fieldBytes) }

  public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] {
    precondition(self.count == count, "the value is as long as its field")
    return self
  }
}
