// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The value of a key that is a single number, switch or text.
public enum Setting: Sendable, Hashable {
  case boolean(Bool)
  case integer(Int)
  case text(String)

  /// As the kernel's attributes show it, without the line feed.
  public var attributeText: String {
    switch self {
    case .boolean(let value): value ? "1" : "0"
    case .integer(let value): "\(value)"
    case .text(let text): text
    }
  }
}

/// The values of an object's keys, by the name of the key. A key that is absent, or that has its default, is not among them.
public struct Settings: Sendable, Hashable {
  private var values: [String: Setting] = [:]

  public init() {}

  public subscript(key: String) -> Setting? {
    get { values[key] }
    set { values[key] = newValue }
  }

  /// These and others, which have other keys.
  func merging(_ other: Settings) -> Settings {
    var all = self
    all.values.merge(other.values) { own, _ in own }
    return all
  }
}

/// A Swift type of a key's value.
public protocol SettingValue: Sendable, Hashable {
  /// Nil if the setting is of another kind or out of the type's range.
  init?(_ setting: Setting)
  var setting: Setting { get }
  /// The numbers of the type; nil if it is not a number.
  static var bounds: ClosedRange<Int>? { get }
}

extension Bool: SettingValue {
  public init?(_ setting: Setting) {
    guard case .boolean(let value) = setting else { return nil }
    self = value
  }
  public var setting: Setting { .boolean(self) }
  public static var bounds: ClosedRange<Int>? { nil }
}

extension String: SettingValue {
  public init?(_ setting: Setting) {
    guard case .text(let value) = setting else { return nil }
    self = value
  }
  public var setting: Setting { .text(self) }
  public static var bounds: ClosedRange<Int>? { nil }
}

extension SettingValue where Self: FixedWidthInteger {
  public init?(_ setting: Setting) {
    guard case .integer(let value) = setting else { return nil }
    self.init(exactly: value)
  }
  public var setting: Setting { .integer(Int(clamping: self)) }
  public static var bounds: ClosedRange<Int>? { Int(clamping: min)...Int(clamping: max) }
}

extension UInt8: SettingValue {}
extension UInt16: SettingValue {}
extension UInt32: SettingValue {}
extension UInt64: SettingValue {}
extension Int32: SettingValue {}

/// A key of an object, declared once: the row of the schema and the property of the object.
///
/// An object's `Keys` has one constant for each; ``KeyedObject`` makes it a property of the object. The decoder, the exporter, the JSON
/// Schema, the guide and, if the row names an attribute, the plan and the import work from the row.
public struct ProfileKey<Value: SettingValue>: Sendable {
  let name: String

  /// - Parameter hexDigits: exported as hexadecimal text of that many digits.
  init(
    _ name: String, _ kind: SchemaRow.Kind, _ summary: String,
    _ attributes: [KernelAttribute] = [], default defaultValue: String? = nil,
    hexDigits: Int? = nil,
    upTo upperBounds: [Profile.DriverChoice: Int] = [:], because reason: String? = nil,
    wasAttribute: Bool = false
  ) {
    var row = SchemaRow(
      name, kind, summary, default: defaultValue.map { .described($0) }, attributes,
      upTo: upperBounds, because: reason)
    row.isSetting = true
    row.bounds = Value.bounds
    row.hexDigits = hexDigits
    row.wasAttribute = wasAttribute
    self.name = name
    SchemaRows.declare(row)
  }
}

/// A key with a default that does not depend on the kernel.
public struct DefaultedKey<Value: SettingValue>: Sendable {
  let name: String
  let defaultValue: Value

  init(
    _ name: String, _ kind: SchemaRow.Kind, _ summary: String, default defaultValue: Value,
    _ attributes: [KernelAttribute] = [], hexDigits: Int? = nil, because reason: String? = nil
  ) {
    var row = SchemaRow(
      name, kind, summary, default: .value(defaultValue.setting), attributes, because: reason)
    row.isSetting = true
    row.bounds = Value.bounds
    row.hexDigits = hexDigits
    self.name = name
    self.defaultValue = defaultValue
    SchemaRows.declare(row)
  }
}

/// The rows of the keys that are being declared.
final class SchemaRows: Sendable {
  @TaskLocal private static var current: SchemaRows?
  private let rows: Mutex<[SchemaRow]> = Mutex([])

  static func declare(_ row: SchemaRow) { current?.rows.withLock { $0.append(row) } }

  /// - Returns: what a function makes, and the rows of the keys that it declares meanwhile.
  static func collecting<Keys>(_ make: () -> Keys) -> (Keys, [SchemaRow]) {
    let collector = SchemaRows()
    let keys = $current.withValue(collector, operation: make)
    return (keys, collector.rows.withLock { $0 })
  }
}

/// The keys of an object, and their rows in the order of the declaration.
///
/// A class, so that reading one key does not copy all of them.
public final class DeclaredKeys<Keys: Sendable>: Sendable {
  let keys: Keys
  let rows: [SchemaRow]

  init(_ make: () -> Keys) { (keys, rows) = SchemaRows.collecting(make) }
}

/// An object of a profile whose keys are properties: `device.sizeMiB` is the key `sizeMiB` of ``Keys``, nil if it is not set.
@dynamicMemberLookup
public protocol KeyedObject: Sendable, Hashable {
  /// One constant for each key.
  associatedtype Keys: Sendable
  static var declared: DeclaredKeys<Keys> { get }
  var settings: Settings { get set }
}

extension KeyedObject {
  public subscript<Value: SettingValue>(
    dynamicMember member: KeyPath<Keys, ProfileKey<Value>>
  ) -> Value? {
    get { settings[Self.declared.keys[keyPath: member].name].flatMap { Value($0) } }
    set { settings[Self.declared.keys[keyPath: member].name] = newValue?.setting }
  }

  public subscript<Value: SettingValue>(
    dynamicMember member: KeyPath<Keys, DefaultedKey<Value>>
  ) -> Value {
    get {
      let key = Self.declared.keys[keyPath: member]
      return settings[key.name].flatMap { Value($0) } ?? key.defaultValue
    }
    set {
      let key = Self.declared.keys[keyPath: member]
      // Equal profiles have equal settings, whether the document spells the default or not.
      settings[key.name] = newValue == key.defaultValue ? nil : newValue.setting
    }
  }

  /// The rows of the keys, in the order of their declaration.
  public static var schemaRows: [SchemaRow] { declared.rows }
}
