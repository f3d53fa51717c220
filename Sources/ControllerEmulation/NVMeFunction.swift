// SPDX-License-Identifier: Apache-2.0
public import PCI

/// A controller as a PCI function: configuration space, BAR 0, interrupts by the mechanism that the host has enabled.
///
/// The owner sets the time: it calls ``advance(to:)`` before an access at that time, and when ``nextDue`` is reached.
public final class NVMeFunction: RealTimeFunction, MappedFunction {
  public weak var host: (any HostInterface)?
  public private(set) var configuration: ConfigurationSpace
  public var model: ControllerModel { controller.model }
  /// Nil while time is virtual.
  private var clock: RealTime?
  private let controller: any EmulatedController
  private let bar0Size: UInt64
  private var vectors: InterruptVectors
  private let table: Range<UInt64>
  private let pendingBits: Range<UInt64>
  private var hardware: HardwareQuirks

  /// Kernel lines, trace events and diagnoses since they were last taken.
  private var log: [LogLine] = []
  private var kernelLog: [LogLine] = []
  private var trace: [TraceEvent] = []
  private var diagnoses: [Diagnosis] = []

  /// - Parameter tableKeeper: the owner of the MSI-X table: the function, or the machine monitor in front of it.
  public init(
    _ model: ControllerModel, memory: HostMemory, deviceID: UInt16, subsystemID: UInt16 = 0,
    tableKeeper: InterruptVectors.TableKeeper = .function
  ) {
    let header = Header(
      vendorID: model.vendorID, deviceID: deviceID, revisionID: 0, classCode: 0x01_0802,
      subsystemVendorID: model.subsystemVendorID, subsystemID: subsystemID, interruptPin: .a)
    var capabilities: [Capability] = [
      .powerManagement(PowerManagement(keepsState: true)), .pciExpress(PCIExpress()),
    ]
    let tableOffset = model.msixTableOffset
    var ranges = (table: UInt64(0)..<0, pending: UInt64(0)..<0)
    switch model.interrupts {
    case .msix(let count):
      let msix = MSIX(
        vectors: count, table: .init(bar: 0, offset: UInt32(tableOffset)),
        pendingBits: .init(bar: 0, offset: UInt32(tableOffset + 16 * count)))
      capabilities.append(.msix(msix))
      ranges = (msix.tableRange, msix.pendingBitsRange)
    case .msi(let count):
      // The capability has room for the next power of two.
      // - Source: `drivers/pci/endpoint/pci-epc-core.c`, `pci_epc_set_msi`.
      let vectors = [1, 2, 4, 8, 16].first { $0 >= count } ?? 32
      capabilities.append(.msi(MSI(vectors: vectors)))
    case .intx: break
    }
    let size = UInt64(model.bar0Size)
    let bar0 = BAR(size: size, is64Bit: !model.quirks.contains(.bar0Is32Bit) || size > 1 << 31)
    hardware = HardwareQuirks(model)
    configuration = ConfigurationSpace(
      header: header, bars: [0: bar0], capabilities: capabilities,
      extendedCapabilities: hardware.capabilities)
    (table, pendingBits) = (ranges.table, ranges.pending)
    vectors = InterruptVectors(for: configuration, tableKeeper: tableKeeper)
    controller = model.makeController(memory: memory)
    bar0Size = UInt64(model.bar0Size)
    // Without a link-up notifier it has begun already.
    deliver()
  }

  /// A function with this one's identity, limits and namespaces and the reference controller.
  /// - Parameter mapsDoorbells: whether a host can map the doorbells; otherwise it can have them in its memory.
  public func reference(
    memory: HostMemory, tableKeeper: InterruptVectors.TableKeeper = .function,
    mapsDoorbells: Bool = false
  ) -> NVMeFunction {
    var model = model
    model.behaviour = .reference
    model.quirks = []
    model.mapsDoorbells = mapsDoorbells
    model.offersDoorbellBuffers = !mapsDoorbells
    let word = { UInt16(truncatingIfNeeded: self.configuration.read(offset: $0, width: .word)) }
    return NVMeFunction(
      model, memory: memory, deviceID: word(2), subsystemID: word(0x2e), tableKeeper: tableKeeper)
  }

  // MARK: Time and link

  public var now: VirtualTime { controller.now }

  /// From now on time is the machine's time, also for every write of the host.
  ///
  /// ``catchUp()`` does work that is due without a write: the caller that waits for the host calls it by ``nanosecondsToWork``. A read does
  /// no work, so that it never accesses host memory.
  public func runInRealTime() { clock = RealTime(at: controller.now) }

  /// Does the work that is due in real time; with virtual time, nothing.
  public func catchUp() { if let clock { advance(to: clock.now) } }

  public var nextDue: VirtualTime { controller.nextDue }

  /// Nanoseconds of real time until ``catchUp()`` has something to do that the host could notice; nil when it never has, unless
  /// the host acts first, or while time is virtual.
  public var nanosecondsToWork: UInt64? {
    guard let clock else { return nil }
    let next = controller.nextWork
    guard next != .never else { return nil }
    let now = clock.now
    return next > now ? next.nanoseconds - now.nanoseconds : 0
  }

  public func advance(to time: VirtualTime) {
    controller.advance(to: time)
    deliver()
  }

  public func linkUp() {
    controller.linkUp(at: controller.now)
    deliver()
  }

  public func linkDown() {
    controller.linkDown(at: controller.now)
    deliver()
  }

  /// The target's namespaces were added, removed or changed.
  public func update(namespaces: [Namespace]) {
    controller.update(namespaces: namespaces, at: controller.now)
    deliver()
  }

  /// The driver removes the controller: unbind, or removal of the endpoint controller.
  public func remove() {
    controller.remove(at: controller.now)
    deliver()
  }

  /// Whether the host has the controller enabled.
  public var isEnabled: Bool { controller.isEnabled }
  public var isLinkUp: Bool { controller.isLinkUp }
  /// Whether some host has asked for Identify Controller.
  public var hasBeenIdentified: Bool { controller.hasBeenIdentified }

  /// The I/O statistics so far.
  public var counters: IOCounters { controller.counters }
  /// The number of I/O queue pairs of the host.
  public var liveIOQueues: Int { controller.liveIOQueues }

  /// Flushes the backings; backings that fail are ignored.
  public func flushBackings() {
    for namespace in controller.model.namespaces { _ = namespace.backend.flush() }
  }

  public func setTracing(_ isOn: Bool) { controller.trace(isOn) }

  /// The events since the last call.
  public func takeEvents() -> (log: [LogLine], trace: [TraceEvent], diagnoses: [Diagnosis]) {
    defer {
      log = []
      trace = []
      diagnoses = []
    }
    return (log, trace, diagnoses + hardware.takeDiagnoses())
  }

  /// The kernel messages since the last call: for the kernel, independent of ``takeEvents()``.
  public func takeKernelLog() -> [LogLine] {
    defer { kernelLog = [] }
    return kernelLog
  }

  // MARK: Accesses

  public func mappedAreas(ofBAR bar: Int) -> MappedAreas? {
    bar == 0 ? controller.mappedDoorbells : nil
  }

  public func writeConfiguration(
    offset: Int, width: ConfigurationSpace.Width, value: UInt32
  ) {
    let change = configuration.write(offset: offset, width: width, value: value)
    if change.contains(.functionLevelReset) { return reset(.functionLevel) }
    if !change.isDisjoint(with: .interrupts) {
      vectors.update(from: configuration) { [host] in Self.perform($0, host) }
    }
  }

  public func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    _ = unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
    guard bar == 0, let (start, isTable) = placeOfTable(offset) else {
      guard bar == 0, offset < bar0Size else { return }
      return unsafe controller.readRegisters(at: Int(offset), into: buffer)
    }
    if isTable {
      unsafe vectors.readTable(at: start, into: buffer)
    } else {
      unsafe vectors.readPendingBits(at: start, into: buffer)
    }
  }

  public func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    guard bar == 0 else { return }
    catchUp()
    if let (start, isTable) = placeOfTable(offset) {
      if isTable {
        unsafe vectors.writeTable(at: start, from: buffer) { [host] in Self.perform($0, host) }
      }
      return
    }
    guard offset < bar0Size else { return }
    // Whole words, the low one first, as hosts write 64-bit registers.
    var place = 0
    while place + 4 <= buffer.count {
      let value = unsafe buffer.loadUnaligned(fromByteOffset: place, as: UInt32.self)
      controller.writeRegister(
        Int(offset) + place, UInt32(littleEndian: value), at: controller.now)
      place += 4
    }
    deliver()
  }

  public func reset(_ kind: ResetKind) {
    controller.reset(at: controller.now)
    if kind == .conventional { hardware.hotReset() }
    configuration.reset(kind)
    vectors.reset(to: configuration) { [host] in Self.perform($0, host) }
    deliver()
  }

  /// The overlap of an access with the MSI-X table or its pending bits.
  private func placeOfTable(_ offset: UInt64) -> (start: Int, isTable: Bool)? {
    if table.contains(offset) { return (Int(offset - table.lowerBound), true) }
    if pendingBits.contains(offset) { return (Int(offset - pendingBits.lowerBound), false) }
    return nil
  }

  // MARK: Effects

  private func deliver() {
    let mayReach = configuration.command.contains(.busMaster)
    let level = vectors.usesLine ? controller.pinLevel : nil
    controller.takeEffects { effects in
      if mayReach, hardware.hasUnmapRace, configuration.msix?.isEnabled == true {
        hardware.send(effects.interrupts)
      }
      for vector in effects.interrupts where mayReach {
        // A pin that has a level is set below.
        if level != nil { break }
        let action = vectors.raise(Int(vector))
        if hardware.cachesAddress, configuration.msi?.isEnabled == true, hardware.loses(action) {
          continue
        }
        Self.perform(action, host)
        if vectors.usesLine { Self.perform(vectors.lower(Int(vector)), host) }
      }
      log += effects.log
      kernelLog += effects.log
      trace += effects.trace
      diagnoses += effects.diagnoses
    }
    if let level { Self.perform(level ? vectors.raise(0) : vectors.lower(0), host) }
  }

  private static func perform(_ action: InterruptVectors.Action, _ host: (any HostInterface)?) {
    switch action {
    case .none, .pending: break
    case .message(let vector, _, _): host?.interrupt(vector: vector)
    case .intx(let isAsserted): host?.intx(asserted: isAsserted)
    }
  }
}
