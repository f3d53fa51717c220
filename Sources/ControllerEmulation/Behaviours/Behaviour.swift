// SPDX-License-Identifier: Apache-2.0

/// The controller to emulate.
public enum Behaviour: String, Sendable, Hashable, CaseIterable {
  /// The out-of-tree driver of Linux 6.12: `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
  case pciEPFNVMe = "pci_epf_nvme"
  /// `nvmet_pci_epf`, in Linux since 6.14: `drivers/nvme/target/pci-epf.c`.
  case nvmetPCIEPF = "nvmet_pci_epf"
  /// The reference controller: the behaviour of the specification.
  case reference

  /// The deviations that the driver really has.
  public var quirks: Set<Quirk> {
    Set(Quirk.allCases.filter { $0.behaviour == self })
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
