// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import SystemPackage

/// Links of `pci_ep`: functions to controllers, functions to functions, and the drivers' bind.
/// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci-epc-core.c`, `pci-epf-core.c`.
extension KernelState {
  mutating func linkEndpoint(_ target: Int, into holder: Int) throws(Errno) {
    switch tree[holder].kind {
    case .controller:
      guard tree[target].kind == .function else {
        // pci_ep.md, 7
        return crash("a controller linked to something that is no function")
      }
      try attach(target, to: holder, isPrimary: true)
    case .primary, .secondary:
      guard tree[target].kind == .controller else {
        // pci_ep.md, 7
        return crash("an interface linked to something that is no controller")
      }
      let isPrimary = tree[holder].kind == .primary
      try attach(tree[holder].parent, to: target, isPrimary: isPrimary)
    default:
      guard tree[target].kind == .function else {
        // pci_ep.md, 7
        return crash("a function linked to something that is no function")
      }
      try addVirtualFunction(target, to: holder)
    }
  }

  mutating func unlinkEndpoint(_ target: Int, from holder: Int) {
    switch tree[holder].kind {
    case .controller:
      detach(target, from: holder, isPrimary: true, by: "pci_epc_epf_unlink")
    case .primary:
      detach(
        tree[holder].parent, from: target, isPrimary: true, by: "pci_primary_epc_epf_unlink")
    case .secondary:
      detach(
        tree[holder].parent, from: target, isPrimary: false, by: "pci_secondary_epc_epf_unlink")
    default: functions[target]?.physical = nil  // It stays marked as a virtual function.
    }
  }

  private mutating func addVirtualFunction(_ child: Int, to parent: Int) throws(Errno) {
    guard child != parent else {
      // pci_ep.md, 21, row 4
      return crash("a function linked into itself")
    }
    guard let physical = functions[parent], let virtual = functions[child] else {
      throw .invalidArgument
    }
    guard physical.primary == nil, virtual.primary == nil, virtual.physical == nil,
      !virtual.hasStaleController, !physical.hasStaleController, physical.secondary == nil,
      virtual.secondary == nil
    else { throw .resourceBusy }
    let taken = Set(
      functions.values.filter { $0.physical?.controller == parent }.compactMap {
        $0.physical?.number
      })
    guard let number = (1...63).first(where: { !taken.contains($0) }) else {
      throw .invalidArgument
    }
    functions[child]?.isVirtual = true
    functions[child]?.physical = .init(controller: parent, number: number)
  }

  /// Adds a function to a controller, binds it, and initialises it where the controller is ready.
  private mutating func attach(_ node: Int, to controllerNode: Int, isPrimary: Bool) throws(Errno) {
    guard let function = functions[node], !function.isVirtual else { throw .invalidArgument }
    guard (isPrimary ? function.primary : function.secondary) == nil else { throw .resourceBusy }
    let controller = controller(at: controllerNode)
    let taken = Set(
      functions.values.flatMap { [$0.primary, $0.secondary] }.compactMap { $0 }
        .filter { $0.controller == controllerNode }.map(\.number))
    let number = (0...).first { !taken.contains($0) } ?? 64
    guard number < 64 else { throw .invalidArgument }
    guard number < controller.maximumFunctions else {
      log(.error, "pci_epc \(controller.name): Exceeding max supported Function Number")
      throw .invalidArgument
    }
    if isPrimary ? function.secondary != nil : function.primary != nil {
      // pci_ep.md, 21, row 3
      return crash("secondary together with primary binds the driver twice")
    }
    guard isPrimary else {
      if function.wasBoundBefore, function.driver != "pci_epf_nvme" {
        // The core still takes the function for bound, and unbinds it after the failed bind: pci-epf-core.c, pci_epf_bind, is_bound.
        return crash(
          "secondary/ linked after the function was bound once: unbind without a controller")
      }
      switch function.driver {
      case "nvmet_pci_epf":
        warnOnce("drivers/nvme/target/pci-epf.c", "nvmet_pci_epf_bind")
      case "pci_epf_test":
        warnOnce("drivers/pci/endpoint/functions/pci-epf-test.c", "pci_epf_test_bind")
      default: log(.error, node, "No endpoint controller")
      }
      throw .invalidArgument
    }

    functions[node]?.primary = .init(controller: controllerNode, number: number)
    do { try bind(node, to: controller) } catch {
      functions[node]?.primary = nil
      functions[node]?.isBound = false
      functions[node]?.nvme = nil
      if !hasNVMetPCIEPF, function.wasBoundBefore { log(.info, node, "Deleting controller") }
      throw error
    }
    functions[node]?.isBound = true
    functions[node]?.wasBoundBefore = true
    let vectors = self.number("msix_interrupts", of: node)
    functions[node]?.msixAtBind = vectors
    if tree[controllerNode].number == 1 { initialize(node, on: controller) }
  }

  private mutating func bind(
    _ node: Int, to controller: SimulatedKernel.EndpointController
  ) throws(Errno) {
    let virtuals = functions.filter { $0.value.physical?.controller == node }.sorted {
      $0.key < $1.key
    }
    if !virtuals.isEmpty {
      guard controller.maximumVirtualFunctions > 0 else {
        log(.error, node, "No support for virt function")
        if virtuals.contains(where: { $0.value.wasBoundBefore && !$0.value.hasStaleController }) {
          // As above: is_bound of the virtual function, which has no controller.
          return crash("a function that was bound once is unbound as a virtual function")
        }
        throw .invalidArgument
      }
      for (child, virtual) in virtuals {
        guard (virtual.physical?.number ?? 0) <= controller.maximumVirtualFunctions else {
          log(.error, node, "PF\(functions[node]?.primary?.number ?? 0): Exceeds max vfunc number")
          throw .invalidArgument
        }
        try bindDriver(child, to: controller)
        functions[child]?.isBound = true
        functions[child]?.hasStaleController = true
      }
    }
    try bindDriver(node, to: controller)
  }

  private mutating func bindDriver(
    _ node: Int, to controller: SimulatedKernel.EndpointController
  ) throws(Errno) {
    switch functions[node]?.driver {
    case "nvmet_pci_epf": try bindNVMetPCIEPF(node, to: controller)
    case "pci_epf_nvme": try bindPCIEPFNVMe(node, to: controller)
    default: try bindTest(node, to: controller)
    }
  }

  /// The controller reports that it is initialised: the results of the drivers are ignored.
  mutating func initialize(_ node: Int, on controller: SimulatedKernel.EndpointController) {
    switch functions[node]?.driver {
    case "nvmet_pci_epf": initializeNVMetPCIEPF(node, on: controller)
    case "pci_epf_nvme": initializePCIEPFNVMe(node, on: controller)
    default: initializeTest(node, on: controller)
    }
  }

  private mutating func detach(
    _ node: Int, from controllerNode: Int, isPrimary: Bool, by caller: String
  ) {
    if isSet("start", of: controllerNode) {
      warnOnce("drivers/pci/endpoint/pci-ep-cfs.c", caller)
    }
    for (child, virtual) in functions where virtual.physical?.controller == node {
      functions[child]?.isBound = false
    }
    switch functions[node]?.driver {
    case "nvmet_pci_epf": destroyNVMetPCIEPF(node)
    case "pci_epf_nvme": unbindPCIEPFNVMe(node)
    default: break
    }
    functions[node]?.isBound = false
    functions[node]?.nvme = nil
    functions[node]?.failedToInitialize = false
    functions[node]?.isDeinitialized = false
    if isPrimary { functions[node]?.primary = nil } else { functions[node]?.secondary = nil }
  }

  // MARK: What the drivers share

  /// The inputs of a function's driver.
  func setup(
    of node: Int, on controller: SimulatedKernel.EndpointController
  ) -> DriverSetup {
    var setup = DriverSetup(hasNVMetPCIEPF ? .nvmetPCIEPF : .pciEPFNVMe)
    setup.msixVectors = number("msix_interrupts", of: node)
    setup.msiVectors = number("msi_interrupts", of: node)
    setup.isMSIXCapable = controller.isMSIXCapable
    setup.isMSICapable = controller.isMSICapable
    setup.alignment = controller.alignment
    setup.bar0 =
      switch controller.bar0 {
      case .programmable: .programmable
      case .fixed(let size): .fixed(size)
      case .resizable: .resizable
      case .reserved: .reserved
      case .disabled: .disabled
      }
    return setup
  }

  mutating func log(_ line: DriverSetup.Line?, _ node: Int) {
    guard let line else { return }
    log(LogLevel(line.level), node, line.text)
  }

  /// Whether the endpoint controller accepts the interrupt configuration.
  /// - Source: `drivers/pci/endpoint/pci-epc-core.c`, `pci_epc_set_msi`, `pci_epc_set_msix`.
  func takesInterrupts(
    _ interrupts: ControllerModel.InterruptKind,
    on controller: SimulatedKernel.EndpointController
  ) -> Bool {
    switch interrupts {
    case .msix(let vectors):
      (1...2048).contains(vectors) && !controller.failingOperations.contains(.setMSIX)
    case .msi(let vectors):
      (1...32).contains(vectors) && !controller.failingOperations.contains(.setMSI)
    case .intx: true
    }
  }

  // MARK: pci_epf_test

  private mutating func bindTest(
    _ node: Int, to controller: SimulatedKernel.EndpointController
  ) throws(Errno) {
    guard controller.hasFeatures else {
      log(.error, node, "epc_features not implemented")
      throw .notSupportedOnSocket
    }
  }

  private mutating func initializeTest(
    _ node: Int, on controller: SimulatedKernel.EndpointController
  ) {
    if !controller.hasDMA {
      log(.info, node, "Failed to get private DMA rx channel. Falling back to generic one")
    }
    if controller.failingOperations.contains(.setBAR) {
      return log(.error, node, "Failed to set BAR0")
    }
    if controller.isMSICapable,
      !takesInterrupts(.msi(vectors: number("msi_interrupts", of: node)), on: controller)
    {
      return log(.error, node, "MSI configuration failed")
    }
    if controller.isMSIXCapable,
      !takesInterrupts(.msix(vectors: number("msix_interrupts", of: node)), on: controller)
    {
      log(.error, node, "MSI-X configuration failed")
    }
  }
}
