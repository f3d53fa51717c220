// SPDX-License-Identifier: Apache-2.0
internal import LinuxFiles
internal import SystemPackage

/// A PCIe port in endpoint mode as the device tree has it.
/// - Source: `Documentation/devicetree/bindings/pci/pci-ep.yaml`; Devicetree Specification 0.4, 2.3.
struct DeviceTreeEndpoint {
  var path: FilePath
  /// Most specific first.
  var compatible: [String]
  /// `okay` when the node has no status.
  var status: String

  var isEnabled: Bool { status == "okay" || status == "ok" }

  /// The node at a path; nil when it is no endpoint.
  init?(_ path: FilePath, _ files: any SystemFiles) {
    guard let bytes = try? files.bytes(of: path.appending("compatible")) else { return nil }
    compatible = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    guard
      compatible.contains(where: {
        $0.hasSuffix("-ep") || $0.contains("pcie-ep") || $0.contains("pcie_ep")
      })
    else { return nil }
    self.path = path
    let status = (try? files.bytes(of: path.appending("status"))) ?? []
    self.status =
      status.isEmpty ? "okay" : String(decoding: status.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// All endpoints of a machine: below the root and below its buses.
  static func all(_ files: any SystemFiles) -> [DeviceTreeEndpoint] {
    var found: [DeviceTreeEndpoint] = []
    func look(in directory: FilePath, depth: Int) {
      for name in ((try? files.names(in: directory)) ?? []).sorted() {
        let path = directory.appending(name)
        if name.hasPrefix("pcie"), let endpoint = DeviceTreeEndpoint(path, files) {
          found.append(endpoint)
        } else if depth > 0, buses.contains(where: { name.hasPrefix($0) }) {
          look(in: path, depth: depth - 1)
        }
      }
    }
    look(in: root, depth: 3)
    return found
  }

  static let root: FilePath = "/proc/device-tree"
  private static let buses = ["soc", "bus", "axi", "interconnect", "fabric"]

  /// The option that builds the driver of the hardware; nil when it is not known here.
  /// - Source: `drivers/pci/controller/dwc/Kconfig`, `drivers/pci/controller/Kconfig`, `drivers/pci/controller/cadence/Kconfig`.
  var option: String? {
    for name in compatible {
      switch name {
      case "rockchip,rk3568-pcie-ep", "rockchip,rk3588-pcie-ep": return "PCIE_ROCKCHIP_DW_EP"
      case "rockchip,rk3399-pcie-ep": return "PCIE_ROCKCHIP_EP"
      case _ where name.hasPrefix("fsl,imx"): return "PCI_IMX6_EP"
      case _ where name.hasPrefix("fsl,ls"): return "PCI_LAYERSCAPE_EP"
      case _ where name.hasPrefix("qcom,"): return "PCIE_QCOM_EP"
      case _ where name.hasPrefix("nvidia,tegra"): return "PCIE_TEGRA194_EP"
      case _ where name.hasPrefix("ti,am654"): return "PCI_KEYSTONE_EP"
      case _ where name.hasPrefix("ti,dra7"): return "PCI_DRA7XX_EP"
      case _ where name.hasPrefix("ti,"): return "PCI_J721E_EP"
      case _ where name.hasPrefix("renesas,rcar-gen4"): return "PCIE_RCAR_GEN4_EP"
      case _ where name.hasPrefix("renesas,"): return "PCIE_RCAR_EP"
      case "snps,dw-pcie-ep": return "PCIE_DW_PLAT_EP"
      default: continue
      }
    }
    return nil
  }
}

/// Features in the source of the endpoint controller's driver that are the same on all chips; the kernel does not export them.
/// - Source: `struct pci_epc_features` in `drivers/pci/controller`, Linux 7.2.
struct KnownController {
  var interrupts: String
  /// Why the NVMe drivers cannot use it; nil when they can.
  var refusal: String?

  init?(_ compatible: [String]) {
    for name in compatible {
      switch name {
      case "rockchip,rk3568-pcie-ep", "rockchip,rk3588-pcie-ep":
        interrupts = "MSI and MSI-X; BAR 0 is resizable, so 1 MiB; windows aligned to 64 KiB"
      case "rockchip,rk3399-pcie-ep": interrupts = "MSI and INTx, no MSI-X"
      case _ where name.hasPrefix("ti,am654"):
        interrupts = "MSI and MSI-X"
        refusal = "its BAR 0 is reserved, and the drivers need BAR 0 (ENODEV)"
      case _ where name.hasPrefix("renesas,rcar-gen3"), "renesas,r8a774c0-pcie-ep":
        interrupts = "MSI, no MSI-X"
        refusal = "its BAR 0 has 128 bytes, too few for NVMe's registers (ENOMEM)"
      case _ where name.hasPrefix("renesas,rcar-gen4"):
        interrupts = "MSI, no MSI-X; BAR 0 is resizable, so 1 MiB"
      case _ where name.hasPrefix("nvidia,tegra"), _ where name.hasPrefix("qcom,"):
        interrupts = "MSI, no MSI-X; initialised when the host releases PERST#"
      case _ where name.hasPrefix("fsl,imx"): interrupts = "MSI, no MSI-X"
      default: continue
      }
      return
    }
    return nil
  }
}
