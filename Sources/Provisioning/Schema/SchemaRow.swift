// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// One kind of object of a profile: its keys, and the attributes of the kernel's object that they are written to.
///
/// The decoder, the rules, the plan, the interchange formats, the JSON Schema, the guide's tables and the tests' generator take keys, ranges,
/// words, forms, attributes and defaults from here.
public struct SchemaObject: Sendable {
  /// The name in the JSON Schema's `$defs`.
  public var name: String
  public var summary: String
  /// Whether exactly one of the keys is required.
  public var isChoice = false
  public var rows: [SchemaRow]

  init(_ name: String, _ summary: String, isChoice: Bool = false, _ rows: [SchemaRow]) {
    self.name = name
    self.summary = summary
    self.isChoice = isChoice
    self.rows = rows
  }

  /// The rows that have a key, in the order of the guide.
  public var keyed: [SchemaRow] { rows.filter { $0.key != nil } }

  /// The names of the keys.
  public var keys: [String] { rows.compactMap(\.key) }

  public func row(_ key: String) -> SchemaRow? { rows.first { $0.key == key } }

  /// The row of an attribute of the kernel's object, and its value in a new object.
  public func row(ofAttribute name: String) -> (row: SchemaRow, attribute: KernelAttribute)? {
    for row in rows {
      if let attribute = row.attributes.first(where: { $0.name == name }) {
        return (row, attribute)
      }
    }
    return nil
  }
}

/// One key of an object, or one attribute that has no key.
public struct SchemaRow: Sendable {
  /// The JSON name; nil for an attribute that profiles have no key for.
  public var key: String?
  public var isRequired = false
  public var kind: Kind
  /// The attributes of the key: files in the object's directory, `nvme/NAME` for the group of a function's driver.
  public var attributes: [KernelAttribute] = []
  /// The largest value with a driver, where that is less than the range's.
  public var upperBounds: [Profile.DriverChoice: Int] = [:]
  /// The reason for the range, the words or the form; shown as the hint of an error.
  public var reason: String?
  /// The meaning, for the JSON Schema and the guide: a sentence without its full stop; empty if the key's name says it.
  public var summary = ""
  /// The default of a key that the kernel has no default for.
  public var defaultValue: Default?
  /// Whether the key is one of the object's ``KeyedObject/settings``.
  public internal(set) var isSetting = false
  /// The numbers that the key's Swift type holds.
  var bounds: ClosedRange<Int>?
  /// Exported as hexadecimal text of that many digits.
  var hexDigits: Int?
  /// Whether profiles had no key for the attribute at first, so that it may also be among the raw ones.
  var wasAttribute = false

  /// The key, or nothing.
  public var name: String { key ?? "" }

  public enum Default: Sendable {
    case value(Setting)
    case described(String)
  }

  public enum Kind: Sendable {
    /// A number, or a string that holds one.
    case integer(ClosedRange<Int>)
    /// As ``integer(_:)``, and a power of two.
    case powerOfTwo(ClosedRange<Int>)
    /// A number that has one value only.
    case constant(Int)
    case boolean
    case words([String])
    case text(TextForm)
    /// A text, or a number that is one.
    case textOrInteger(TextForm, ClosedRange<Int>)
    case texts(TextForm)
    case object(String)
    case objects(String)
    /// An object whose members are named by the user.
    case named(TextForm, String)
    /// Attributes without keys: file name → text.
    case attributes
    /// No key: another attribute, as the kernel shows it.
    case unkeyed
    /// No key: a command, or a value that the kernel assigns.
    case command
  }

  init(
    _ key: String?, _ kind: Kind, _ summary: String = "", required: Bool = false,
    default defaultValue: Default? = nil, _ attributes: [KernelAttribute] = [],
    upTo upperBounds: [Profile.DriverChoice: Int] = [:], because reason: String? = nil
  ) {
    self.key = key
    self.kind = kind
    self.summary = summary
    isRequired = required
    self.defaultValue = defaultValue
    self.attributes = attributes
    self.upperBounds = upperBounds
    self.reason = reason
  }

  /// The valid numbers; nil if the value is not a number.
  public var range: ClosedRange<Int>? {
    switch kind {
    case .integer(let range), .powerOfTwo(let range), .textOrInteger(_, let range): range
    case .constant(let value): value...value
    default: nil
    }
  }

  /// ``upperBounds``, in the order of the drivers' names.
  var driverLimits: [(driver: String, bound: Int)] {
    upperBounds.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }
  }

  /// The largest number with a driver.
  public func upperBound(with driver: Profile.DriverChoice) -> Int? {
    range.map { min($0.upperBound, upperBounds[driver] ?? .max) }
  }
}

extension SchemaRow {
  /// A setting, or nil if it is the default.
  func omittingStandard(_ setting: Setting) -> Setting? {
    if case .value(let value) = defaultValue, setting == value { return nil }
    return setting
  }

  /// The setting that an attribute's text stands for; nil if it is not one of the key.
  func setting(attributeText text: String) -> Setting? {
    switch kind {
    case .boolean: return Bool(attributeText: text).map { .boolean($0) }
    case .integer, .powerOfTwo:
      guard let value = text.kernelInteger(Int.self), range?.contains(value) ?? false else {
        return nil
      }
      return .integer(value)
    case .words(let words): return words.contains(text) ? .text(text) : nil
    default: return text.isEmpty ? nil : .text(text)
    }
  }
}

/// A file of a kernel object, and its text in a new object.
public struct KernelAttribute: Hashable, Sendable {
  public var name: String
  public var fresh: Fresh

  public enum Fresh: Hashable, Sendable {
    /// The same on every kernel, without the line feed; writing it restores the default.
    case text(String)
    /// The same on every kernel, but it cannot be written: only a new object has it.
    case unwritable(String)
    /// Variable, with a description.
    case varies(String)
  }

  init(_ name: String, _ fresh: String) {
    self.name = name
    self.fresh = .text(fresh)
  }

  init(_ name: String, _ fresh: Fresh) {
    self.name = name
    self.fresh = fresh
  }

  /// The text in every new object; nil if it is variable.
  public var freshText: String? {
    switch fresh {
    case .text(let text), .unwritable(let text): text
    case .varies: nil
    }
  }
}
