// SPDX-License-Identifier: Apache-2.0

/// A data structure of a fixed length as it is transferred: its bytes, and typed fields at their offsets.
public protocol DataStructure: Hashable, Sendable {
  /// The length in bytes.
  static var byteCount: Int { get }

  /// The fields in the order of a dump.
  static var layout: [ByteField<Self, [UInt8]>] { get }

  /// The whole structure; always ``byteCount`` long.
  var bytes: [UInt8] { get set }

  /// A structure of zeroes.
  init()
}

extension DataStructure {
  /// The structure in bytes from the other side; nil if there are too few. Additional bytes are ignored.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count >= Self.byteCount else { return nil }
    self.init()
    self.bytes = Array(bytes.prefix(Self.byteCount))
  }

  /// The value of a field.
  public subscript<Value>(_ field: ByteField<Self, Value>) -> Value {
    get {
      Value(fieldBytes: bytes[field.offset..<field.offset + field.count], padding: field.padding)
    }
    set {
      let value = newValue.fieldBytes(count: field.count, padding: field.padding)
      for (index, byte) in value.enumerated() { bytes[field.offset + index] = byte }
    }
  }

  /// Each field's name and value, as nvme-cli prints them.
  public var fields: [(name: String, value: String)] {
    Self.layout.map { (name: $0.name.description, value: $0.format.text(of: self[$0])) }
  }
}
