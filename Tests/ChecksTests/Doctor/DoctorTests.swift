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
