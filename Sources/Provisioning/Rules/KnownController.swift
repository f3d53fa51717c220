// SPDX-License-Identifier: Apache-2.0

/// Features in the source of an endpoint controller's driver that are the same on all chips; the kernel does not export them.
/// - Source: `struct pci_epc_features` in `drivers/pci/controller`, Linux 7.2 (Docs/Reference/Kernel/pci_ep.md, 16); `Kconfig` there.
package struct KnownController: Sendable {
  package enum BAR0: Sendable, Hashable {
    case programmable
    /// Of 1 MiB at least, in contiguous memory.
    case resizable
    /// The NVMe drivers cannot use it, with the reason.
    case unusable(String)
  }

  /// Compatible strings of the device tree; one that ends with `*` is a prefix.
  package var compatible: [String]
  /// The option that builds the driver of the hardware; nil for a driver outside the kernel's sources.
  package var option: String?
  /// nil where it depends on the hardware's configuration.
  package var hasMSI: Bool? = true
  package var hasMSIX: Bool? = false
  package var hasINTx = false
  /// Of outbound windows, in bytes.
  package var alignment: Int?
  package var bar0 = BAR0.programmable
  /// Whether it is initialised when the host releases PERST#, and not at the driver's probe.
  package var waitsForHost = false
  /// The reports of its vendor or its users.
  package var notes: [String] = []

  /// The controller of a device tree node; nil for an unknown one.
  /// - Parameter compatible: of the node, most specific first.
  package static func of(_ compatible: [String]) -> KnownController? {
    for name in compatible {
      if let known = all.first(where: { $0.matches(name) }) { return known }
    }
    return nil
  }

  private func matches(_ name: String) -> Bool {
    compatible.contains { $0.hasSuffix("*") ? name.hasPrefix($0.dropLast()) : name == $0 }
  }

  /// Why the NVMe drivers cannot use it; nil when they can.
  package var refusal: String? { if case .unusable(let reason) = bar0 { reason } else { nil } }

  /// The features in words.
  package var facts: String {
    let kinds: [(String, Bool?)] = [("MSI", hasMSI), ("MSI-X", hasMSIX), ("INTx", hasINTx)]
    var facts = [
      kinds.filter { $0.1 == true }.map(\.0).joined(separator: " and "),
      kinds.contains { $0.1 == nil } ? "MSI and MSI-X depend on the hardware" : "",
      hasMSIX == false ? "no MSI-X" : "",
    ]
    if bar0 == .resizable { facts.append("BAR 0 is resizable, so 1 MiB") }
    if let alignment {
      facts.append(
        "windows aligned to \(alignment >= 1024 ? "\(alignment / 1024) KiB" : "\(alignment) bytes")"
      )
    }
    if waitsForHost { facts.append("initialised when the host releases PERST#") }
    return (facts + notes).filter { !$0.isEmpty }.joined(separator: "; ")
  }

  /// A note on endpoints that people restart under a running host.
  private static let staleHost =
    "after a stop and start under a running host, the host must remove the device and rescan"

  package static let all: [KnownController] = [
    KnownController(
      compatible: ["rockchip,rk3568-pcie-ep", "rockchip,rk3588-pcie-ep"],
      option: "PCIE_ROCKCHIP_DW_EP", hasMSIX: true, alignment: 65536, bar0: .resizable,
      notes: [staleHost]),
    KnownController(
      compatible: ["rockchip,rk3399-pcie-ep"], option: "PCIE_ROCKCHIP_EP", hasINTx: true),
    KnownController(
      compatible: ["ti,am654*"], option: "PCI_KEYSTONE_EP", hasMSIX: true, alignment: 65536,
      bar0: .unusable("its BAR 0 is reserved, and the drivers need BAR 0 (ENODEV)")),
    KnownController(compatible: ["ti,dra7*"], option: "PCI_DRA7XX_EP"),
    KnownController(
      compatible: ["ti,j7*", "ti,am6*"], option: "PCI_J721E_EP", hasMSIX: true, alignment: 256,
      notes: [
        "a J721E as the host aborts unless every function of the endpoint is configured (TI LCPD-16396)"
      ]),
    KnownController(
      compatible: ["cdns,cdns-pcie-ep"], option: "PCIE_CADENCE_PLAT_EP", hasMSIX: true,
      alignment: 256),
    KnownController(
      compatible: ["nvidia,tegra*"], option: "PCIE_TEGRA194_EP", alignment: 65536,
      waitsForHost: true),
    KnownController(
      compatible: ["qcom,*"], option: "PCIE_QCOM_EP", alignment: 4096, waitsForHost: true),
    KnownController(
      compatible: ["fsl,ls*", "fsl,lx*"], option: "PCI_LAYERSCAPE_EP", hasMSI: nil, hasMSIX: nil),
    KnownController(compatible: ["fsl,imx95*"], option: "PCI_IMX6_EP", alignment: 4096),
    KnownController(compatible: ["fsl,imx*"], option: "PCI_IMX6_EP", alignment: 65536),
    KnownController(
      compatible: ["renesas,rcar-gen4*", "renesas,r8a779*"], option: "PCIE_RCAR_GEN4_EP",
      alignment: 4096, bar0: .resizable),
    KnownController(
      compatible: ["renesas,*"], option: "PCIE_RCAR_EP",
      bar0: .unusable("its BAR 0 has 128 bytes, too few for NVMe's registers (ENOMEM)")),
    KnownController(
      compatible: ["socionext,uniphier-pro5*"], option: "PCIE_UNIPHIER_EP", alignment: 65536),
    KnownController(
      compatible: ["socionext,uniphier-nx1*"], option: "PCIE_UNIPHIER_EP", alignment: 4096),
    KnownController(
      compatible: ["intel,keembay*"], option: "PCIE_KEEMBAY_EP", hasMSIX: true, alignment: 16384),
    KnownController(
      compatible: ["st,stm32mp2*"], option: "PCIE_STM32_EP", alignment: 65536, waitsForHost: true),
    KnownController(compatible: ["axis,artpec*"], option: "PCIE_ARTPEC6_EP"),
    KnownController(
      compatible: ["snps,dw-pcie-ep"], option: "PCIE_DW_PLAT_EP", hasMSIX: true),
    KnownController(
      compatible: ["xlnx,*"], hasMSI: nil, hasMSIX: nil,
      notes: [
        "the class code is fixed in the bitstream: set 010802 in the hardware design, or bind the host's driver by ID"
      ]),
  ]
}
