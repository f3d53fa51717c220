// SPDX-License-Identifier: Apache-2.0

extension SimulatedKernel {
  /// An endpoint controller and the features of its driver.
  /// - Source: `include/linux/pci-epc.h`, `struct pci_epc_features`.
  public struct EndpointController: Codable, Sendable, Hashable {
    /// The driver's features of BAR 0.
    public enum BAR0: Codable, Sendable, Hashable {
      case programmable
      /// Bytes.
      case fixed(UInt64)
      case resizable, reserved, disabled
    }

    /// An operation of the controller driver that can fail with EINVAL on request.
    public enum Operation: String, Codable, Sendable, Hashable {
      case start, writeHeader, setBAR, setMSI, setMSIX
    }

    /// The directory's name in `pci_ep/controllers`.
    public var name: String
    /// The compatible of its node in the device tree; nil for an unknown one.
    public var compatible: String?
    public var maximumFunctions = 1
    /// Virtual functions per function.
    public var maximumVirtualFunctions = 0
    /// Whether the driver describes itself at all (`get_features`).
    public var hasFeatures = true
    public var isMSIXCapable = true
    public var isMSICapable = true
    public var isINTxCapable = false
    public var hasLinkUpNotifier = true
    /// Whether the controller is initialised only when the host releases PERST#.
    public var initializesAtReset = false
    public var bar0 = BAR0.programmable
    /// Alignment of inbound windows, bytes.
    public var alignment: UInt64 = 1
    public var hasStop = true
    /// Whether slave DMA channels exist in both directions.
    public var hasDMA = false
    public var failingOperations: Set<Operation> = []
    /// The other end of the cable; nil if it is not connected, or controlled manually (``SimulatedKernel/host(_:at:)``).
    public var cable: Cable?

    public init(name: String) { self.name = name }

    /// The controller of the RK3588: MSI and MSI-X, a link-up notifier, windows of 64 KiB, a resizable BAR 0.
    /// - Source: `drivers/pci/controller/dwc/pcie-dw-rockchip.c`, `rockchip_pcie_epc_features_rk3588`.
    public static let rock5B: EndpointController = {
      var controller = EndpointController(name: "a40000000.pcie-ep")
      controller.compatible = "rockchip,rk3588-pcie-ep"
      controller.bar0 = .resizable
      controller.alignment = 65536
      controller.hasDMA = true
      return controller
    }()

    /// The controller of the RK3399: MSI without MSI-X, a link-up notifier, windows of 256 bytes, eight functions.
    /// - Source: `drivers/pci/controller/pcie-rockchip-ep.c`, `rockchip_pcie_epc_features`;
    ///   `arch/arm64/boot/dts/rockchip/rk3399.dtsi`, `max-functions`.
    public static let rockPro64: EndpointController = {
      var controller = EndpointController(name: "fd000000.pcie-ep")
      controller.compatible = "rockchip,rk3399-pcie-ep"
      controller.isMSIXCapable = false
      controller.alignment = 256
      controller.maximumFunctions = 8
      return controller
    }()

    /// The controller of `epfnvme link`, whose name is its PCI address: MSI-X, MSI and INTx, DMA channels, BARs of any size.
    public static func link(_ name: String) -> EndpointController {
      var controller = EndpointController(name: name)
      controller.isINTxCapable = true
      controller.hasDMA = true
      return controller
    }

    /// Whether a name is that of a controller that is itself a PCI device: `0000:00:03.0`.
    public static func isPCIAddress(_ name: String) -> Bool {
      let parts = name.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0].count == 4, parts[1].count == 2 else { return false }
      return UInt16(parts[0], radix: 16) != nil && UInt8(parts[1], radix: 16) != nil
        && parts[2].split(separator: ".").count == 2
    }

    /// A software controller as the lab's: MSI and MSI-X, no notifier, no DMA, small windows.
    public static func virtual(_ name: String) -> EndpointController {
      var controller = EndpointController(name: name)
      controller.hasLinkUpNotifier = false
      return controller
    }
  }
}
