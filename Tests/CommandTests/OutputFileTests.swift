// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// `--output` and what is at its path: only regular files are replaced.
@Suite struct OutputFileTests {
  private let source = "epfnvme import --from-script 'nvmet-pci-epf start'"
  private let program = Program()

  private func kind(_ name: String) throws -> mode_t {
    var facts = stat()
    try #require(lstat(program.directory.appending(name).string, &facts) == 0)
    return facts.st_mode & S_IFMT
  }

  private func text(_ name: String) throws -> String {
    String(decoding: try readFile(program.directory.appending(name)), as: UTF8.self)
  }

  private func expected() throws -> String { try program.shell(source).output }

  @Test("a regular file is replaced with --force, as a whole, by one that only its owner can read")
  func regular() throws {
    _ = try program.write("old\n", to: "file")
    let before = try program.shell("ls -i file").output
    #expect(try program.shell("\(source) -o file").status == 73)
    #expect(try text("file") == "old\n")
    #expect(try program.shell("\(source) -o file --force").status == 0)
    #expect(try text("file") == expected())
    #expect(try program.shell("ls -i file").output != before)
    #expect(try program.shell("stat -c %a file").output == "600\n")
    #expect(fileNames(in: program.directory).filter { $0.hasPrefix("file") } == ["file"])
  }

  @Test("a pipe is written to, with and without --force", arguments: ["", "--force"])
  func pipe(_ force: String) throws {
    let result = try program.shell("mkfifo p; cat p >got & \(source) -o p \(force); echo $?; wait")
    #expect(result.output == "0\n", "\(result.errors)")
    #expect(try kind("p") == S_IFIFO)
    #expect(try text("got") == expected())
  }

  @Test(
    "a character device is written to and stays, also through a link",
    arguments: ["", "--force"])
  func device(_ force: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: program.directory.appending("null").string, withDestinationPath: "/dev/null")
    for path in ["/dev/null", "null"] {
      let result = try program.shell("\(source) -o \(path) \(force)")
      #expect(result.status == 0, "\(path): \(result.errors)")
    }
    #expect(try kind("null") == S_IFLNK)
    let full = try program.shell("\(source) -o /dev/full \(force)")
    #expect(full.status == 73)
    #expect(full.errors.contains("ENOSPC"), "\(full.errors)")
    #expect(try program.shell("test -c /dev/null && test -c /dev/full").status == 0)
  }

  @Test(
    "standard output has its names",
    arguments: ["-", "/dev/stdout", "/dev/fd/1", "/dev/stdout --force"])
  func standardOutput(_ name: String) throws {
    #expect(try program.shell("\(source) -o \(name)").output == expected())
    #expect(!fileNames(in: program.directory).contains("-"))
    #expect(try program.shell("\(source) -o \(name) >/dev/full").status == 73)
  }

  @Test(
    "a link to a file, a dangling link, a directory and a socket are refused, and stay",
    arguments: ["link", "dangling", "directory", "socket"])
  func refused(_ name: String) throws {
    _ = try program.write("keep\n", to: "keep")
    let script = """
      ln -s keep link; ln -s nowhere dangling; mkdir directory
      python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")' 2>/dev/null ||
        { epfnvme serve \(ShippedProfile.directory)/null_blk-pci.json --socket socket >ready & p=$!
          until [ -s ready ]; do :; done; kill -9 $p; wait $p 2>/dev/null; }
      true
      """
    #expect(try program.shell(script).status == 0)
    let before = try kind(name)
    for force in ["", "--force"] {
      let result = try program.shell("\(source) -o \(name) \(force)")
      #expect(result.status == 73, "\(force): \(result.errors)")
      #expect(
        result.errors.contains("it is a") && result.errors.contains("hint: "), "\(result.errors)")
    }
    #expect(try kind(name) == before)
    #expect(try text("keep") == "keep\n")
    #expect(!fileNames(in: program.directory).contains("nowhere"))
  }

  @Test(
    "reports are written to pipes and devices, and through a link to its file",
    arguments: ["junit", "json", "html", "ktap", "tap", "lava"])
  func reports(_ format: String) throws {
    let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
    let smoke = "epfnvme smoke \(profile) --hold 0 --format \(format) -o"
    let piped = try program.shell("mkfifo p; cat p >got & \(smoke) p; echo $?; wait")
    #expect(piped.output == "0\n", "\(piped.errors)")
    #expect(try kind("p") == S_IFIFO)
    #expect(try text("got").contains("clean-teardown"))
    _ = try program.write("old", to: "old")
    let linked = try program.shell("ln -s old latest; \(smoke) latest")
    #expect(linked.status == 0, "\(linked.errors)")
    #expect(try kind("latest") == S_IFLNK)
    #expect(try text("old").contains("clean-teardown"))
  }
}
