// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The JSON of nvmetcli by its users' rules.
@Suite struct NvmetcliTests {
  private func text(_ json: JSONValue?) -> String? { json?.stringValue }

  /// A port of a transport as it is exported, with some attributes written.
  private func port(
    _ transport: String, _ values: [(String, String)] = []
  ) throws -> JSONValue {
    let machine = SimulatedMachine(.linux7_2, machine: ProfileGenerator.machine)
    try machine.kernel.load("nvmet")
    let path = FilePath("/sys/kernel/config/nvmet/ports/1")
    try machine.kernel.createDirectory(path)
    for (name, value) in [("addr_trtype", transport)] + values {
      _ = try machine.kernel.write(value + "\n", to: path.appending(name))
    }
    let json = try machine.provisioner.exportNvmetcli().json
    return try #require(json["ports"]?.arrayValue?.first)
  }

  private func keys(_ json: JSONValue?) -> [String] {
    guard case .object(let members)? = json else { return [] }
    return members.map(\.key)
  }

  @Test("tcp has tsas, between trtype and treq")
  func tcp() throws {
    let port = try port("tcp", [("addr_treq", "required")])
    #expect(keys(port["addr"]) == ["trtype", "tsas", "treq", "adrfam", "traddr", "trsvcid"])
    #expect(text(port["addr"]?["tsas"]) == "none")
  }

  @Test("no other transport has tsas", arguments: ["loop", "pci", "rdma"])
  func others(_ transport: String) throws {
    #expect(keys(try port(transport)["addr"]).prefix(2) == ["trtype", "treq"])
  }

  @Test("numbers are strings, and unset values are left out")
  func parameters() throws {
    let port = try port("tcp", [("param_max_queue_size", "64")])
    #expect(port["param"] == ["max_queue_size": "64", "pi_enable": "0"])
    #expect(port["portid"] == 1)
  }

  @Test("an unset path and an unused passthru are left out")
  func unset() throws {
    let machine = SimulatedMachine()
    try machine.kernel.load("nvmet")
    let path = FilePath("/sys/kernel/config/nvmet/subsystems/nqn.2026-01.org.example:s")
    try machine.kernel.createDirectory(path)
    try machine.kernel.createDirectory(path.appending("namespaces/1"))
    let json = try machine.provisioner.exportNvmetcli().json
    let subsystem = try #require(json["subsystems"]?.arrayValue?.first)
    #expect(subsystem["passthru"] == nil)
    let namespace = try #require(subsystem["namespaces"]?.arrayValue?.first)
    #expect(keys(namespace["device"]) == ["nguid", "uuid"])
    #expect(namespace["enable"] == 0)
    #expect(namespace["ana_grpid"] == 1)
    #expect(!json.prettyText.contains("(null)"))
  }

  @Test("objects that the format cannot represent are named")
  func rest() throws {
    let shipped = ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2)
    let machine = shipped.fresh()
    try machine.setUp(try shipped.located())
    #expect(
      try machine.provisioner.exportNvmetcli().warnings.map(\.path) == [
        "nullb/nullblk-pci-disk", "pci_ep/functions/nvmet_pci_epf/nullblk-pci",
      ])
  }

  /// As nvmetcli 0.7 saves it: no `param`, no `ana`, sorted keys.
  private let old = """
    {
      "hosts": [ { "nqn": "hostnqn" } ],
      "ports": [ {
        "addr": { "adrfam": "", "traddr": "", "treq": "not specified", "trsvcid": "", "trtype": "loop" },
        "portid": 1, "referrals": [], "subsystems": [ "testnqn" ] } ],
      "subsystems": [ {
        "allowed_hosts": [ "hostnqn" ], "attr": { "allow_any_host": "0" },
        "namespaces": [ {
          "device": { "nguid": "ef90689c-6c46-d44c-89c1-4067801309a8", "path": "/dev/nvme0n1" },
          "enable": 1, "nsid": 1 } ],
        "nqn": "testnqn" } ]
    }
    """

  @Test("an old file becomes a profile that setup accepts")
  func oldFile() throws {
    let imported = try Import(nvmetcli: Array(old.utf8), as: "old")
    let profile = imported.profile
    #expect(profile.hosts.isEmpty)
    #expect(profile.subsystems.first?.allowedHosts == ["hostnqn"])
    #expect(profile.backings == [.init(name: "nvme0n1", store: .block(path: "/dev/nvme0n1"))])
    let machine = SimulatedMachine()
    try machine.setUp(try Profile.decode(Array(profile.json.compactText.utf8)))
    let host = FilePath("/sys/kernel/config/nvmet/subsystems/testnqn/allowed_hosts/hostnqn")
    #expect(try machine.kernel.kind(of: host) == .link)
  }

  @Test("unknown keys are kept as attributes")
  func unknownKeys() throws {
    let text = """
      { "subsystems": [ { "nqn": "nqn.2026-01.org.example:s", "attr": { "allow_any_host": "1", "colour": "blue" },
        "namespaces": [ { "nsid": 3, "device": { "path": "/srv/d" }, "future": { "x": "1" }, "p2pmem": "1", "enable": 0 } ] } ] }
      """
    let profile = try Import(nvmetcli: Array(text.utf8), as: "n").profile
    #expect(profile.subsystems[0].attributes == [.init(name: "attr_colour", text: "blue")])
    let namespace = profile.subsystems[0].namespaces[0]
    #expect(
      namespace.attributes == [
        .init(name: "future_x", text: "1"), .init(name: "p2pmem", text: "1"),
      ])
    #expect(!namespace.enabled)
    #expect(profile.backings[0].store == .file(.init(path: "/srv/d")))
  }

  /// Text → the issues: severity, path, message.
  static let lossyTexts: [(String, String)] = [
    (
      #"{"ports":[{"portid":1,"addr":{"trtype":"fc"}}]}"#, "profiles have no transport fc: left out"
    ),
    (#"{"ports":[{"portid":1,"addr":{}}]}"#, "the port has no transport: left out"),
    (
      #"{"ports":[{"portid":1,"addr":{"trtype":"loop"},"referrals":[{"name":"a"}]}]}"#,
      "profiles have no referrals: left out"
    ),
    (
      #"{"ports":[{"portid":1,"addr":{"trtype":"pci"}}]}"#,
      "nvmetcli has no endpoint functions: add one to \"functions\" that serves the port's subsystem"
    ),
    (
      #"{"subsystems":[{"nqn":"nqn.2026-01.a.b:s","passthru":[{"device":{"path":"/dev/nvme0"},"enable":1}]}]}"#,
      "profiles have no passthru: /dev/nvme0 is left out"
    ),
    (
      #"{"subsystems":[{"nqn":"nqn.2026-01.a.b:s","namespaces":[{"nsid":1,"device":{"path":"(null)"}}]}]}"#,
      "the namespace has no device path: left out"
    ),
    (#"{"discovery":{"nqn":"nqn.2026-01.a.b:d"}}"#, "profiles have no discovery NQN: left out"),
    (#"{"prots":[]}"#, "nvmetcli has no \"prots\": left out"),
  ]

  /// Without those about targets that are incomplete in the file, too.
  private func losses(of result: Import) -> [ProfileIssue] {
    result.warnings.filter {
      !$0.message.contains("serves nothing") && !$0.message.hasPrefix("nothing serves")
    }
  }

  @Test(
    "DHCHAP attributes of hosts are kept as nvmetcli saves them, without those that are unset")
  func authentication() throws {
    let text =
      #"{"hosts":[{"nqn":"nqn.2026-01.a.b:h","dhchap":{"key":"DHHC-1:00:a:","ctrl_key":"","hash":"hmac(sha512)","dhgroup":"null"}}]}"#
    let imported = try Import(nvmetcli: Array(text.utf8), as: "n")
    #expect(
      imported.profile.hosts == [
        Profile.Host(
          nqn: "nqn.2026-01.a.b:h",
          attributes: [
            .init(name: "dhchap_hash", text: "hmac(sha512)"),
            .init(name: "dhchap_key", text: "DHHC-1:00:a:"),
          ])
      ])
    #expect(imported.warnings.isEmpty)
  }

  @Test("attributes of drivers that are not Linux's are kept", arguments: ["subsystems", "ports"])
  func foreign(_ kind: String) throws {
    let text =
      kind == "ports"
      ? #"{"ports":[{"portid":1,"addr":{"trtype":"loop"},"vendor":{"colour":"red"}}]}"#
      : #"{"subsystems":[{"nqn":"nqn.2026-01.a.b:s","vendor":{"colour":"red"}}]}"#
    let profile = try Import(nvmetcli: Array(text.utf8), as: "n").profile
    let kept = profile.ports.flatMap(\.attributes) + profile.subsystems.flatMap(\.attributes)
    #expect(kept == [.init(name: "vendor_colour", text: "red")])
  }

  @Test(
    "values that a profile cannot represent are warnings with their location", arguments: lossyTexts
  )
  func losses(_ text: String, _ message: String) throws {
    let imported = try Import(nvmetcli: Array(text.utf8), as: "n")
    #expect(losses(of: imported).map(\.message) == [message])
    #expect(imported.warnings.allSatisfy { $0.position != nil && !$0.path.isEmpty })
  }

  @Test(
    "an unused passthru and the standard discovery NQN cause no warning",
    arguments: [
      #"{"subsystems":[{"nqn":"nqn.2026-01.a.b:s","passthru":[{"device":{"path":"(null)"},"enable":0}]}]}"#,
      #"{"discovery":{"nqn":"nqn.2014-08.org.nvmexpress.discovery"}}"#,
    ])
  func noLoss(_ text: String) throws {
    #expect(losses(of: try Import(nvmetcli: Array(text.utf8), as: "n")).isEmpty)
  }

  /// Text → line, column and a part of the first error.
  static let hostileTexts: [(String, Int, Int, String)] = [
    ("", 1, 1, "the document ends where a value was expected"),
    ("[]", 1, 1, "an object was expected, not an array"),
    ("{\"ports\": 3}", 1, 11, "an array was expected, not a number"),
    ("{\"ports\": [3]}", 1, 12, "an object was expected, not a number"),
    ("{\"ports\": [{}]}", 1, 12, "the key \"portid\" is missing"),
    ("{\"ports\": [{\"portid\": 65536}]}", 1, 23, "\"65536\" is not a number from 0 to 65535"),
    ("{\"ports\": [{\"portid\": \"../1\"}]}", 1, 23, "\"../1\" is not a number"),
    (
      "{\"ports\": [{\"portid\": 1, \"addr\": {\"trtype\": \"lop\"}}]}", 1, 45,
      "unknown transport \"lop\""
    ),
    (
      "{\"ports\": [{\"portid\": 1, \"addr\": {\"trtype\": \"loop\"}, \"subsystems\": [1]}]}", 1,
      69,
      "a string was expected, not a number"
    ),
    ("{\"subsystems\": [{\"nqn\": \"../../../etc\"}]}", 1, 17, "contains \"/\""),
    ("{\"subsystems\": [{\"nqn\": [1]}]}", 1, 25, "a string was expected, not an array"),
    (
      "{\"subsystems\": [{\"nqn\": \"s\", \"attr\": {\"qid_max\": \"zz\"}}]}", 1, 50,
      "\"zz\" is not a number from 0 to 65535"
    ),
    (
      "{\"subsystems\": [{\"nqn\": \"s\", \"attr\": {\"../../x\": \"1\"}}]}", 1, 50,
      "is not an attribute name"
    ),
    (
      "{\"subsystems\": [{\"nqn\": \"s\",\n \"namespaces\": [{\"nsid\": 1, \"device\": {\"path\": \"x\\u0000y\"}}]}]}",
      2, 48, "\"x"
    ),
    ("{\"hosts\": [{\"nqn\": \"h\", \"dhchap\": {\"key\": \"(hidden)\"}}]}", 1, 43, "was hidden"),
    ("{\"version\": 1, \"backings\": {}}", 1, 2, "this is a profile of epfnvme"),
    (String(repeating: "[", count: 100), 1, 65, "nested deeper than 64 levels"),
    (
      "{\"subsystems\": [{\"nqn\": \"\(String(repeating: "x", count: 300))\"}]}", 1, 17,
      "has 300 bytes, more than the 223"
    ),
  ]

  @Test("hostile text is refused with its location", arguments: hostileTexts)
  func hostile(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
    let issues = try #require(
      #expect(throws: ProfileIssues.self) { try Import(nvmetcli: Array(text.utf8), as: "n") })
    let first = try #require(issues.issues.first { $0.severity == .error })
    #expect(first.position == TextPosition(line: line, column: column), "\(first.message)")
    #expect(first.message.contains(message), "\(first.message)")
  }

  @Test(
    "a subsystem whose hosts are empty or missing stays closed, unless it allows any host",
    arguments: [
      "", #", "allowed_hosts": []"#, #", "attr": { "allow_any_host": null }, "allowed_hosts": []"#,
      #", "attr": { "allow_any_host": "0" }"#,
    ])
  func closed(_ members: String) throws {
    let text = "{ \"subsystems\": [ { \"nqn\": \"nqn.2026-01.a.b:s\"\(members) } ] }"
    let subsystem = try #require(
      try Import(nvmetcli: Array(text.utf8), as: "n").profile.subsystems.first)
    #expect(subsystem.allowAnyHost == false)
  }

  @Test(
    "a list of hosts that is null, or has an item without a name, is an error",
    arguments: [#"null"#, #"[null]"#, #"[""]"#, #"["nqn.2026-01.a.b:h", null]"#])
  func hostsWithoutName(_ list: String) {
    let text =
      #"{ "subsystems": [ { "nqn": "nqn.2026-01.a.b:s", "attr": { "allow_any_host": "1" }, "allowed_hosts": \#(list) } ] }"#
    let issues = #expect(throws: ProfileIssues.self) {
      try Import(nvmetcli: Array(text.utf8), as: "n")
    }
    #expect(issues?.issues.contains { $0.severity == .error && $0.position != nil } == true)
  }

  @Test(
    "the version of an older kernel is kept, since the file may be for a newer one",
    arguments: [("1.3", "1.3"), ("1.4", "1.4"), ("2.1", "2.1")])
  func version(_ text: String, _ kept: String) throws {
    let json =
      #"{ "subsystems": [ { "nqn": "nqn.2026-01.a.b:s", "attr": { "version": "\#(text)" } } ] }"#
    let imported = try Import(document: Array("\u{feff}\(json)".utf8), as: "n")
    #expect(imported.profile.subsystems.first?.version == kept)
  }

  @Test("a file that is too large is refused before it is parsed")
  func huge() {
    let text = [UInt8](repeating: UInt8(ascii: " "), count: 5 << 20)
    let issues = #expect(throws: ProfileIssues.self) { try Import(nvmetcli: text, as: "n") }
    #expect(issues?.issues.first?.message == "the document is larger than 4 MiB")
  }
}
