// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// A user who cannot read the run directory is told so, instead of that nothing is set up.
@Suite struct UnreadableRunDirectoryTests {
  private let profile = ShippedProfile.directory.appending("null_blk-loop.json").string

  /// Runs a command that may not read the run directory: root without the capabilities that let it read everything.
  private func run(_ program: Program, _ command: String) throws -> Program.Result {
    let drop = geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search" : "env"
    return try program.shell("\(drop) epfnvme \(command)")
  }

  /// With a profile that is set up and cannot be seen.
  private func hidden() throws -> Program {
    let program = try PreparedMachine.nullBlock.get().start()
    try #require(chmod(program.runDirectory.string, 0) == 0)
    return program
  }

  private func uncover(_ program: Program) { chmod(program.runDirectory.string, 0o700) }

  @Test(
    "commands that need the profiles exit with 77",
    arguments: [
      "teardown", "teardown --all", "teardown nullblk-loop", "export nullblk-loop", "setup", "plan",
      "smoke",
    ])
  func refused(_ command: String) throws {
    let program = try hidden()
    defer { uncover(program) }
    let needsProfile = ["setup", "plan", "smoke"].contains(command)
    let result = try run(program, needsProfile ? "\(command) \(profile)" : command)
    #expect(result.status == 77, "\(result.output)\(result.errors)")
    #expect(
      result.errors.contains("EACCES") && result.errors.contains("run as root"), "\(result.errors)")
    #expect(result.errors.contains(program.runDirectory.string), "\(result.errors)")
    #expect(!result.output.contains("nothing"), "\(result.output)")
  }

  @Test("status shows the rest and reports that it cannot read the profiles, also as JSON")
  func status() throws {
    let program = try hidden()
    defer { uncover(program) }
    let text = try run(program, "status")
    #expect(text.status == 0, "\(text.errors)")
    #expect(text.output.contains("a40000000.pcie-ep"))
    #expect(text.output.contains("cannot determine which profiles are set up"), "\(text.output)")
    let json = try #require(try run(program, "status --json").json)
    #expect(json["profiles"] == .null)
    #expect(json["profilesProblem"]?.stringValue?.contains("EACCES") == true)
    uncover(program)
    let whole = try #require(try program("status", "--json").json)
    #expect(whole["profiles"]?.arrayValue?.count == 1)
    #expect(whole["profilesProblem"] == .null)
  }

  @Test("export of everything works, and reports that it cannot read the profiles")
  func export() throws {
    let program = try hidden()
    defer { uncover(program) }
    let result = try run(program, "export")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.json?["functions"]?.arrayValue?.isEmpty == false)
    #expect(
      result.errors.contains("cannot determine which profiles are set up"), "\(result.errors)")
  }

  @Test("doctor reports what it could not read")
  func doctor() throws {
    let program = try hidden()
    defer { uncover(program) }
    let json = try #require(try run(program, "doctor --json").json)
    #expect(
      json["notInspected"]?.arrayValue?.contains { $0["what"]?.stringValue == "journals" } == true)
  }
}
