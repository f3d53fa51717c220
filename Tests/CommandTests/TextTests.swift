// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Text output of commands: ASCII if the locale requires it, and a help that fits a terminal.
@Suite struct TextTests {
  private static let profile = ShippedProfile.directory.appending("null_blk-loop.json").string

  /// Commands, after a setup.
  static let commands: [[String]] = [
    ["setup", profile, "--verbose", "--force", "--msix", "8"], ["setup", profile, "--dry-run"],
    ["plan", profile], ["plan", profile, "--format", "shell"], ["status"],
    ["teardown", "--all", "--verbose", "--force"], ["teardown", "--all", "--dry-run"],
    ["validate", profile, "/nowhere.json", "long-word.json"], ["stop"], ["bounce"], ["start"],
    ["controllers"],
    ["check", profile, "--verbose"], ["diff", profile, "--mdts", "256"], ["diff", profile],
    ["export", "--format", "shell"], ["export", "--format", "nvmetcli"],
    ["import", "--from-script", "nvmet-pci-epf --sched none start"],
    ["smoke", profile, "--force", "--hold", "0", "--format", "ktap"],
    ["smoke", profile, "--force", "--hold", "0", "--format", "html"],
    ["smoke", profile, "--force", "--hold", "0", "--format", "tap"],
    ["smoke", "--list-cases"], ["doctor"], ["doctor", profile], ["predict", profile],
    ["predict", profile, "--commands"], ["emulate", profile, "--verbose"],
    ["emulate", profile, "--scenario", "conformance", "--verbose"],
    ["emulate", profile, "--kernel-release", "6.12", "--scenario", "conformance"],
    ["emulate", "--list-quirks"], ["serve", profile, "--print-qemu"],
    ["monitor", "--timeout", "0"],
    ["debug", "status"], ["host", "find"], ["check", profile, "--host", "auto"],
    ["setup", "--frobnicate"],
  ]

  private func run(_ arguments: [String], locale: [String: String]) throws -> Program.Result {
    let program = try PreparedMachine.nullBlock.get().start()
    _ = try program.write("{ \(String(repeating: "x", count: 100)) }", to: "long-word.json")
    return try program.start(arguments, environment: locale, in: program.directory).finish()
  }

  @Test("in the locale C every command prints ASCII", arguments: commands)
  func ascii(_ arguments: [String]) throws {
    let result = try run(arguments, locale: ["LC_ALL": "C", "LANG": "en_US.UTF-8"])
    #expect(!result.output.isEmpty || !result.errors.isEmpty)
    for text in [result.output, result.errors] {
      let foreign = text.split(separator: "\n").first { !$0.utf8.allSatisfy { $0 < 0x80 } }
      #expect(foreign == nil, "\(foreign ?? "")")
    }
  }

  @Test(
    "LC_ALL has precedence over LC_CTYPE, and LC_CTYPE over LANG; empty variables are ignored",
    arguments: [
      ([:], false), (["LC_ALL": "C"], false), (["LANG": "C.UTF-8"], true),
      (["LC_CTYPE": "de_DE.utf8"], true), (["LC_CTYPE": "POSIX", "LANG": "C.UTF-8"], false),
      (["LC_ALL": "", "LANG": "C.UTF-8"], true), (["LC_ALL": "C.UTF-8", "LANG": "C"], true),
    ] as [([String: String], Bool)])
  func locale(_ variables: [String: String], isUTF8: Bool) throws {
    let result = try run(["status"], locale: variables)
    #expect(result.output.contains(isUTF8 ? "└─ " : "`- "), "\(result.output)")
    #expect(result.output.contains("├─ ") || result.output.utf8.allSatisfy { $0 < 0x80 } == !isUTF8)
  }

  // MARK: Help

  private func helps() throws -> [(command: String, text: String)] {
    let program = Program()
    let commands = try CommandTree.all().map(\.words)
    #expect(commands.count > 20)
    return try commands.map { path in
      let result = try program.start(path + ["--help"], environment: ["COLUMNS": "80"]).finish()
      #expect(result.status == 0 && result.errors.isEmpty, "\(path)")
      return (path.joined(separator: " "), result.output)
    }
  }

  @Test("the help of every command fits 80 columns and breaks no command and no option")
  func columns() throws {
    for (command, text) in try helps() {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      for (line, next) in zip(lines, lines.dropFirst() + [""]) {
        #expect(line.count <= 80, "\(command): \(line)")
        #expect(line.utf8.allSatisfy { $0 < 0x80 }, "\(command): \(line)")
        // A command's name from its verb, an option from its value.
        #expect(!line.hasSuffix("epfnvme"), "\(command): \(line)")
        let isBroken =
          line.contains(#/--[a-z-]+$/#) && next.contains(#/^\s*(?:[A-Z]{2,}|[a-z]+=|<)/#)
        #expect(!isBroken, "\(command): \(line)|\(next)")
        // The command of an example is complete in its line.
        #expect(
          !line.contains(#/^ {2,4}(?:\w+# )?epfnvme /#) || next.isEmpty || next.hasPrefix("  "),
          "\(command): \(line)|\(next)")
      }
    }
  }

  @Test("a paragraph of the help is wrapped once: only its last line is short")
  func paragraphs() throws {
    for (command, text) in try helps() {
      let overview = text.split(separator: "USAGE:", maxSplits: 1)[0]
      for paragraph in overview.split(separator: "\n\n") {
        let lines = paragraph.split(separator: "\n")
        guard !lines.contains(where: { $0.hasPrefix("  ") || $0.hasSuffix(":") }) else { continue }
        for (line, next) in zip(lines, lines.dropFirst()) {
          let word = next.prefix { $0 != " " }
          // The parser never fills the last column.
          #expect(line.count + 1 + word.count >= 80, "\(command): \(line)")
        }
      }
    }
  }

  // MARK: Names exist

  /// Options of other programs that sources name.
  private static let foreignOptions: Set<String> = [
    "--csi",
    "--setrw", "--scan", "--assemble", "--sector-size", "--direct-io", "--show", "--size", "--help",
    "--version",
    "--result", "--measurement", "--nrioq", "--units", "--experimental-dump-help",
    "--generate-completion-script", "--showconfig",
  ]

  /// Sources that are about the options of other programs, or about style sheets.
  private static let foreignSources = [
    "Inquiry.swift", "Inquiry+All.swift", "ScriptOptions.swift", "ScriptImport.swift",
    "CommandPrefix.swift",
    "HostSide+Smoke.swift", "LAVA.swift", "BashCompletions.swift", "HTMLReport.swift",
    "Timeline.swift",
  ]

  @Test("messages and help name existing options, and no file of the source")
  func names() throws {
    let dump = try Program().start(["--experimental-dump-help"]).finish().output
    let own = Set(dump.matches(of: /"name"\s*:\s*"([a-z][a-z-]+)"/).map { "--\($0.output.1)" })
    #expect(own.contains("--kernel-release"))
    let sources = ShippedProfile.repository.appending("Sources")
    let files = FileManager.default.enumerator(atPath: sources.string)
    var count = 0
    while let path = files?.nextObject() as? String {
      guard path.hasSuffix(".swift"), !Self.foreignSources.contains(where: path.hasSuffix) else {
        continue
      }
      let text = String(decoding: try readFile(sources.appending(path)), as: UTF8.self)
      for line in text.split(separator: "\n") where !line.contains(#/^\s*///#) {
        for option in line.matches(of: #/(?:^|[^\w-])(--[a-z][a-z-]+)/#).map({ String($0.output.1) }
        ) {
          count += 1
          #expect(
            own.contains(option) || Self.foreignOptions.contains(option), "\(path): \(option)")
        }
        let isOfInstallation = path.hasSuffix("InstalledFiles.swift")
        #expect(!line.contains("Configs/") || isOfInstallation, "\(path): \(line)")
      }
    }
    #expect(count > 50)
  }

  @Test("a block device that is missing cannot be created by the profile; a file can")
  func hints() throws {
    for (backing, canCreate) in [("block", false), ("file", true), ("loopDevice", true)] {
      let program = Program()
      let file = try program.write(
        """
        { "version": 1, "name": "x",
          "backings": { "disk": { "\(backing)": { "path": "/nothing" } } },
          "subsystems": [ { "nqn": "nqn.2026-01.org.example:x",
            "namespaces": [ { "id": 1, "backing": "disk" } ] } ] }
        """, to: "x.json")
      let result = try program("plan", file)
      #expect(result.status == 66, "\(result.errors)")
      #expect(result.errors.contains("\"create\"") == canCreate, "\(backing): \(result.errors)")
    }
  }
}
