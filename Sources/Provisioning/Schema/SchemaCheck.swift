// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS

/// Checks a document against the schema: every key, type, range, word and form separately.
///
/// ``ProfileRules`` checks combinations of values.
struct SchemaCheck {
  let issues: IssueCollector

  func check(_ json: LocatedJSON, _ path: String, as object: SchemaObject) {
    guard case .object(let members) = json.content else {
      misfit(path, json, "an object was expected, not \(json.kind)")
      return
    }
    let keys = object.keys
    for member in members where !keys.contains(member.key) {
      let nearest = nearestName(to: member.key, in: keys)
      issues.add(
        .error, Self.join(path, member.key), member.keyPosition,
        "unknown key \"\(member.key.prefix(60))\"",
        hint: nearest.map { "did you mean \"\($0)\"?" }
          ?? "known keys: " + keys.joined(separator: ", "), isStructural: true)
    }
    let present = members.map(\.key)
    for row in object.rows where row.isRequired {
      if let key = row.key, !present.contains(key) {
        misfit(path, json, "the key \"\(key)\" is missing")
      }
    }
    if object.isChoice, present.filter(keys.contains).count != 1 {
      let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
      misfit(path, json, "exactly one of \(names) was expected")
    }
    for member in members {
      guard let row = object.row(member.key) else { continue }
      check(member.value, Self.join(path, member.key), row)
    }
  }

  private func check(_ json: LocatedJSON, _ path: String, _ row: SchemaRow) {
    switch row.kind {
    case .integer, .powerOfTwo, .constant: checkInteger(json, path, row)
    case .boolean:
      if case .bool = json.content { return }
      misfit(path, json, "true or false was expected, not \(json.kind)")
    case .words(let words):
      guard let text = string(json, path), !words.contains(text) else { return }
      issues.add(
        .error, path, json.position, "unknown value \"\(text.prefix(60))\"",
        hint: nearestName(to: text, in: words).map { "did you mean \"\($0)\"?" }
          ?? "known values: " + words.joined(separator: ", "))
    case .text(let form): check(json, path, form, row)
    case .textOrInteger(let form, _):
      if case .number = json.content {
        checkInteger(json, path, row)
      } else {
        check(json, path, form, row)
      }
    case .texts(let form): checkTexts(json, path, form, row)
    case .object(let name):
      if let object = ProfileSchema.object(name) { check(json, path, as: object) }
    case .objects(let name):
      guard let object = ProfileSchema.object(name) else { return }
      for (index, element) in elements(json, path).enumerated() {
        check(element, "\(path)[\(index)]", as: object)
      }
    case .named(let form, let name):
      guard let object = ProfileSchema.object(name) else { return }
      for member in members(json, path) {
        let place = Self.join(path, member.key)
        if let problem = form.problem(with: member.key) {
          issues.add(
            .error, place, member.keyPosition, "the name \"\(member.key.prefix(60))\" \(problem)")
        }
        check(member.value, place, as: object)
      }
    case .attributes:
      for member in members(json, path) { _ = string(member.value, Self.join(path, member.key)) }
    case .unkeyed, .command: break
    }
  }

  // MARK: Values

  private func checkInteger(_ json: LocatedJSON, _ path: String, _ row: SchemaRow) {
    guard let range = row.range else { return }
    func refuse(_ message: String, _ hint: String? = nil) {
      issues.add(.error, path, json.position, message, hint: hint ?? row.reason)
    }
    switch SchemaInteger(json, in: range) {
    case .absent:
      misfit(path, json, "a number was expected, not \(json.kind)")
    case .malformed(let text):
      refuse("\"\(text.prefix(40))\" is not an integer", "write 32, \"32\" or \"0x20\"")
    case .outside(let text):
      if case .constant(let value) = row.kind {
        refuse("\(text.prefix(40)) is not supported, only \(value)")
      } else {
        refuse("\(text.prefix(40)) is out of range: \(range.lowerBound) to \(range.upperBound)")
      }
    case .value(let value):
      if case .constant = row.kind, case .string = json.content {
        misfit(path, json, "a number was expected, not a string")
      }
      if case .powerOfTwo = row.kind, value.nonzeroBitCount != 1 {
        refuse(
          "\(value) is not a power of two from \(range.lowerBound) to \(range.upperBound)")
      }
    }
  }

  private func check(_ json: LocatedJSON, _ path: String, _ form: TextForm, _ row: SchemaRow) {
    guard let text = string(json, path), let problem = form.problem(with: text) else { return }
    issues.add(
      .error, path, json.position, "\"\(text.prefix(60))\" \(problem)", hint: row.reason)
  }

  private func checkTexts(_ json: LocatedJSON, _ path: String, _ form: TextForm, _ row: SchemaRow) {
    var first: [String: Int] = [:]
    for (index, element) in elements(json, path).enumerated() {
      let place = "\(path)[\(index)]"
      check(element, place, form, row)
      guard case .string(let text) = element.content else { continue }
      if let other = first[text] {
        issues.add(
          .error, place, element.position,
          "\"\(text.prefix(60))\" is listed twice, first as \(path)[\(other)]")
      } else {
        first[text] = index
      }
    }
  }

  // MARK: JSON

  private func misfit(_ path: String, _ json: LocatedJSON, _ message: String) {
    issues.add(.error, path, json.position, message, isStructural: true)
  }

  private func string(_ json: LocatedJSON, _ path: String) -> String? {
    if case .string(let text) = json.content { return text }
    misfit(path, json, "a string was expected, not \(json.kind)")
    return nil
  }

  private func elements(_ json: LocatedJSON, _ path: String) -> [LocatedJSON] {
    if case .array(let elements) = json.content { return elements }
    misfit(path, json, "an array was expected, not \(json.kind)")
    return []
  }

  private func members(_ json: LocatedJSON, _ path: String) -> [LocatedJSON.Member] {
    if case .object(let members) = json.content { return members }
    misfit(path, json, "an object was expected, not \(json.kind)")
    return []
  }

  private static func join(_ path: String, _ key: String) -> String {
    path.isEmpty ? key : "\(path).\(key)"
  }
}

/// A number of a document, read as wide as it is written and then held against a range.
enum SchemaInteger {
  case value(Int)
  case outside(String)
  case malformed(String)
  /// Neither a number nor a string.
  case absent

  init(_ json: LocatedJSON, in range: ClosedRange<Int>) {
    let text: String
    switch json.content {
    case .number(let number):
      text = number
      let digits = number.utf8.drop { $0 == UInt8(ascii: "-") }
      guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
        self = .malformed(text)
        return
      }
    case .string(let string):
      text = string
      guard Self.isInteger(text, signed: range.lowerBound < 0) else {
        self = .malformed(text)
        return
      }
    default:
      self = .absent
      return
    }
    guard let value = text.kernelInteger(Int.self) else {
      // Eight and nine are no octal digits; everything else that gets here is too large.
      let isOctal =
        text.utf8.count > 1 && text.utf8.first == 0x30 && !text.contains { "xX".contains($0) }
      self = isOctal ? .malformed(text) : .outside(text)
      return
    }
    self = range.contains(value) ? .value(value) : .outside(text)
  }

  /// See ``IntegerForm``.
  private static func isInteger(_ text: String, signed: Bool) -> Bool {
    if signed, text == "-1" { return true }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.utf8.dropFirst(2)
      return (1...16).contains(digits.count)
        && digits.allSatisfy {
          (0x30...0x39).contains($0) || (0x41...0x46).contains($0 & 0xdf)
        }
    }
    return (1...20).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }
}
