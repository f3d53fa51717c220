// SPDX-License-Identifier: Apache-2.0

/// A part of the kernel whose debug messages are switched together.
public enum DebugGroup: String, Sendable, Hashable, CaseIterable {
  /// The endpoint function driver.
  case driver
  /// The NVMe target and the fabrics that lead to it.
  case target
  /// The endpoint controller's driver and the kernel's endpoint framework.
  case controller

  /// The modules by their names in the list of call sites: those in the kernel image have one, too.
  /// - Parameter controllerModules: the modules of the endpoint controllers' drivers.
  /// - Source: `drivers/pci/endpoint/Makefile`, `drivers/nvme/target/Makefile`, `drivers/nvme/host/Makefile`.
  func modules(_ controllerModules: [String]) -> [String] {
    switch self {
    case .driver: ["nvmet_pci_epf", "pci_epf_nvme"]
    case .target: ["nvmet", "nvme_loop", "nvmet_tcp", "nvme_tcp", "nvme_fabrics"]
    case .controller:
      controllerModules
        + [
          "pci_epc_core", "pci_epf_core", "pci_epc_mem", "pci_ep_cfs", "pcie_designware_ep",
        ].filter { !controllerModules.contains($0) }
    }
  }
}

/// The state of the call sites of all groups.
public struct DebugStatus: Hashable, Sendable {
  public struct Module: Hashable, Sendable {
    public var group: DebugGroup
    public var name: String
    /// Call sites in it.
    public var sites: Int
    /// Those that print.
    public var on: Int
    /// Call sites whose previous state is saved.
    public var kept: Int

    public init(group: DebugGroup, name: String, sites: Int, on: Int, kept: Int) {
      self.group = group
      self.name = name
      self.sites = sites
      self.on = on
      self.kept = kept
    }
  }

  /// The modules that have call sites, group by group.
  public var modules: [Module]
  /// The number of call sites that were changed.
  public var changed = 0
  /// The reason why the saved state cannot be read.
  public var keptProblem: ProvisioningError?

  public var json: JSONValue {
    [
      "changed": JSONValue(changed), "keptProblem": JSONValue(keptProblem?.message),
      "modules": .array(
        modules.map { module in
          [
            "group": .string(module.group.rawValue), "module": .string(module.name),
            "sites": JSONValue(module.sites), "on": JSONValue(module.on),
            "kept": JSONValue(module.kept),
          ]
        }),
    ]
  }
}
