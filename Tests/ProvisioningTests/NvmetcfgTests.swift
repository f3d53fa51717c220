// SPDX-License-Identifier: Apache-2.0
import Provisioning
import Testing

/// The YAML of nvmetcfg, and what a hand may write into it.
@Suite struct NvmetcfgTests {
  private static let subsystem = """
    version: 0
    subsystems:
      nqn.2023-11.org.example:a:
        model: Linux
        serial: e6dd0f7cc6c83cb1e065
        allowed_hosts: []
        namespaces:
          1:
            enabled: true
            device_path: /dev/loop0
            device_uuid: 75db752f-9c96-4e3b-ae08-e0feebe08138
            device_nguid: 00000000-0000-0000-0000-000000000000

    """

  private func read(_ text: String) throws -> Import {
    try Import(document: Array(text.utf8), as: "x")
  }

  @Test("a saved state is the same profile as nvmetcli's of the same target")
  func saved() throws {
    let found = try read(
      Self.subsystem + """
        ports:
          1:
            port_type: Tcp
            port_addr: 0.0.0.0:4420
            subsystems:
            - nqn.2023-11.org.example:a

        """)
    let same = try read(
      """
      { "subsystems": [ { "nqn": "nqn.2023-11.org.example:a", "allowed_hosts": [],
          "attr": { "allow_any_host": "1", "model": "Linux", "serial": "e6dd0f7cc6c83cb1e065" },
          "namespaces": [ { "nsid": 1, "enable": 1, "device": { "path": "/dev/loop0",
            "uuid": "75db752f-9c96-4e3b-ae08-e0feebe08138", "nguid": "00000000-0000-0000-0000-000000000000" } } ] } ],
        "ports": [ { "portid": 1, "subsystems": ["nqn.2023-11.org.example:a"],
          "addr": { "trtype": "tcp", "adrfam": "ipv4", "traddr": "0.0.0.0", "trsvcid": "4420" } } ] }
      """)
    #expect(found.profile == same.profile)
    #expect(found.warnings.isEmpty)
  }

  /// serde_yaml writes the members of an object in their order, null for what is not set, and lists as far to the left as their key.
  @Test("what `nvmet state save` writes with every key is read, lists at the left included")
  func everyKey() throws {
    let long = "nqn.2023-11.org.example:" + String(repeating: "l", count: 150)
    let found = try read(
      """
      version: 0
      subsystems:
        nqn.2023-11.org.example:a:
          model: Linux
          serial: '0123'
          allowed_hosts:
          - nqn.2023-11.org.example:h1
          - nqn.2023-11.org.example:h2
          namespaces:
            1:
              enabled: false
              device_path: /dev/loop0
              device_uuid: null
              device_nguid: null
            2:
              enabled: true
              device_path: /dev/loop1
              device_uuid: 75db752f-9c96-4e3b-ae08-e0feebe08138
              device_nguid: 75db752f-9c96-4e3b-ae08-e0feebe08139
        nqn.2023-11.org.example:b:
          model: null
          serial: null
          allowed_hosts: []
          namespaces: {}
        ? \(long)
        : model: null
          serial: '7'
          allowed_hosts:
          - nqn.2023-11.org.example:h1
          namespaces: {}
      ports:
        1:
          port_type: Loop
          subsystems: []
        2:
          port_type: Tcp
          port_addr: '[2001:db8::1]:4420'
          subsystems:
          - nqn.2023-11.org.example:a
          - nqn.2023-11.org.example:b

      """)
    let hosts = ["nqn.2023-11.org.example:h1", "nqn.2023-11.org.example:h2"]
    #expect(
      found.profile.subsystems.map(\.nqn)
        == ["nqn.2023-11.org.example:a", "nqn.2023-11.org.example:b", long])
    #expect(
      found.profile.subsystems.map(\.allowedHosts) == [hosts, [], Array(hosts.prefix(1))])
    #expect(found.profile.subsystems.map(\.serial) == ["0123", nil, "7"])
    #expect(found.profile.subsystems[0].namespaces.map(\.id) == [1, 2])
    #expect(found.profile.ports.map(\.subsystems.count) == [0, 2])
    #expect(found.profile.ports[1].address == "2001:db8::1")
  }

  /// A text, and the same with its lists in brackets.
  @Test(
    "a list at its key's indentation ends at the next key",
    arguments: [
      (
        "subsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts:\n    - nqn.2023-11.org.example:h\n    namespaces: {}\nports: {}\n",
        "subsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: [nqn.2023-11.org.example:h]\n    namespaces: {}\nports: {}\n"
      ),
      (
        "ports:\n  1:\n    subsystems:\n    - nqn.2023-11.org.example:a\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n",
        "ports:\n  1:\n    subsystems: [nqn.2023-11.org.example:a]\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n"
      ),
      (
        "ports:\n  1:\n    subsystems:\n      - nqn.2023-11.org.example:a\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n",
        "ports:\n  1:\n    subsystems: [nqn.2023-11.org.example:a]\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n"
      ),
      (
        "ports:\n  1:\n    subsystems:\n    -\n      nqn.2023-11.org.example:a\n    -\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n",
        "ports:\n  1:\n    subsystems: [nqn.2023-11.org.example:a, ~]\n    port_type: Loop\nsubsystems:\n  nqn.2023-11.org.example:a:\n    allowed_hosts: []\n    namespaces: {}\n"
      ),
    ])
  func lists(_ block: String, _ flow: String) throws {
    #expect(try read(block).profile == read(flow).profile)
  }

  @Test(
    "spellings of a port",
    arguments: [
      ("port_type: Tcp\n    port_addr: \"[::1]:4420\"", "ipv6 ::1 4420"),
      ("port_type: 'Rdma' # fast\n    port_addr: 192.0.2.1:7", "ipv4 192.0.2.1 7"),
      ("port_type: Loop", "  "),
    ])
  func ports(_ lines: String, _ expected: String) throws {
    let port = try #require(
      try read(
        Self.subsystem
          + "ports:\n  3:\n    \(lines)\n    subsystems: [\"nqn.2023-11.org.example:a\"]\n"
      ).profile.ports.first)
    #expect(port.id == 3 && port.subsystems == ["nqn.2023-11.org.example:a"])
    #expect(
      [port.addressFamily, port.address, port.service].map { $0 ?? "" }.joined(separator: " ")
        == expected)
  }

  @Test("allowed hosts close the subsystem")
  func hosts() throws {
    let subsystem = try #require(
      try read(
        "---\nsubsystems: {\"nqn.2023-11.org.example:a\": {allowed_hosts: [nqn.2023-11.org.example:h], namespaces: {}}}\nports: {}\n"
      ).profile.subsystems.first)
    #expect(subsystem.allowedHosts == ["nqn.2023-11.org.example:h"])
    #expect(subsystem.allowAnyHost == nil)
  }

  /// The end of a subsystem's lines → line and column of the error.
  @Test(
    "a host without a name, or a list of hosts without a value, never opens a subsystem",
    arguments: [
      ("    allowed_hosts:\n    -\n    namespaces: {}\n", 4, 5),
      ("    allowed_hosts:\n      - ~\n", 4, 9),
      ("    allowed_hosts:\n    - nqn.2023-11.org.example:h\n    - null\n", 5, 7),
      ("    allowed_hosts: ['']\n", 3, 21),
      ("    allowed_hosts: [\"\", nqn.2023-11.org.example:h]\n", 3, 21),
      ("    allowed_hosts:\n    namespaces: {}\n", 3, 18),
      ("    allowed_hosts: ~\n", 3, 20), ("    namespaces: {}\n", 3, 5),
      ("    allowed_host: [nqn.2023-11.org.example:h]\n", 3, 5),
    ])
  func hostsWithoutName(_ lines: String, _ line: Int, _ column: Int) {
    let error = #expect(throws: ProfileIssues.self) {
      try read("subsystems:\n  nqn.2023-11.org.example:a:\n" + lines)
    }
    let found = error?.issues.first { $0.severity == .error }
    #expect(found?.position == TextPosition(line: line, column: column), "\(found as Any)")
    #expect(found?.path.hasPrefix("subsystems.nqn.2023-11.org.example:a") == true)
    #expect(found?.hint?.contains("allowed_hosts: []") == true)
  }

  @Test("every end of a line, a byte order mark and tabs between values are read alike")
  func lineEnds() throws {
    let text =
      Self.subsystem
      + "ports:\n  1:\n    port_type: Loop  # note\n    subsystems:\n    - nqn.2023-11.org.example:a\n"
    let expected = try read(text).profile
    let subsystems = expected.subsystems.count
    #expect(subsystems == 1)
    for end in ["\r\n", "\r"] {
      #expect(try read(text.replacing("\n", with: end)).profile == expected)
    }
    #expect(try read("\u{feff}" + text).profile == expected)
    #expect(try read("\u{feff}" + text.replacing("\n", with: "\r\n")).profile == expected)
    let tabs = text.replacing(": ", with: ":\t").replacing("- ", with: "-\t")
      .replacing("  #", with: "\t#")
    #expect(try read(tabs).profile == expected)
  }

  @Test("an error in lines that end with CR LF has its line")
  func lineOfError() {
    let error = #expect(throws: ProfileIssues.self) {
      try read("version: 0\r\nsubsystems:\r\n  a: &x 1\r\n")
    }
    #expect(error?.issues.first?.position == TextPosition(line: 3, column: 6))
  }

  /// A text → line, column and words of its first error.
  @Test(
    "an error has its line and column",
    arguments: [
      ("version: 1\nsubsystems: {}\n", 1, 10, "version 0"),
      ("a: 1\n", 1, 1, "neither"),
      ("subsystems:\n\t- a\n", 2, 1, "tab"),
      ("subsystems:\n  a: &x 1\n", 2, 6, "anchors"),
      ("subsystems:\n  a: |\n    text\n", 2, 6, "several lines"),
      ("subsystems:\n  a: {}\n  a: {}\n", 3, 3, "duplicate key"),
      ("subsystems: [1, 2\n", 1, 18, "was expected on this line"),
      ("subsystems: \"a\n", 1, 15, "does not end"),
      ("ports:\n  1:\n    port_type: Tcp\n", 3, 5, "an address"),
      ("ports:\n  1:\n    port_type: Carrier\n", 3, 16, "unknown transport"),
      ("ports:\n  x:\n    port_type: Loop\n", 3, 5, "not a number"),
      (
        "subsystems:\n  nqn.a:\n    allowed_hosts: []\n    namespaces:\n      1: {enabled: true}\n",
        5, 10,
        "device_path"
      ),
      ("subsystems: {}\n---\nports: {}\n", 2, 1, "second document"),
      ("ports:\n  1:\n    port_type: Loop\n   subsystems: []\n", 4, 4, "like those above"),
      ("subsystems: {}\n- a: 1\n", 2, 1, "like those above"),
      ("- a\nsubsystems: {}\n", 2, 1, "like those above"),
      ("subsystems:\n- a\n  b: 1\n", 3, 3, "like those above"),
      ("? [a]\n: 1\n", 1, 1, "a key must be a text"),
    ])
  func problems(_ text: String, _ line: Int, _ column: Int, _ words: String) {
    let error = #expect(throws: ProfileIssues.self) { try read(text) }
    let first = error?.issues.first { $0.severity == .error }
    #expect(first?.position == TextPosition(line: line, column: column), "\(first?.message ?? "")")
    #expect(first?.message.contains(words) == true, "\(first?.message ?? "")")
  }

  @Test(
    "an issue has its own hint, or none",
    arguments: [
      ("version: 1\nsubsystems: {}\n", "a newer epfnvme may be needed"),
      ("ports:\n  1:\n    port_type: Carrier\n", "nvmetcfg has Loop, Tcp, Rdma and FibreChannel"),
      (
        "ports:\n  1:\n    port_typ: Loop\n    port_type: Loop\n    subsystems: [7]\n",
        "did you mean"
      ),
      ("ports:\n  x:\n    port_type: Loop\n", nil),
    ])
  func hints(_ text: String, _ hint: String?) throws {
    let issues: [ProfileIssue]
    do { issues = try read(text).warnings } catch let error as ProfileIssues {
      issues = error.issues
    }
    let hints = issues.compactMap(\.hint)
    if let hint {
      #expect(hints.contains { $0.contains(hint) }, "\(hints)")
    } else {
      #expect(hints == [] && !issues.isEmpty)
    }
    #expect(!hints.contains { $0.contains("allowed_hosts") })
  }

  @Test("a Fibre Channel port and unknown keys are left out with warnings")
  func leftOut() throws {
    let found = try read(
      Self.subsystem
        + "ports:\n  1:\n    port_type: FibreChannel\n    port_addr: {wwnn: 1, wwpn: 2}\n"
        + "    subsystems: []\n    colour: red\n")
    #expect(found.profile.ports.isEmpty)
    #expect(found.warnings.contains { $0.path == "ports.1" })
    #expect(found.warnings.contains { $0.path == "ports.1.colour" })
  }

  @Test("damaged texts end in an error or a profile, and never abort")
  func damaged() {
    let text = Array(
      (Self.subsystem + "ports:\n  1: {port_type: Loop, subsystems: [a, 'b']}\n").utf8)
    for index in text.indices {
      for byte in Array("\"'[]{}:#-\n\t \\\u{80}".utf8) {
        var copy = text
        copy[index] = byte
        _ = try? Import(document: copy, as: "x")
      }
      _ = try? Import(document: Array(text.prefix(index)), as: "x")
    }
  }
}
