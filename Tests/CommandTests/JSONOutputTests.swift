// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The output of commands with `--json` conforms to `Configs/schema/output.schema.json`.
@Suite struct JSONOutputTests {
  private static func shipped(_ name: String) -> String {
    ShippedProfile.directory.appending(name + ".json").string
  }
  private static let loop = shipped("null_blk-loop")
  private static let namespaces = shipped("namespaces")
  private static let tcp = shipped("tcp")
  private static let linux6_12 = ["--kernel-release", "6.12"]

  /// A command, the definition of its output, and what runs before it.
  struct Row: Sendable {
    var definition: String
    var arguments: [String]
    var status: Int32
    var before: [[String]]

    init(
      _ definition: String, _ arguments: [String], status: Int32 = 0, after before: [String]...
    ) {
      self.definition = definition
      self.arguments = arguments
      self.status = status
      self.before = before
    }
  }

  static let table: [Row] = [
    Row("setup", ["setup", loop]), Row("setup", ["setup", loop], after: ["setup", loop]),
    Row("plan", ["setup", loop, "--dry-run"]), Row("plan", ["plan", namespaces]),
    Row("plan", ["plan", "--format", "json", tcp] + linux6_12),
    Row("plan", ["plan", "--msix", "16", "--msi", "16"], after: ["setup"]),
    Row("teardown", ["teardown", "--all"], after: ["setup", loop]),
    Row("teardown", ["teardown", "--all"]),
    Row("teardown", ["teardown", "--all", "--dry-run"]),
    Row("teardown", ["teardown", "--all", "--dry-run"], after: ["setup", namespaces]),
    Row("teardown", ["teardown", "tcp", "--dry-run"], after: ["setup", tcp] + linux6_12),
    Row("status", ["status"]), Row("status", ["status"], after: ["setup", loop]),
    Row("status", ["status"], after: ["setup", tcp] + linux6_12),
    Row("validate", ["validate", loop, "/nowhere.json", "bad.json"], status: 66),
    Row("start", ["start"], after: ["setup", loop]),
    Row("stop", ["stop"], after: ["setup", loop]),
    Row("bounce", ["bounce"], after: ["setup", loop]),
    Row("controllers", ["controllers"], after: ["setup", loop]),
    Row("check", ["check", loop], status: 1),
    Row("check", ["check", loop], after: ["setup", loop]),
    Row("diff", ["diff", loop], status: 1), Row("diff", ["diff", loop], after: ["setup", loop]),
    Row("export", ["export"], after: ["setup", loop]),
    Row("export", ["export", "--format", "nvmetcli"], after: ["setup", loop]),
    Row("import", ["import", "--from-script", "nvmet-pci-epf start"]),
    Row("smoke", ["smoke", loop, "--hold", "0"]),
    Row("smoke", ["smoke", "bad.json"], status: 65),
    Row("smoke", ["smoke", loop], status: 64, after: ["setup", loop]),
    Row("smoke", ["smoke", "--list-cases"]),
    Row("doctor", ["doctor"]), Row("doctor", ["doctor", tcp], status: 1),
    // Any text is a log.
    Row("doctor", ["doctor", "--host", "--log", loop]),
    Row("host-explain", ["host", "explain", "--log", loop]),
    Row(
      "predict",
      ["predict", shipped("null_blk-pci"), "--kernel-release", "6.18.2", "--commands"]),
    Row("predict", ["predict", loop]), Row("predict", ["predict", loop, "--commands"]),
    Row("predict", ["predict", loop, "--kernel-release", "6.14.2"]),
    Row("emulate", ["emulate", loop, "--kernel-release", "6.14.2"]),
    Row("emulate", ["emulate", loop]),
    Row("emulate", ["emulate", loop, "--scenario", "conformance"]),
    Row("emulate", ["emulate", "--list-quirks"]),
    Row("emulate", ["emulate", loop, "--boards", "2"]),
    Row("serve", ["serve", loop, "--print-qemu"]),
    Row("monitor", ["monitor", "--timeout", "0"]),
    Row("error", ["setup", "bad.json"], status: 65),
    Row("error", ["setup", "/nowhere.json"], status: 66),
    Row("error", ["setup", tcp], status: 78),
    Row("error", ["serve", "--print-qemu"], status: 66),
    Row("error", ["check", loop, "--host", "auto"], status: 78),
    Row("error", ["doctor", "--host"], status: 78),
    Row("error", ["doctor", "--host", "--log", "/nowhere"], status: 66),
    Row("error", ["doctor", "--host", "--log", "/dev/null"], status: 66),
    Row("error", ["debug", "status"], status: 78), Row("error", ["host", "find"], status: 78),
  ]

  /// Definitions whose keys other suites have to show, because no command has them on a simulated kernel alone.
  static let elsewhere = [
    "serve": "ServeCommandTests", "link": "LinkCommandTests", "monitor": "EndpointWatchTests",
    "debug": "DebugSwitchTests",
    "host-find": "HostBusTests", "host-explain": "HostDoctorTests", "host-rescan": "HostBusTests",
    "host-rebind": "HostBusTests",
    "host-remove": "HostBusTests",
  ]

  /// Keys that no command of the table prints, and why.
  static let unseen = [
    // No command of the table is cut off; JournalTests show them.
    "#/$defs/status/properties/interrupted/items/properties/profile",
    "#/$defs/status/properties/interrupted/items/properties/step",
    "#/$defs/status/properties/interrupted/items/properties/earlierBoot",
    // No scenario brings a driver to what would crash a board.
    "#/$defs/emulate/anyOf/0/properties/functions/items/anyOf/0/properties/diagnoses/items/properties/row",
    "#/$defs/emulate/anyOf/0/properties/functions/items/anyOf/0/properties/diagnoses/items/properties/text",
  ]

  @Test(
    "every command prints JSON that matches its definition, and every key of a definition occurs")
  func outputs() throws {
    let schema = try PublishedSchema.output()
    for row in Self.table {
      let program = Program()
      _ = try program.write("{ \"version\": 1, \"name\": 3 }", to: "bad.json")
      func words(_ arguments: [String]) -> [String] {
        arguments.map { $0 == "bad.json" ? program.directory.appending($0).string : $0 }
      }
      for arguments in row.before {
        let result = try program(words(arguments) + ["--quiet"])
        try #require(result.status == 0, "\(arguments): \(result.errors)")
      }
      let result = try program(words(row.arguments) + ["--json"])
      #expect(result.status == row.status, "\(row.arguments): \(result.errors)")
      let json = try #require(result.json, "\(row.arguments): \(result.output)\(result.errors)")
      let violations = schema.violations(json, as: row.definition)
      #expect(violations.isEmpty, "\(row.arguments): \(violations) in \(result.output.prefix(600))")
    }
    #expect(schema.unknown == [])
    for definition in Set(Self.table.map(\.definition)) where Self.elsewhere[definition] == nil {
      let missing = schema.properties(of: definition).subtracting(schema.seen)
        .subtracting(Self.unseen)
      #expect(missing.isEmpty, "\(definition): \(missing.sorted())")
    }
  }

  @Test("every command that prints has a definition, and every definition a command or a user")
  func definitions() throws {
    let commands = try CommandTree.all().filter { $0.isLeaf && $0.isListed }
      .map { $0.words.joined(separator: "-") }
    #expect(commands.count > 20)
    let document = try PublishedSchema.document("output.schema.json")
    guard case .object(let members)? = document["$defs"] else {
      Issue.record("no $defs")
      return
    }
    let text = document.compactText
    for command in commands {
      #expect(members.contains { $0.key == command }, "\(command) has no definition")
      #expect(
        Self.elsewhere[command] != nil || Self.table.contains { $0.definition == command },
        "\(command) is not in the table")
    }
    for member in members where !commands.contains(member.key) && member.key != "error" {
      #expect(text.contains("\"#/$defs/\(member.key)\""), "\(member.key) is not used")
    }
    let guide = String(
      decoding: try readFile(ShippedProfile.repository.appending("Docs/Reference/json.md")),
      as: UTF8.self)
    for command in commands {
      let words = command.replacing("-", with: " ")
      #expect(guide.contains("`\(words)`"), "\(words) is not in Docs/Reference/json.md")
    }
  }

  @Test(
    "a usage error is also JSON",
    arguments: [
      ["setup", "--frobnicate", "--json"], ["--json", "frobnicate"], ["status", "--json", "x"],
      ["plan", "--format", "xml", "--json"], ["plan", "--format", "json", "--frobnicate"],
      ["plan", "--format", "shell", "--json"], ["plan", "--format", "text", "--json"],
      ["export", "--format", "shell", "--json"], ["setup", "--timeout", "-1", "--json"],
      ["teardown", "--all", "x", "--json"], ["teardown", "a b", "--json"],
      ["setup", "--tcp", "nonsense", "--json"],
      ["emulate", "--trace", "-", "--json"], ["serve", "--trace", "-", "--json"],
      ["smoke", "--format", "tap", "--json"], ["monitor", "--count", "0", "--json"],
      ["host", "find", "--vendor", "1", "--json"], ["debug", "--json"],
    ])
  func usage(_ arguments: [String]) throws {
    let schema = try PublishedSchema.output()
    let result = try Program()(arguments)
    #expect(result.status == 64, "\(result.errors)")
    let json = try #require(result.json, "\(result.output)")
    #expect(schema.violations(json, as: "error") == [])
    #expect(json["error"]?["code"]?.integerValue == 64)
    #expect(json["error"]?["message"]?.stringValue?.isEmpty == false)
    #expect(!result.errors.isEmpty)
  }

  @Test("without --json standard output stays empty")
  func usageAsText() throws {
    for arguments in [
      ["setup", "--frobnicate"], ["setup", "--", "--json"], ["plan", "--format"],
    ] {
      let result = try Program()(arguments)
      #expect(result.output.isEmpty, "\(arguments)")
      #expect(!result.errors.isEmpty)
    }
  }

  @Test("emulate --trace - prints the trace and nothing else", arguments: ["-", "/dev/stdout"])
  func trace(_ path: String) throws {
    let program = Program()
    let result = try program("emulate", Self.loop, "--trace", path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.json?["traceEvents"] != nil, "\(result.output.prefix(300))")
    #expect(!fileNames(in: program.directory).contains("-"))
  }
}
