// SPDX-License-Identifier: Apache-2.0
import Doctor
import HostTools
import KernelEvents
import KernelHistory
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// Findings on the host of a disk: from a saved log, and from the machine.
@Suite("The doctor on the host")
struct HostDoctorTests {
  private func findings(_ log: String) -> [Finding] {
    HostDoctor.examine(savedLog: Array(log.utf8), name: "dmesg").findings
  }

  private func expect(_ found: [Finding], _ expected: [Finding.ID]) {
    #expect(found.map(\.id.rawValue).sorted() == expected.map(\.rawValue).sorted(), "\(found)")
    for finding in found {
      #expect(!finding.evidence.isEmpty, "\(finding)")
      for text in [finding.subject, finding.explanation, finding.remedy]
        + finding.evidence.flatMap({ [$0.path, $0.text] })
      { #expect(!text.isEmpty, "\(finding)") }
    }
  }

  // MARK: Logs

  @Test("each log gives exactly its findings, with evidence", arguments: HostLogCase.all)
  func log(_ item: HostLogCase) {
    let found = findings(item.log)
    expect(found, item.expected)
    if let subject = item.subject { #expect(found.first?.subject == subject) }
    if let text = item.explains, let explanation = found.first?.explanation {
      #expect(explanation.contains(text))
    }
    let texts = item.log.split(separator: "\n")
    for evidence in found.flatMap(\.evidence) where !evidence.text.hasPrefix("and ") {
      #expect(texts.contains { $0.hasSuffix(evidence.text) }, "\(evidence)")
    }
  }

  @Test("the log of a healthy host has no finding, in any format", arguments: HostLogCase.healthy)
  func healthy(_ item: HostLogCase) {
    let diagnosis = HostDoctor.examine(savedLog: Array(item.log.utf8), name: "dmesg")
    #expect(diagnosis.findings == [])
    #expect(diagnosis.release.first?.isNumber == true, "\(diagnosis.release)")
  }

  /// Prefixes of tools before a message, and control sequences of terminals around it.
  static let prefixes = [
    "", "[    9.620114] ", "[Mon Nov 30 16:14:28 2026] ", "[  +0.000003] ",
    "<3>[    9.620114][    T1] ", "<3>", "kern  :err   : [    9.620114] ",
    "Nov 30 16:14:28 desk kernel: ", "Nov 30 16:14:28 desk kernel: [    9.620114] ",
    "[    9.620114] desk kernel: ", "2026-11-30T16:14:28.123456+00:00 desk kernel: ",
    "\u{1b}[32m[    9.620114] \u{1b}[0m\u{1b}[31m",
    "Mon 2026-11-30 16:14:28 CET desk kernel: ", "1764515668.123456 desk kernel: ",
    "[Nov30 16:14] ", "[<    1.000000>] ", "2026-11-30T16:14:28,123456+00:00 ",
    // netconsole, and /dev/kmsg itself.
    "3,340,61140900,-;", "6.17.0,3,340,61140900,-;", "3,340,61140900,-,caller=T1;",
  ]

  @Test("a message has the same text with everything that is put before it", arguments: prefixes)
  func format(prefix: String) throws {
    let text = "nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0"
    for end in ["\n", "\r\n", ""] {
      let finding = try #require(findings(prefix + text + end).first)
      #expect(finding.id == .probeTimeout)
      #expect(finding.evidence == [Finding.Evidence("dmesg:1", text)])
    }
  }

  /// Lines of JSON, with % for the message.
  static let objects = [
    #"         "msg": "%""#, #"{"pri":3,"time":9.6,"msg":"%"}"#,
    #"{ "_TRANSPORT" : "kernel", "MESSAGE" : "%", "PRIORITY" : "3" }"#,
    #"        "MESSAGE" : "%","#,
  ]

  @Test("messages in JSON have the same text", arguments: objects)
  func json(object: String) throws {
    let text = #"nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0"#
    let parts = object.split(separator: "%", omittingEmptySubsequences: false)
    let finding = try #require(findings("{\n" + parts[0] + text + parts[1] + "\n}\n").first)
    #expect(finding.evidence == [Finding.Evidence("dmesg:2", text)])
    // Escapes, and a message that is not UTF-8, which the journal writes as numbers.
    let quoted = String(parts[0]) + #"usb \"x\\y\" \u0041\n"# + parts[1]
    expect(findings(quoted), [])
    if object.contains("MESSAGE") {
      let numbers = text.utf8.map { "\($0)" }.joined(separator: ",")
      let bytes = object.split(separator: "\"%\"", omittingEmptySubsequences: false)
      expect(findings(bytes[0] + "[\(numbers)]" + bytes[1]), [.probeTimeout])
    }
  }

  @Test("a log in UTF-16, with a byte order mark, with zeros or with other line ends is read")
  func encodings() {
    let text = "usb 1-1: new device\nnvme nvme0: Device not ready; aborting reset, CSTS=0x1\n"
    let expected = findings(text).map(\.id)
    #expect(expected.count == 1)
    func units(_ order: (UInt16) -> [UInt8]) -> [UInt8] {
      ([0xfeff] + Array(text.utf16)).flatMap(order)
    }
    let files: [[UInt8]] = [
      units { [UInt8($0 & 0xff), UInt8($0 >> 8)] }, units { [UInt8($0 >> 8), UInt8($0 & 0xff)] },
      [0xef, 0xbb, 0xbf] + Array(text.utf8), [UInt8](repeating: 0, count: 999) + Array(text.utf8),
      text.utf8.map { $0 == 0x0a ? 0x0d : $0 }, Array(text.replacing("\n", with: "\r\n").utf8),
    ]
    for file in files {
      #expect(
        HostDoctor.examine(savedLog: file, name: "dmesg").findings.map(\.id) == expected)
    }
    for count in 0..<4 {
      let cut = Array(files[0].prefix(count))
      #expect(HostDoctor.examine(savedLog: cut, name: "dmesg").findings == [])
    }
  }

  @Test("a line of any length is read up to the longest message of a kernel")
  func longLine() {
    let text = "nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0"
    let long = String(repeating: "x", count: 1 << 20)
    expect(findings(text + "\n" + long + text + "\n"), [.probeTimeout])
  }

  @Test("evidence has the place of each message, and the number of those that are not shown")
  func evidence() throws {
    let lines = (0..<9).map { "nvme nvme0: I/O tag \($0) QID 1 timeout, completion polled\n" }
    let finding = try #require(findings(lines.joined()).first)
    #expect(finding.evidence.map(\.path) == ["dmesg:1", "dmesg:2", "dmesg:3", "dmesg:3"])
    #expect(finding.evidence.last?.text == "and 6 more")
  }

  @Test("of several boots in one log the last one counts")
  func boots() {
    let failed = "nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0\n"
    let works = "nvme nvme0: 4/0/0 default/read/poll queues\n"
    let boot = "Linux version 6.12.9 (a)\n"
    expect(findings(boot + failed + boot + works), [])
    expect(findings(boot + works + boot + failed), [.probeTimeout])
  }

  @Test("a log without a line is reported as not inspected", arguments: ["", "\n\n"])
  func empty(log: String) {
    let diagnosis = HostDoctor.examine(savedLog: Array(log.utf8), name: "dmesg")
    #expect(diagnosis.findings == [])
    #expect(diagnosis.notInspected.contains { $0.what == "kernel log" })
  }

  @Test("bytes that are not text do no harm")
  func binary() {
    let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
    let diagnosis = HostDoctor.examine(savedLog: bytes, name: "dmesg")
    #expect(diagnosis.findings == [])
    #expect(diagnosis.notInspected.contains { $0.reason.contains("is not text") })
  }

  /// `6.15`, `6.14.4`, `7.0-rc1`.
  private static func releases(in text: String) -> [String] {
    text.matches(of: /\b[67]\.[0-9]+(\.[0-9]+)?(-rc[0-9]+)?/).map { String($0.output.0) }
  }

  @Test("findings name the releases of the table of kernel changes, and no others")
  func releases() {
    let known = Set(
      KernelChange.all.flatMap { change in
        Self.releases(in: "\(change.endText), \(change.since?.text ?? "")")
      })
    var named: Set<String> = []
    for item in HostLogCase.all {
      for finding in findings(item.log) {
        named.formUnion(Self.releases(in: finding.explanation + " " + finding.remedy))
      }
    }
    #expect(named.subtracting(known) == [])
    #expect(named.isSuperset(of: ["6.15", "6.14.4", "6.17", "7.0", "7.0-rc1"]))
  }

  // MARK: The machine

  @Test("each problem of a machine gives exactly its findings", arguments: HostBusCase.all)
  func machine(_ item: HostBusCase) throws {
    let fake = try HostBusCase.machine()
    try item.inflict(fake)
    let log = item.log.split(separator: "\n").map {
      KernelLogLine(level: 3, text: String($0.drop { $0 != "]" }.dropFirst(2)))
    }
    let profile = try Profile.decode(Array(Self.profile.utf8)).profile
    let diagnosis = HostDoctor.examine(
      fake.bus, log: log, release: "6.12.9", profile: item.hasProfile ? profile : nil)
    expect(diagnosis.findings, item.expected)
    #expect(fake.writes == [])
    let schema = try PublishedSchema.output()
    #expect(schema.violations(diagnosis.json, as: "host-explain") == [])
  }

  private static let profile = """
    {
      "version": 1, "name": "board",
      "backings": { "disk": { "nullBlock": { "sizeMiB": 64 } } },
      "subsystems": [
        { "nqn": "nqn.2026-01.org.example:board", "namespaces": [{ "id": 1, "backing": "disk" }] }
      ],
      "functions": [
        {
          "name": "board", "vendorID": "0x15b7", "deviceID": "0x5fff",
          "target": { "pci": "nqn.2026-01.org.example:board" }
        }
      ]
    }
    """

  @Test("without access to the log it says so, and examines the bus")
  func unprivileged() throws {
    let fake = try HostBusCase.machine()
    try fake.write("resetting\n", to: "sys/bus/pci/devices/0000:01:00.0/nvme/nvme1/state")
    let diagnosis = HostDoctor.examine(fake.bus, log: nil, release: "6.12.9")
    expect(diagnosis.findings, [.controllerNotLive])
    #expect(
      diagnosis.notInspected.contains { $0.what == "kernel log" && $0.reason.contains("--log") })
  }

  @Test("the facts name IOMMU, link, ASPM, power state and interrupts of each disk")
  func facts() throws {
    let fake = try HostBusCase.machine()
    let diagnosis = HostDoctor.examine(fake.bus, log: [], release: "6.12.9")
    let fact = try #require(diagnosis.found.first { $0.name == "nvme1" }?.value)
    for text in [
      "0000:01:00.0", "15b7:5fff", "driver nvme", "live", "4 I/O queues", "8.0 GT/s PCIe x4",
      "D0", "ASPM l1", "IOMMU group 1 (DMA-FQ)", "1 vectors of MSIX",
    ] { #expect(fact.contains(text), "\(text): \(fact)") }
    #expect(diagnosis.found.contains { $0.name == "IOMMU" && $0.value == "dmar0" })
    #expect(
      diagnosis.found.contains { $0.name == "kernel command line" && $0.value == "intel_iommu=on" })
  }

  @Test("the host's ids are all shown by a log or a machine")
  func coverage() {
    let covered = Set(HostLogCase.all.flatMap(\.expected) + HostBusCase.all.flatMap(\.expected))
    #expect(HostLogCase.all.count >= 40)
    #expect(covered.count >= 40)
  }
}
