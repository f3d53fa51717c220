// SPDX-License-Identifier: Apache-2.0

/// A reader of KTAP version 1, after the kernel's `Documentation/dev-tools/ktap.rst`.
public struct KTAPReader: Sendable {
  public struct Result: Sendable, Equatable {
    public var number: Int
    public var isOK: Bool
    public var description: String
    /// `SKIP`, `TODO`, `XFAIL`, `TIMEOUT`, `ERROR`.
    public var directive: String?
    public var diagnosis: String
  }

  public struct Malformed: Error, CustomStringConvertible {
    public var description: String
  }

  public var planned = 0
  public var results: [Result] = []
  public var diagnostics: [String] = []

  private static let directives: Set<String> = ["SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR"]

  public init(_ text: String) throws {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    guard text.hasSuffix("\n") else { throw Malformed(description: "the last line is cut off") }
    lines.removeLast()
    guard lines.popFirst() == "KTAP version 1" else {
      throw Malformed(description: "no version line")
    }
    for line in lines {
      if line.hasPrefix("#") {
        diagnostics.append(String(line.dropFirst(2)))
      } else if line.hasPrefix("1..") {
        guard planned == 0, results.isEmpty, let count = Int(line.dropFirst(3)), count > 0 else {
          throw Malformed(description: "a second, late or wrong plan: \(line)")
        }
        planned = count
      } else {
        results.append(try Self.result(line))
      }
    }
    guard results.map(\.number) == Array(1...max(1, planned)) else {
      throw Malformed(description: "planned 1..\(planned), came \(results.map(\.number))")
    }
  }

  private static func result(_ line: Substring) throws -> Result {
    var rest = line
    let isOK = !rest.hasPrefix("not ")
    if !isOK { rest.removeFirst(4) }
    guard rest.hasPrefix("ok ") else { throw Malformed(description: "no result line: \(line)") }
    rest.removeFirst(3)
    let digits = rest.prefix { $0.isNumber }
    guard let number = Int(digits) else { throw Malformed(description: "no number: \(line)") }
    rest = rest.dropFirst(digits.count).drop { $0 == " " }
    if rest.hasPrefix("- ") { rest.removeFirst(2) }
    let halves = rest.split(separator: " # ", maxSplits: 1)
    var diagnosis = halves.count > 1 ? halves[1] : ""
    var directive: String?
    if let word = diagnosis.split(separator: " ").first, directives.contains(String(word)) {
      directive = String(word)
      diagnosis = diagnosis.dropFirst(word.count + 1)
    }
    return Result(
      number: number, isOK: isOK, description: halves.first.map(String.init) ?? "",
      directive: directive, diagnosis: String(diagnosis))
  }

  public subscript(description: String) -> Result? {
    results.first { $0.description == description }
  }
}
