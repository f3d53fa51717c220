// SPDX-License-Identifier: Apache-2.0
#if !Libudev
  internal import LinuxFiles
#endif
public import SystemPackage

/// A device of class `pci_epc`: an endpoint controller, as sysfs has it. Its features are not exported.
/// - Source: `drivers/pci/endpoint/pci-epc-core.c`, `__pci_epc_create`.
public struct EndpointDevice: Sendable, Hashable {
  /// The name that its directory below `pci_ep/controllers` has.
  public var name: String
  /// The driver of the hardware behind it, `rockchip-dw-pcie`; nil when none is bound.
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
          name: name, driver: driver?.split(separator: "/").last.map(String.init))
      }
    }
  #endif
}
