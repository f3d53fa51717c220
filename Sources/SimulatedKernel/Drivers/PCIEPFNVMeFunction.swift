// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import SystemPackage

/// `pci_epf_nvme`: its group, bind with a fabrics controller, epc_init.
/// - Source: the driver of October 2024, `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
extension AttributeTable {
  /// EBUSY while the host has the controller enabled.
  private static let busyWithHost: AttributeRule.Lock = { (state, node) throws(Errno) in
    guard state.functions[state.tree[node].parent]?.nvme?.isEnabled != true else {
      throw .resourceBusy
    }
  }

  static let pciEPFNVMeGroupRules: [AttributeRule] = [
    AttributeRule(
      name: "ctrl_opts",
      show: { state, node in state.tree[node].values["ctrl_opts"].map { $0 + "\n" } ?? "" },
      store: { (state, node, written) throws(Errno) in
        guard state.functions[state.tree[node].parent]?.nvme == nil else { throw .resourceBusy }
        let text = written.text
        let hides = text.contains("hidden_ns")
        state.set("ctrl_opts", hides ? text : text + ",hidden_ns", of: node)
      }),
    .plain("dma_enable", "1", lock: busyWithHost, Parse.bool),
    .plain("mdts_kb", "128", lock: busyWithHost) { (written, _) throws(Errno) in
      var value = try written.unsigned()
      if value == 0 { value = 128 }
      value = min(value, 1024)
      guard value.nonzeroBitCount == 1 else { throw .invalidArgument }
      return String(value)
    },
  ]
}

extension KernelState {
  mutating func bindPCIEPFNVMe(
    _ node: Int, to controller: SimulatedKernel.EndpointController
  ) throws(Errno) {
    guard controller.hasFeatures else {
      log(.error, node, "epc_features not implemented")
      throw .notSupportedOnSocket
    }
    if controller.bar0 == .reserved || controller.bar0 == .disabled {
      log(.error, node, "BAR 0 is not free")
      throw .invalidArgument
    }
    let setup = setup(of: node, on: controller)
    guard let size = setup.bar0Size else {
      if case .fixed(let size) = controller.bar0 {
        log(.error, node, "Reg BAR 0 size \(size) B too small, need \(setup.registerBytes) B")
      }
      throw .noMemory
    }
    let group = group(of: node)
    if !isSet("dma_enable", of: group) {
      log(.info, node, "DMA disabled")
    } else if controller.hasDMA {
      log(.info, node, "DMA RX channel dma0chan0, maximum segment size 4294967295 B")
      log(.info, node, "DMA TX channel dma0chan1, maximum segment size 4294967295 B")
      log(.info, node, "DMA supported")
    } else {
      set("dma_enable", "0", of: group)
      log(.info, node, "DMA not supported, falling back to mmio")
    }

    guard let options = tree[group].values["ctrl_opts"] else {
      log(.error, node, "No nvme fabrics options specified")
      throw .invalidArgument
    }
    let fabrics: FabricsController
    do { fabrics = try connect(options) } catch {
      log(.error, node, "Create nvme fabrics controller failed")
      throw error
    }
    guard !fabrics.isDiscovery else {
      log(.error, node, "Unsupported controller type")
      log(.info, node, "Deleting controller")
      if !has(.fabricsControllerLeaks) { try disconnect(fabrics) }
      throw .invalidArgument
    }
    log(.info, node, "NVMe fabrics controller created, \(fabrics.ioQueues) I/O queues")

    log(setup.interruptLine, node)
    let queues = setup.queues(target: fabrics.ioQueues)
    for line in queues.log { log(line, node) }
    guard let ioQueues = queues.ioQueues else {
      if !has(.fabricsControllerLeaks) { try disconnect(fabrics) }
      throw .invalidArgument
    }
    let transfer = number("mdts_kb", of: group) * 1024
    functions[node]?.nvme = FunctionController(
      subsystem: fabrics.subsystem, ioQueues: ioQueues, setup,
      maximumTransfer: transfer, bar0Size: size)
    functions[node]?.nvme?.fabrics = fabrics
  }

  mutating func initializePCIEPFNVMe(
    _ node: Int, on controller: SimulatedKernel.EndpointController
  ) {
    guard functions[node]?.isDeinitialized != true || !has(.reinitializationCrashes) else {
      // pci_epf_nvme.md#reinitialization-crashes
      return crash("epc_init after epc_deinit")
    }
    guard functions[node]?.nvme != nil else { return }
    let interrupts = setup(of: node, on: controller).interrupts
    var failure: String?
    if controller.failingOperations.contains(.writeHeader) {
      failure = "Write configuration header failed -22"
    } else if controller.failingOperations.contains(.setBAR) {
      failure = "Set BAR 0 failed"
      functions[node]?.hasFreedBAR = true
    } else if !takesInterrupts(interrupts, on: controller) {
      if case .msix = interrupts {
        failure = "MSI-X configuration failed"
      } else {
        failure = "MSI configuration failed"
      }
    }
    if let failure {
      log(.error, node, failure)
      functions[node]?.failedToInitialize = true
      return
    }
    functions[node]?.nvme?.isInitialized = true
  }

  mutating func unbindPCIEPFNVMe(_ node: Int) {
    guard functions[node]?.hasFreedBAR != true else {
      return crash("pci_epf_nvme: BAR 0 freed a second time, after Set BAR 0 failed")
    }
    guard let nvme = functions[node]?.nvme else { return }
    // Only a reference is dropped: the fabrics controller stays connected.
    if let fabrics = nvme.fabrics, !has(.fabricsControllerStays) { try? disconnect(fabrics) }
    functions[node]?.nvme = nil
    deviceEvents.append(FunctionEvent(node, .removed(nvme)))
  }

  private mutating func disconnect(_ controller: FabricsController) throws(Errno) {
    try disconnect("nvme\(controller.instance)")
  }
}
