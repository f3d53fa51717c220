// SPDX-License-Identifier: Apache-2.0
public import KernelHistory

/// The controller to emulate.
public enum Behaviour: String, Sendable, Hashable, CaseIterable {
  /// The out-of-tree driver of Linux 6.12: `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
  case pciEPFNVMe = "pci_epf_nvme"
  /// `nvmet_pci_epf`, in Linux since 6.14: `drivers/nvme/target/pci-epf.c`.
  case nvmetPCIEPF = "nvmet_pci_epf"
  /// The reference controller: the behaviour of the specification.
  case reference

  /// The quirks of the driver in Linux 7.2.13, or of the out-of-tree driver.
  public var quirks: QuirkSet {
    switch self {
    case .nvmetPCIEPF: Self.newestQuirks
    case .pciEPFNVMe, .reference: quirks(in: KernelVersion(6, 12))
    }
  }

  private static let newestQuirks = nvmetPCIEPF.quirks(in: KernelVersion(7, 2, 13))

  /// The quirks of the driver in a release.
  public func quirks(in version: KernelVersion) -> QuirkSet {
    QuirkSet(Quirk.allCases.filter { $0.behaviour == self && $0.isPresent(in: version) })
  }
}

extension Behaviour {
  /// The type that implements it. Nothing else in this target distinguishes the cases.
  var implementation: any ControllerBehaviour.Type {
    switch self {
    case .pciEPFNVMe: PCIEPFNVMe.self
    case .nvmetPCIEPF: NVMetPCIEPF.self
    case .reference: Reference.self
    }
  }
}
