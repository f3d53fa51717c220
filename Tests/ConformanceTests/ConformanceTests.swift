// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Testing

/// Both tables on all personalities; a driver deviates only where the table says so, and why.
@Suite struct ConformanceTests {
  static let all = Expectation.compliance + Expectation.regressions

  @Test("the reference controller follows the specification", arguments: all)
  func strict(_ expectation: Expectation) {
    #expect(expectation.observe(.strict) == expectation.outcome)
  }

  @Test("pci_epf_nvme follows the specification, or its documented deviation", arguments: all)
  func seed(_ expectation: Expectation) {
    #expect(
      expectation.observe(.pciEPFNVMe) == expectation.seed?.outcome ?? expectation.outcome)
  }

  @Test("nvmet_pci_epf follows the specification, or its documented deviation", arguments: all)
  func mainline(_ expectation: Expectation) {
    #expect(
      expectation.observe(.nvmetPCIEPF) == expectation.mainline?.outcome ?? expectation.outcome)
  }

  @Test(
    "a deviation that is a quirk disappears when the quirk is disabled",
    arguments: all, [Personality.pciEPFNVMe, .nvmetPCIEPF])
  func quirks(_ expectation: Expectation, _ personality: Personality) {
    guard case .quirk(let quirk)? = expectation.deviation(of: personality)?.reason else {
      // Nothing to switch off: what it does is in the other tests.
      return #expect(personality != .strict)
    }
    #expect(quirk.personality == personality)
    #expect(expectation.observe(personality, without: quirk) == expectation.outcome)
  }

  @Test("every deviation differs from the specification", arguments: all)
  func deviations(_ expectation: Expectation) {
    #expect(expectation.seed?.outcome != expectation.outcome)
    #expect(expectation.mainline?.outcome != expectation.outcome)
  }

  @Test("the compliance list has 18 expectations with unique names")
  func counts() {
    #expect(Expectation.compliance.count == 18)
    #expect(Set(Self.all.map(\.name)).count == Self.all.count)
  }
}
