// SPDX-License-Identifier: Apache-2.0
import Doctor
import Provisioning
import SystemPackage
import TestSupport
import Testing

/// The doctor's table of endpoint controllers agrees with the reference (Docs/Reference/Kernel/pci_ep.md, 16).
@Suite("Known endpoint controllers")
struct KnownControllerTests {
  /// The compatible strings of the drivers in the reference.
  static let compatible: [String: [String]] = [
    "rockchip dwc (rk3568, rk3588)": ["rockchip,rk3568-pcie-ep", "rockchip,rk3588-pcie-ep"],
    "rockchip (rk3399)": ["rockchip,rk3399-pcie-ep"],
    "cadence (j721e, …)": ["ti,j721e-pcie-ep", "ti,am64-pcie-ep", "cdns,cdns-pcie-ep"],
    "dra7xx": ["ti,dra7-pcie-ep", "ti,dra746-pcie-ep", "ti,dra726-pcie-ep"],
    "keystone am654": ["ti,am654-pcie-ep"],
    "tegra194/234": ["nvidia,tegra194-pcie-ep", "nvidia,tegra234-pcie-ep"],
    "qcom": ["qcom,sdx55-pcie-ep", "qcom,sm8450-pcie-ep"],
    "layerscape": ["fsl,ls1046a-pcie-ep", "fsl,lx2160ar2-pcie-ep"],
    "imx8m / imx8q": ["fsl,imx8mp-pcie-ep", "fsl,imx8q-pcie-ep"],
    "imx95": ["fsl,imx95-pcie-ep"],
    "rcar-gen4": ["renesas,rcar-gen4-pcie-ep", "renesas,r8a779f0-pcie-ep"],
    "rcar (gen3)": ["renesas,rcar-gen3-pcie-ep", "renesas,r8a774c0-pcie-ep"],
    "uniphier pro5 / nx1": ["socionext,uniphier-pro5-pcie-ep", "socionext,uniphier-nx1-pcie-ep"],
    "keembay": ["intel,keembay-pcie-ep"],
    "stm32mp2": ["st,stm32mp25-pcie-ep"],
    "artpec6": ["axis,artpec6-pcie-ep", "axis,artpec7-pcie-ep"],
    "designware-plat": ["snps,dw-pcie-ep"],
  ]

  /// A row of the reference: driver, link-up notifier, MSI, MSI-X, INTx, alignment, BARs, initialisation, usable.
  private static func rows() throws -> [[String]] {
    let file = ShippedProfile.repository.appending("Docs/Reference/Kernel/pci_ep.md")
    let lines = String(decoding: try readFile(file), as: UTF8.self).split(separator: "\n")
    let head = try #require(lines.firstIndex { $0.hasPrefix("| Driver | Up-notify |") })
    return lines[(head + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
        .map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
    }
  }

  @Test("every row of the reference is known, with its features")
  func reference() throws {
    let rows = try Self.rows()
    #expect(rows.count == Self.compatible.count)
    for row in rows {
      let names = try #require(Self.compatible[row[0]], "\(row[0])")
      for name in names {
        let known = try #require(KnownController.of([name]), "\(name)")
        let depends = row[2] == "by HW"
        #expect(known.hasMSI == (depends ? nil : row[2] == "yes"), "\(name)")
        #expect(known.hasMSIX == (depends ? nil : row[3] == "yes"), "\(name)")
        #expect(known.hasINTx == (row[4] == "yes"), "\(name)")
        #expect((known.alignment == nil) == row[5].isEmpty, "\(name)")
        #expect(known.waitsForHost == (row[7] == "PERST#"), "\(name)")
        #expect((known.refusal == nil) == row[8].hasPrefix("yes"), "\(name)")
        let isLarge = row[6].contains("so BAR 0 = 1 MiB") || row[6].contains("BAR 0 resizable")
        #expect((known.bar0 == .resizable) == isLarge, "\(name)")
        #expect(known.option?.hasSuffix("_EP") == true, "\(name)")
      }
    }
  }

  @Test("the most specific compatible string counts, and unknown hardware is not known")
  func names() {
    let gen4 = KnownController.of(["renesas,r8a779f0-pcie-ep", "renesas,rcar-gen4-pcie-ep"])
    #expect(gen4?.bar0 == .resizable)
    #expect(KnownController.of(["fsl,imx95-pcie-ep"])?.alignment == 4096)
    #expect(KnownController.of(["acme,pcie-ep"]) == nil)
    #expect(KnownController.of([]) == nil)
  }

  @Test(
    "the diagnosis of a controller has the reports of its vendor and users",
    arguments: [
      ("ti,j721e-pcie-ep", "TI LCPD-16396"), ("xlnx,versal-pcie-ep", "fixed in the bitstream"),
      ("rockchip,rk3588-pcie-ep", "remove the device and rescan"),
      ("rockchip,rk3588-pcie-ep", "BAR 0 is resizable, so 1 MiB"),
      ("nvidia,tegra194-pcie-ep", "initialised when the host releases PERST#"),
      ("fsl,ls1046a-pcie-ep", "MSI and MSI-X depend on the hardware"),
    ])
  func notes(compatible: String, text: String) {
    #expect(KnownController.of([compatible])?.facts.contains(text) == true)
  }
}
