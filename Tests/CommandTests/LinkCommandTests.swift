// SPDX-License-Identifier: Apache-2.0
import Foundation
import PCI
import Provisioning
import SystemPackage
import TestSupport
import Testing
import VFIOUser

@Suite struct LinkCommandTests {
  private let program = Program()
  private var board: String { program.directory.appending("board").string }
  private var host: String { program.directory.appending("host").string }

  /// A link that listens.
  private func start(_ arguments: String...) throws -> Program.Running {
    let running = try program.start(["link", "--board", board, "--host", host] + arguments)
    try waitUntil("it is ready") {
      running.outputSoFar.contains("\n") || running.errorsSoFar.contains("\n")
        || !running.isRunning
    }
    return running
  }

  private func finish(_ running: Program.Running) throws -> Program.Result {
    running.send(signal: SIGTERM)
    return try running.finish()
  }

  @Test("it prints its sockets, and each change of the link with its time")
  func changes() throws {
    let running = try start()
    for path in [board, host] {
      var facts = stat()
      #expect(lstat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    }
    do {
      let client = try Client(connectingTo: board, memory: HostMemory())
      #expect(try client.read(region: 7, offset: 0, count: 4) == [0x36, 0x1b, 0x9c, 0x7e])
    }
    try waitUntil("the board has left") {
      running.outputSoFar.contains("board disconnected") || !running.isRunning
    }
    let result = try finish(running)
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.first == "the board connects to \(board), the host to \(host)")
    let connected = /\ +\d+\.\d{3} board connected/
    #expect(lines.contains { $0.wholeMatch(of: connected) != nil }, "\(result.output)")
    #expect(!FileManager.default.fileExists(atPath: board))
  }

  @Test("--json prints objects with every key of the schema, and the counts at the end")
  func json() throws {
    let running = try start(
      "--json", "--reset", "perst", "--functions", "2", "--window-size", "64")
    _ = try Client(connectingTo: board, memory: HostMemory())
    try waitUntil("the board has left") {
      running.outputSoFar.contains("boardLeft") || !running.isRunning
    }
    let result = try finish(running)
    #expect(result.status == 0, "\(result.errors)")
    let events = try result.output.split(separator: "\n").map {
      try LocatedJSON(parsing: Array($0.utf8)).value
    }
    #expect(
      events.first?.compactText
        == #"{"event":"ready","board":"\#(board)","hosts":["\#(host)"],"functions":2,"windowMiB":64,"reset":"perst"}"#
    )
    let schema = try PublishedSchema.output()
    for event in events { #expect(schema.violations(event, as: "link") == []) }
    #expect(schema.properties(of: "link").subtracting(schema.seen) == [])
  }

  @Test("--trace writes a trace; - prints it, and nothing else")
  func trace() throws {
    let running = try start("--trace", "-")
    let result = try finish(running)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.json?["traceEvents"] != nil, "\(result.output)")
    #expect(result.errors.contains("the board connects to \(board)"), "\(result.errors)")
  }

  @Test(
    "an invalid option is a usage error",
    arguments: [
      ["--functions", "0"], ["--functions", "65"], ["--window-size", "3"],
      ["--window-size", "0"], ["--window-size", "8192"], ["--reset", "cold"],
      ["--trace", "-", "--json"], ["--host", "second", "--functions", "1"],
    ])
  func badOptions(_ arguments: [String]) throws {
    let result = try program(["link", "--board", board, "--host", host] + arguments)
    #expect(result.status == 64, "\(result.errors)")
  }

  @Test("both sockets are required", arguments: ["--board", "--host"])
  func missing(_ option: String) throws {
    let result = try program("link", option, board)
    #expect(result.status == 64)
    #expect(result.errors.contains(option == "--board" ? "--host" : "--board"))
  }

  @Test("a socket that another process listens on is refused, and the other one is removed")
  func taken() throws {
    let running = try start()
    let other = program.directory.appending("other").string
    let result = try program("link", "--board", other, "--host", host)
    #expect(result.status == 73)
    #expect(result.errors.contains("EADDRINUSE"))
    #expect(!FileManager.default.fileExists(atPath: other))
    #expect(try finish(running).status == 0)
  }
}
