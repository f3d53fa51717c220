// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import KernelModules
internal import SystemPackage

/// Modules: their presence, the effects of loading them, and their references.
extension KernelState {
  /// The machine's modules, or the usual ones of the kernel release.
  var allModules: [SimulatedKernel.Module] {
    if let modules = machine.modules { return modules }
    var modules: [SimulatedKernel.Module] = [
      .init("configfs", .builtIn), .init("nvme_core"),
      .init("nvme_fabrics", needs: ["nvme_core"]), .init("nvme_keyring"),
      .init("nvmet", needs: ["nvme_core"]),
      .init("nvme_loop", needs: ["nvmet", "nvme_fabrics"]),
      .init("nvme_tcp", needs: ["nvme_fabrics"]), .init("nvmet_tcp", needs: ["nvmet"]),
      .init("null_blk"), .init("loop"),
    ]
    if machine.hasEndpointSupport {
      modules.append(.init("pci_epf_test"))
      switch kernelRelease.generation {
      case .linux7_2:
        modules.append(.init("nvmet_pci_epf", needs: ["nvmet", "nvme_core"]))
      case .linux6_12: modules.append(.init("pci_epf_nvme", needs: ["nvme_fabrics", "nvme_core"]))
      }
    }
    return modules
  }

  private func module(_ name: String) -> SimulatedKernel.Module? {
    let name = Self.moduleName(name)
    return allModules.first { Self.moduleName($0.name) == name }
  }

  /// Modules are compared with `-` and `_` alike.
  static func moduleName(_ name: String) -> String {
    String(name.map { $0 == "-" ? "_" : $0 })
  }

  func moduleState(_ name: String) -> ModuleState {
    guard let module = module(name) else { return .missing }
    if module.state == .builtIn { return .builtIn }
    if modules[Self.moduleName(name)] != nil { return .loaded }
    return module.state == .missing ? .missing : .loadable
  }

  /// Whether a module's code is in the kernel.
  func isModulePresent(_ name: String) -> Bool {
    switch moduleState(name) {
    case .builtIn, .loaded: true
    case .loadable, .missing: false
    }
  }

  mutating func loadModule(_ name: String, parameters: [String]) throws(ModuleError) {
    let name = Self.moduleName(name)
    guard machine.isPrivileged else { throw ModuleError(.load, name, .notPermitted) }
    guard let module = module(name), module.state != .missing else {
      throw ModuleError(
        .load, name, .noSuchFileOrDirectory, reason: "no module \(name) for kernel \(release)")
    }
    guard !isModulePresent(name) else { return }
    for dependency in module.dependencies { try loadModule(dependency, parameters: []) }
    let values = ModuleOptions.values(of: (module.options ?? []) + parameters)
    do { try bringUp(name, parameters: values) } catch {
      throw ModuleError(.load, name, error, reason: log.last?.text)
    }
  }

  func moduleParameters(_ name: String) -> [String: String] {
    let name = Self.moduleName(name)
    guard let given = modules[name] else {
      return ModuleOptions.values(of: module(name)?.options ?? [])
    }
    guard name == "null_blk" else { return given }
    return Self.nullBlockNumbers.merging(Self.nullBlockSwitches) { first, _ in first }
      .merging(given) { _, second in second }
  }

  /// A module's init.
  mutating func bringUp(_ name: String, parameters: [String: String]) throws(Errno) {
    let name = Self.moduleName(name)
    var parameters = parameters
    switch name {
    case "nvmet": registerTargetTree()
    case "null_blk":
      for unknown in parameters.keys.sorted()
      where Self.nullBlockNumbers[unknown] == nil && Self.nullBlockSwitches[unknown] == nil {
        log(.warning, "null_blk: unknown parameter '\(unknown)' ignored")
        parameters[unknown] = nil
      }
      try bringUpNullBlock(parameters)
    case "loop":
      for index in 0..<8 {
        storage["/dev/loop\(index)"] = SimulatedKernel.StoredObject(.blockDevice)
      }
      storage["/dev/loop-control"] = SimulatedKernel.StoredObject(.characterDevice)
      log(.info, "loop: module loaded")
    case "nvmet_pci_epf", "pci_epf_test": registerDriver(name)
    case "pci_epf_nvme":
      registerDriver(name)
      log(.info, "pci_epf_nvme: Registered nvme EPF driver")
    default: break
    }
    modules[name] = parameters
  }

  /// The parameters of null_blk that are numbers, and their defaults.
  /// - Source: `drivers/block/null_blk/main.c`, `module_param`; null_blk.md, 1.
  private static let nullBlockNumbers = [
    "nr_devices": "1", "gb": "250", "bs": "512", "queue_mode": "2", "irqmode": "1",
    "submit_queues": "1", "poll_queues": "1", "home_node": "-1", "hw_queue_depth": "64",
    "max_sectors": "0", "completion_nsec": "10000", "cache_size": "0", "mbps": "0",
    "zone_size": "256", "zone_capacity": "0", "zone_nr_conv": "0", "zone_max_open": "0",
    "zone_max_active": "0", "zone_append_max_sectors": "2147483647", "no_sched": "0",
  ]

  /// Those that are switches.
  private static let nullBlockSwitches = [
    "memory_backed": "N", "discard": "N", "zoned": "N", "zone_full": "N", "blocking": "N",
    "shared_tags": "N", "shared_tag_bitmap": "N", "use_per_node_hctx": "N", "virt_boundary": "N",
    "rotational": "N", "fua": "Y",
  ]

  private mutating func bringUpNullBlock(_ parameters: [String: String]) throws(Errno) {
    for (name, text) in parameters.sorted(by: { $0.key < $1.key })
    where Self.nullBlockNumbers[name] != nil
      ? (try? Written(text).signed()) == nil : (try? Written(text).bool(kernelRelease)) == nil
    {
      log(.error, "null_blk: `\(text)' invalid for parameter `\(name)'")
      throw .invalidArgument
    }
    func number(_ name: String, _ standard: Int) -> Int {
      parameters[name].flatMap { try? Written($0).signed() } ?? standard
    }
    if number("bs", 512) > machine.pageSize {
      log(.warning, "null_blk: invalid block size")
      log(.warning, "null_blk: defaults block size to \(machine.pageSize)")
    }
    guard number("queue_mode", 2) != 1 else {
      log(.error, "null_blk: legacy IO path is no longer available")
      throw .invalidArgument
    }
    _ = tree.add("nullb", .nullBlockRoot, in: 0, isDefault: true)
    for index in 0..<max(0, number("nr_devices", 1)) {
      var disk = SimulatedKernel.StoredObject(
        .blockDevice, size: UInt64(clamping: number("gb", 250)) << 30,
        blockSize: max(512, min(number("bs", 512), machine.pageSize)))
      disk.nullBlock = 0
      storage["/dev/nullb\(index)"] = disk
      log(.info, "null_blk: disk nullb\(index) created")
    }
    log(.info, "null_blk: module loaded")
  }

  mutating func unloadModule(_ name: String) throws(ModuleError) {
    let name = Self.moduleName(name)
    guard machine.isPrivileged else { throw ModuleError(.unload, name, .notPermitted) }
    switch moduleState(name) {
    case .loaded: break
    case .builtIn:
      throw ModuleError(.unload, name, .resourceBusy, reason: "the module is built in")
    case .loadable, .missing:
      throw ModuleError(.unload, name, .noSuchFileOrDirectory, reason: "the module is not loaded")
    }
    if let holder = modules.keys.sorted().first(where: {
      module($0)?.dependencies.contains(name) ?? false
    }) {
      throw ModuleError(
        .unload, name, .resourceTemporarilyUnavailable, reason: "in use by \(holder)")
    }
    if let reason = pin(of: name) {
      throw ModuleError(.unload, name, .resourceTemporarilyUnavailable, reason: reason)
    }
    switch name {
    case "nvmet": if let root = targetRoot { tree.remove(root) }
    case "null_blk":
      if let root = tree.child(.nullBlockRoot, of: 0) { tree.remove(root) }
      storage = storage.filter { $0.value.nullBlock == nil }
    case "loop": storage = storage.filter { !$0.key.hasPrefix("/dev/loop") }
    case "nvmet_pci_epf", "pci_epf_test": unregisterDriver(name)
    case "pci_epf_nvme":
      unregisterDriver(name)
      log(.info, "pci_epf_nvme: Unregistered nvme EPF driver")
    default: break
    }
    modules[name] = nil
  }

  /// The users of a module.
  private func pin(of name: String) -> String? {
    if let transport = Self.transports.first(where: { $0.value.module == name })?.key,
      tree.all(.port).contains(where: {
        isPortEnabled($0) && value("addr_trtype", of: $0) == transport
      })
    {
      return "a port of type \(transport) is enabled"
    }
    if functions.values.contains(where: { $0.driver == name && $0.isBound }) {
      return "a function is bound"
    }
    if openNamespaces.values.contains(where: { $0.module == name }) { return "a device is open" }
    // An open attribute keeps the module that owns it.
    let open = (openAttributes ?? OpenAttributes()).descriptors.values
    if open.contains(where: { $0.module == name }) { return "an attribute is open" }
    switch name {
    case "nvmet":
      let made: [Node.Kind] = [.subsystem, .port, .host]
      if made.contains(where: { !tree.all($0).isEmpty }) { return "nvmet has directories" }
    case "null_blk":
      if !tree.all(.nullBlock).isEmpty { return "nullb has directories" }
    case "loop":
      if storage.values.contains(where: { $0.loop != nil }) { return "a loop device is bound" }
    case "nvme_loop", "nvme_tcp", "nvme_fabrics", "nvme_core":
      if fabrics.contains(where: { name == "nvme_" + $0.transport }) && name != "nvme_loop" {
        return "a controller is connected"
      }
    default: break
    }
    return nil
  }
}
