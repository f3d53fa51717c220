// SPDX-License-Identifier: Apache-2.0
import Provisioning
import Numbers
import SystemPackage
import TestSupport
import Testing

/// Profiles as text: what is wrong is said with line, column and path, before anything is touched.
@Suite struct ProfileTextTests {
  /// The first issue of a text.
  private func firstError(in text: String) -> ProfileIssue? {
    do {
      _ = try Profile.decode(Array(text.utf8))
      return nil
    } catch { return error.issues.first { $0.severity == .error } }
  }

  struct Malformed: Sendable, CustomStringConvertible {
    var description: String
    var text: String
    var line: Int
    var column: Int
  }

  static let malformed = [
    Malformed(description: "an empty file", text: "", line: 1, column: 1),
    Malformed(
      description: "an object without an end", text: "\n {\n  \"version\": 1", line: 2, column: 2),
    Malformed(description: "a missing comma", text: "{\"a\": 1 \"b\": 2}", line: 1, column: 9),
    Malformed(description: "a comma too many", text: "{\"a\": 1,}", line: 1, column: 8),
    Malformed(description: "an unfinished string", text: "{\"a\": \"b\n}", line: 1, column: 9),
    Malformed(description: "a control character", text: "{\"a\": \"\u{1}\"}", line: 1, column: 8),
    Malformed(description: "unpaired surrogate", text: #"{"a": "\ud800"}"#, line: 1, column: 8),
    Malformed(description: "a leading zero", text: "{\"a\": 01}", line: 1, column: 7),
    Malformed(description: "more after the end", text: "{}\n{}", line: 2, column: 1),
    Malformed(description: "an unfinished comment", text: "{ /* …", line: 1, column: 3),
    Malformed(description: "a duplicate key", text: "{\"a\": 1,\n \"a\": 2}", line: 2, column: 2),
    Malformed(description: "an array", text: "[]", line: 1, column: 1),
  ]

  @Test("is refused at the location of the error", arguments: malformed)
  func malformedText(_ row: Malformed) throws {
    let issue = try #require(firstError(in: row.text), "accepted")
    let position = try #require(issue.position, "\(issue.message): no place")
    #expect(position.line == row.line, "\(issue.message)")
    #expect(position.column == row.column, "\(issue.message)")
  }

  @Test("nesting beyond 64 levels is refused, not followed")
  func deepNesting() throws {
    let text = String(repeating: "[", count: 1_000_000)
    let issue = try #require(firstError(in: text))
    #expect(issue.message.contains("64"))
    #expect(issue.position?.line == 1)
    #expect(issue.position?.column == 65)
  }

  @Test(
    "a mebibyte of garbage is refused with a location",
    arguments: [0, 0x7b, 0x22, 0x41, 0xff] as [UInt8])
  func garbage(_ byte: UInt8) throws {
    do {
      _ = try Profile.decode([UInt8](repeating: byte, count: 1 << 20))
      Issue.record("accepted")
    } catch {
      #expect(error.issues.first?.position?.line == 1)
    }
  }

  @Test("random bytes never trap")
  func randomBytes() {
    var generator = SplitMix64(seed: 1)
    for _ in 0..<200 {
      let bytes = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
        UInt8.random(in: .min ... .max, using: &generator)
      }
      #expect(throws: ProfileIssues.self) { _ = try Profile.decode(bytes) }
    }
  }

  @Test("a truncated shipped profile is refused with a location or is complete")
  func cutProfile() throws {
    let bytes = try readFile(ShippedProfile.directory.appending("two-functions.json"))
    let end = try #require(bytes.lastIndex(of: UInt8(ascii: "}")))
    for length in stride(from: 0, through: end, by: 7) {
      do {
        _ = try Profile.decode(Array(bytes[..<length]))
        Issue.record("accepted \(length) of \(bytes.count) bytes")
      } catch {
        #expect(error.issues.first?.position != nil, "cut at \(length)")
      }
    }
  }

  @Test("an unknown key is refused and the nearest known one is named")
  func unknownKey() throws {
    let text = """
      {
        "version": 1, "name": "x",
        "functions": [ { "name": "f", "vendorId": 1, "deviceID": 2, "target": { "loop": "q" } } ]
      }
      """
    do {
      _ = try Profile.decode(Array(text.utf8))
      Issue.record("accepted")
    } catch {
      let issue = try #require(error.issues.first { $0.path == "functions[0].vendorId" })
      #expect(issue.position?.line == 3)
      #expect(issue.position?.column == 33)
      #expect("\(issue.message) \(issue.hint ?? "")".contains("vendorID"))
    }
  }

  /// One member of the profile replaced: path of the issue, and a word of the message.
  struct Wrong: Sendable, CustomStringConvertible {
    var description: String
    var subsystem = #""nqn": "nqn.2026-01.org.example:a""#
    var namespace = #""id": 1, "backing": "disk""#
    var backing = #""nullBlock": { "sizeMiB": 64 }"#
    var function = #""name": "f0", "vendorID": "0x15b7", "deviceID": 1, "msixVectors": 8"#
    var target = #""loop": "nqn.2026-01.org.example:a""#
    var document = #""version": 1, "name": "x""#
    var path: String

    var text: String {
      """
      { \(document),
        "backings": { "disk": { \(backing) } },
        "subsystems": [ { \(subsystem), "namespaces": [ { \(namespace) } ] } ],
        "functions": [ { \(function), "target": { \(target) } } ] }
      """
    }
  }

  static let long = String(repeating: "n", count: 224)

  static let wrong: [Wrong] = [
    Wrong(
      description: "version 2", document: #""version": 2, "name": "x""#, path: "version"),
    Wrong(description: "no name", document: #""version": 1"#, path: ""),
    Wrong(
      description: "a name with a slash", document: #""version": 1, "name": "../x""#, path: "name"),
    Wrong(
      description: "an NQN with a slash", subsystem: #""nqn": "a/b""#, path: "subsystems[0].nqn"),
    Wrong(description: "an NQN of two dots", subsystem: #""nqn": "..""#, path: "subsystems[0].nqn"),
    Wrong(
      description: "an NQN with NUL", subsystem: #""nqn": "a\u0000b""#, path: "subsystems[0].nqn"),
    Wrong(
      description: "an NQN with a line feed", subsystem: #""nqn": "a\nb""#,
      path: "subsystems[0].nqn"),
    Wrong(description: "an empty NQN", subsystem: #""nqn": """#, path: "subsystems[0].nqn"),
    Wrong(
      description: "an NQN of 224 bytes", subsystem: "\"nqn\": \"\(long)\"",
      path: "subsystems[0].nqn"),
    Wrong(
      description: "the discovery NQN",
      subsystem: #""nqn": "nqn.2014-08.org.nvmexpress.discovery""#,
      path: "subsystems[0].nqn"),
    Wrong(
      description: "a serial number of 21 bytes",
      subsystem: #""nqn": "nqn.2026-01.org.example:a", "serial": "123456789012345678901""#,
      path: "subsystems[0].serial"),
    Wrong(
      description: "a model with a line feed",
      subsystem: #""nqn": "nqn.2026-01.org.example:a", "model": "a\nb""#,
      path: "subsystems[0].model"),
    Wrong(
      description: "namespace 0", namespace: #""id": 0, "backing": "disk""#,
      path: "subsystems[0].namespaces[0].id"),
    Wrong(
      description: "the namespace of broadcasts",
      namespace: #""id": 4294967295, "backing": "disk""#,
      path: "subsystems[0].namespaces[0].id"),
    Wrong(
      description: "a backing that is not declared", namespace: #""id": 1, "backing": "dusk""#,
      path: "subsystems[0].namespaces[0].backing"),
    Wrong(
      description: "a UUID of 35 digits",
      namespace: #""id": 1, "backing": "disk", "uuid": "0000000-0000-8000-a000-000000000000""#,
      path: "subsystems[0].namespaces[0].uuid"),
    Wrong(
      description: "ANA group 128", namespace: #""id": 1, "backing": "disk", "anaGroup": 128"#,
      path: "subsystems[0].namespaces[0].anaGroup"),
    Wrong(
      description: "two kinds of backing",
      backing: #""nullBlock": {}, "block": { "path": "/dev/sda" }"#, path: "backings.disk"),
    Wrong(
      description: "a block size of 1000", backing: #""nullBlock": { "blockSize": 1000 }"#,
      path: "backings.disk.nullBlock.blockSize"),
    Wrong(
      description: "a relative path", backing: #""file": { "path": "disk.img" }"#,
      path: "backings.disk.file.path"),
    Wrong(
      description: "a vendor ID of five digits",
      function: #""name": "f0", "vendorID": "0x15b70", "deviceID": 1"#,
      path: "functions[0].vendorID"),
    Wrong(
      description: "a negative device ID",
      function: #""name": "f0", "vendorID": 1, "deviceID": -1"#,
      path: "functions[0].deviceID"),
    Wrong(
      description: "a function named like a directory above",
      function: #""name": "..", "vendorID": 1, "deviceID": 1"#, path: "functions[0].name"),
    Wrong(
      description: "2049 MSI-X vectors",
      function: #""name": "f0", "vendorID": 1, "deviceID": 1, "msixVectors": 2049"#,
      path: "functions[0].msixVectors"),
    Wrong(
      description: "33 MSI vectors",
      function: #""name": "f0", "vendorID": 1, "deviceID": 1, "msiVectors": 33"#,
      path: "functions[0].msiVectors"),
    Wrong(
      description: "as many I/O queues as vectors: the admin queue needs one, too",
      function: #""name": "f0", "vendorID": 1, "deviceID": 1, "msixVectors": 4, "ioQueues": 4"#,
      path: "functions[0].msixVectors"),
    Wrong(
      description: "a transfer limit that is no power of two",
      function: #""name": "f0", "vendorID": 1, "deviceID": 1, "mdtsKiB": 100"#,
      path: "functions[0].mdtsKiB"),
    Wrong(
      description: "a target without a subsystem", target: #""loop": "nqn.2026-01.org.example:b""#,
      path: "functions[0].target.loop"),
    Wrong(
      description: "two targets",
      target: #""loop": "nqn.2026-01.org.example:a", "pci": "nqn.2026-01.org.example:a""#,
      path: "functions[0].target"),
  ]

  @Test("is refused at its path, with a location in the text", arguments: wrong)
  func wrongValue(_ row: Wrong) throws {
    let issue = try #require(firstError(in: row.text), "accepted")
    #expect(issue.path == row.path, "\(issue.message)")
    #expect(issue.position != nil, "\(issue.message)")
    #expect(!issue.message.isEmpty)
  }

  @Test("the base profile of the table above is valid")
  func unspoiled() throws {
    #expect(firstError(in: Wrong(description: "", path: "").text) == nil)
  }

  @Test("all errors of a profile are reported at once, in the order of the text")
  func allIssues() throws {
    let text = """
      { "version": 1, "name": "x",
        "functions": [
          { "name": "a", "vendorID": 70000, "deviceID": 1, "target": { "loop": "q" } },
          { "name": "b", "vendorID": 1, "deviceID": "zz", "target": { "loop": "q" } } ] }
      """
    do {
      _ = try Profile.decode(Array(text.utf8))
      Issue.record("accepted")
    } catch {
      let lines = error.issues.compactMap { $0.position?.line }
      #expect(error.issues.count >= 2)
      #expect(lines == lines.sorted())
      #expect(error.issues.contains { $0.path == "functions[0].vendorID" })
      #expect(error.issues.contains { $0.path == "functions[1].deviceID" })
    }
  }

  @Test("comments and hexadecimal strings are accepted")
  func comments() throws {
    let located = try profile(
      """
      // A comment, and another /* inside */
      { "version": 1, /* here */ "name": "x",
        "backings": { "d": { "block": { "path": "/dev/sda" } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": "0x2", "backing": "d" } ] } ] }
      """)
    #expect(located.profile.subsystems.first?.namespaces.first?.id == 2)
  }
}
