// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import HostDriver
import PCI
import NVMeEmulation
import Testing

/// The specification's rules, and which of them each driver does not keep.
@Suite struct ConformanceHostTests {
  private func examine(
    _ behaviour: Behaviour, _ change: (inout ControllerModel) -> Void = { _ in }
  ) throws -> ConformanceReport {
    var model = ControllerModel(behaviour)
    model.vendorID = 0x15b7
    model.subsystemVendorID = 0x15b7
    model.serial = "0123456789"
    model.modelNumber = "Linux-pci-epf"
    model.firmware = "7.2"
    model.nqn = "nqn.2026-01.org.example:conformance"
    model.namespaces = [
      Namespace(
        id: 1, backend: .memory(MemoryStore(count: 4 << 20)),
        uuid: [UInt8](repeating: 1, count: 16))
    ]
    change(&model)
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    function.linkUp()
    return try ConformanceHost(function, memory: memory, clock: DeviceClock(function))
      .examine()
  }

  static let broken: [(Behaviour, Set<String>)] = [
    (.reference, []),
    (
      .nvmetPCIEPF,
      [
        "cap-read-only", "cap-high-read-only", "vs-read-only", "csts-read-only",
        "enable-without-entry-sizes", "enable-large-entry-sizes", "identify-invalid-nsid",
        "identify-prp-offset", "feature-2",
        "feature-4", "feature-5", "feature-10", "feature-8-set", "log-short", "create-cq-pc",
        "create-cq-vector", "create-cq-offset", "create-sq-without-cq", "create-sq-on-admin",
        "delete-cq-in-use", "set-queues-late", "shared-cq", "read-range", "write-range", "mdts",
        "prp1-dword", "prp2-offset", "dma-nowhere", "shutdown-normal-ready", "shutdown-normal-cc",
        "shutdown-abrupt-ready", "shutdown-abrupt-cc",
      ]
    ),
    (
      .pciEPFNVMe,
      [
        "cap-read-only", "cap-high-read-only", "vs-read-only", "csts-read-only",
        "enable-without-entry-sizes", "identify-invalid-nsid", "feature-1", "feature-2",
        "feature-4", "feature-5", "feature-8", "feature-10", "create-cq-pc", "create-cq-offset",
        "create-cq-without-interrupts",
        "delete-cq-in-use", "set-queues-late", "read-range", "write-range", "events-limit",
        "shutdown-abrupt", "shutdown-normal-ready", "shutdown-normal-cc",
        "shutdown-normal-cleared",
      ]
    ),
  ]

  @Test(
    "without the rules of failing reads, no worker of nvmet_pci_epf hangs",
    arguments: [true, false])
  func failingReads(_ areOmitted: Bool) throws {
    var model = ControllerModel(.nvmetPCIEPF)
    model.namespaces = [Namespace(id: 1, backend: .memory(MemoryStore(count: 4 << 20)))]
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    function.linkUp()
    let host = ConformanceHost(function, memory: memory, clock: DeviceClock(function))
    host.omitted = areOmitted ? ConformanceHost.failingReads : []
    let report = try host.examine()
    let hangs = function.takeEvents().diagnoses.contains { $0.fault.hasSuffix("failed read") }
    #expect(hangs == !areOmitted)
    #expect(
      ConformanceHost.failingReads.allSatisfy { id in
        report.rules.contains { $0.id == id } == !areOmitted
      })
  }

  @Test("a controller violates only the rules of its quirks", arguments: broken)
  func rules(_ behaviour: Behaviour, _ broken: Set<String>) throws {
    let examination = try examine(behaviour)
    #expect(Set(examination.broken.map(\.id)) == broken, "\(examination.broken)")
    let ids = examination.rules.map(\.id)
    #expect(ids.count > 100)
    #expect(Set(ids).count == ids.count, "every rule has a unique id")
  }

  enum Form: String, Sendable, CaseIterable {
    case msi, intx, largeBlocks, oneQueue, twoPageTransfers

    func apply(to model: inout ControllerModel) {
      switch self {
      case .msi: model.interrupts = .msi(vectors: 8)
      case .intx: model.interrupts = .intx
      case .largeBlocks: model.namespaces[0].blockShift = 12
      case .oneQueue: model.ioQueues = 1
      case .twoPageTransfers: model.maximumTransfer = 8192
      }
    }
  }

  @Test(
    "the reference controller follows the rules in every configuration", arguments: Form.allCases)
  func otherReferences(_ form: Form) throws {
    let examination = try examine(.reference) { form.apply(to: &$0) }
    #expect(examination.broken.map(\.description) == [])
  }

  @Test(
    "the reference controller's pin is asserted for unacknowledged entries; that of the drivers is pulsed",
    arguments: [Behaviour.reference, .nvmetPCIEPF])
  func pin(_ behaviour: Behaviour) throws {
    final class Watcher: HostInterface {
      let memory: HostMemory
      var levels: [Bool] = []
      init(_ memory: HostMemory) { self.memory = memory }
      func interrupt(vector: Int) {}
      func intx(asserted: Bool) { levels.append(asserted) }
    }
    var model = ControllerModel(behaviour)
    model.interrupts = .intx
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 1)
    function.linkUp()
    let watcher = Watcher(memory)
    function.host = watcher
    function.writeConfiguration(offset: 4, width: .word, value: 6)
    for (offset, value) in [
      (0x24, 0x001f_001f), (0x28, 0x1_0000), (0x30, 0x2_0000), (0x14, 0x0046_0001),
    ] as [(UInt64, UInt32)] {
      function.write(offset, value)
    }
    function.advance(to: function.now + .init(100))
    // Keep Alive, with any status.
    try memory.store(UInt32(0x18), at: 0x1_0000)
    function.write(0x1000, 1)
    function.advance(to: function.now + .init(100))
    if behaviour == .reference {
      #expect(watcher.levels == [true])
      function.write(0x0c, 1)
      #expect(watcher.levels == [true, false], "INTMS masks it")
      function.write(0x10, 1)
      #expect(watcher.levels == [true, false, true])
      function.write(0x1004, 1)
      #expect(watcher.levels == [true, false, true, false], "the head doorbell acknowledges")
    } else {
      #expect(!watcher.levels.isEmpty)
      #expect(watcher.levels == (0..<watcher.levels.count).map { $0 % 2 == 0 })
    }
  }

  @Test(
    "what only some releases do violates a rule, and follows it without the quirk",
    arguments: [
      (.largeEntrySizesEnabled, "enable-large-entry-sizes"),
      (.interruptEnableSurvivesDelete, "create-cq-without-interrupts"),
      (.failedMappingKeepsQueueID, "create-cq-after-failure"),
    ] as [(Quirk, String)])
  func releases(_ quirk: Quirk, _ rule: String) throws {
    for isPresent in [true, false] {
      let examination = try examine(.nvmetPCIEPF) { model in
        if isPresent { model.quirks.insert(quirk) } else { model.quirks.remove(quirk) }
        model.interrupts = .msix(vectors: 8)
        // Windows for the admin queue and three completion queues; data is moved by DMA.
        if quirk == .failedMappingKeepsQueueID {
          model.windows = OutboundWindows(count: 3, size: 64 << 10)
          model.usesDMA = true
        }
      }
      #expect(examination.broken.map(\.id).contains(rule) == isPresent)
      #expect(examination.rules.contains { $0.id == rule })
    }
  }

  @Test("a creation that is never completed violates the rule of its completion")
  func lostCreation() throws {
    let memory = HostMemory(count: 16 << 20)
    var model = ControllerModel(.reference)
    model.namespaces = [Namespace(id: 1, backend: .memory(MemoryStore(count: 4 << 20)))]
    model.interrupts = .msix(vectors: 8)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    function.linkUp()
    let filter = LosingFunction(function, memory)
    let found = try ConformanceHost(filter, memory: memory, clock: DeviceClock(function)).examine()
    let rule = try #require(found.broken.first { $0.id == "create-cq-completes" })
    #expect(rule.found == "no completion of Create CQ 3")
  }

  @Test(
    "a disabled quirk no longer violates its rule",
    arguments: [
      (.nvmetPCIEPF, .registersWritable, "cap-read-only"),
      (.nvmetPCIEPF, .transferFailureSucceeds, "prp1-dword"),
      (.nvmetPCIEPF, .vectorNotChecked, "create-cq-vector"),
      (.nvmetPCIEPF, .completionQueueOfSameID, "shared-cq"),
      (.pciEPFNVMe, .wholeBARWritable, "cap-read-only"),
      (.pciEPFNVMe, .abruptShutdownIgnored, "shutdown-abrupt"),
      (.pciEPFNVMe, .asyncEventsNeverComplete, "events-limit"),
      (.pciEPFNVMe, .completionQueueDeletedInUse, "delete-cq-in-use"),
      (.pciEPFNVMe, .noncontiguousQueueIsInvalidQueue, "create-cq-pc"),
    ] as [(Behaviour, Quirk, String)])
  func quirk(_ behaviour: Behaviour, _ quirk: Quirk, _ rule: String) throws {
    #expect(try examine(behaviour).broken.map(\.id).contains(rule))
    let without = try examine(behaviour) { $0.quirks.remove(quirk) }
    #expect(!without.broken.map(\.id).contains(rule))
  }
}

/// A function that never completes Create I/O Completion Queue with ID 3: it takes the command for a request of an event.
private final class LosingFunction: Function {
  private let function: NVMeFunction
  private let memory: HostMemory
  private var queue: UInt64 = 0

  init(_ function: NVMeFunction, _ memory: HostMemory) {
    self.function = function
    self.memory = memory
  }

  var host: (any HostInterface)? {
    get { function.host }
    set { function.host = newValue }
  }
  var configuration: ConfigurationSpace { function.configuration }
  func reset(_ kind: ResetKind) { function.reset(kind) }

  func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
    function.writeConfiguration(offset: offset, width: width, value: value)
  }

  func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    function.readBAR(bar, offset: offset, into: buffer)
  }

  func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    let value = buffer.count >= 4 ? buffer.loadUnaligned(as: UInt32.self) : 0
    if bar == 0, offset == 0x28 { queue = UInt64(value) }
    if bar == 0, offset == 0x1000, value > 0 { lose(queue + 64 * UInt64(value - 1)) }
    function.writeBAR(bar, offset: offset, from: buffer)
  }

  private func lose(_ entry: UInt64) {
    guard let first = try? memory.load(at: entry, as: UInt32.self),
      let words = try? memory.load(at: entry + 40, as: UInt32.self),
      first & 0xff == 5, words & 0xffff == 3
    else { return }
    try? memory.store(first & ~0xff | 0x0c, at: entry)
  }
}

extension NVMeFunction {
  fileprivate func write(_ offset: UInt64, _ value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) { writeBAR(0, offset: offset, from: $0) }
  }
}
