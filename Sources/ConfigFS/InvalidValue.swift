// SPDX-License-Identifier: Apache-2.0

/// Text or a number that cannot be a value of some kind, and why.
///
/// Thrown before anything is written; a refusal of the kernel is a ``ConfigFSError``.
public struct InvalidValue: Error, Hashable, Sendable {
  /// The given text.
  public var text: String
  /// The expected kind, `a serial number`.
  public var kind: String
  /// The reason, `is longer than 20 bytes`.
  public var reason: String

  public init(_ text: String, isNot kind: String, because reason: String) {
    self.text = text
    self.kind = kind
    self.reason = reason
  }
}

extension InvalidValue: CustomStringConvertible {
  public var description: String { "\"\(text)\" is not \(kind): it \(reason)" }
}

/// A text value with rules: those of the kernel, or stricter ones to protect the kernel.
public protocol ValidatedText: AttributeValue, CustomStringConvertible {
  /// The text, without a line feed or padding.
  var text: String { get }

  /// Creates a value from text that has been checked.
  init(validated text: String)

  /// The kind with its article, `a serial number`.
  static var kind: String { get }

  /// Why text cannot be a value, `is empty`; nil when it can.
  static func problem(with text: String) -> String?
}

extension ValidatedText {
  /// - Throws: ``InvalidValue`` with the rule that is broken.
  public init(_ text: String) throws(InvalidValue) {
    if let problem = Self.problem(with: text) {
      throw InvalidValue(text, isNot: Self.kind, because: problem)
    }
    self.init(validated: text)
  }

  public init?(attributeText: String) {
    let text = attributeText.withoutTrailingNewline
    guard Self.problem(with: text) == nil else { return nil }
    self.init(validated: text)
  }

  public var attributeText: String { text + "\n" }
  public var description: String { text }
  public static var expectedForm: String { kind }
}

extension AttributeValue where Self: RawRepresentable & CaseIterable, RawValue == String {
  /// One of a fixed set of words, compared as by `sysfs_streq`: exactly, except for one line feed.
  public init?(attributeText: String) {
    self.init(rawValue: attributeText.withoutTrailingNewline)
  }

  public var attributeText: String { rawValue + "\n" }

  public static var expectedForm: String {
    "one of "
      + allCases.filter { !$0.rawValue.isEmpty }.map { "\"\($0.rawValue)\"" }
      .joined(separator: ", ")
  }
}
