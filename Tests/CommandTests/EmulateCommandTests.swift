// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `emulate`: a profile's controller with a host in process, on a machine that has neither board nor root.
@Suite struct EmulateCommandTests {
  private let howto = ShippedProfile.directory.appending("null_blk-loop.json").string

  @Test(
    "every shipped profile comes up, moves verified data on every namespace and shuts down",
    arguments: ShippedProfile.all)
  func profiles(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let result = try Program()(
      "emulate", shipped.file.string, "--kernel-release", shipped.kernelRelease.rawValue, "--json")
    #expect(result.status == 0, "\(result.errors)")
    let functions = try #require(result.json?["functions"]?.arrayValue)
    #expect(functions.count == located.profile.functions.count)
    for function in functions {
      let spaces = function["namespaces"]?.arrayValue?.count ?? 0
      #expect(spaces > 0)
      #expect(function["verifiedBytes"]?.integerValue == Int64(spaces * 64 * 4096))
      #expect(function["diagnoses"]?.arrayValue?.isEmpty == true)
    }
  }

  @Test("the controller of the how-to matches it: kernel messages, vid, mn, mdts, queues")
  func howtoProfile() throws {
    let result = try Program()("emulate", howto, "--kernel-release", "6.12", "--json")
    let lines = result.json?["bindLog"]?.arrayValue?.compactMap(\.stringValue) ?? []
    let prefix = "pci_epf_nvme pci_epf_nvme.0: "
    let wanted = [
      "NVMe fabrics controller created, 4 I/O queues",
      "NVMe PCI controller supports MSI-X, 32 vectors", "NVMe PCI controller: 4 I/O queues",
    ].map { prefix + $0 }
    #expect(lines.filter { wanted.contains($0) } == wanted)
    let function = try #require(result.json?["functions"]?.arrayValue?.first)
    let identify = function["identifyController"]
    #expect(identify?["vid"]?.stringValue == "0x15b7")
    #expect(identify?["ssvid"]?.stringValue == "0x15b7")
    #expect(identify?["mn"]?.stringValue?.hasPrefix("Linux-pci-epf ") == true)
    #expect(identify?["mdts"]?.stringValue == "5")
    #expect(function["cap"]?.stringValue == "0x8200f0103ff")
    #expect(function["ioQueues"]?.integerValue == 4)
    #expect(function["vectors"]?.integerValue == 32)
    // The RK3588 resizes its BARs, and not below 1 MiB.
    #expect(function["bar0Size"]?.integerValue == 1 << 20)
  }

  @Test(
    "predict prints the same as emulate without I/O, and depends on the machine's processors")
  func predict() throws {
    let program = Program()
    let emulated = try program("emulate", howto, "--kernel-release", "6.12", "--json")
    let predicted = try program("predict", howto, "--kernel-release", "6.12", "--json")
    #expect(predicted.status == 0)
    let (first, second) = (
      try #require(predicted.json?["functions"]?.arrayValue?.first),
      try #require(emulated.json?["functions"]?.arrayValue?.first)
    )
    for key in ["cap", "vs", "bar0Size", "vectors", "ioQueues", "identifyController", "namespaces"]
    {
      #expect(first[key] == second[key], "\(key)")
    }
    #expect(first["verifiedBytes"] == nil)
    // pci_epf_nvme has no more I/O queues than the board has processors.
    let small = try program("predict", howto, "--kernel-release", "6.12", "--cpus", "2", "--json")
    #expect(small.json?["functions"]?.arrayValue?.first?["ioQueues"]?.integerValue == 2)
    #expect(try program("predict", howto).output.contains("mdts      : 5"))
  }

  @Test("predict --reference matches emulate --reference, and differs from the driver")
  func predictReference() throws {
    let program = Program()
    func function(_ command: String, _ options: String...) throws -> JSONValue {
      let result = try program([command, howto, "--json"] + options)
      return try #require(result.json?["functions"]?.arrayValue?.first, "\(result)")
    }
    let predicted = try function("predict", "--reference")
    let emulated = try function("emulate", "--reference")
    let driver = try function("predict")
    for key in ["cap", "vs", "identifyController", "namespaces"] {
      #expect(predicted[key] == emulated[key], "\(key)")
    }
    #expect(predicted["identifyController"] != driver["identifyController"])
    let identity = { (function: JSONValue) in
      ["vid", "sn", "mn", "fr", "subnqn"].map { function["identifyController"]?[$0]?.stringValue }
    }
    #expect(identity(predicted) == identity(driver))
  }

  @Test(
    "predict --commands adds registers and the result of every read-only command, as JSON and as text"
  )
  func predictCommands() throws {
    let program = Program()
    let result = try program("predict", howto, "--kernel-release", "6.12", "--commands", "--json")
    let function = try #require(result.json?["functions"]?.arrayValue?.first, "\(result)")
    #expect(function["registers"]?["CAP"] == function["cap"])
    #expect(function["registers"]?["CSTS"]?.stringValue == "0x1")
    let answers = try #require(function["commands"]?.arrayValue)
    func answer(_ words: String) -> JSONValue? {
      answers.first { $0["nvme"]?.stringValue == words }
    }
    let identify = answer("id-ctrl")
    #expect(identify?["status"]?.integerValue == 0)
    #expect(identify?["length"]?.integerValue == 4096)
    // VID and SSVID, and no zeroes after the last byte.
    #expect(identify?["data"]?.stringValue?.hasPrefix("b715b715") == true)
    #expect(identify?["data"]?.stringValue?.hasSuffix("00") == false)
    let refused = answer("self-test-log")
    #expect(refused?["status"]?.integerValue == 0x4002)
    #expect(refused?["statusName"]?.stringValue == "Invalid Field in Command")
    #expect(refused?["data"]?.stringValue == "")
    #expect(answer("get-feature --feature-id=0x07 --sel=0")?["result"]?.integerValue == 0x30003)
    let text = try program("predict", howto, "--kernel-release", "6.12", "--commands").output
    for line in [
      "  id-ctrl                                                 4096 bytes",
      "  self-test-log                                           Invalid Field in Command (0x4002)",
      "  get-feature --feature-id=0x07 --sel=0                   0x30003",
    ] {
      #expect(text.contains(line + "\n"), "\(line)")
    }
    #expect(
      try program("predict", howto, "--json").json?["functions"]?.arrayValue?.first?["commands"]
        == nil)
  }

  @Test(
    "predict --commands says which command crashes the board of a release, and has the results of the others",
    arguments: [("6.18.2", true), ("7.2", false)])
  func predictCrash(_ release: String, _ crashes: Bool) throws {
    let profile = ShippedProfile.directory.appending("null_blk-pci.json").string
    let arguments = ["predict", profile, "--kernel-release", release, "--commands"]
    let result = try Program()(arguments + ["--json"])
    let answers = try #require(
      result.json?["functions"]?.arrayValue?.first?["commands"]?.arrayValue, "\(result)")
    func answer(_ words: String) -> JSONValue? {
      answers.first { $0["nvme"]?.stringValue == words }
    }
    let list = try #require(answer("list-ns --csi=0"))
    #expect(list["crash"]?.stringValue == (crashes ? "identify-null-dereference" : nil))
    #expect(list["status"] == (crashes ? .null : 0))
    #expect(answer("list-ns")?["status"] == 0)
    #expect(answer("id-ns --namespace-id=1")?["length"] == 4096)
    let bugs = result.json?["kernelBugs"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
    #expect(bugs?.contains("identify-null-dereference") == crashes)
    #expect(
      try Program()(arguments).output.contains(
        "no completion: crashes the board (identify-null-dereference)") == crashes)
  }

  @Test("a namespace on a file is predicted as one, although it is emulated in memory")
  func predictFile() throws {
    let profile = ShippedProfile.directory.appending("namespaces.json").string
    let result = try Program()("predict", profile, "--kernel-release", "7.2", "--json")
    let spaces = try #require(
      result.json?["functions"]?.arrayValue?.first?["namespaces"]?.arrayValue, "\(result)")
    let features = spaces.map { $0["identify"]?["nsfeat"]?.stringValue }
    #expect(features == ["0x32", "0", "0x32"])
  }

  @Test("check --reference requires --host")
  func checkReference() throws {
    #expect(try Program()("check", howto, "--reference").status == 64)
  }

  @Test(
    "predict depends on the options of the machine",
    arguments: [
      (["--epc", "msix=no"], "vectors", "32"), (["--epc", "msix=no,msi=no"], "vectors", "1"),
      (["--epc", "bar0=fixed:1048576"], "bar0Size", "1048576"),
      (["--epc", "bar0=programmable,align=1"], "bar0Size", "8192"),
      (["--release", "6.99.1-board"], "fr", "6.99.1-b"), (["--page-size", "65536"], "mdts", "5"),
    ])
  func machineFacts(_ options: [String], _ field: String, _ value: String) throws {
    let result = try Program()(
      ["predict", howto, "--kernel-release", "6.12", "--json"] + options)
    let function = try #require(result.json?["functions"]?.arrayValue?.first, "\(result)")
    let found = function[field] ?? function["identifyController"]?[field]
    #expect(found?.stringValue ?? found?.integerValue.map(String.init) == value)
  }

  @Test(
    "invalid options of the machine are refused",
    arguments: [
      ["--epc", "msix=maybe"], ["--epc", "align=3"], ["--epc", "bar0=fixed:5000"],
      ["--epc", "speed=fast"], ["--page-size", "8192"], ["--cpus", "0"],
    ])
  func badFacts(_ options: [String]) throws {
    #expect(try Program()(["predict", howto] + options).status == 64)
  }

  @Test(
    "--scenario conformance names the rules that the driver violates; the reference controller follows all"
  )
  func conformance() throws {
    let driver = try Program()("emulate", howto, "--scenario", "conformance")
    #expect(driver.status == 0)
    #expect(driver.output.contains("broken  shared-cq: submission queues may share"))
    let reference = try Program()(
      "emulate", howto, "--scenario", "conformance", "--reference", "--json")
    let rules = try #require(
      reference.json?["functions"]?.arrayValue?.first?["rules"]?.arrayValue)
    #expect(rules.count > 100)
    let broken = rules.filter { $0["kept"] != .bool(true) }
    // The howto's NQN is none by the specification.
    #expect(broken.compactMap { $0["id"]?.stringValue } == ["identify-subnqn"])
  }

  @Test("as text: states, commands, kernel lines and Identify in nvme-cli's layout")
  func text() throws {
    let result = try Program()("emulate", howto)
    #expect(result.status == 0)
    for line in [
      "CSTS = 0x1 (ready)", "kernel: Enabling controller", "SQ 0 cid 1: Identify",
      "vid       : 0x15b7", "mdts      : 5", "lbaf  0 : ms:0   lbads:9  rp:0 (in use)",
      "nsze    : 0x1f400000",
      "kernel: Shutting down controller",
    ] { #expect(result.output.contains(line), "no \(line)") }
  }

  @Test(
    "--trace writes every command with its duration, and registers and interrupts on separate tracks"
  )
  func traceFile() throws {
    let program = Program()
    let path = program.directory.appending("trace.json")
    #expect(try program("emulate", howto, "--trace", path.string, "--quiet").status == 0)
    let events = try #require(
      LocatedJSON(parsing: readFile(path)).value["traceEvents"]?.arrayValue)
    let commands = events.filter { $0["ph"]?.stringValue == "X" }
    #expect(commands.count > 128)
    #expect(commands.allSatisfy { $0["dur"] != nil && $0["ts"] != nil })
    #expect(commands.contains { $0["name"]?.stringValue == "Create I/O Completion Queue" })
    let tracks = events.filter { $0["name"]?.stringValue == "thread_name" }
      .compactMap { $0["args"]?["name"]?.stringValue }
    #expect(Set(tracks).isSuperset(of: ["registers", "interrupts", "admin queue", "I/O queue 1"]))
    #expect(try program("emulate", howto, "--trace", "/nowhere/x").status == 73)
  }

  @Test("the same run gives the same trace")
  func deterministic() throws {
    let first = try Program()("emulate", howto, "--verbose")
    #expect(try Program()("emulate", howto, "--verbose").output == first.output)
    #expect(first.output.contains("interrupt, vector 1"))
  }

  @Test("a profile that the driver does not support is refused with the reason")
  func impossible() throws {
    let tcp = ShippedProfile.directory.appending("tcp.json").string
    let result = try Program()("emulate", tcp, "--kernel-release", "7.2")
    #expect(result.status == 78)
    #expect(result.errors.contains("nvmet_pci_epf serves only subsystems of the same machine"))
  }

  private static let names = [
    "linux", "firmware", "kexec", "reset", "function-reset", "hot-reset", "link-flap", "restart",
    "abrupt-shutdown", "idle",
  ]

  @Test(
    "every scenario passes on both drivers without their quirks",
    arguments: names, SimulatedKernel.Release.allCases)
  func scenarios(_ name: String, _ kernelRelease: SimulatedKernel.Release) throws {
    let result = try Program()(
      "emulate", howto, "--scenario", name, "--kernel-release", kernelRelease.rawValue, "--quirks",
      "none", "--transfers", "8", "--json")
    #expect(result.status == 0, "\(result.errors)")
    let function = try #require(result.json?["functions"]?.arrayValue?.first)
    #expect((function["verifiedBytes"]?.integerValue ?? 0) > 0)
  }

  @Test("only the quirk that affects a scenario makes it fail with 1")
  func quirk() throws {
    for (quirks, status) in [
      ("all", 1), ("abrupt-shutdown-ignored", 1), ("shutdown-status-sticks,deallocate-ignored", 0),
      ("none", 0),
    ] {
      let result = try Program()(
        "emulate", howto, "--scenario", "abrupt-shutdown", "--kernel-release", "6.12", "--quirks",
        quirks)
      #expect(result.status == status, "\(quirks)")
      #expect(result.errors.contains("CSTS=0x1") == (status == 1))
    }
  }

  @Test("quirks are listed with driver and meaning")
  func listing() throws {
    let result = try Program()("emulate", "--list-quirks", "--json")
    let rows = try #require(result.json?.arrayValue)
    #expect(rows.count == 50)
    #expect(rows.allSatisfy { $0["summary"]?.stringValue?.isEmpty == false })
    #expect(try Program()("emulate", howto, "--scenario", "none").status == 64)
  }

  @Test(
    "an unknown quirk is refused, and the error names the list",
    arguments: ["emulate", "serve"],
    ["no-such-quirk", "abrupt-shutdown-ignored,no-such-quirk", "none,no-such-quirk"])
  func unknownQuirk(_ command: String, _ quirks: String) throws {
    let result = try Program()(command, howto, "--quirks", quirks)
    let word = quirks.hasPrefix("none") ? "none" : "no-such-quirk"
    let message = "There is no quirk \"\(word)\": epfnvme emulate --list-quirks lists them."
    #expect(result.status == 64 && result.errors.contains("Error: \(message)"), "\(result.errors)")
    let json = try Program()(command, howto, "--quirks", quirks, "--json").json
    #expect(json?["error"]?["message"]?.stringValue == message)
  }
}
