// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The files that `make install-files` installs, with the program that the tests have built, and whether their readers accept them.
@Suite struct InstallationTests {
  /// Installs into the program's directory.
  private func install(
    _ program: Program, prefix: String, destination: String = "", target: String = "install-files"
  ) throws -> Program.Result {
    try program.shell(
      "make -C \"$1\" \"$2\" EPFNVME=\"$3\" DESTDIR=\"$4\" PREFIX=\"$5\"",
      ShippedProfile.repository.string, target, Program.executable, destination, prefix,
      environment: ["SOURCE_DATE_EPOCH": "1767225600"])
  }

  private func files(below root: FilePath) -> Set<String> {
    let found = FileManager.default.enumerator(atPath: root.string)
    return Set(
      (found?.compactMap { $0 as? String } ?? []).filter { name in
        var isDirectory: ObjCBool = false
        let path = root.appending(name).string
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
          && !isDirectory.boolValue
      })
  }

  @Test("all files are installed below DESTDIR and PREFIX, and uninstall removes them")
  func places() throws {
    let program = Program()
    let root = program.directory.appending("out")
    let result = try install(program, prefix: "/opt/nvme", destination: root.string)
    #expect(result.status == 0, "\(result.errors)")
    let found = files(below: root.appending("opt/nvme"))
    for name in [
      "bin/epfnvme", "share/bash-completion/completions/epfnvme",
      "share/zsh/site-functions/_epfnvme", "share/fish/vendor_completions.d/epfnvme.fish",
      "share/man/man1/epfnvme.1", "share/man/man1/epfnvme-setup.1",
      "lib/systemd/system/epfnvme@.service", "lib/systemd/system/epfnvme.target",
      "lib/udev/rules.d/70-epfnvme.rules", "share/epfnvme/schema/profile.schema.json",
      "share/epfnvme/schema/output.schema.json", "share/doc/epfnvme/Reference/json.md",
      "share/doc/epfnvme/LICENSE", "share/doc/epfnvme/README.md",
    ] { #expect(found.contains(name), "\(name)") }
    for name in ShippedProfile.names {
      #expect(found.contains("share/epfnvme/profiles/\(name).json"))
    }
    for folder in ["Guides", "Reference"] {
      let documents = files(below: ShippedProfile.repository.appending("Docs/\(folder)"))
      #expect(!documents.isEmpty)
      for name in documents where name.hasSuffix(".md") {
        #expect(found.contains("share/doc/epfnvme/\(folder)/\(name)"), "\(name)")
      }
    }
    #expect(files(below: root).count == found.count, "something is outside PREFIX")
    let unit = try readFile(root.appending("opt/nvme/lib/systemd/system/epfnvme@.service"))
    let text = String(decoding: unit, as: UTF8.self)
    #expect(text.contains("ExecStart=/opt/nvme/bin/epfnvme setup"))
    #expect(!text.contains("/usr/local"))

    let removal = try install(
      program, prefix: "/opt/nvme", destination: root.string, target: "uninstall")
    #expect(removal.status == 0, "\(removal.errors)")
    #expect(files(below: root) == [])
  }

  @Test("the kernel module's sources are installed for DKMS, in the version of dkms.conf")
  func kernelModule() throws {
    let program = Program()
    let root = program.directory.appending("out")
    let sources = ShippedProfile.repository.appending("Sources/epfnvme-epc")
    let configuration = String(
      decoding: try readFile(sources.appending("dkms.conf")), as: UTF8.self)
    let version = try #require(
      configuration.firstMatch(of: #/PACKAGE_VERSION="([0-9.]+)"/#)?.output.1)
    let result = try install(
      program, prefix: "/usr", destination: root.string, target: "install-module")
    #expect(result.status == 0, "\(result.errors)")
    let found = files(below: root)
    for name in files(below: sources)
    where [".c", ".h"].contains(where: name.hasSuffix)
      || ["dkms.conf", "Kbuild", "Makefile", "COPYING"].contains(name)
    {
      #expect(found.contains("usr/src/epfnvme-epc-\(version)/\(name)"), "\(name)")
    }

    let removal = try install(
      program, prefix: "/usr", destination: root.string, target: "uninstall-module")
    #expect(removal.status == 0, "\(removal.errors)")
    #expect(files(below: root) == [])
  }

  @Test("without a program to install nothing is installed")
  func noProgram() throws {
    let program = Program()
    let root = program.directory.appending("out")
    let result = try program.shell(
      "make -C \"$1\" install-files EPFNVME=/nowhere DESTDIR=\"$2\"",
      ShippedProfile.repository.string, root.string)
    #expect(result.status != 0)
    #expect(result.errors.contains("EPFNVME=PROGRAM"))
    #expect(files(below: root) == [])
  }

  @Test("systemd accepts the units")
  func units() throws {
    let program = Program()
    let prefix = program.directory.appending("usr")
    #expect(try install(program, prefix: prefix.string).status == 0)
    let result = try program.shell(
      "systemd-analyze verify --man=no \"$1\"/epfnvme@.service \"$1\"/epfnvme.target",
      prefix.appending("lib/systemd/system").string)
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    // A word that systemd does not know is a line on standard error, and nothing else.
    let unit = prefix.appending("lib/systemd/system/epfnvme@.service")
    let text = String(decoding: try readFile(unit), as: UTF8.self)
    try text.replacing("TimeoutStopSec", with: "TimeoutStopSecond")
      .write(toFile: unit.string, atomically: true, encoding: .utf8)
    #expect(
      try program.shell("systemd-analyze verify --man=no \"$1\"", unit.string).errors
        .contains("Unknown key"))
  }

  // MARK: The manual

  private func manual(_ program: Program) throws -> [String] {
    let directory = program.directory.appending("man").string
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    let result = try program.start(
      ["manual", directory], environment: ["SOURCE_DATE_EPOCH": "1767225600"]
    ).finish()
    #expect(result.status == 0 && result.output.isEmpty && result.errors.isEmpty)
    return fileNames(in: FilePath(directory)).map { "man/\($0)" }
  }

  @Test("every command of the help has a page that mandoc accepts")
  func pages() throws {
    let program = Program()
    let pages = try manual(program)
    let help = try program("--help").output
    let commands = help.matches(of: /(?m)^  ([a-z]+) {2,}\S/).map { String($0.output.1) }
    #expect(commands.count > 10)
    for command in commands where command != "help" {
      #expect(pages.contains("man/epfnvme-\(command).1"), "\(command)")
    }
    for page in pages {
      let result = try program.shell("mandoc -T lint -W warning \"$1\"", page)
      #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }
  }

  @Test("a page shows every option of its command, the exit codes, files and environment")
  func contents() throws {
    let program = Program()
    let pages = try manual(program)
    for page in pages {
      let words = page.dropFirst("man/".count).dropLast(".1".count).split(separator: "-")
      let text = try rendered(page, in: program)
      let help = try program.start(words.dropFirst().map(String.init) + ["--help"]).finish().output
      for option in help.matches(of: /(?m)^  (?:-\w, )?(--[a-z-]+)/).map(\.output.1) {
        #expect(text.contains(option), "\(page): \(option)")
      }
      for row in ["EXIT STATUS", "129, 130, 143", "needs privileges"] {
        #expect(text.contains(row), "\(page): \(row)")
      }
    }
    let root = try rendered("man/epfnvme.1", in: program)
    for words in [
      "/run/epfnvme/NAME.json", "EPFNVME_KERNEL", "epfnvme-teardown(1)", "2026-01-01",
      "Turn a Linux board",
    ] { #expect(root.contains(words), "\(words)") }
  }

  /// As a terminal shows it, without what makes it bold.
  private func rendered(_ page: String, in program: Program) throws -> String {
    try program.shell("mandoc -T ascii -O width=200 \"$1\"", page).output
      .replacing(/.\u{8}/, with: "")
  }

  /// Pages of commands that look at the machine that they run on: their examples are understood, and refused on a simulated kernel.
  private func isLive(_ page: String) -> Bool {
    page == "man/epfnvme-debug.1" || page.hasPrefix("man/epfnvme-host")
  }

  @Test(
    "every example of the manual runs, or is refused only because the kernel is simulated")
  func examples() throws {
    let source = try readFile(ShippedProfile.directory.appending("null_blk-pci.json"))
    let manuals = Program()
    let pages = try manual(manuals)
    #expect(pages.count > 10)
    var count = 0
    for page in pages {
      let program = Program()
      _ = try program.write(String(decoding: source, as: UTF8.self), to: "board.json")
      let text = String(
        decoding: try readFile(manuals.directory.appending(page)), as: UTF8.self)
      guard let start = text.range(of: ".SH \"EXAMPLES\"\n") else { continue }
      let section = text[start.upperBound...].split(separator: ".SH ", maxSplits: 1)[0]
      for line in section.split(separator: "\n") where line.hasPrefix("epfnvme ") {
        let command = String(line).replacing("\\-", with: "-").replacing("\\e", with: "\\")
        let result = try program.shell(command)
        let isRefused = isLive(page) && !command.hasPrefix("epfnvme setup ")
        #expect(
          result.status == (isRefused ? 78 : 0), "\(page): \(command): \(result.errors)")
        count += 1
      }
    }
    #expect(count > 20)
  }

  @Test("the help, the manual and the README give the exit codes the same meaning")
  func exitCodes() throws {
    let readme = String(
      decoding: try readFile(ShippedProfile.repository.appending("README.md")), as: UTF8.self)
    let start = try #require(readme.range(of: "## Exit codes\n"))
    let rows = readme[start.upperBound...].split(separator: "\n## ", maxSplits: 1)[0]
      .split(separator: "\n").filter { $0.firstMatch(of: /^\| \d/) != nil }
      .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    #expect(rows.count > 10)
    let help = try Program()("--help").output.split(whereSeparator: \.isWhitespace)
      .joined(separator: " ")
    for row in rows where row.count >= 2 {
      #expect(help.contains("\(row[0]): \(row[1])"), "\(row)")
    }
  }
}
