// SPDX-License-Identifier: Apache-2.0
import Doctor
import LinuxFiles
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The findings for machines without problems, and for machines that cannot be inspected completely.
@Suite("The doctor")
struct DoctorTests {
  @Test(
    "a healthy machine has no finding: new, with a profile before setup, and set up with a host",
    arguments: SimulatedKernel.Release.allCases)
  func healthy(kernelRelease: SimulatedKernel.Release) throws {
    let patient = Patient(kernelRelease)
    #expect(patient.examine().findings == [])
    patient.profile = try patient.shipped
    #expect(patient.examine().findings == [])
    try patient.work()
    let diagnosis = patient.examine()
    #expect(diagnosis.findings == [])
    #expect(diagnosis.found.contains { $0.name == "plan" && $0.value.contains("nothing to do") })
    #expect(
      diagnosis.found.contains {
        $0.name.hasPrefix("function ") && $0.value.contains("4 I/O queues and the admin queue")
          && $0.value.contains("32 MSI-X vectors")
      })
  }

  @Test("options of the target are shown without their secrets")
  func secrets() throws {
    let patient = Patient(.linux6_12)
    try patient.kernel.load("pci_epf_nvme")
    let group = FilePath("/sys/kernel/config/pci_ep/functions/pci_epf_nvme/f")
    try patient.kernel.createDirectory(group)
    patient.kernel.advance(by: .seconds(1))
    let text =
      "transport=tcp,nqn=n,dhchap_secret=DHHC-1:00:abcd:,Dhchap-Ctrl-Secret=DHHC-1:01:abcd:"
    _ = try patient.kernel.write(text, to: group.appending("nvme/ctrl_opts"))
    let finding = try #require(
      patient.examine().findings.first { $0.id == .optionsMalformed })
    let shown = ([finding.explanation, finding.remedy] + finding.evidence.map(\.text)).joined()
    #expect(!shown.contains("abcd"), "\(shown)")
    #expect(shown.contains("dhchap_secret=(hidden)"), "\(shown)")
    #expect(shown.contains("Dhchap-Ctrl-Secret"), "\(shown)")
    let tree = patient.simulated.provisioner.snapshot()
    #expect(!tree.text.contains("abcd") && tree.text.contains("nqn=n,dhchap_secret=(hidden)"))
    var other = tree
    let path = "pci_ep/functions/pci_epf_nvme/f/nvme/ctrl_opts"
    other.entries[path] = .attribute("transport=tcp,nqn=n,dhchap_secret=DHHC-1:00:efgh:")
    let differences = other.differences(from: tree)
    #expect(differences.count == 1 && !differences[0].contains("efgh"), "\(differences)")
  }

  @Test("a reason for which setup refuses a profile is shown once, and not as a warning as well")
  func refusalOnce() throws {
    let patient = Patient(.linux7_2)
    patient.profile = try Profile.decode(
      Array(
        #"""
        { "version": 1, "name": "p", "backings": { "d": { "block": { "path": "/dev/nvme0" } } },
          "subsystems": [ { "nqn": "nqn.2026-01.org.example:a", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
          "functions": [ { "name": "f", "vendorID": "0x15b7", "deviceID": "0x5fff", "ioQueues": 4,
            "msixVectors": 32, "target": { "pci": "nqn.2026-01.org.example:a" } } ] }
        """#.utf8))
    let told = patient.examine().findings.filter {
      $0.evidence.contains { $0.text.contains("is a character device") }
    }
    #expect(told.map(\.id) == [.profileImpossible], "\(told)")
  }

  @Test("each port of a profile that serves nothing is a finding, though their texts are alike")
  func severalWarnings() throws {
    let patient = Patient(.linux7_2)
    let ports = [7, 8].map {
      #"""
      { "id": \#($0), "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": "44\#($0)0", "subsystems": [] }
      """#
    }
    let profile = try Profile.decode(
      Array(
        #"{ "version": 1, "name": "p", "ports": [ \#(ports.joined(separator: ", ")) ] }"#.utf8))
    patient.profile = profile
    #expect(patient.examine().findings.filter { $0.id == .portUnused }.count == 2)
    // The machine has one of the ports without a subsystem: it is told once, the other still is.
    try patient.kernel.load("nvmet")
    let port = FilePath("/sys/kernel/config/nvmet/ports/7")
    try patient.kernel.createDirectory(port)
    _ = try patient.kernel.write("tcp\n", to: port.appending("addr_trtype"))
    #expect(patient.examine().findings.filter { $0.id == .portUnused }.count == 2)
  }

  @Test("it changes nothing", arguments: SimulatedKernel.Release.allCases)
  func harmless(kernelRelease: SimulatedKernel.Release) throws {
    let patient = Patient(kernelRelease)
    patient.profile = try patient.shipped
    try patient.work()
    let (tree, log) = (patient.kernel.snapshot(), patient.kernel.logLines)
    _ = patient.examine()
    #expect(patient.kernel.snapshot() == tree)
    #expect(patient.kernel.logLines == log)
  }

  @Test("without privileges it reports what it could not read and has no false finding")
  func unprivileged() throws {
    let patient = Patient(.linux7_2)
    try patient.work()
    patient.isPrivileged = false
    patient.falsify = { $0.fail("/proc/config.gz", .permissionDenied) }
    let diagnosis = patient.examine()
    #expect(diagnosis.findings == [])
    let reasons = diagnosis.notInspected.map { "\($0.what): \($0.reason)" }.joined(separator: "\n")
    for what in [
      "kernel options: ", "/proc/config.gz: EACCES", "kernel log: /dev/kmsg: ",
      "journals: /dev/null/epfnvme: ENOTDIR", "NVMe controllers behind functions: ",
    ] {
      #expect(reasons.contains(what), "\(reasons)")
    }
  }

  @Test(
    "a directory of configfs that cannot be read is reported, and no conclusion is drawn from it",
    arguments: [
      "pci_ep", "pci_ep/controllers", "pci_ep/functions", "nvmet", "nvmet/subsystems",
      "nvmet/ports", "nullb",
    ])
  func unreadable(directory: String) throws {
    let patient = Patient(.linux7_2)
    try patient.work()
    patient.kernel.inject(
      SimulatedKernel.Fault(
        .list, at: "/sys/kernel/config/\(directory)", action: .errno(.permissionDenied), count: nil)
    )
    let diagnosis = patient.examine()
    #expect(diagnosis.findings == [], "\(diagnosis.findings.map(\.id))")
    #expect(
      diagnosis.notInspected.contains { $0.reason.contains("/\(directory): EACCES") },
      "\(diagnosis.notInspected)")
  }

  @Test(
    "each breakage is found, with evidence, a meaning and a fix, and nothing else",
    arguments: Breakage.all)
  func broken(breakage: Breakage) throws {
    let diagnosis = try breakage.patient().examine()
    #expect(
      diagnosis.findings.map(\.id.rawValue).sorted() == breakage.expected.map(\.rawValue).sorted(),
      "\(diagnosis.findings)")
    #expect(diagnosis.isFit == !breakage.expected.contains { $0.severity == .error })
    for finding in diagnosis.findings {
      #expect(!finding.evidence.isEmpty, "\(finding)")
      for text in [finding.subject, finding.explanation, finding.remedy]
        + finding.evidence.flatMap({ [$0.path, $0.text] })
      { #expect(!text.isEmpty, "\(finding)") }
    }
  }

  /// The link's events before the missing host is diagnosed, and the finding.
  enum LinkHistory: String, CaseIterable {
    case never = "the driver reported no link event, and"
    case trained = "the driver reports the link as up, but"
    case lost = "the link has gone down again, and"
  }

  @Test(
    "for the link of an absent host it reports the driver's last event",
    arguments: LinkHistory.allCases)
  func linkOfAbsentHost(history: LinkHistory) throws {
    let patient = Patient(.linux7_2)
    switch history {
    case .never: patient.machine.controllers[0].cable = nil
    case .trained: break
    case .lost: patient.machine.controllers[0].cable = .losesLink
    }
    try patient.simulated.setUp(patient.shipped)
    patient.kernel.advance(by: .seconds(1))
    let findings = patient.examine().findings
    #expect(findings.map(\.id) == [.hostAbsent])
    #expect(
      findings.map(\.explanation) == [
        "\(history.rawValue) no host has enabled the controller since the function was bound"
      ])
  }

  @Test(
    "with several functions of one driver it draws no conclusion from messages without a function")
  func severalFunctions() throws {
    let patient = Patient(.linux7_2)
    try patient.simulated.setUp(patient.shipped)
    try patient.make("pci_ep/functions/nvmet_pci_epf/begun")
    let diagnosis = patient.examine()
    #expect(diagnosis.findings.map(\.id) == [.functionUnbound])
    #expect(diagnosis.notInspected.contains { $0.what == "host of \(Patient.controller)" })
  }

  @Test("a journal that survived a loss of power names the step that was under way")
  func powerLoss() throws {
    let patient = Patient(.linux7_2)
    try patient.cutOff(boot: "00000000-0000-0000-0000-000000000000")
    let finding = try #require(patient.examine().findings.first { $0.id == .journalUnfinished })
    #expect(finding.explanation.contains("a loss of power of the machine at this step: link /sys"))
    #expect(
      finding.evidence.contains {
        $0.text.hasPrefix("under way: link /sys/kernel/config/pci_ep/controllers/")
      }, "\(finding.evidence)")
  }

  @Test("the step that was under way is named with an SError")
  func abortedStep() throws {
    let breakage = try #require(
      Breakage.all.first { $0.name == "an SError, and the step of epfnvme" })
    let finding = try #require(
      try breakage.patient().examine().findings.first { $0.id == .systemError })
    #expect(finding.explanation.contains("was at this step: link /sys/kernel/config/pci_ep"))
  }

  @Test("the tables of breakages, of the host's logs and of its bus have every id")
  func coverage() {
    let covered = Set(
      Breakage.all.flatMap(\.expected) + HostLogCase.all.flatMap(\.expected)
        + HostBusCase.all.flatMap(\.expected))
    let missing = Finding.ID.allCases.filter { !covered.contains($0) }
    #expect(missing.map(\.rawValue) == [])
  }

  @Test("the reference has every id with its severity, and no other")
  func reference() throws {
    let file = ShippedProfile.repository.appending("Docs/Reference/doctor.md")
    let text = String(decoding: try readFile(file), as: UTF8.self)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
      row.split(separator: " ").filter { $0 != "|" }.prefix(2).joined(separator: " ")
    }
    #expect(
      rows.sorted()
        == Finding.ID.allCases.map { "`\($0.rawValue)` \($0.severity.rawValue)" }.sorted())
  }
}
