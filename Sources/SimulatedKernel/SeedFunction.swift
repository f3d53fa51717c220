// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
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

  static let seedGroupRules: [AttributeRule] = [
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
  mutating func bindSeed(
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
    let needed = seedRegisterSize(node, controller)
    guard let size = bar0Size(needed, of: controller) else {
      if case .fixed(let size) = controller.bar0 {
        log(.error, node, "Reg BAR 0 size \(size) B too small, need \(needed) B")
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
      throw .invalidArgument
    }
    log(.info, node, "NVMe fabrics controller created, \(fabrics.ioQueues) I/O queues")

    var queues = min(fabrics.ioQueues + 1, 16)
    let (type, vectors) = interrupts(of: node, on: controller)
    var isLimited = fabrics.ioQueues + 1 > 16
    switch type {
    case .msix: log(.info, node, "NVMe PCI controller supports MSI-X, \(vectors) vectors")
    case .msi: log(.info, node, "NVMe PCI controller supports MSI, \(vectors) vectors")
    case .intx: break
    }
    if type != .intx, vectors < queues {
      queues = vectors
      isLimited = true
    }
    guard queues >= 2 else {
      log(.info, node, "Invalid number of queues \(queues)")
      log(.info, node, "Deleting controller")
      throw .invalidArgument
    }
    if isLimited { log(.info, node, "Limiting number of queues to \(queues)") }
    log(.info, node, "NVMe PCI controller: \(queues - 1) I/O queues")
    let transfer = number("mdts_kb", of: group) * 1024
    functions[node]?.nvme = EmulatedController(
      subsystem: fabrics.subsystem, ioQueues: queues - 1, interrupts: type, vectors: vectors,
      maximumTransfer: transfer, bar0Size: size)
  }

  /// Registers, doorbells of 16 queue pairs and, where the controller can, the MSI-X table with its pending bits.
  private func seedRegisterSize(
    _ node: Int, _ controller: SimulatedKernel.EndpointController
  ) -> UInt64 {
    var size: UInt64 = 0x1080
    if controller.isMSIXCapable {
      let vectors = UInt64(number("msix_interrupts", of: node))
      size += 16 * vectors + ((vectors + 7) / 8 + 7) / 8 * 8
    }
    return (size + 4095) / 4096 * 4096
  }

  mutating func initializeSeed(
    _ node: Int, on controller: SimulatedKernel.EndpointController
  ) {
    guard functions[node]?.isDeinitialized != true else {
      return crash("pci_epf_nvme Q19: epc_init after epc_deinit")
    }
    guard functions[node]?.nvme != nil else { return }
    let (type, vectors) = interrupts(of: node, on: controller)
    var failure: String?
    if controller.failingOperations.contains(.writeHeader) {
      failure = "Write configuration header failed -22"
    } else if controller.failingOperations.contains(.setBAR) {
      failure = "Set BAR 0 failed"
    } else if !takesInterrupts(type, vectors, on: controller) {
      failure = type == .msix ? "MSI-X configuration failed" : "MSI configuration failed"
    }
    if let failure {
      log(.error, node, failure)
      functions[node]?.failedToInitialize = true
      return
    }
    functions[node]?.nvme?.isInitialized = true
  }

  mutating func unbindSeed(_ node: Int) {
    guard let nvme = functions[node]?.nvme else { return }
    log(.info, node, "Deleting controller")
    if nvme.isEnabled { log(.info, node, "Disabling controller") }
    // Only a reference is dropped: the fabrics controller stays connected.
    functions[node]?.nvme = nil
  }
}
