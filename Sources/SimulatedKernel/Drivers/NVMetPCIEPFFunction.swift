// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import ControllerEmulation
internal import KernelHistory
internal import Numbers
internal import SystemPackage

/// `nvmet_pci_epf`: its group, bind, and the controller that epc_init creates.
/// - Source: `drivers/nvme/target/pci-epf.c`.
extension AttributeTable {
  /// EBUSY while a target controller exists has precedence over all other errors.
  private static let busyWithController: AttributeRule.Lock = { (state, node) throws(Errno) in
    guard state.functions[state.tree[node].parent]?.nvme?.controllerID == nil else {
      throw .resourceBusy
    }
  }

  static let nvmetPCIEPFGroupRules: [AttributeRule] = [
    .plain("portid", "0", lock: busyWithController, Parse.strict(upTo: 0xffff)),
    AttributeRule(
      name: "subsysnqn", show: { state, node in state.value("subsysnqn", of: node) + "\n" },
      store: { (state, node, written) throws(Errno) in
        try busyWithController(&state, node)
        guard written.count <= 223 else {
          // pci_ep.md, 21, row 2
          return state.crash("subsysnqn longer than 222 characters")
        }
        let kept = written.bytes.prefix(written.count - 1)
        state.set("subsysnqn", String(decoding: kept, as: UTF8.self), of: node)
      }),
    AttributeRule(
      name: "mdts_kb",
      show: { state, node in "\(state.transferLimit(of: node))\n" },
      store: { (state, node, written) throws(Errno) in
        try busyWithController(&state, node)
        let standard = UInt64(state.machine.pageSize / 1024 * 128)
        var value = try written.unsigned()
        if value == 0 { value = standard }
        value = min(value, standard * 4)
        guard value.nonzeroBitCount == 1 else { throw .invalidArgument }
        state.set("mdts_kb", String(value), of: node)
      }),
  ]
}

extension KernelState {
  /// `nvme/mdts_kb` in KiB; the default depends on the page size.
  func transferLimit(of group: Int) -> Int {
    tree[group].values["mdts_kb"].flatMap { Int($0) } ?? machine.pageSize / 1024 * 128
  }

  mutating func bindNVMetPCIEPF(
    _ node: Int, to controller: SimulatedKernel.EndpointController
  ) throws(Errno) {
    guard controller.hasFeatures else {
      log(.error, node, "epc_features not implemented")
      throw .notSupportedOnSocket
    }
    if controller.bar0 == .reserved || controller.bar0 == .disabled {
      log(.error, node, "BAR 0 is not free")
      throw .operationNotSupportedByDevice
    }
    if kernelRelease.has(.dmaBeforeInit), controller.initializesAtReset, controller.hasDMA {
      return crash("registers of the DMA engine accessed before the host's reference clock")
    }
    let setup = setup(of: node, on: controller)
    guard setup.bar0Size != nil else {
      if case .fixed(let size) = controller.bar0 {
        log(.error, node, "BAR 0 size \(size) B too small, need \(setup.registerBytes) B")
      }
      throw .noMemory
    }
  }

  /// epc_init: creates the target controller, then sets the endpoint controller up. Its result is ignored.
  mutating func initializeNVMetPCIEPF(
    _ node: Int, on controller: SimulatedKernel.EndpointController
  ) {
    guard let function = functions[node] else { return }
    guard !function.isVirtual else {
      return log(.error, node, "Virtual functions are not supported")
    }
    guard function.nvme == nil else {
      // nvmet_pci_epf.md, 5
      return crash("a second epc_init without deinit")
    }
    guard number("msix_interrupts", of: node) <= function.msixAtBind || !controller.isMSIXCapable
    else {
      // pci_ep.md, 21, row 7
      return crash("msix_interrupts grew between link and init")
    }
    let group = group(of: node)
    let setup = setup(of: node, on: controller)
    log(setup.interruptLine, node)
    let created: TargetController
    do {
      // Whether there are vectors enough does not depend on the target.
      let any = setup.queues(target: 1)
      guard any.ioQueues != nil else {
        for line in any.log { log(line, node) }
        functions[node]?.failedToInitialize = true
        return
      }
      guard
        let port = tree.all(.port).filter({
          isPortEnabled($0) && value("addr_trtype", of: $0) == "pci"
            && tree[$0].number == number("portid", of: group)
        }).min(by: { number("enabled at", of: $0) < number("enabled at", of: $1) })
      else {
        log(.error, node, "Port not found")
        throw Errno.invalidArgument
      }
      let host = "nqn.2014-08.org.nvmexpress:uuid:" + randomUUID()
      guard
        let target = createTargetController(
          value("subsysnqn", of: group), port: port, host: host, transport: "pci")
      else {
        log(.error, node, "Failed to create target controller")
        throw Errno.noMemory
      }
      created = target
    } catch {
      let number = error as? Errno ?? .invalidArgument
      log(.error, node, "Failed to create NVMe PCI target controller (err=-\(number.rawValue))")
      functions[node]?.failedToInitialize = true
      return
    }
    guard crashes.isEmpty else { return }

    let name = value("subsysnqn", of: group)
    let queues = setup.queues(target: number("attr_qid_max", of: created.subsystem)).ioQueues ?? 0
    let transfer = transferLimit(of: group) * 1024
    functions[node]?.nvme = FunctionController(
      subsystem: name, ioQueues: queues, setup, maximumTransfer: transfer,
      bar0Size: setup.bar0Size ?? 0, controllerID: created.id)
    let limits = "\(queues) I/O queues, mdts \(transfer) B"
    log(.info, node, "New PCI ctrl \"\(name)\", \(limits)")
    if !controller.hasDMA { log(.info, node, "DMA not supported, falling back to MMIO") }
    for (field, attribute) in [
      ("vendorid", "attr_vendor_id"), ("subsys_vendor_id", "attr_subsys_vendor_id"),
    ] {
      let id = number(attribute, of: created.subsystem)
      headers[function.driver]?[field] = hexadecimal(id, digits: 4)
    }

    var failure: String?
    if controller.failingOperations.contains(.writeHeader) {
      failure = "Failed to write configuration header (err=-22)"
    } else if controller.failingOperations.contains(.setBAR) {
      failure = "Failed to set BAR 0 (err=-22)"
    } else if !takesInterrupts(setup.interrupts, on: controller) {
      if case .msix = setup.interrupts {
        failure = "Failed to configure MSI-X"
      } else {
        failure = "Failed to configure MSI"
      }
    }
    if let failure {
      log(.error, node, failure)
      destroyNVMetPCIEPF(node)
      functions[node]?.failedToInitialize = true
      return
    }
    functions[node]?.nvme?.isInitialized = true
    if !controller.hasLinkUpNotifier { deviceEvents.append(FunctionEvent(node, .started)) }
  }

  /// epc_deinit, unbind and failed initialisation: the target controller is removed.
  mutating func destroyNVMetPCIEPF(_ node: Int) {
    guard let nvme = functions[node]?.nvme else { return }
    deviceEvents.append(FunctionEvent(node, .removed(nvme)))
    if let id = nvme.controllerID { targetControllers.removeAll { $0.id == id } }
    functions[node]?.nvme = nil
  }
}
