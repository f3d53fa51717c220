// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import NVMeTarget

/// The form of a text in a profile.
///
/// ``pattern`` and the lengths are those of the JSON Schema; ``problem(with:)`` is at least as strict, and counts bytes, as the kernel
/// does, where JSON Schema counts characters.
public struct TextForm: Sendable {
  /// For messages and tests: `an NQN`.
  public var name: String
  /// A regular expression of ECMA 262; nil when every text fits.
  public var pattern: String?
  public var minimumLength: Int?
  public var maximumLength: Int?
  /// Texts that fit the pattern and are refused.
  public var excluded: [String] = []
  private var check: @Sendable (String) -> String?

  init(
    _ name: String, pattern: String? = nil, from minimumLength: Int? = nil,
    upTo maximumLength: Int? = nil, excluding excluded: [String] = [],
    _ check: @escaping @Sendable (String) -> String?
  ) {
    self.name = name
    self.pattern = pattern
    self.minimumLength = minimumLength
    self.maximumLength = maximumLength
    self.excluded = excluded
    self.check = check
  }

  /// Why a text is invalid, as the rest of a sentence; nil if it is valid.
  public func problem(with text: String) -> String? { check(text) }
}

extension TextForm {
  /// Any text.
  static let any = TextForm("a text") { _ in nil }

  /// The name of something that is defined in the same profile.
  static let reference = TextForm("a name", from: 1) { $0.isEmpty ? "is empty" : nil }

  /// The name of a profile is a file name, an argument and a part of device names.
  static let profileName = TextForm(
    "a profile's name", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
  ) { text in
    let first = text.utf8.first.map(isAlphanumeric) ?? false
    let fits = text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
    return first && fits && text.utf8.count <= 64
      ? nil
      : "is not a name: 1 to 64 letters, digits, \".\", \"_\" and \"-\", the first a letter or digit"
  }

  /// One component of a path, and of a line of output.
  static func component(_ name: String, upTo limit: Int = 255) -> TextForm {
    TextForm(
      name, pattern: #"^[^/\u0000-\u001f\u007f]+$"#, from: 1, upTo: limit, excluding: [".", ".."]
    ) { text in
      if text.isEmpty { return "is empty" }
      if text == "." || text == ".." { return "cannot name a directory" }
      if text.utf8.count > limit { return "has \(text.utf8.count) bytes, more than \(limit)" }
      if text.utf8.contains(UInt8(ascii: "/")) {
        return "contains \"/\", which ends a directory name"
      }
      return text.utf8.contains(where: isControl) ? "contains a control character" : nil
    }
  }

  /// An absolute path.
  static let path = TextForm("an absolute path", pattern: #"^/[^\u0000\n]*$"#) { text in
    do throws(InvalidValue) { _ = try DevicePath(text) } catch { return error.reason }
    return nil
  }

  /// An NQN, which is a directory and an option of a comma-separated list, too.
  static let nqn = TextForm(
    "an NQN", pattern: #"^[^/\u0000-\u0020,]+$"#, from: 1, upTo: NQN.maximumLength,
    excluding: [".", "..", NQN.discovery.text]
  ) { text in
    if let problem = NQN.problem(with: text) { return problem }
    if text == NQN.discovery.text {
      return "is the discovery NQN, which the kernel reserves"
    }
    if text.utf8.contains(UInt8(ascii: " ")) {
      return "contains a blank, which is not allowed in an NVMe qualified name"
    }
    return text.utf8.contains(UInt8(ascii: ","))
      ? "contains \",\", which separates the options of a connection" : nil
  }

  /// A field of Identify: printable ASCII.
  static func printable(_ name: String, upTo limit: Int) -> TextForm {
    TextForm(name, pattern: "^[ -~]{1,\(limit)}$") { text in
      if text.isEmpty { return "is empty" }
      guard text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
        return "contains characters other than printable ASCII"
      }
      return text.utf8.count > limit ? "has \(text.utf8.count) bytes, more than \(limit)" : nil
    }
  }

  static let version = TextForm(
    "a version of NVMe", pattern: #"^[0-9]{1,5}\.[0-9]{1,3}(\.[0-9]{1,3})?$"#
  ) { text in
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let fits =
      (2...3).contains(parts.count) && zip(parts, [5, 3, 3]).allSatisfy { $0.utf8.count <= $1 }
      && !text.hasSuffix("\n") && SpecificationVersion(attributeText: text) != nil
    return fits ? nil : "is not a version such as 1.4 or 2.1"
  }

  static let uuid = TextForm(
    "a UUID", pattern: "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
  ) { UUIDText.problem(with: $0) }

  static let nguid = TextForm("an NGUID", pattern: "^([0-9A-Fa-f]{2}[:-]?){15}[0-9A-Fa-f]{2}$") {
    text in
    // A separator is between two bytes, not after the last one.
    if text.hasSuffix(":") || text.hasSuffix("-") { return "ends with a separator" }
    do throws(InvalidValue) { _ = try NGUID(text) } catch { return error.reason }
    return nil
  }

  /// A word that `sscanf` reads completely.
  static func word(_ name: String, upTo limit: Int) -> TextForm {
    TextForm(name, pattern: "^[!-~]{1,\(limit)}$") { text in
      if text.isEmpty { return "is empty" }
      guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        return "contains blanks or characters other than printable ASCII"
      }
      return text.utf8.count > limit ? "has \(text.utf8.count) bytes, more than \(limit)" : nil
    }
  }

  /// The value of an option in a comma-separated list.
  static let option = TextForm("an option's value", pattern: #"^[^,\u0000-\u0020]+$"#) { text in
    if text.isEmpty { return "is empty" }
    return text.utf8.contains(where: { $0 == 0x2c || $0 <= 0x20 })
      ? "contains \",\" or white space, which separates options" : nil
  }

  private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: false
    }
  }
}

/// The strings that represent integers.
public enum IntegerForm {
  public static let pattern = "^(0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20})$"
  /// For ranges with negative numbers.
  public static let signedPattern = "^(-1|0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20})$"
}
