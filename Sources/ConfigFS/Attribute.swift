// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

/// An attribute that can be read and written.
public struct Attribute<Value: AttributeValue>: Sendable {
  public let path: FilePath
  let backend: any ConfigFSBackend

  /// - Throws: ``ConfigFSError`` with the errno, or with the text that is not a `Value`.
  public func read() throws(ConfigFSError) -> Value {
    try readValue(path, backend)
  }

  /// Writes the value with a single `write(2)`: configfs parses each call separately.
  public func write(_ value: Value) throws(ConfigFSError) {
    try writeValue(value, path, backend)
  }

  /// Whether this kernel has the attribute.
  public var exists: Bool { (try? backend.kind(of: path)) == .attribute }
}

/// An attribute that has no `store`.
public struct ReadOnlyAttribute<Value: AttributeValue>: Sendable {
  public let path: FilePath
  let backend: any ConfigFSBackend

  public func read() throws(ConfigFSError) -> Value {
    try readValue(path, backend)
  }

  public var exists: Bool { (try? backend.kind(of: path)) == .attribute }
}

/// An attribute that has no `show`.
public struct WriteOnlyAttribute<Value: AttributeValue>: Sendable {
  public let path: FilePath
  let backend: any ConfigFSBackend

  public func write(_ value: Value) throws(ConfigFSError) {
    try writeValue(value, path, backend)
  }

  public var exists: Bool { (try? backend.kind(of: path)) == .attribute }
}

private func readValue<Value: AttributeValue>(
  _ path: FilePath, _ backend: any ConfigFSBackend
) throws(ConfigFSError) -> Value {
  let text: String
  do { text = try backend.read(path) } catch {
    throw ConfigFSError(.read, path, .system(error))
  }
  guard let value = Value(attributeText: text) else {
    throw ConfigFSError(.read, path, .malformed(text: text, expected: Value.expectedForm))
  }
  return value
}

private func writeValue(
  _ value: some AttributeValue, _ path: FilePath, _ backend: any ConfigFSBackend
) throws(ConfigFSError) {
  let text = value.attributeText
  let taken: Int
  do { taken = try backend.write(text, to: path) } catch {
    throw ConfigFSError(.write, path, value: value.reportedText, .system(error))
  }
  guard taken == text.utf8.count else {
    throw ConfigFSError(
      .write, path, value: value.reportedText, .shortWrite(taken: taken, of: text.utf8.count))
  }
}
