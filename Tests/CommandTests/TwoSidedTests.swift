// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// `smoke --role board` and `--role host`: two processes, one result.
@Suite struct TwoSidedTests {
  private let profile = ShippedProfile.directory.appending("null_blk-pci.json").string

  private func board(_ program: Program, _ exchange: String, _ more: [String] = []) throws
    -> Program.Running
  {
    _ = try program.kernel(machine: SmokeSituation.passing.machine)
    return try program.start(
      ["smoke", profile, "--role", "board", "--exchange", exchange, "--json"] + more)
  }

  /// This machine has no such disk, which is the result of its part.
  private func host(_ program: Program, _ arguments: [String]) throws -> Program.Running {
    try program.start(
      ["smoke", profile, "--role", "host", "--timeout", "0", "--json", "--kernel", "live"]
        + arguments)
  }

  private func results(_ result: Program.Result) -> [String: String] {
    var found: [String: String] = [:]
    for item in result.json?["results"]?.arrayValue ?? [] {
      found[item["id"]?.stringValue ?? ""] = item["outcome"]?.stringValue
    }
    return found
  }

  @Test(
    "both sides end with the same result of all runs, independent of which starts first",
    arguments: [true, false])
  func directory(boardIsFirst: Bool) throws {
    let program = Program()
    let exchange = program.directory.appending("exchange").string
    let first: Program.Running
    let second: Program.Running
    if boardIsFirst {
      first = try board(program, exchange, ["--repeat", "2"])
      second = try host(program, ["--exchange", exchange])
    } else {
      first = try host(program, ["--exchange", exchange])
      second = try board(program, exchange, ["--repeat", "2"])
    }
    let results = (try first.finish(), try second.finish())
    #expect(results.0.status == 1, "\(results.0.errors)")
    #expect(results.1.status == 1, "\(results.1.errors)")
    let outcomes = self.results(results.0)
    #expect(outcomes == self.results(results.1))
    #expect(outcomes["host-disk-found"] == "timed-out")
    #expect(outcomes["host-data-verified"] == "skipped")
    #expect(outcomes["clean-teardown"] == "passed")
    #expect(outcomes["link-up"] == "passed")
    let setups = results.1.json?["measurements"]?.arrayValue?.first?["values"]?.arrayValue
    #expect(setups?.count == 2)
  }

  @Test("a host that reaches the board by a command uses the board's directory")
  func peer() throws {
    let program = Program()
    let exchange = program.directory.appending("exchange").string
    let board = try board(program, exchange)
    // In the place of ssh: a script that takes the words that follow.
    let script = try program.writeScript(
      "exec \(Program.executable) \"$@\" --exchange \(exchange) --kernel live", to: "there")
    let host = try host(program, ["--peer", script])
    let (seen, told) = (try host.finish(), try board.finish())
    #expect(seen.status == 1, "\(seen.errors)")
    #expect(results(seen) == results(told))
    #expect(results(seen)["host-disk-found"] == "timed-out")
  }

  @Test("in a LAVA MultiNode job the messages use lava-send and lava-wait")
  func lava() throws {
    let program = Program()
    let messages = program.directory.appending("messages").string
    _ = try Tool.run("mkdir", [messages])
    // LAVA's helpers, with a directory in place of the network.
    for (name, text) in [
      "lava-send": "echo \"peer:$2\" > \(messages)/.$1.$$; mv \(messages)/.$1.$$ \(messages)/$1",
      "lava-wait":
        "until [ -e \(messages)/$1 ]; do sleep 0.05; done; cp \(messages)/$1 $EPFNVME_LAVA_CACHE",
    ] {
      _ = try program.writeScript(text, to: name)
    }
    func environment(_ side: String) -> [String: String] {
      [
        "PATH": "\(program.directory):/usr/bin:/bin",
        "EPFNVME_LAVA_CACHE": "\(program.directory)/cache-\(side)",
      ]
    }
    _ = try program.kernel(machine: SmokeSituation.passing.machine)
    let board = try program.start(
      ["smoke", profile, "--role", "board", "--json"],
      environment: environment("board"))
    let host = try program.start(
      ["smoke", profile, "--role", "host", "--timeout", "0", "--json", "--kernel", "live"],
      environment: environment("host"))
    let (seen, told) = (try host.finish(), try board.finish())
    #expect(results(seen) == results(told), "\(seen.errors)\(told.errors)")
    #expect(results(seen)["host-disk-found"] == "timed-out")
  }

  @Test("a host that never connects is a timeout, and the board is torn down")
  func alone() throws {
    let program = Program()
    let exchange = program.directory.appending("exchange").string
    let result = try board(program, exchange, ["--peer-timeout", "0.3"]).finish()
    #expect(result.status == 1)
    #expect(results(result)["host-disk-found"] == "timed-out")
    #expect(results(result)["clean-teardown"] == "passed")
  }

  @Test("a board that fails before it is up notifies the host, and the host does nothing")
  func boardFails() throws {
    let program = Program()
    let exchange = program.directory.appending("exchange").string
    let host = try host(program, ["--exchange", exchange])
    while !fileNames(in: FilePath(exchange)).contains("nullblk-pci.hello.json") { usleep(10_000) }
    _ = try program.kernel(machine: SmokeSituation.failing.machine)
    let board = try program(
      "smoke", profile, "--role", "board", "--exchange", exchange, "--json")
    let seen = try host.finish()
    #expect(board.status == 1)
    #expect(results(seen) == results(board))
    #expect(results(seen)["host-disk-found"] == "skipped")
  }

  @Test("messages of other runs and malformed messages are ignored")
  func hostile() throws {
    let program = Program()
    let exchange = program.directory.appending("exchange")
    _ = try Tool.run("mkdir", [exchange.string])
    for (name, text) in [
      "nullblk-pci.hello": #"{"id":"old"}"#,
      "nullblk-pci.result-1":
        #"{"id":"other","results":[{"id":"host-disk-found","outcome":"passed"}]}"#,
    ] {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(exchange)/\(name).json"))
    }
    let late = try board(program, exchange.string, ["--peer-timeout", "0.5"]).finish()
    #expect(results(late)["host-disk-found"] == "timed-out")
    try Data("][".utf8).write(to: URL(fileURLWithPath: "\(exchange)/nullblk-pci.hello.json"))
    let broken = try board(program, exchange.string, ["--peer-timeout", "0.5"]).finish()
    #expect(results(broken)["host-disk-found"] == "failed")
    #expect(results(broken)["clean-teardown"] == "passed")
  }
}

extension Program {
  /// A script that can be run. Another process writes the file: a child of this one that is forked meanwhile would have it open for
  /// writing for a moment, and a file in that state cannot be run (ETXTBSY).
  fileprivate func writeScript(_ text: String, to name: String) throws -> String {
    let source = try write("#!/bin/sh\n\(text)\n", to: name + ".text")
    let path = directory.appending(name).string
    _ = try Tool.run("install", ["-m", "755", source, path])
    return path
  }
}
