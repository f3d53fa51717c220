// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A smoke run that cannot begin, or does not come to its end: every report is a complete document that says so.
@Suite struct SmokeBeginTests {
  private static func shipped(_ name: String) -> String {
    ShippedProfile.directory.appending(name + ".json").string
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var status: Int32
    var testDescription: String
    var profile: String
    /// A text that the report must have.
    var says: String
    var kernelRelease: SimulatedKernel.Release = .linux7_2
    /// In the directory with the kernel, before the run.
    var before: String = ":"
    var options: [String] = []
    var isPrivileged = true
  }

  static let table: [Row] = [
    Row(
      status: 64, testDescription: "set up already", profile: shipped("null_blk-loop"),
      says: "is completely or partly set up", before: "epfnvme setup -q \(shipped("null_blk-loop"))"
    ),
    Row(
      status: 65, testDescription: "malformed", profile: "bad.json", says: "bad.json:1:",
      before: "echo '{ \"version\": 1 }' >bad.json"),
    Row(
      status: 66, testDescription: "no profile", profile: "/nowhere.json",
      says: "cannot read the profile"),
    Row(
      status: 69, testDescription: "a driver that the kernel lacks",
      profile: shipped("null_blk-pci"), says: "has no function driver", kernelRelease: .linux6_12,
      options: ["--kernel-release", "6.12"]),
    Row(
      status: 73, testDescription: "a run directory that is a file",
      profile: shipped("null_blk-loop"), says: "cannot determine which profiles are set up",
      before: "echo >kernel.run"),
    Row(
      status: 75, testDescription: "no other side", profile: shipped("null_blk-loop"),
      says: "the board was not up within",
      options: [
        "--role", "host", "--peer-timeout", "0.1", "--exchange", "exchange", "--kernel", "live",
      ]),
    Row(
      status: 77, testDescription: "no privileges", profile: shipped("null_blk-loop"), says: "root",
      isPrivileged: false),
    Row(
      status: 78, testDescription: "a remote target on a mainline kernel", profile: shipped("tcp"),
      says: "has no function driver", options: ["--kernel-release", "7.2"]),
  ]

  static let formats = ["ktap", "tap", "junit", "lava", "json", "html"]

  @Test("every format has one failed case that holds the reason", arguments: table)
  func reasons(_ row: Row) throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    machine.isPrivileged = row.isPrivileged
    _ = try program.kernel(row.kernelRelease, machine: machine)
    var arguments = ["smoke", row.profile] + row.options
    for format in Self.formats { arguments += ["--format", format, "--output", "r.\(format)"] }
    let script = "\(row.before); exec epfnvme \(arguments.joined(separator: " "))"
    let result = try program.shell(script)
    #expect(result.status == row.status, "\(result.output)\(result.errors)")
    #expect(result.errors.contains(row.says), "\(result.errors)")
    try expectReason(program, status: row.status, says: row.says)

    // Standard output is one document, too.
    let other = Program()
    _ = try other.kernel(row.kernelRelease, machine: machine)
    let json = try other.shell(
      "\(row.before); exec epfnvme smoke \(([row.profile] + row.options).joined(separator: " ")) --json"
    )
    #expect(json.status == row.status)
    #expect(json.json?["results"]?.arrayValue?.first?["id"]?.stringValue == "begin")
  }

  /// All formats say that the run could not begin, and why.
  private func expectReason(_ program: Program, status: Int32, says: String) throws {
    func text(_ format: String) throws -> String {
      String(decoding: try readFile(program.directory.appending("r.\(format)")), as: UTF8.self)
    }
    let ktap = try KTAPReader(text("ktap"))
    #expect(ktap.planned == 1 && ktap.results.count == 1)
    let result = try #require(ktap.results.first)
    #expect(!result.isOK && result.description == "begin" && result.directive == nil)
    #expect(result.diagnosis.contains(says), "\(result.diagnosis)")
    #expect(ktap.diagnostics.contains("Totals: pass:0 fail:1 xfail:0 xpass:0 skip:0 error:0"))
    let tap = try text("tap").split(separator: "\n")
    #expect(tap.first == "TAP version 14" && tap.contains("1..1"))
    #expect(tap.filter { $0.hasPrefix("not ok 1 - begin") }.count == 1)
    #expect(tap.last?.trimmingCharacters(in: .whitespaces) == "...")
    let junit = program.directory.appending("r.junit").string
    #expect(try XML.count("/testsuites/testsuite[@tests='1'][@failures='1']", in: junit) == 1)
    #expect(try XML.count("//testcase[@name='begin']/failure", in: junit) == 1)
    #expect(try text("lava").contains("TEST_CASE_ID=begin RESULT=fail"))
    let json = try LocatedJSON(parsing: Array(text("json").utf8)).value
    #expect(json["verdict"]?.stringValue == "failed")
    #expect(json["exitCode"]?.integerValue == Int64(status))
    let only = try #require(json["results"]?.arrayValue?.first)
    #expect(only["id"]?.stringValue == "begin")
    #expect(only["reason"]?.stringValue?.contains(says) == true, "\(only.prettyText)")
    let html = try text("html")
    #expect(html.contains("begin") && html.hasSuffix("</html>\n"))
  }

  @Test("a killed run leaves complete documents that state that it has not ended")
  func killed() throws {
    let program = Program()
    let kernel = try program.kernel()
    kernel.inject(.init(effect: 12, action: .signal(SIGKILL)))
    var arguments = ["smoke", Self.shipped("null_blk-loop")]
    for format in ["junit", "json", "html"] {
      arguments += [
        "--format", format, "--output", program.directory.appending("r.\(format)").string,
      ]
    }
    #expect(try program(arguments).status == 128 + SIGKILL)
    let junit = program.directory.appending("r.junit").string
    #expect(try XML.count("//testcase[@name='begin']/failure", in: junit) == 1)
    let json = try LocatedJSON(
      parsing: readFile(program.directory.appending("r.json"))
    ).value
    #expect(json["verdict"]?.stringValue == "failed")
    #expect(
      json["results"]?.arrayValue?.first?["reason"]?.stringValue?.contains("has not ended") == true)
    let html = String(decoding: try readFile(program.directory.appending("r.html")), as: UTF8.self)
    #expect(html.hasSuffix("</html>\n"))
  }

  @Test("a guide lists every exit code that a run can have")
  func guide() throws {
    let path = ShippedProfile.repository.appending("Docs/Guides/BoardCI.md")
    let guide = String(decoding: try readFile(path), as: UTF8.self)
    let codes = Set(Self.table.map(\.status) + [0, 1, 4, 70, 74, 76])
    for code in codes { #expect(guide.contains("\n| \(code) |"), "\(code)") }
    #expect(guide.contains("\n| 129, 130, 143 |"))
  }
}
