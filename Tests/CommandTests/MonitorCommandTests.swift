// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// `monitor`, `debug` and `host` as processes.
@Suite struct MonitorCommandTests {
  private let profile = ShippedProfile.directory.appending("null_blk-pci.json").string

  /// The objects of a run's lines.
  private func objects(_ output: String) throws -> [JSONValue] {
    try output.split(separator: "\n").map { try LocatedJSON(parsing: Array($0.utf8)).value }
  }

  /// A monitor that has started and shown the initial state of the controllers.
  private func begin(_ program: Program, _ arguments: [String]) throws -> Program.Running {
    _ = try program.kernel()
    let running = try program.start(["monitor"] + arguments)
    while running.outputSoFar.isEmpty, running.isRunning { usleep(10_000) }
    return running
  }

  @Test(
    "changes of the simulated kernel by another run are shown as they happen, one object per line")
  func follows() throws {
    let program = Program()
    let monitor = try begin(program, ["--json", "--count", "3", "--timeout", "60"])
    #expect(try program("setup", profile).status == 0)
    let result = try monitor.finish()
    #expect(result.status == 0, "\(result.errors)")
    let events = try objects(result.output)
    // The first one shows the initial state and does not count.
    #expect(events.count == 4)
    #expect(events.first?["event"]?.stringValue == "controller")
    #expect(events.first?["started"]?.boolValue == false)
    #expect(events.dropFirst().contains { $0["event"]?.stringValue == "kernel" })
    #expect(result.errors.isEmpty)
  }

  @Test("the same as text, without a live line if there is no terminal")
  func text() throws {
    let program = Program()
    let monitor = try begin(program, ["--count", "1", "--timeout", "60"])
    #expect(try program("setup", profile).status == 0)
    let result = try monitor.finish()
    #expect(result.status == 0)
    #expect(result.output.split(separator: "\n").count == 2, "\(result.output)")
    #expect(result.output.contains("now a40000000.pcie-ep stopped, no function\n"))
    #expect(!result.output.contains("\u{1b}"))
    #expect(result.errors.isEmpty)
  }

  @Test("a signal is its normal end", arguments: [SIGINT, SIGTERM, SIGHUP])
  func signal(number: Int32) throws {
    let program = Program()
    let monitor = try begin(program, [])
    monitor.send(signal: number)
    let result = try monitor.finish()
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test("a timeout is also a normal end, but not with --count")
  func time() throws {
    let program = Program()
    _ = try program.kernel()
    #expect(try program("monitor", "--timeout", "0").status == 0)
    let result = try program("monitor", "--timeout", "0", "--count", "2", "--json")
    #expect(result.status == 75)
    // Also the error is an object on a line.
    let error = try #require(try objects(result.output).last?["error"])
    #expect(error["message"]?.stringValue?.contains("2 of 2 events did not occur") == true)
  }

  @Test("a reader that closes the pipe ends it")
  func leaves() throws {
    let program = Program()
    _ = try program.kernel()
    // Without the count the end of the time would look the same.
    let text = try Tool.run(
      "sh",
      [
        "-c",
        """
        cd \(program.directory); export EPFNVME_KERNEL=simulated=kernel
        { \(Program.executable) monitor --count 9 --timeout 60; echo $? >status; } | head -n 1
        cat status
        """,
      ])
    #expect(text.hasSuffix("\n0\n"), "\(text)")
  }

  @Test(
    "commands that inspect the machine are impossible on a simulated kernel",
    arguments: [
      ["debug", "on"], ["debug", "off", "driver"], ["debug", "status"], ["host", "find"],
      ["host", "rescan"],
      ["host", "rebind", "0000:01:00.0"], ["host", "remove", "/dev/nvme0"],
    ])
  func simulated(arguments: [String]) throws {
    let result = try Program()(arguments + ["--json"])
    #expect(result.status == 78, "\(result.errors)")
    #expect(result.json?["error"]?["hint"]?.stringValue?.contains("--kernel") == true)
  }

  @Test(
    "64: invalid arguments",
    arguments: [
      ["monitor", "--count", "0"], ["debug"], ["debug", "maybe"], ["debug", "on", "everything"],
      ["host", "rebind"], ["host", "remove", "--force"], ["host", "find", "--vendor", "0x15b7"],
      ["host", "find", "--vendor", "0x15b7", "--device", "0x10000"],
      ["host", "remove", "0000:01:00.0", "--vendor", "1", "--device", "2"],
      ["host", "find", "--profile", "x", "--vendor", "1", "--device", "2"],
    ])
  func usage(arguments: [String]) throws {
    let result = try Program()(arguments)
    #expect(result.status == 64, "\(result.output)\(result.errors)")
  }

  @Test("this machine's bus is listed, and IDs without a disk are a missing input")
  func live() throws {
    let program = Program()
    let list = try program("host", "find", "--kernel", "live", "--json")
    #expect(list.status == 0)
    #expect(list.json?.arrayValue != nil)
    let none = try program(
      "host", "find", "--vendor", "0xffff", "--device", "0xffff", "--kernel", "live", "--json")
    #expect(none.status == 66)
    #expect(none.json?["error"]?["message"]?.stringValue?.contains("ffff:ffff") == true)
    let gone = try program("host", "remove", "ffff:ff:1f.7", "--kernel", "live")
    #expect(gone.status == 66, "\(gone.errors)")
  }
}
