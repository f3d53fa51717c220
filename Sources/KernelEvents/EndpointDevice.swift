// SPDX-License-Identifier: Apache-2.0
public import LinuxFiles
public import SystemPackage

/// A device of class `pci_epc`: an endpoint controller, as sysfs has it. Its features are not exported.
/// - Source: `drivers/pci/endpoint/pci-epc-core.c`, `__pci_epc_create`.
public struct EndpointDevice: Sendable, Hashable {
  /// The name that its directory below `pci_ep/controllers` has.
  public var name: String
  /// The driver of its hardware, `rockchip-dw-pcie`; nil if none is bound.
  public var driver: String?

  public init(name: String, driver: String?) {
    self.name = name
    self.driver = driver
  }

  /// All endpoint controllers of this machine, by name.
  public static func all() throws(Errno) -> [EndpointDevice] {
    #if Libudev
      try enumerate().sorted { $0.name < $1.name }
    #else
      try list(FilePath("/sys/class/pci_epc")).sorted { $0.name < $1.name }
    #endif
  }

  /// The kernel modules of the drivers of all endpoint controllers, in order, including built-in ones.
  /// - Parameter sysfs: where sysfs is mounted.
  /// - Source: `drivers/base/module.c`, `module_add_driver`; in older kernels a driver in the kernel image has no module there unless that
  ///   has parameters.
  public static func modules(sysfs: FilePath = "/sys") -> [String] {
    let directory = sysfs.appending("class/pci_epc")
    let names = (try? directoryNames(directory)) ?? []
    let found = names.flatMap { name -> [String] in
      let driver = directory.appending(name).appending("device/driver")
      if let module = (try? linkText(driver.appending("module")))?.lastComponent { return [module] }
      return (try? linkText(driver))?.lastComponent.flatMap { builtInModules[$0] } ?? []
    }
    return Set(found).sorted()
  }

  /// The compatibles of a controller's node in the device tree, most specific first; empty without a node.
  /// - Parameter sysfs: where sysfs is mounted.
  public static func compatible(of name: String, sysfs: FilePath = "/sys") -> [String] {
    let node = sysfs.appending("class/pci_epc").appending(name).appending("device/of_node")
    return compatible(atNode: node, in: LiveSystemFiles())
  }

  /// The compatibles of a node of the device tree.
  public static func compatible(
    atNode node: FilePath, in files: some SystemFiles
  ) -> [String] {
    ((try? files.bytes(of: node.appending("compatible"))) ?? []).split(separator: 0).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Modules of drivers in the kernel image, where sysfs does not name them.
  /// - Source: `drivers/pci/controller/dwc/pcie-dw-rockchip.c` and `drivers/pci/controller/pcie-rockchip-ep.c`, `platform_driver`.
  private static let builtInModules = [
    "rockchip-dw-pcie": ["pcie_dw_rockchip"], "rockchip-pcie-ep": ["pcie_rockchip_ep"],
  ]

  #if Libudev
    private static func enumerate() throws(Errno) -> [EndpointDevice] {
      try enumerateDevices(of: "pci_epc").map {
        EndpointDevice(name: $0.name, driver: $0.parentDriver)
      }
    }
  #else
    private static func list(_ directory: FilePath) throws(Errno) -> [EndpointDevice] {
      let names: [String]
      // A kernel without endpoint support has no such class.
      do { names = try directoryNames(directory) } catch .noSuchFileOrDirectory { return [] }
      return names.map { name in
        let link = directory.appending(name).appending("device").appending("driver")
        let driver = try? linkText(link)
        return EndpointDevice(
          name: name, driver: driver?.lastComponent)
      }
    }
  #endif
}
