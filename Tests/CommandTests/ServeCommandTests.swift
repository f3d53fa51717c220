// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import HostDriver
import Provisioning
import ServedHost
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `serve` as a process with a socket, for hosts of this process.
@Suite struct ServeCommandTests {
  /// The environment of a server: a separate directory with a profile whose disk is a file there.
  struct Place {
    let program = Program()
    var socket: String { program.directory.appending("socket").string }
    var disk: String { program.directory.appending("disk").string }

    func profile(driver: String = "nvmet_pci_epf", functions: [String] = ["served"]) throws
      -> String
    {
      let isMainline = driver == "nvmet_pci_epf"
      let texts = functions.map { name in
        """
        { "name": "\(name)", "vendorID": "0x15b7", "deviceID": "0x5fff", "ioQueues": 4,
          "msixVectors": 32, "msiVectors": 32, "mdtsKiB": 128,
          "target": { "\(isMainline ? "pci" : "loop")": "nqn.2026-01.org.example:served" } }
        """
      }
      return try program.write(
        """
        { "version": 1, "name": "served", "driver": "\(driver)",
          "backings": { "disk": { "file": { "path": "\(disk)", "sizeMiB": 16, "create": true } } },
          "subsystems": [{ "nqn": "nqn.2026-01.org.example:served", "maximumQueueID": 4,
            "vendorID": "0x15b7", "subsystemVendorID": "0x15b7",
            "namespaces": [{ "id": 1, "backing": "disk", "bufferedIO": true }] }],
          "functions": [\(texts.joined(separator: ", "))] }
        """, to: "profile.json")
    }

    /// A server that listens.
    func serve(_ arguments: String..., driver: String = "nvmet_pci_epf") throws -> Program.Running {
      let running = try program.start(
        ["serve", try profile(driver: driver), "--socket", socket] + arguments)
      try waitUntil("it is ready") { !running.outputSoFar.isEmpty || !running.isRunning }
      return running
    }

    func guest() throws -> ServedGuest { try ServedGuest(socket, ServedMachine.model(.reference)) }

    /// 4 KiB of the disk's file.
    func block(_ number: UInt64) throws -> [UInt8] {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: disk))
      defer { try? file.close() }
      try file.seek(toOffset: number * 4096)
      return try Array(file.read(upToCount: 4096) ?? Data())
    }
  }

  static let drivers = ["nvmet_pci_epf", "pci_epf_nvme"]
  static func pattern(_ seed: UInt8) -> [UInt8] {
    (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) ^ seed }
  }

  /// Writes blocks of 4 KiB and flushes after each.
  func write(_ seeds: Range<UInt8>, by host: LinuxHost) throws {
    let namespace = try host.probe().namespaces[0]
    let scale = UInt64(4096 / namespace.blockSize)
    for seed in seeds {
      try host.write(Self.pattern(seed), to: namespace, firstBlock: UInt64(seed) * scale)
    }
  }

  func mode(of path: String) throws -> (type: mode_t, bits: mode_t, group: gid_t) {
    var facts = stat()
    try #require(lstat(path, &facts) == 0)
    return (facts.st_mode & S_IFMT, facts.st_mode & 0o777, facts.st_gid)
  }

  func objects(_ output: String) throws -> [JSONValue] {
    try output.split(separator: "\n").map { try LocatedJSON(parsing: Array($0.utf8)).value }
  }

  // MARK: Ready

  @Test(
    "a character device as the disk of a served profile is called that, and no file is created in its place",
    arguments: [
      ("block", "/dev/null", ""), ("file", "/dev/null", ""), ("block", "/dev/nvme977", ""),
      ("file", "/dev/nvme977", ", \"create\": true, \"sizeMiB\": 1"),
    ])
  func characterDevice(_ backing: String, _ path: String, _ more: String) throws {
    let program = Program()
    let profile = try program.write(
      #"""
      { "version": 1, "name": "p", "backings": { "d": { "\#(backing)": { "path": "\#(path)"\#(more) } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:p", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "functions": [ { "name": "p", "vendorID": "0x1b96", "deviceID": "0xbeef", "ioQueues": 4, "msixVectors": 8,
          "target": { "pci": "nqn.2026-01.org.example:p" } } ] }
      """#, to: "p.json")
    let socket = program.directory.appending("s").string
    let result = try program("serve", profile, "--socket", socket)
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errors.contains("\(path) is a character device"), "\(result.errors)")
    #expect(access(path, F_OK) == (path == "/dev/null" ? 0 : -1))
    #expect(!result.errors.contains("regular file"), "\(result.errors)")
  }

  @Test("a line has the socket of the function, with the options of --print-qemu")
  func ready() throws {
    let place = Place()
    let server = try place.serve()
    server.send(signal: SIGTERM)
    let result = try server.finish()
    #expect(result.status == 0, "\(result.errors)")
    let options = try place.program("serve", "--print-qemu", "--socket", place.socket).output
    #expect(
      result.output == "served (nvmet_pci_epf) listens on \(place.socket); QEMU: \(options)")
    #expect(options.contains("share=on") && options.contains("\"driver\":\"vfio-user-pci\""))
  }

  @Test(
    "--print-qemu has the path that the server uses by default",
    arguments: ["null_blk-pci", "null_blk-loop", ""])
  func defaultSocket(_ name: String) throws {
    let place = Place()
    let source =
      name.isEmpty ? [] : [ShippedProfile.directory.appending(name + ".json").string]
    // A server without a profile serves what is set up on the simulated kernel.
    if name.isEmpty { #expect(try place.program("setup", "--json").status == 0) }
    let environment = ["XDG_RUNTIME_DIR": place.program.directory.string]
    let server = try place.program.start(
      ["serve", "--json"] + source, environment: environment)
    try waitUntil("it is ready") { !server.outputSoFar.isEmpty || !server.isRunning }
    let printed = try place.program.start(
      ["serve", "--json", "--print-qemu"] + source, environment: environment
    ).finish()
    server.send(signal: SIGTERM)
    let ready = try #require(try objects(try server.finish().output).first)
    #expect(printed.json == ready["qemu"], "\(printed.output)\(printed.errors)")
    let socket = try #require(ready["socket"]?.stringValue)
    #expect(printed.output.contains(socket), "\(socket)")
  }

  @Test("as JSON, an object at the beginning and one at the end")
  func readyJSON() throws {
    let place = Place()
    let server = try place.serve("--json")
    server.send(signal: SIGTERM)
    let events = try objects(try server.finish().output)
    let options = try #require(
      try place.program("serve", "--print-qemu", "--socket", place.socket, "--json").json)
    #expect(events.map { $0["event"]?.stringValue } == ["ready", "end"])
    #expect(events.first?["socket"]?.stringValue == place.socket)
    #expect(events.first?["function"]?.stringValue == "served")
    #expect(events.first?["driver"]?.stringValue == "nvmet_pci_epf")
    #expect(events.first?["qemu"] == options)
    #expect(events.last?["commands"]?.compactText == "0")
  }

  // MARK: The socket

  @Test("only the owner can access the socket, and it is removed with the server")
  func socketMode() throws {
    let place = Place()
    let server = try place.serve()
    let found = try mode(of: place.socket)
    #expect(found.type == S_IFSOCK && found.bits == 0o600)
    server.send(signal: SIGTERM)
    #expect(try server.finish().status == 0)
    #expect(access(place.socket, F_OK) != 0)
  }

  @Test("--socket-mode and --socket-group give others access")
  func openedUp() throws {
    let place = Place()
    let server = try place.serve("--socket-mode", "0660", "--socket-group", "\(getgid())")
    let found = try mode(of: place.socket)
    #expect(found.bits == 0o660 && found.group == getgid())
    server.send(signal: SIGTERM)
    #expect(try server.finish().status == 0)
  }

  @Test("an unknown group is refused")
  func noGroup() throws {
    let place = Place()
    let result = try place.program(
      "serve", try place.profile(), "--socket", place.socket, "--socket-group", "no-such-group")
    #expect(result.status == 66)
    #expect(result.errors.contains("there is no group no-such-group"))
    #expect(result.errors.contains("getent group"))
  }

  @Test("a directory that others can write to is refused")
  func openDirectory() throws {
    let place = Place()
    let directory = place.program.directory.appending("open").string
    try #require(mkdir(directory, 0o700) == 0 && chmod(directory, 0o777) == 0)
    let result = try place.program(
      "serve", try place.profile(), "--socket", directory + "/socket")
    #expect(result.status == 73)
    #expect(result.errors.contains("others can write to its directory \(directory)"))
    #expect(result.errors.contains("mkdir -m 700"))
    #expect(access(directory + "/socket", F_OK) != 0)
  }

  @Test("a missing directory is named, with a hint")
  func noDirectory() throws {
    let place = Place()
    let directory = place.program.directory.appending("missing").string
    let result = try place.program(
      "serve", try place.profile(), "--socket", directory + "/socket")
    #expect(result.status == 73)
    #expect(result.errors.contains("ENOENT"))
    #expect(result.errors.contains("create the directory \(directory), mode 0700"))
  }

  @Test("a path that is too long for a socket is refused")
  func longPath() throws {
    let place = Place()
    let path = place.socket + String(repeating: "x", count: 100)
    let result = try place.program("serve", try place.profile(), "--socket", path)
    #expect(result.status == 73)
    #expect(result.errors.contains("at most 107 bytes"))
  }

  @Test("a file that is not a socket is not replaced")
  func somethingElse() throws {
    let place = Place()
    let path = try place.program.write("precious", to: "socket")
    let result = try place.program("serve", try place.profile(), "--socket", path)
    #expect(result.status == 73)
    #expect(result.errors.contains("EEXIST"))
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test("a socket with a listener is in use; one that a killed server left is replaced")
  func liveAndStale() throws {
    let place = Place()
    let first = try place.serve()
    let second = try place.program("serve", try place.profile(), "--socket", place.socket)
    #expect(second.status == 73, "\(second.errors)")
    #expect(second.errors.contains("EADDRINUSE"))
    #expect(second.errors.contains("stop that server"))
    first.send(signal: SIGKILL)
    #expect(try first.finish().status == 128 + SIGKILL)
    #expect(try mode(of: place.socket).type == S_IFSOCK)
    let third = try place.serve()
    #expect(try place.guest().host.probe().namespaces.count == 1)
    third.send(signal: SIGTERM)
    #expect(try third.finish().status == 0)
  }

  @Test("a socket from systemd is used, and not removed")
  func activation() throws {
    let place = Place()
    let server = try place.program.start(
      ["-l", place.socket, Program.executable, "serve", try place.profile()],
      executable: "/usr/bin/systemd-socket-activate")
    try waitUntil("it listens") { access(place.socket, F_OK) == 0 || !server.isRunning }
    try write(1..<3, by: place.guest().host)
    #expect(server.outputSoFar.contains("listens on (systemd's)"))
    server.send(signal: SIGTERM)
    let result = try server.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(access(place.socket, F_OK) == 0)
    #expect(try place.block(2) == Self.pattern(2))
  }

  @Test("a passed descriptor that is not a socket is refused")
  func noSocketPassed() throws {
    let place = Place()
    let result = try place.program.shell(
      #"exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec epfnvme serve "$1""#,
      try place.profile())
    #expect(result.status == 73)
    #expect(result.errors.contains("it is not a listening Unix stream socket"))
    #expect(result.errors.contains("ListenStream="))
  }

  // MARK: Data

  @Test("after SIGTERM the file has what a host wrote", arguments: drivers)
  func data(_ driver: String) throws {
    let place = Place()
    let server = try place.serve(driver: driver)
    let guest = try place.guest()
    try write(1..<9, by: guest.host)
    #expect(guest.function.failure == nil)
    server.send(signal: SIGTERM)
    let result = try server.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("a host has connected"))
    #expect(result.errors.contains("\(8 * 4096) bytes written"))
    for seed in 1..<9 as Range<UInt8> {
      #expect(try place.block(UInt64(seed)) == Self.pattern(seed), "block \(seed)")
    }
  }

  @Test("after kill -9 and a restart, flushed data is preserved", arguments: drivers)
  func killed(_ driver: String) throws {
    let place = Place()
    let first = try place.serve(driver: driver)
    try write(1..<9, by: place.guest().host)
    first.send(signal: SIGKILL)
    #expect(try first.finish().status == 128 + SIGKILL)
    let second = try place.serve(driver: driver)
    let host = try place.guest().host
    let namespace = try host.probe().namespaces[0]
    let scale = UInt64(4096 / namespace.blockSize)
    for seed in 1..<9 as Range<UInt8> {
      #expect(
        try host.read(namespace, firstBlock: UInt64(seed) * scale) == Self.pattern(seed),
        "block \(seed)")
    }
    second.send(signal: SIGTERM)
    #expect(try second.finish().status == 0)
  }

  // MARK: Trace and statistics

  @Test("--trace writes the controller's events as one JSON value")
  func trace() throws {
    let place = Place()
    let file = place.program.directory.appending("trace.json").string
    let server = try place.serve("--trace", file)
    try write(1..<3, by: place.guest().host)
    server.send(signal: SIGTERM)
    #expect(try server.finish().status == 0)
    let trace = try LocatedJSON(parsing: readFile(FilePath(file))).value
    let events = try #require(trace["traceEvents"]?.arrayValue)
    #expect(events.count > 10)
    #expect(events.allSatisfy { $0["ph"]?.stringValue != nil })
  }

  @Test("--trace - prints the trace and nothing else")
  func traceAsResult() throws {
    let place = Place()
    let server = try place.program.start(
      ["serve", try place.profile(), "--socket", place.socket, "--trace", "-"])
    try waitUntil("it is ready") { !server.errorsSoFar.isEmpty || !server.isRunning }
    server.send(signal: SIGTERM)
    let result = try server.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.json?["traceEvents"] != nil, "\(result.output)")
    #expect(result.errors.contains("listens on \(place.socket)"), "\(result.errors)")
  }

  @Test("--stats-interval prints statistics while a host is connected")
  func statistics() throws {
    let place = Place()
    let server = try place.serve("--json", "--stats-interval", "0.1")
    let guest = try place.guest()
    try write(1..<3, by: guest.host)
    try waitUntil("there are figures") {
      server.outputSoFar.contains(#""state":"enabled","ioQueues":4"#) || !server.isRunning
    }
    server.send(signal: SIGTERM)
    let result = try server.finish()
    let events = try objects(result.output)
    let figures = events.filter { $0["event"]?.stringValue == "statistics" }
    #expect(figures.contains { $0["ioQueues"]?.compactText == "4" }, "\(result.output)")

    let schema = try PublishedSchema.output()
    for event in events { #expect(schema.violations(event, as: "serve") == []) }
    #expect(schema.properties(of: "serve").subtracting(schema.seen) == [])
  }

  @Test("an invalid interval is a usage error", arguments: ["0", "-1", "x", "1e9"])
  func badInterval(_ text: String) throws {
    let place = Place()
    let result = try place.program("serve", "--stats-interval=\(text)", "--socket", place.socket)
    #expect(result.status == 64)
  }
}
