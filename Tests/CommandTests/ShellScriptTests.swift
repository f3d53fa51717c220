// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The functions of `plan --format shell`: loop devices with the losetup of util-linux and of BusyBox, connections without nvme-cli.
@Suite struct ShellScriptTests {
  /// A substitute for losetup, which records its arguments.
  enum Losetup: String, Sendable, CaseIterable {
    case utilLinux, busyBox

    /// - Source: `losetup --help` of util-linux 2.38, of BusyBox 1.35.
    var script: String {
      let help: String
      let options: String
      switch self {
      case .utilLinux:
        help =
          "Usage: losetup [options] [<loopdev>]\n -b, --sector-size <num>\n     --direct-io[=<on|off>]"
        options = "-o|-d|-f|-a|-r|--sector-size|--direct-io=*"
      case .busyBox:
        help = "Usage: losetup [-rP] [-o OFS] {-f|LOOPDEV} FILE: associate loop devices"
        options = "-o|-d|-f|-a|-r|-c|-P"
      }
      return """
        #!/bin/sh
        case $1 in --help) echo '\(help)'; exit 0 ;; esac
        echo "$*" >> calls
        for word; do
          case $word in
            \(options)) ;;
            -*) echo "losetup: unrecognized option '$word'" >&2; exit 1 ;;
          esac
        done
        [ "$*" != -f ] || echo /dev/loop7
        """
    }
  }

  /// Runs lines with the functions of a script, beside a losetup.
  private func run(_ lines: String, with losetup: Losetup) throws -> (Program.Result, [String]) {
    let program = Program()
    let profile = ShippedProfile.directory.appending("loop-device.json").string
    let plan = try program("plan", profile, "--format", "shell")
    let functions = try #require(plan.output.split(separator: "\nup() {", maxSplits: 1).first)
    let path = try program.write(losetup.script, to: "losetup")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let block = program.directory.appending("block")
    for (number, file) in [(3, "/srv/disk.img2"), (4, "/srv/disk.img")] {
      let directory = block.appending("loop\(number)/loop").string
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      try Data("\(file)\n".utf8).write(to: URL(fileURLWithPath: directory + "/backing_file"))
    }
    try FileManager.default.createDirectory(
      atPath: block.appending("loop0").string, withIntermediateDirectories: true)
    let script = functions.replacing("/sys/block", with: block.string) + "\n" + lines + "\n"
    let result = try program.shell(
      script, environment: ["PATH": "\(program.directory):/usr/bin:/bin"])
    let calls = (try? readFile(program.directory.appending("calls"))) ?? []
    return (result, String(decoding: calls, as: UTF8.self).split(separator: "\n").map(String.init))
  }

  @Test("a file and an offset work with BusyBox", arguments: Losetup.allCases)
  func plain(_ losetup: Losetup) throws {
    let (whole, calls) = try run("attach_loop '/srv/a b' 0 0 no", with: losetup)
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(whole.output == "/dev/loop7\n")
    #expect(calls == ["-f", "/dev/loop7 /srv/a b"])
    let (part, others) = try run("x=$(attach_loop /srv/a 1048576 0 no); echo \"$x\"", with: losetup)
    #expect(part.output == "/dev/loop7\n")
    #expect(others == ["-f", "-o 1048576 /dev/loop7 /srv/a"])
  }

  @Test("a block size and direct I/O are passed to util-linux")
  func options() throws {
    let (result, calls) = try run("attach_loop /srv/a 512 4096 yes", with: .utilLinux)
    #expect(result.status == 0, "\(result.errors)")
    #expect(calls == ["-f", "-o 512 --sector-size 4096 --direct-io=on /dev/loop7 /srv/a"])
  }

  @Test(
    "options that BusyBox lacks end the script with a message, before a device is attached",
    arguments: [("0 4096 no", "--sector-size"), ("0 0 yes", "--direct-io")])
  func refused(_ words: String, _ option: String) throws {
    let (result, calls) = try run(
      "x=$(attach_loop /srv/a \(words)); echo reached", with: .busyBox)
    #expect(result.status == 69)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains("losetup has no \(option)"), "\(result.errors)")
    #expect(result.errors.contains("util-linux"))
    #expect(calls.isEmpty)
  }

  @Test("the loop device of exactly this file is released", arguments: Losetup.allCases)
  func release(_ losetup: Losetup) throws {
    let (result, calls) = try run("detach_loop /srv/disk.img", with: losetup)
    #expect(result.status == 0, "\(result.errors)")
    #expect(calls == ["-d /dev/loop4"])
    let (missing, none) = try run("detach_loop /srv/disk", with: losetup)
    #expect(missing.status == 74)
    #expect(missing.errors.contains("no loop device is bound to /srv/disk"))
    #expect(none.isEmpty)
  }

  @Test("only a plan with loop devices has the functions for them")
  func without() throws {
    let profile = ShippedProfile.directory.appending("file.json").string
    #expect(try !Program()("plan", profile, "--format", "shell").output.contains("losetup"))
  }

  @Test("the script disconnects the controllers of its subsystem and transport, without nvme-cli")
  func disconnect() throws {
    let program = Program()
    let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
    let plan = try program(
      "plan", profile, "--format", "shell", "--kernel", "simulated", "--kernel-release", "6.12")
    #expect(plan.status == 0, "\(plan.errors)")
    #expect(!plan.output.contains("nvme disconnect"))
    let functions = try #require(plan.output.split(separator: "\nup() {", maxSplits: 1).first)
    let call = try #require(
      plan.output.split(separator: "\n").first { $0.hasPrefix("  disconnect ") })
    let nqn = try #require(call.split(separator: " ").dropFirst().first)
    #expect(call.hasSuffix(" loop"))
    let fabrics = program.directory.appending("nvme")
    let controllers = [
      ("nvme0", "\(nqn)", "pcie"), ("nvme1", "\(nqn)", "loop"), ("nvme2", "a", "loop"),
    ]
    for (name, subsystem, transport) in controllers {
      let directory = fabrics.appending(name).string
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      for (file, text) in [
        ("subsysnqn", subsystem), ("transport", transport), ("delete_controller", ""),
      ] {
        try Data("\(text)\n".utf8).write(to: URL(fileURLWithPath: "\(directory)/\(file)"))
      }
    }
    let result = try program.shell(
      functions.replacing("/sys/class/nvme", with: fabrics.string) + "\n\(call)\n")
    #expect(result.status == 0, "\(result.errors)")
    let deleted = try controllers.map(\.0).filter { name in
      let text = try readFile(fabrics.appending(name).appending("delete_controller"))
      return String(decoding: text, as: UTF8.self) == "1\n"
    }
    #expect(deleted == ["nvme1"])
  }
}
