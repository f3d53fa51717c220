// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
internal import NVMe
public import PCI

extension SimulatedKernel {
  /// A bound function as the device of a host.
  public struct Device {
    public let function: NVMeFunction
    /// The host's memory: 32 MiB from address 0.
    public let memory: HostMemory
  }
}

/// The controllers behind bound functions, as they run.
///
/// They exist beside the state, which is a value that can be saved to files: a missing device is created from the state, with its link and
/// enable.
final class Devices: @unchecked Sendable {
  // Only touched under the lock of the kernel that owns it.
  private var running: [Int: SimulatedKernel.Device] = [:]
  /// The data of backings, by path: it outlives the functions that use it.
  private var stores: [String: MemoryStore] = [:]

  /// Delivers events to the devices, and their effects to the state.
  func catchUp(_ state: inout KernelState) {
    while !state.deviceEvents.isEmpty {
      let events = state.deviceEvents
      state.deviceEvents = []
      for event in events { deliver(event, &state) }
    }
  }

  /// Removes all of them, because the state was replaced.
  func removeAll() { running = [:] }

  /// Gives a host access to several devices at a time, in the order of the nodes.
  func use<Result, Failure: Error>(
    _ nodes: [Int], _ state: inout KernelState,
    _ body: ([SimulatedKernel.Device]) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    var devices: [SimulatedKernel.Device] = []
    for node in nodes {
      guard let nvme = state.functions[node]?.nvme, nvme.isInitialized else { return nil }
      let device = device(of: node, nvme, &state)
      // The memory of one host; no other regions are added.
      try? device.memory.add(at: 0, count: 32 << 20)
      catchUpTime(device, state)
      devices.append(device)
    }
    defer { for (node, device) in zip(nodes, devices) { report(node, device, &state) } }
    return try body(devices)
  }

  private func deliver(_ event: FunctionEvent, _ state: inout KernelState) {
    let node = event.function
    switch event.kind {
    case .removed(let nvme):
      let device = device(of: node, nvme, &state)
      catchUpTime(device, state)
      device.function.remove()
      report(node, device, &state)
      running[node] = nil
    case .started:
      guard let nvme = state.functions[node]?.nvme else { return }
      report(node, make(node, nvme, &state), &state)
    case .namespaces:
      // A missing device is created with them.
      guard let device = running[node], let nvme = state.functions[node]?.nvme else { return }
      catchUpTime(device, state)
      device.function.update(
        namespaces: state.model(of: node, nvme) { memory(for: $0) }.namespaces)
      report(node, device, &state)
    case .linkUp, .linkDown, .enable, .disable:
      guard let nvme = state.functions[node]?.nvme else { return }
      let device = device(of: node, nvme, &state)
      catchUpTime(device, state)
      switch event.kind {
      case .linkUp: device.function.linkUp()
      case .linkDown: device.function.linkDown()
      case .enable: device.function.enable()
      default: device.function.disable()
      }
      report(node, device, &state)
    }
  }

  /// The effects of a device on the state: its messages, link, enable, and its time.
  private func report(
    _ node: Int, _ device: SimulatedKernel.Device, _ state: inout KernelState
  ) {
    let function = device.function
    for line in function.takeKernelLog() { state.log(LogLevel(line.level), node, line.text) }
    state.functions[node]?.nvme?.isLinkUp = function.isLinkUp
    state.functions[node]?.nvme?.isEnabled = function.isEnabled
    state.clock = max(state.clock, Int64(clamping: function.now.nanoseconds))
    if function.hasBeenIdentified, let id = state.functions[node]?.nvme?.controllerID,
      let target = state.targetControllers.first(where: { $0.id == id })
    {
      state.discoveredSubsystems.insert(target.subsystem)
    }
  }

  private func catchUpTime(_ device: SimulatedKernel.Device, _ state: KernelState) {
    let time = VirtualTime(nanoseconds: UInt64(clamping: state.clock))
    device.function.advance(to: max(time, device.function.now))
  }

  /// The running device, or a new one in the state of the kernel.
  private func device(
    of node: Int, _ nvme: FunctionController, _ state: inout KernelState
  ) -> SimulatedKernel.Device {
    if let device = running[node] { return device }
    let device = make(node, nvme, &state)
    if nvme.isLinkUp { device.function.linkUp() }
    if nvme.isEnabled { device.function.enable() }
    // These messages were logged before.
    _ = device.function.takeKernelLog()
    _ = device.function.takeEvents()
    return device
  }

  private func make(
    _ node: Int, _ nvme: FunctionController, _ state: inout KernelState
  ) -> SimulatedKernel.Device {
    let memory = HostMemory()
    let model = state.model(of: node, nvme) { self.memory(for: $0) }
    let function = NVMeFunction(
      model, memory: memory, deviceID: state.header("deviceid", of: node),
      subsystemID: state.header("subsys_id", of: node))
    let device = SimulatedKernel.Device(function: function, memory: memory)
    running[node] = device
    return device
  }
}

extension Devices {
  private func memory(for backing: SimulatedKernel.Backing) -> Backend {
    .memory(store(of: backing.path, count: Int(clamping: backing.size)))
  }

  private func store(of path: String, count: Int) -> MemoryStore {
    if let store = stores[path], store.count >= count { return store }
    let store = MemoryStore(count: count)
    stores[path] = store
    return store
  }
}

extension KernelState {
  /// Notifies the running controllers of a namespace's subsystem of a change.
  mutating func tellControllers(ofNamespace node: Int) {
    let nqn = subsystemNQN(tree[tree[node].parent].parent)
    for (function, state) in functions.sorted(by: { $0.key < $1.key })
    where state.nvme.map({ sameBytes($0.subsystem, nqn) }) == true {
      deviceEvents.append(FunctionEvent(function, .namespaces))
    }
  }
}

extension NVMeFunction {
  /// A host's driver enables the controller with an admin queue at the beginning of its memory, and waits.
  fileprivate func enable() {
    write(0x0046_0060, at: 0x14)
    for (offset, value) in [(0x24, 0x001f_001f), (0x28, 0x1000), (0x2c, 0), (0x30, 0x2000)] {
      write(UInt32(value), at: UInt64(offset))
    }
    write(0, at: 0x34)
    write(0x0046_0061, at: 0x14)
    advance(to: now + .init(20))
  }

  fileprivate func disable() {
    write(0x0046_0060, at: 0x14)
    advance(to: now + .init(20))
  }

  private func write(_ value: UInt32, at offset: UInt64) {
    unsafe withUnsafeBytes(of: value.littleEndian) { bytes in
      unsafe writeBAR(0, offset: offset, from: bytes)
    }
  }
}

extension KernelState {
  /// A header field of a function as its driver has it.
  func header(_ field: String, of node: Int) -> UInt16 {
    let text = header(of: node)[field] ?? "0x0"
    return UInt16(text.dropFirst(2), radix: 16) ?? 0
  }

  /// The controller that the driver of a function and its target created.
  func model<Failure: Error>(
    of node: Int, _ nvme: FunctionController,
    _ backend: (SimulatedKernel.Backing) throws(Failure) -> Backend
  ) throws(Failure) -> ControllerModel {
    var model = ControllerModel(hasNVMetPCIEPF ? .nvmetPCIEPF : .pciEPFNVMe)
    model.quirks = model.behaviour.quirks(in: kernelRelease.version)
    if let quirks = machine.quirks { model.quirks.formIntersection(quirks) }
    model.vendorID = header("vendorid", of: node)
    model.nqn = nvme.subsystem
    model.ioQueues = nvme.ioQueues
    model.targetIOQueues = nvme.ioQueues
    model.maximumTransfer = nvme.maximumTransfer
    model.usesLoop = nvme.fabrics?.transport == "loop"
    model.givenBAR0Size = Int(clamping: nvme.bar0Size)
    model.interrupts =
      switch nvme.interrupts {
      // More fails in epc_init: such a device is removed before a host can access it.
      case .msix: .msix(vectors: min(nvme.vectors, 2048))
      case .msi: .msi(vectors: min(nvme.vectors, 32))
      case .intx: .intx
      }
    if let place = functions[node]?.primary {
      let controller = controller(at: place.controller)
      model.hasLinkUpNotifier = controller.hasLinkUpNotifier
      model.hardware = [controller.compatible].compactMap(\.self)
    }
    if let id = nvme.controllerID { model.controllerID = UInt16(truncatingIfNeeded: id) }
    if let port = port(of: nvme) {
      // Enabling the port has put the value into this range; a saved state may have another.
      model.maximumQueueEntries = min(max(number("param_max_queue_size", of: port), 16), 1024)
    }
    guard
      let subsystem = tree.all(.subsystem).first(where: {
        sameBytes(subsystemNQN($0), nvme.subsystem)
      })
    else {
      // A remote target: one namespace of 1 GiB replaces it.
      model.namespaces = [
        .init(
          id: 1,
          backend: try backend(
            .init(kind: .remote, path: "remote " + nvme.subsystem, size: 1 << 30)))
      ]
      return model
    }
    model.modelNumber = value("attr_model", of: subsystem)
    model.serial = value("attr_serial", of: subsystem)
    model.firmware = value("attr_firmware", of: subsystem)
    model.targetIOQueues = number("attr_qid_max", of: subsystem)
    if hasNVMetPCIEPF {
      model.subsystemVendorID = UInt16(
        truncatingIfNeeded: number("attr_subsys_vendor_id", of: subsystem))
      model.organization = UInt32(truncatingIfNeeded: number("attr_ieee_oui", of: subsystem))
    }
    for space in tree.all(.namespace)
    where tree[tree[space].parent].parent == subsystem {
      guard isSet("enable", of: space), let open = openNamespaces[space] else {
        // nvmet distinguishes it from a missing namespace; the fabrics host of pci_epf_nvme finds neither.
        if hasNVMetPCIEPF {
          var namespace = ControllerEmulation.Namespace(
            id: UInt32(clamping: tree[space].number), backend: .null(size: 0))
          namespace.isEnabled = false
          model.namespaces.append(namespace)
        }
        continue
      }
      let backing = backing(at: open.path, size: open.size)
      var namespace = ControllerEmulation.Namespace(
        id: UInt32(clamping: tree[space].number), backend: try backend(backing),
        blockShift: UInt8(clamping: open.blockShift),
        uuid: Self.identifier(value("device_uuid", of: space)),
        nguid: Self.identifier(value("device_nguid", of: space)))
      namespace.standsForFile = backing.kind == .file
      namespace.anaGroup = UInt32(clamping: number("ana_grpid", of: space))
      namespace.accessState = accessState(of: namespace.anaGroup, for: nvme)
      model.namespaces.append(namespace)
    }
    return model
  }

  /// The port through which a function's controller reaches the subsystem; nil if the target is another machine's.
  private func port(of nvme: FunctionController) -> Int? {
    let id = nvme.controllerID ?? nvme.fabrics?.targetController
    return targetControllers.first { $0.id == id }?.port
  }

  /// The ANA state of a group on the port of a function's controller.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`; a group without a directory is inaccessible.
  private func accessState(
    of group: UInt32, for nvme: FunctionController
  ) -> NamespaceAccessState {
    guard let port = port(of: nvme),
      let groups = tree.child(.anaGroups, of: port)
    else { return .optimized }
    let directory = tree[groups].children.first { tree[$0].number == Int(group) }
    let text = directory.map { value("ana_state", of: $0) }
    return [.optimized, .nonOptimized, .persistentLoss, .change].first { $0.name == text }
      ?? .inaccessible
  }

  /// The bytes of a UUID or NGUID.
  private static func identifier(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == 32 else { return [UInt8](repeating: 0, count: 16) }
    return (0..<16).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
  }
}
