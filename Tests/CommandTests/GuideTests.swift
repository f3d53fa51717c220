// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The command lines of the guides and of the README do what the text around them says they do.
///
/// A guide's lines run in their order, in one shell each, in a directory of the guide's own that has `Configs`, on a simulated
/// kernel; `/tmp` is that directory. A line must succeed unless a comment at its end says `# exit N`. What the guides
/// show as a file is one: a block of JSON or of text with a file's name after its language, or a whole profile under its own name.
///
/// The simulated kernel is the one that the guide exports as `EPFNVME_KERNEL`, or one of the test for guides that are for a board.
///
/// The lines of a block `sh live` are for a real machine, the host's end of the cable above all. They are understood, and refused on the
/// simulated kernel with exit code 78.
@Suite struct GuideTests {
  struct Line: Sendable, CustomStringConvertible {
    var number: Int
    var command: String
    var status: Int32
    /// The value of `EPFNVME_KERNEL` that the guide exports before this line.
    var kernel: String?
    var description: String { "line \(number): \(command)" }
  }

  struct Guide: Sendable, CustomStringConvertible {
    var path: FilePath
    var lines: [Line] = []
    /// Name → text.
    var files: [String: String] = [:]
    private(set) var text = ""
    private var kernel: String?
    var description: String { path.lastComponent?.string ?? "" }

    init(_ path: FilePath) {
      self.path = path
      guard let bytes = try? readFile(path) else { return }
      text = String(decoding: bytes, as: UTF8.self)
      read(text.split(separator: "\n", omittingEmptySubsequences: false))
    }

    private mutating func read(_ lines: [Substring]) {
      var language: [Substring]?
      var block: [(number: Int, text: String)] = []
      for (index, line) in lines.enumerated() {
        let text = line.trimmingCharacters(in: .whitespaces)
        if language == nil { takeExport(line) }
        guard text.hasPrefix("```") else {
          if language != nil { block.append((index + 1, String(line))) }
          continue
        }
        if let words = language {
          close(words, block)
          language = nil
        } else {
          language = text.dropFirst(3).split(separator: " ")
          block = []
        }
      }
    }

    private mutating func close(_ words: [Substring], _ block: [(number: Int, text: String)]) {
      let text = block.map(\.text).joined(separator: "\n") + "\n"
      switch words.first {
      case "sh", "console": takeCommands(block, status: words.dropFirst().first == "live" ? 78 : 0)
      case "json", "jsonc":
        if words.count > 1 {
          files[String(words[1])] = text
        } else if let profile = try? Profile.decode(Array(text.utf8)).profile {
          files["\(profile.name).json"] = text
        }
      case "text": if words.count > 1 { files[String(words[1])] = text }
      default: break
      }
    }

    private mutating func takeCommands(_ block: [(number: Int, text: String)], status: Int32) {
      var rest = block[...]
      while let (number, first) = rest.popFirst() {
        var command = first.trimmingCharacters(in: .whitespaces)
        while command.hasSuffix("\\"), let next = rest.popFirst() {
          command = command.dropLast() + next.text.trimmingCharacters(in: .whitespaces)
        }
        if command.hasPrefix("$ ") { command.removeFirst(2) }
        if command.hasPrefix("sudo ") { command.removeFirst(5) }
        takeExport(Substring(command))
        guard command.hasPrefix("epfnvme ") else { continue }
        let exit = command.firstMatch(of: /# exit (\d+)\s*$/).flatMap { Int32($0.output.1) }
        lines.append(
          Line(number: number, command: command, status: exit ?? status, kernel: kernel))
      }
    }

    /// In a block or in the text.
    private mutating func takeExport(_ line: Substring) {
      if let match = line.firstMatch(of: /export EPFNVME_KERNEL=([^\s`]+)/) {
        kernel = String(match.output.1)
      }
    }
  }

  static let guides: [Guide] = {
    let folder = ShippedProfile.repository.appending("Docs/Guides")
    return
      (fileNames(in: folder).filter { $0.hasSuffix(".md") }.map { folder.appending($0) }
      + [ShippedProfile.repository.appending("README.md")]).map(Guide.init)
  }()

  @Test("every command line of a guide succeeds or fails as stated", arguments: guides)
  func commands(_ guide: Guide) throws {
    let program = Program()
    let files = FileManager.default
    try files.createSymbolicLink(
      atPath: program.directory.appending("Configs").string,
      withDestinationPath: ShippedProfile.repository.appending("Configs").string)
    // A profile that one guide shows another one may use.
    for other in Self.guides {
      for (name, text) in other.files { _ = try program.write(text, to: name) }
    }
    for (name, text) in guide.files { _ = try program.write(text, to: name) }
    for line in guide.lines {
      let directory = program.directory.string + "/"
      let command = line.command.replacing("/tmp/", with: directory)
      var environment = ["COLUMNS": "80"]
      environment["EPFNVME_KERNEL"] = line.kernel?.replacing("/tmp/", with: directory)
      // The limit is for a command that never ends, a server say, which no guide may have here.
      let result = try program.shell(
        #"exec timeout 300 /bin/sh -c "$1""#, command, environment: environment)
      #expect(result.status == line.status, "\(line): \(result.errors)")
    }
  }

  /// Commands that look at no machine.
  private static let withoutMachine = ["validate", "import", "predict", "emulate", "serve", "help"]

  @Test(
    "a guide that runs without a board exports the simulated kernel before its first use")
  func withoutBoard() {
    var claims = 0
    for guide in Self.guides
    where guide.text.lowercased().contains(
      /without (?:a|the) board|(?:no|needs a) board|on any linux machine/)
    {
      claims += 1
      for line in guide.lines where line.status != 78 {
        let verb = line.command.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let needsNone = Self.withoutMachine.contains(verb)
        #expect(
          needsNone || line.kernel != nil || line.command.contains("--kernel simulated"),
          "\(guide): \(line)")
      }
    }
    #expect(claims >= 5)
  }

  @Test("the guides have command lines, and every command of the migration guide runs")
  func coverage() throws {
    let moving = try #require(Self.guides.first { $0.description == "MovingOver.md" })
    for command in ["import --from-script", "import ", "export", "diff", "setup", "validate"] {
      #expect(moving.lines.contains { $0.command.contains("epfnvme \(command)") }, "\(command)")
    }
    #expect(Self.guides.filter { !$0.lines.isEmpty }.count >= 3)
  }
}
