// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// xmllint, which is not ours.
enum XML {
  /// The number of nodes that an XPath finds in a file that must be well-formed.
  static func count(_ path: String, in file: String) throws -> Int {
    let text = try Tool.run("xmllint", ["--nonet", "--xpath", "count(\(path))", file])
    return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
  }
}

enum Tool {
  struct Failed: Error, CustomStringConvertible { var description: String }

  /// Runs a program of the machine with another home directory.
  ///
  /// - Returns: what it printed; it must succeed.
  /// - Throws: ``Failed`` with the last lines of its standard error.
  static func run(_ name: String, _ arguments: [String]) throws -> String {
    let place = Program()
    let result = try place.start(
      [name] + arguments, environment: ["HOME": place.directory.string], executable: "/usr/bin/env"
    ).finish()
    guard result.status == 0 else {
      let said = result.errors.split(separator: "\n").suffix(20).joined(separator: "\n")
      throw Failed(description: "\(name) ended with \(result.status), and said:\n\(said)")
    }
    return result.output
  }
}

/// Each report format, read by an independent parser, matches the KTAP report of the same run.
@Suite struct ReportTests {
  private struct Reports {
    let program = Program()
    let ktap: KTAPReader
    let status: Int32

    init(_ situation: SmokeSituation) throws {
      var more: [String] = []
      for format in ["ktap", "tap", "junit", "lava", "json", "html"] {
        more += ["--format", format, "--output", program.directory.appending("r.\(format)").string]
      }
      status = try situation.run(program, more).status
      ktap = try KTAPReader(
        String(decoding: readFile(program.directory.appending("r.ktap")), as: UTF8.self))
    }

    func path(_ format: String) -> String { program.directory.appending("r.\(format)").string }
    func text(_ format: String) throws -> String {
      String(decoding: try readFile(FilePath(path(format))), as: UTF8.self)
    }
    var failed: [String] { ktap.results.filter { !$0.isOK }.map(\.description) }
    var skipped: [String] { ktap.results.filter { $0.directive == "SKIP" }.map(\.description) }
  }

  @Test(
    "JUnit XML has each case, with failures, timeouts and skips",
    arguments: SmokeSituation.kinds)
  func junit(_ situation: SmokeSituation) throws {
    let reports = try Reports(situation)
    let file = reports.path("junit")
    let cases = "/testsuites/testsuite/testcase"
    #expect(try XML.count(cases, in: file) == reports.ktap.planned)
    let byTime = situation.timedOut == nil ? 0 : 1
    #expect(try XML.count("\(cases)[error]", in: file) == byTime)
    #expect(try XML.count("\(cases)[failure]", in: file) == reports.failed.count - byTime)
    #expect(try XML.count("\(cases)[skipped]", in: file) == reports.skipped.count)
    #expect(
      try XML.count(
        "/testsuites/testsuite[@tests='\(reports.ktap.planned)'][@failures='\(reports.failed.count - byTime)'][@errors='\(byTime)'][@skipped='\(reports.skipped.count)']",
        in: file) == 1)
    for id in reports.failed {
      #expect(try XML.count("\(cases)[@name='\(id)'][failure or error]", in: file) == 1)
    }
  }

  @Test(
    "TAP 14 has the plan, the results in order and YAML between its marks",
    arguments: SmokeSituation.kinds)
  func tap(_ situation: SmokeSituation) throws {
    let reports = try Reports(situation)
    var lines = try reports.text("tap").split(separator: "\n")[...]
    #expect(lines.popFirst() == "TAP version 14")
    var isInYAML = false
    var results: [String] = []
    for line in lines {
      switch line {
      case "  ---":
        #expect(!isInYAML && !results.isEmpty)
        isInYAML = true
      case "  ...":
        #expect(isInYAML)
        isInYAML = false
      case _ where isInYAML: #expect(line.hasPrefix("  "))
      case _ where line.hasPrefix("#"): break
      case _ where line.hasPrefix("1.."): #expect(line == "1..\(reports.ktap.planned)")
      default: results.append(String(line))
      }
    }
    #expect(!isInYAML)
    let wanted = reports.ktap.results.map { item in
      "\(item.isOK ? "ok" : "not ok") \(item.number) - \(item.description)"
        + (item.directive == "SKIP" ? " # SKIP" : "")
    }
    #expect(
      results.map { $0.split(separator: " # SKIP ").first.map(String.init) ?? "" }
        == wanted.map { $0.replacingOccurrences(of: " # SKIP", with: "") })
    #expect(results.filter { $0.contains(" # SKIP ") }.count == reports.skipped.count)
  }

  @Test("LAVA has a signal for each case and each measurement", arguments: SmokeSituation.kinds)
  func lava(_ situation: SmokeSituation) throws {
    let reports = try Reports(situation)
    let pattern =
      #/^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=([a-z-]+) RESULT=(pass|fail|skip|unknown)(?: UNITS=(\S+) MEASUREMENT=([0-9.]+))?>$/#
    var signals: [(id: String, result: String, hasFigure: Bool)] = []
    for line in try reports.text("lava").split(separator: "\n") where line.hasPrefix("<") {
      let match = try #require(line.wholeMatch(of: pattern), "\(line)")
      signals.append((String(match.1), String(match.2), match.4 != nil))
    }
    let cases = signals.filter { !$0.hasFigure }
    #expect(cases.map(\.id) == reports.ktap.results.map(\.description))
    #expect(cases.filter { $0.result == "fail" }.map(\.id) == reports.failed)
    #expect(cases.filter { $0.result == "skip" }.map(\.id) == reports.skipped)
    if situation.status == 0 {
      #expect(
        signals.filter(\.hasFigure).map(\.id) == [
          "setup-time", "link-up-time", "bounce-time", "teardown-time",
        ])
    }
  }

  @Test("JSON has the verdict, the exit code and every case", arguments: SmokeSituation.kinds)
  func json(_ situation: SmokeSituation) throws {
    let reports = try Reports(situation)
    let data = try Data(contentsOf: URL(fileURLWithPath: reports.path("json")))
    let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(report["exitCode"] as? Int == Int(reports.status))
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["id"] as? String } == reports.ktap.results.map(\.description))
    #expect(report["failed"] as? Int == reports.failed.count)
    #expect(report["skipped"] as? Int == reports.skipped.count)
  }

  @Test(
    "a browser shows the page: verdict, a row for each case, within the width of the window",
    arguments: SmokeSituation.kinds)
  func html(_ situation: SmokeSituation) throws {
    let reports = try Reports(situation)
    let page = try reports.text("html")
    #expect(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"))
    for width in [1280, 400] {
      let shown = try Browser.show(
        reports.path("html"), width: width, in: reports.program.directory)
      #expect(shown["verdict"] == ["passed", "failed", "", "", "skipped"][Int(reports.status)])
      #expect(shown["rows"] == "\(reports.ktap.planned)")
      #expect(shown["overflow"] == "0", "something is cut at \(width) pixels")
      #expect(shown["failed"] == "\(reports.failed.count)")
    }
  }

  @Test("text of a hostile machine or profile is escaped in every format")
  func hostile() throws {
    let program = Program()
    var machine = SmokeSituation.passing.machine
    machine.controllers[0].failingOperations = [.start]
    _ = try program.kernel(machine: machine)
    let profile = try program.write(
      """
      { "version": 1, "name": "x", // </pre><script>alert(1)</script> ]]> \u{1b}[2J
        "backings": { "disk": { "nullBlock": { "sizeMiB": 64 } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:<b>&amp;'", "model": "a # SKIP <i>", "namespaces": [ { "id": 1, "backing": "disk" } ] } ],
        "functions": [ { "name": "f.0", "vendorID": "0x1b96", "deviceID": "0x0001", "msixVectors": 8, "ioQueues": 4,
          "target": { "loop": "nqn.2026-01.org.example:<b>&amp;'" } } ] }
      """, to: "hostile.json")
    let xml = program.directory.appending("x.xml").string
    let html = program.directory.appending("x.html").string
    let result = try program(
      "smoke", profile, "--format", "ktap", "--output", "-", "--format", "junit", "--output", xml,
      "--format", "html", "--output", html)
    #expect(result.status == 1, "\(result.errors)")
    #expect(try KTAPReader(result.output).results.count > 0)
    #expect(try XML.count("//testcase", in: xml) > 0)
    let page = try String(decoding: readFile(FilePath(html)), as: UTF8.self)
    #expect(!page.contains("<script") && !page.contains("<b>&") && !page.contains("\u{1b}"))
  }
}

/// Debian's chromium without a screen.
enum Browser {
  /// What a page shows at a width: the text of its verdict, how many rows its results have, how many of them failed, and by how many
  /// pixels its content is wider than the window.
  static func show(_ file: String, width: Int, in directory: FilePath) throws -> [String: String] {
    // The page itself has no script; a copy asks the browser.
    let page = try String(decoding: readFile(FilePath(file)), as: UTF8.self)
    let probe = """
      <pre id="probe"></pre><script>addEventListener('load', () => {
        const width = \(width)
        const wide = [...document.body.querySelectorAll('*')].map(e => Math.ceil(e.getBoundingClientRect().right) - innerWidth)
        document.getElementById('probe').textContent = 'verdict=' + document.querySelector('.verdict').textContent
          + ';rows=' + document.querySelectorAll('table.results tbody tr').length
          + ';failed=' + document.querySelectorAll('tr.failed, tr.timed-out').length
          + ';overflow=' + Math.max(0, ...wide) + ';window=' + innerWidth
      })</script></body>
      """
    let copy = directory.appending("probe-\(width).html").string
    try Data(page.replacingOccurrences(of: "</body>", with: probe).utf8).write(
      to: URL(fileURLWithPath: copy))
    let shown = try Tool.run(
      "chromium",
      [
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--user-data-dir=\(directory.appending("browser"))", "--window-size=\(width),1200",
        "--dump-dom", "file://\(copy)",
      ])
    let start = try #require(shown.range(of: "<pre id=\"probe\">"))
    let text = shown[start.upperBound...].prefix { $0 != "<" }
    var values: [String: String] = [:]
    for pair in text.split(separator: ";") {
      let halves = pair.split(separator: "=", maxSplits: 1)
      values[String(halves[0])] = halves.count > 1 ? String(halves[1]) : ""
    }
    return values
  }
}
