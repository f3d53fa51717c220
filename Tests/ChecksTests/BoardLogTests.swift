// SPDX-License-Identifier: Apache-2.0
import BoardTests
import Provisioning
import Testing

/// The driver's lines on the board beside those of its emulation.
@Suite("The driver's lines")
struct BoardLogTests {
  private static let node = "nvmet_pci_epf nvmet_pci_epf.0: "
  private static let vectors = node + "PCI endpoint controller supports MSI-X, 32 vectors"
  private static let created = node + "New PCI ctrl \"a\", 4 I/O queues, mdts 131072 B"
  private static let expected = ["nvmet: adding nsid 1 to subsystem a", vectors, created]

  private func outcomes(_ lines: [String]) -> [String: Check.Outcome] {
    let cases = BoardLog.cases(
      expected: Self.expected, lines: lines, driver: "nvmet_pci_epf", nqns: [])
    return Dictionary(uniqueKeysWithValues: cases.map { ($0.id, $0.outcome) })
  }

  @Test("the same lines pass, independent of other kernel messages")
  func same() {
    let found = outcomes(["usb 1-1: new device", Self.vectors, Self.created, "EXT4-fs: mounted"])
    #expect(
      found == [
        "log nvmet_pci_epf.0 interrupt-vectors": .passed,
        "log nvmet_pci_epf.0 controller-created": .passed,
      ])
  }

  @Test("another number of queues fails")
  func queues() {
    let other = Self.created.replacing("4 I/O", with: "2 I/O")
    #expect(
      outcomes([Self.vectors, other])["log nvmet_pci_epf.0 controller-created"] == .failed)
  }

  @Test("a missing line fails")
  func missing() {
    #expect(outcomes([Self.vectors])["log nvmet_pci_epf.0 controller-created"] == .failed)
  }

  @Test("the last binding counts")
  func last() {
    let old = Self.created.replacing("4 I/O", with: "2 I/O")
    #expect(
      outcomes([old, Self.vectors, Self.created])["log nvmet_pci_epf.0 controller-created"]
        == .passed)
  }

  @Test("the same number of MSI vectors passes, fewer fail", arguments: [(32, true), (4, false)])
  func messages(count: Int, isEnough: Bool) {
    let line = Self.node + "PCI endpoint controller supports MSI, \(count) vectors"
    #expect(
      outcomes([line, Self.created])["log nvmet_pci_epf.0 interrupt-vectors"]
        == (isEnough ? .passed : .failed))
  }

  @Test(
    "it passes with and without a DMA engine, unless DMA is off",
    arguments: [
      ("DMA supported", "DMA not supported, falling back to mmio", true),
      ("DMA not supported, falling back to mmio", "DMA supported", true),
      ("DMA disabled", "DMA disabled", true), ("DMA disabled", "DMA supported", false),
      ("DMA supported", "DMA disabled", false),
    ])
  func engine(_ expected: String, _ found: String, _ passes: Bool) {
    let node = "pci_epf_nvme pci_epf_nvme.0: "
    let cases = BoardLog.cases(
      expected: [node + expected], lines: [node + found], driver: "pci_epf_nvme", nqns: [])
    #expect(cases.map(\.outcome) == [passes ? .passed : .failed])
    #expect(cases.map(\.actual) == [node + found])
  }

  @Test("a function that is bound again on a machine without a DMA engine passes")
  func boundAgainWithoutEngine() {
    let node = "pci_epf_nvme pci_epf_nvme.0: "
    let first = node + "DMA not supported, falling back to mmio"
    func outcome(_ lines: [String], expecting expected: String) -> [Check.Outcome] {
      BoardLog.cases(
        expected: [node + expected], lines: lines, driver: "pci_epf_nvme", nqns: []
      ).map(\.outcome)
    }
    let lines = [first, node + "DMA disabled"]
    #expect(outcome(lines, expecting: "DMA supported") == [.passed])
    #expect(outcome(lines, expecting: first.replacing(node, with: "")) == [.passed])
    let engine = [node + "DMA supported", node + "DMA disabled"]
    #expect(outcome(engine, expecting: "DMA supported") == [.failed])
  }

  @Test("a log that has lost the driver's lines is a skip, not a failure")
  func lost() {
    let found = outcomes(["nvmet_pci_epf nvmet_pci_epf.1: New PCI ctrl \"b\""])
    #expect(found.count == 2)
    for outcome in found.values {
      guard case .skipped(let reason) = outcome else {
        Issue.record("\(outcome)")
        continue
      }
      #expect(reason.contains("nvmet_pci_epf.0"))
    }
  }

  @Test("a function is found by its target, independent of its device number")
  func otherNumber() {
    let lines = Self.expected.map {
      $0.replacing("nvmet_pci_epf nvmet_pci_epf.0: ", with: "nvmet_pci_epf nvmet_pci_epf.3: ")
    }
    let created = Self.expected.first { $0.contains("New PCI ctrl") } ?? ""
    let nqn = created.split(separator: "\"").dropFirst().first.map(String.init) ?? ""
    #expect(!nqn.isEmpty)
    let other = ["nvmet_pci_epf nvmet_pci_epf.0: New PCI ctrl \"other\", 1 I/O queues, mdts 4096 B"]
    let cases = BoardLog.cases(
      expected: Self.expected, lines: other + lines, driver: "nvmet_pci_epf", nqns: [nqn])
    #expect(!cases.isEmpty)
    #expect(cases.allSatisfy { $0.hasPassed })
  }
}
