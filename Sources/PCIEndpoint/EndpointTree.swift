// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import SystemPackage

/// The `pci_ep` tree: the endpoint controllers of this machine and the functions that they can show to a host.
///
/// It is built into the kernel (`CONFIG_PCI_ENDPOINT_CONFIGFS` cannot be a module); the directories of function drivers and of controllers
/// exist as long as their modules and devices.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`.
public struct EndpointTree: Sendable {
  public let directory: ConfigDirectory

  /// Accesses nothing; ``isAvailable`` checks whether the kernel has the tree.
  public init(on backend: any ConfigFSBackend) {
    directory = ConfigDirectory(backend.mountPoint.appending("pci_ep"), on: backend)
  }

  /// Whether the kernel has endpoint support and configfs is mounted.
  public var isAvailable: Bool { directory.exists }

  /// The endpoint controllers, each with its device's name. The kernel creates and removes them.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_ep_cfs_add_epc_group`.
  public func controllers() throws(ConfigFSError) -> [EndpointController] {
    try controllerGroup.children().map { EndpointController(directory: $0) }
  }

  /// The controller of a name; it need not exist.
  public func controller(_ name: String) -> EndpointController {
    EndpointController(directory: controllerGroup.child(name))
  }

  /// The function drivers whose modules are loaded.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_ep_cfs_add_epf_group`.
  public func drivers() throws(ConfigFSError) -> [FunctionDriver] {
    try functionGroup.children().map { FunctionDriver(name: $0.name) }
  }

  /// Whether a driver's module is loaded. It is not loaded on demand: `mkdir` of its directory gives EPERM.
  public func has(_ driver: FunctionDriver) -> Bool { functionGroup.child(driver.name).exists }

  /// The functions of a driver. Creating one assigns a device number; the directory does not pin the driver's module.
  /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_make`.
  public func functions(of driver: FunctionDriver) -> ConfigGroup<EndpointFunction> {
    ConfigGroup(functionGroup.child(driver.name))
  }

  /// The functions of all loaded drivers.
  public func allFunctions() throws(ConfigFSError) -> [EndpointFunction] {
    var found: [EndpointFunction] = []
    for driver in try drivers() { found += try functions(of: driver).all() }
    return found
  }

  private var controllerGroup: ConfigDirectory { directory.child("controllers") }
  private var functionGroup: ConfigDirectory { directory.child("functions") }
}
