// SPDX-License-Identifier: Apache-2.0

/// Text or a number that cannot be a value of some kind, and why.
///
/// Thrown before anything is written; what the kernel itself refuses is a ``ConfigFSError``.
public struct InvalidValue: Error, Hashable, Sendable {
  /// What was given.
  public var text: String
  /// What it should have been, `a serial number`.
  public var kind: String
  /// Why it is not, `is longer than 20 bytes`.
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

/// A value that is text with rules, the kernel's own or stricter ones where the kernel would be harmed.
public protocol ValidatedText: AttributeValue, CustomStringConvertible {
  /// The text, without a line feed or padding.
  var text: String { get }

  /// Takes text that has been found good.
  init(validated text: String)

  /// What it is, with its article, `a serial number`.
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
  /// One of a fixed set of words, compared as `sysfs_streq` does: exactly, but for one line feed.
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
