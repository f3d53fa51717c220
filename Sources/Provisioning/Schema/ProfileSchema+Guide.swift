// SPDX-License-Identifier: Apache-2.0

/// The tables of keys in `Docs/Guides/Profiles.md`.
extension ProfileSchema {
  /// The guide with its tables replaced: those below a line `<!-- keys: OBJECT -->`.
  public static func updatingTables(of guide: String) -> String {
    var lines: [String] = []
    var rest = guide.split(separator: "\n", omittingEmptySubsequences: false)[...]
    while let line = rest.popFirst() {
      lines.append(String(line))
      guard let object = object(markedBy: line) else { continue }
      rest = rest.drop { $0.isEmpty || $0.hasPrefix("|") }
      lines += ["", object.table, ""]
    }
    return lines.joined(separator: "\n")
  }

  /// The objects whose tables a guide has.
  public static func tables(of guide: String) -> [SchemaObject] {
    guide.split(separator: "\n").compactMap { object(markedBy: $0) }
  }

  private static func object(markedBy line: Substring) -> SchemaObject? {
    guard line.hasPrefix("<!-- keys: "), line.hasSuffix(" -->") else { return nil }
    return object(String(line.dropFirst("<!-- keys: ".count).dropLast(" -->".count)))
  }
}

extension SchemaObject {
  /// A Markdown table of the keys.
  public var table: String {
    let rows = keyed.map { row in
      "| `\(row.name)` | \(row.valueText) | \(row.isRequired ? "required" : row.defaultText ?? "") | \(row.summary) |"
    }
    return (["| Key | Value | Default | Meaning |", "|---|---|---|---|"] + rows)
      .joined(separator: "\n")
  }
}

extension SchemaRow {
  /// The valid values, for the guide.
  var valueText: String {
    switch kind {
    case .integer(let range), .textOrInteger(_, let range): Self.text(range) + limits(range)
    case .powerOfTwo(let range): "a power of two, \(Self.text(range))" + limits(range)
    case .constant(let value): "`\(value)`"
    case .boolean: "boolean"
    case .words(let words): words.map { "`\($0)`" }.joined(separator: ", ")
    case .text(let form): form.valueText
    case .texts(let form): "array of \(form.valueText)"
    case .object: "object"
    case .objects: "array of objects"
    case .named(_, let name): "object: name → \(name)"
    case .attributes: "object: file name → text"
    case .unkeyed, .command: ""
    }
  }

  private func limits(_ range: ClosedRange<Int>) -> String {
    driverLimits.map { "; \(range.lowerBound) to \($0.bound) with `\($0.driver)`" }.joined()
  }

  private static func text(_ range: ClosedRange<Int>) -> String {
    "\(range.lowerBound) to \(range.upperBound)"
  }

  /// The value of a key that is not set: that of epfnvme or, if it has none, that of a new object of the kernel; nil if there is neither.
  var defaultText: String? {
    switch defaultValue {
    case .value(let setting): return text(setting)
    case .described(let text): return text
    case nil: break
    }
    guard attributes.count == 1 else { return nil }
    switch attributes[0].fresh {
    case .text(let text): return setting(attributeText: text).map(self.text)
    case .varies(let text): return text
    case .unwritable: return nil
    }
  }

  private func text(_ setting: Setting) -> String {
    switch setting {
    case .boolean(let value): "\(value)"
    case .text(let text): "`\(text)`"
    case .integer(let value):
      if let digits = hexDigits, value != 0,
        let text = JSONValue.hexadecimal(value, digits: digits).stringValue
      {
        "`\"\(text)\"`"
      } else {
        "\(value)"
      }
    }
  }
}

extension TextForm {
  fileprivate var valueText: String {
    guard let maximumLength else { return name }
    return "\(name), at most \(maximumLength) bytes"
  }
}
