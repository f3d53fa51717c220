// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The interface for scripts: each exit code, and an error on standard output as JSON and on standard error as text.
@Suite struct ExitCodeTests {
  struct Row: Sendable, CustomStringConvertible {
    var code: Int32
    var description: String
    var arguments: [String]
    var machine: @Sendable (inout SimulatedKernel.Machine) -> Void = { _ in }
    var faults: [SimulatedKernel.Fault] = []
  }

  private static let howto = ShippedProfile.directory.appending("null_blk-loop.json").string
  private static let block = ShippedProfile.directory.appending("block.json").string
  private static let tcp = ShippedProfile.directory.appending("tcp.json").string
  private static let start =
    "/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/start"
  private static let function =
    "/sys/kernel/config/pci_ep/functions/nvmet_pci_epf/pci_epf_nvme.0"

  static let table: [Row] = [
    Row(
      code: 66, description: "a device that is not there", arguments: ["setup", block]),
    Row(
      code: 66, description: "a profile that is not there", arguments: ["setup", "/nowhere.json"]),
    Row(code: 69, description: "no endpoint controller", arguments: ["setup", howto]) {
      $0.controllers = []
    },
    Row(code: 69, description: "no pci_ep", arguments: ["start"]) {
      $0.hasEndpointSupport = false
    },
    Row(
      code: 74, description: "a step that fails", arguments: ["setup", howto],
      faults: [.init(.write, at: start, action: .errno(.ioError))]),
    Row(
      code: 76, description: "an undo that fails, too", arguments: ["setup", howto],
      faults: [
        .init(.write, at: start, action: .errno(.ioError)),
        .init(.remove, at: function, action: .errno(.resourceBusy), count: nil),
      ]),
    Row(code: 77, description: "no privileges", arguments: ["setup", howto]) {
      $0.isPrivileged = false
    },
    Row(code: 77, description: "no privileges to tear down", arguments: ["teardown", "x"]) {
      $0.isPrivileged = false
    },
    Row(code: 78, description: "two controllers", arguments: ["setup", howto]) {
      $0.controllers = [.virtual("a"), .virtual("b")]
    },
    Row(
      code: 78, description: "a TCP target on a mainline kernel", arguments: ["setup", tcp]),
  ]

  @Test("exits with its code, as JSON and as text", arguments: table)
  func row(_ row: Row) throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    row.machine(&machine)
    let kernel = try program.kernel(machine: machine)
    for fault in row.faults { kernel.inject(fault) }
    let json = try program.start(row.arguments + ["--json"]).finish()
    #expect(json.status == row.code, "\(json.errors)")
    let error = try #require(json.json?["error"], "\(json.output)")
    #expect(error["code"]?.integerValue == Int64(row.code))
    #expect(error["message"]?.stringValue?.isEmpty == false)
    for key in ["operation", "path", "value", "errno", "hint", "kernelLog"] {
      #expect(error[key] != nil, "no \(key)")
    }
    #expect(!json.errors.isEmpty, "there is no message")
    if row.code == 76 { #expect(error["leftovers"]?.arrayValue?.isEmpty == false) }

    let other = Program()
    let fresh = try other.kernel(machine: machine)
    for fault in row.faults { fresh.inject(fault) }
    let text = try other.start(row.arguments).finish()
    #expect(text.status == row.code)
    #expect(text.errors.contains(error["message"]?.stringValue ?? "?"), "\(text.errors)")
    if let hint = error["hint"]?.stringValue { #expect(text.errors.contains(hint)) }
  }

  @Test(
    "64: unknown commands, options and values",
    arguments: [
      ["frobnicate"], ["setup", "--frobnicate"], ["setup", "--timeout", "-1"],
      ["plan", "--format", "xml"],
      ["setup", "x.json", "--device", "/dev/sda"], ["setup", "--tcp", "nonsense"],
      ["--kernel", "dead", "status"], ["status", "--kernel", "dead"], ["teardown", "--all", "x"],
      ["setup", "--kernel-release", "windows"],
    ])
  func usage(_ arguments: [String]) throws {
    let result = try Program().start(arguments).finish()
    #expect(result.status == 64, "\(result.output)\(result.errors)")
    #expect(!result.errors.isEmpty)
    #expect(result.output.isEmpty)
  }

  @Test("64: a change that would disrupt a host, without --force")
  func disruptive() throws {
    let program = Program()
    #expect(try program("setup", "--msix", "8", "--msi", "8").status == 0)
    let result = try program("setup", "--msix", "16", "--msi", "16", "--json")
    #expect(result.status == 64)
    #expect(result.json?["error"]?["hint"]?.stringValue?.contains("--force") == true)
    #expect(try program("setup", "--msix", "16", "--msi", "16", "--force").status == 0)
  }

  static let hostileProfiles: [(String, String)] = [
    ("a mebibyte of garbage", String(repeating: "\u{7f}x", count: 1 << 19)),
    ("a mebibyte of brackets", String(repeating: "[", count: 1 << 20)),
    ("a duplicate key", #"{ "version": 1, "name": "x", "name": "y" }"#),
    ("an NQN with a slash", nqn("../../etc")), ("an NQN of dots", nqn("..")),
    ("an NQN with NUL", nqn("a\\u0000b")), ("an NQN with a line feed", nqn("a\\nb")),
  ]

  private static func nqn(_ text: String) -> String {
    #"{ "version": 1, "name": "x", "subsystems": [ { "nqn": "\#(text)" } ] }"#
  }

  @Test(
    "65: a hostile profile is refused with a located error and no effect",
    arguments: hostileProfiles.indices)
  func hostile(_ index: Int) throws {
    let (what, text) = Self.hostileProfiles[index]
    let program = Program()
    let before = try program.kernel().snapshot()
    let file = try program.write(text, to: "hostile.json")
    for command in ["setup", "plan", "validate"] {
      let result = try program(command, file)
      #expect(result.status == 65, "\(what): \(command)")
      #expect(result.errors.hasPrefix(file + ":1:"), "\(what): \(result.errors.prefix(200))")
      #expect(!result.errors.contains("\u{7f}"), "\(what): raw bytes on a terminal")
      #expect(result.errors.utf8.count < 4096, "\(what): all of it is shown")
    }
    #expect(try program.kernel().snapshot() == before)
    #expect(try program.kernel().effects == 0)
  }

  @Test("73: a path that cannot be written")
  func cannotCreate() throws {
    let result = try Program()("status", "--kernel", "simulated=/nowhere/kernel", "--json")
    #expect(result.status == 73)
    #expect(result.json?["error"]?["hint"]?.stringValue?.isEmpty == false)
  }

  @Test(
    "0: help and version, on standard output",
    arguments: [
      ["--help"], ["help"], ["help", "setup"], ["setup", "--help"], ["--version"], [],
    ])
  func help(_ arguments: [String]) throws {
    let result = try Program().start(arguments).finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(!result.output.isEmpty)
    #expect(result.errors.isEmpty)
  }

  @Test(
    "on a machine without configfs a new user gets a result or an error with a hint",
    arguments: [
      ["validate", howto], ["plan", howto], ["setup", howto], ["setup"], ["status"],
      ["controllers"],
      ["start"], ["stop"], ["bounce"], ["teardown", "--all"], ["teardown", howto],
    ])
  func newUser(_ arguments: [String]) throws {
    let program = Program()
    var machine = SimulatedKernel.Machine()
    machine.isConfigFSMounted = false
    machine.hasEndpointSupport = false
    machine.modules = []
    _ = try program.kernel(machine: machine)
    let result = try program.start(arguments).finish()
    if result.status == 0 {
      #expect(!result.output.isEmpty || !result.errors.isEmpty)
    } else {
      #expect([69, 77, 78].contains(result.status), "\(result.status): \(result.errors)")
      #expect(result.errors.contains("hint: "), "\(result.errors)")
    }
  }

  @Test("--quiet shows errors only")
  func quiet() throws {
    let program = Program()
    let up = try program("setup", Self.howto, "--quiet")
    #expect(up.status == 0)
    #expect(up.output.isEmpty && up.errors.isEmpty)
    #expect(try program("start", "nobody", "--quiet").errors.isEmpty == false)
  }
}
