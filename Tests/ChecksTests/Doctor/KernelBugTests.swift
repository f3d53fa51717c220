// SPDX-License-Identifier: Apache-2.0
import Doctor
import LinuxFiles
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The bugs that the doctor reports by the kernel's release.
@Suite("The doctor, by kernel release")
struct KernelBugTests {
  /// A machine, and the names of the rows that its kernel has, and those that it may have.
  struct Row: Sendable, CustomTestStringConvertible {
    var release: String
    var driver = SimulatedKernel.Release.linux7_2
    var compatible = ""
    var known: [String] = []
    var possible: [String] = []
    var testDescription: String { "\(release) \(compatible)" }
  }

  private static let rk3588 = "rockchip,rk3588-pcie-ep"
  private static let rockchip = [
    "ats-capability-broken", "link-training-during-hot-reset", "msix-write-after-unmap",
  ]
  private static let requests = ["exec-iod-work-use-after-free", "failed-mapping-keeps-queue-id"]
  private static let unlisted = ["bio-done-race", "identify-null-dereference"]

  static let rows: [Row] = [
    Row(release: "7.2.13"), Row(release: "7.2.13", compatible: rk3588),
    Row(release: "7.3.0", compatible: rk3588),
    Row(release: "7.2.13+deb14-arm64", compatible: rk3588),
    Row(
      release: "6.14.2",
      known: [
        "enable-survives-shutdown", "link-changes-not-logged", "failed-completion-blank",
        "interrupt-enable-survives-delete", "interrupt-failures-not-limited",
        "refused-command-completes-twice", "exec-iod-work-use-after-free",
        "short-sgl-segment-read-beyond",
      ],
      possible: unlisted + [
        "bar0-32-bit", "port-without-type-out-of-bounds", "driver-unload-use-after-free",
      ]),
    Row(
      release: "6.18.47-current-rockchip64", compatible: rk3588,
      known: ["short-sgl-segment-read-beyond"],
      possible: ["bio-done-race", "msix-write-after-unmap"]),
    Row(
      release: "6.18.2-current-rockchip64", compatible: rk3588,
      known: requests + ["identify-null-dereference", "short-sgl-segment-read-beyond"],
      possible: ["bio-done-race", "msix-write-after-unmap"]),
    Row(
      release: "6.19.3", compatible: "nvidia,tegra234-pcie-ep",
      known: requests + ["short-sgl-segment-read-beyond"],
      possible: ["identify-null-dereference"]),
    Row(
      release: "6.18.47", compatible: "nvidia,tegra234-pcie-ep",
      known: ["short-sgl-segment-read-beyond"],
      possible: ["bio-done-race", "dma-before-controller-init"]),
    Row(
      release: "6.17.0-12-generic",
      possible: unlisted + requests + ["short-sgl-segment-read-beyond"]),
    // The out-of-tree driver on a distribution's and on a vendor's kernel.
    Row(
      release: "6.12.48+deb13-arm64", driver: .linux6_12, compatible: rk3588,
      known: ["ats-capability-broken", "link-training-during-hot-reset"],
      possible: ["driver-unload-use-after-free", "msix-write-after-unmap"]),
    Row(
      release: "6.12.117", driver: .linux6_12, compatible: rk3588,
      known: ["ats-capability-broken", "link-training-during-hot-reset"]),
    Row(
      release: "6.1.115-vendor-rk35xx", driver: .linux6_12, compatible: rk3588,
      possible: rockchip + ["driver-unload-use-after-free"]),
  ]

  private func examine(_ row: Row) -> MachineDiagnosis {
    let patient = Patient(row.driver)
    patient.machine.release = row.release
    if !row.compatible.isEmpty {
      patient.falsify = {
        $0.add(
          FilePath("/sys/class/pci_epc/\(Patient.controller)/device/of_node/compatible"),
          row.compatible + "\0")
      }
    }
    return patient.examine()
  }

  @Test("a machine has exactly the bugs of its release and its controller", arguments: rows)
  func bugs(row: Row) {
    let findings = examine(row).findings
    func names(_ id: Finding.ID) -> [String] {
      findings.filter { $0.id == id }.map(\.subject).sorted()
    }
    #expect(names(.knownKernelBug) == row.known.sorted())
    #expect(names(.possibleKernelBug) == row.possible.sorted())
    #expect(findings.count == row.known.count + row.possible.count)
  }

  @Test("a finding says how the bug shows, which releases fix it, and what helps until then")
  func text() throws {
    let row = Row(release: "6.14.2")
    let finding = try #require(
      examine(row).findings.first { $0.subject == "enable-survives-shutdown" })
    #expect(finding.severity == .warning)
    #expect(finding.evidence == [Finding.Evidence("uname -r", "6.14.2")])
    #expect(
      finding.explanation.contains("`Device not ready; aborting initialisation, CSTS=0x0`"))
    #expect(
      finding.remedy.hasPrefix(
        "install a kernel with the fix (6.15, 6.14.4); until then: after each shutdown of the host:"
      ))
  }

  @Test(
    "for a kernel that is not upstream's it says what the release does not tell",
    arguments: [
      ("6.14.0-29-generic", "Ubuntu adds fixes to 6.14 without changing its version"),
      ("6.18.2-current-rockchip64", "judged by the stable release 6.18.2; Armbian may have added"),
      ("6.1.115-vendor-rk35xx", "Armbian's vendor tree is based on 6.1.115 and has drivers"),
    ])
  func reservation(_ release: String, _ text: String) {
    let driver: SimulatedKernel.Release = release.hasPrefix("6.1.") ? .linux6_12 : .linux7_2
    let findings = examine(Row(release: release, driver: driver)).findings
    #expect(!findings.isEmpty)
    #expect(findings.allSatisfy { $0.explanation.contains(text) })
  }

  @Test("a host is missed, though not its link, where the driver does not log that")
  func silentLink() throws {
    let patient = Patient(.linux7_2)
    patient.machine.release = "6.14.2"
    patient.machine.controllers[0].cable = nil
    try patient.simulated.setUp(patient.shipped)
    patient.kernel.advance(by: .seconds(1))
    let finding = try #require(patient.examine().findings.first { $0.id == .hostAbsent })
    #expect(
      finding.explanation
        == "nvmet_pci_epf of Linux 6.14.2 does not log link changes, and no host has enabled the controller since the function was bound"
    )
  }

  @Test("a release that is no version of Linux is reported as not inspected")
  func unreadable() {
    let diagnosis = examine(Row(release: "experimental"))
    #expect(diagnosis.findings == [])
    #expect(
      diagnosis.notInspected.contains {
        $0.what == "known bugs of this kernel" && $0.reason.contains("\"experimental\"")
      })
  }
}
