// SPDX-License-Identifier: Apache-2.0
#if Libudev
  internal import CUdev
#else
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
      guard let context = unsafe udev_new() else { throw .noMemory }
      defer { _ = unsafe udev_unref(context) }
      guard let search = unsafe udev_enumerate_new(context) else { throw .noMemory }
      defer { _ = unsafe udev_enumerate_unref(search) }
      var status = unsafe udev_enumerate_add_match_subsystem(search, "pci_epc")
      if status >= 0 { status = unsafe udev_enumerate_scan_devices(search) }
      guard status >= 0 else { throw Errno(rawValue: -status) }
      var found: [EndpointDevice] = []
      var entry = unsafe udev_enumerate_get_list_entry(search)
      while let current = unsafe entry {
        // Nil for one that has gone meanwhile.
        if let path = unsafe udev_list_entry_get_name(current),
          let device = unsafe udev_device_new_from_syspath(context, path)
        {
          if let name = unsafe udev_device_get_sysname(device) {
            // The parent belongs to its child and is not released.
            let parent = unsafe udev_device_get_parent(device)
            let driver = unsafe parent.flatMap { unsafe udev_device_get_driver($0) }
            found.append(
              EndpointDevice(
                name: unsafe String(cString: name),
                driver: unsafe driver.map { unsafe String(cString: $0) }))
          }
          _ = unsafe udev_device_unref(device)
        }
        unsafe entry = udev_list_entry_get_next(current)
      }
      return found
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
