// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import Testing

/// Both tables on all behaviours; a driver deviates only where the table says so, and why.
@Suite struct ConformanceTests {
  static let all = HostExpectation.all

  @Test("the reference controller follows the specification", arguments: all)
  func reference(_ expectation: HostExpectation) {
    #expect(expectation.observe(.reference) == expectation.outcome)
  }

  @Test("pci_epf_nvme follows the specification, or its documented deviation", arguments: all)
  func pciEPFNVMe(_ expectation: HostExpectation) {
    #expect(
      expectation.observe(.pciEPFNVMe) == expectation.deviations[.pciEPFNVMe]?.outcome
        ?? expectation.outcome)
  }

  @Test("nvmet_pci_epf follows the specification, or its documented deviation", arguments: all)
  func nvmetPCIEPF(_ expectation: HostExpectation) {
    #expect(
      expectation.observe(.nvmetPCIEPF) == expectation.deviations[.nvmetPCIEPF]?.outcome
        ?? expectation.outcome)
  }

  private static let deviatingQuirks: [(HostExpectation, Behaviour, Quirk)] = all.flatMap {
    expectation in
    Behaviour.allCases.compactMap { behaviour in
      guard case .quirk(let quirk)? = expectation.deviations[behaviour]?.reason else { return nil }
      return (expectation, behaviour, quirk)
    }
  }

  @Test(
    "a deviation that is a quirk disappears when the quirk is disabled", arguments: deviatingQuirks)
  func quirks(_ expectation: HostExpectation, _ behaviour: Behaviour, _ quirk: Quirk) {
    #expect(quirk.behaviour == behaviour)
    #expect(expectation.observe(behaviour, without: quirk) == expectation.outcome)
  }

  @Test("every deviation differs from the specification", arguments: all)
  func deviations(_ expectation: HostExpectation) {
    for deviation in expectation.deviations.values {
      #expect(deviation.outcome != expectation.outcome)
    }
    #expect(expectation.deviations[.reference] == nil)
  }

  @Test("the compliance list has 18 expectations with unique names")
  func counts() {
    #expect(HostExpectation.compliance.count == 18)
    #expect(Set(Self.all.map(\.name)).count == Self.all.count)
  }
}

extension HostExpectation: CustomTestStringConvertible {
  public var testDescription: String { name }
}
