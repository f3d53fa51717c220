// SPDX-License-Identifier: Apache-2.0
internal import NVMe
public import PCI
internal import Synchronization

/// An NVMe controller: registers, queues, commands and interrupts, exactly as one of the two endpoint drivers or as the specification
/// has them.
///
/// A value without threads, clocks or callbacks: the host's accesses and the link's events come in with the time at which they happen,
/// interrupts and log lines are collected in ``effects``. ``nextDue`` says when something happens by itself; ``advance(to:)`` lets it.
/// The same calls with the same times always do the same.
@safe public struct Controller: ~Copyable {
  public internal(set) var model: ControllerModel
  public let memory: HostMemory
  /// What happened since ``takeEffects(_:)``.
  public internal(set) var effects = Effects()
  public internal(set) var now = VirtualTime.zero

  // Registers. BAR 0 of both drivers is plain memory; strict controllers keep what is writable there.
  var bar: [UInt32]
  /// CC as the controller last looked at it.
  var configuration: UInt32 = 0
  /// CSTS as the controller means it.
  var status: UInt32 = 0

  // State.
  public internal(set) var isLinkUp = false
  /// Whether the host has the controller enabled.
  public internal(set) var isEnabled = false
  /// Whether some host has asked for Identify Controller.
  public internal(set) var hasBeenIdentified = false
  var pageSize: UInt64 = 4096
  /// nvmet's own view: enabled with settings that it cannot serve.
  var isFatal = false
  var registersDue = VirtualTime.never
  var submissions: [SubmissionQueue]
  var completions: [CompletionQueue]
  /// nvmet_pci_epf polls its queues without a pause until then.
  var busyUntil = VirtualTime.zero

  // Features, as the driver resets them at enable.
  var coalescing = CoalescingState()
  /// Features that are stored and have no other effect, by FID: a strict controller's.
  var settings: [UInt8: UInt32] = [:]
  var events: EventState
  var keepAlive = KeepAliveState()
  var hasCreatedQueues = false

  /// Doorbells in the host's memory, when it has set them up.
  var doorbellBuffers: DoorbellBuffers?
  /// Doorbells that the host can map, in place of the registers.
  let doorbellPages: DoorbellPages?
  /// The words of ``doorbellPages``, without counting who uses them.
  let doorbellWords: UnsafeMutablePointer<Atomic<UInt32>>?
  var polling = DoorbellPolling()
  /// The first ``CompletionQueue/interruptDue``.
  var heldInterruptDue = VirtualTime.never

  // What nvmet keeps as long as there is a controller.
  var errorLog: ErrorLog
  /// What the host sets and what it has moved, by the places of the model's namespaces.
  var usage: [NamespaceUsage]

  public internal(set) var counters = IOCounters()

  /// One transfer, reused by all commands.
  let transfer: UnsafeMutableRawBufferPointer
  var segments: [Segment] = []
  /// Entries of a page list, read once.
  let pageList: UnsafeMutableBufferPointer<UInt64>

  /// - Precondition: queue, vector and transfer limits are positive.
  public init(_ model: ControllerModel, memory: HostMemory) {
    self.model = model
    // Less than two pages cannot be told in MDTS.
    let wraps =
      model.personality == .pciEPFNVMe ? Quirk.smallTransferFieldWraps : .transferFieldWraps
    if !model.quirks.contains(wraps) {
      self.model.maximumTransfer = max(model.maximumTransfer, 8192)
    }
    self.memory = memory
    // The mainline driver's BAR is memory from its beginning to its end.
    // A large BAR has nothing behind its first part, which reads zero then.
    let bytes =
      model.personality == .nvmetPCIEPF ? min(model.bar0Size, 1 << 24) : model.registerBytes
    bar = [UInt32](repeating: 0, count: max(bytes, model.registerBytes) / 4)
    errorLog = ErrorLog(isKept: model.personality == .nvmetPCIEPF)
    events = EventState(model.personality)
    usage = model.namespaces.map { NamespaceUsage(isWriteProtected: $0.isReadOnly) }
    doorbellPages = model.mapsDoorbells ? DoorbellPages(pairs: model.doorbellPairs) : nil
    unsafe doorbellWords = doorbellPages?.words
    let queues = model.ioQueues + 1
    submissions = [SubmissionQueue](repeating: SubmissionQueue(), count: queues)
    completions = [CompletionQueue](repeating: CompletionQueue(), count: queues)
    coalescing.vectors = [CoalescingState.Vector](
      repeating: .init(), count: max(queues, model.interrupts.vectors))
    unsafe transfer = .allocate(
      byteCount: max(self.model.maximumTransfer, 1 << 16), alignment: 4096)
    unsafe pageList = .allocate(capacity: 512)
    segments.reserveCapacity(model.maximumTransfer / 4096 + 2)
    initializeRegisters()
    if !model.hasLinkUpNotifier { linkUp(at: .zero) }
  }

  deinit {
    unsafe transfer.deallocate()
    unsafe pageList.deallocate()
  }

  func has(_ quirk: Quirk) -> Bool { model.quirks.contains(quirk) }
}
