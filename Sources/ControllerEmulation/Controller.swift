// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import PCI
internal import Synchronization

/// An NVMe controller: registers, queues, commands and interrupts, exactly as one of the two endpoint drivers or as the specification
/// has them.
///
/// Here is what all have in common; each step that differs is a requirement of ``ControllerBehaviour``.
///
/// A value without threads, clocks or callbacks: accesses of the host and link events are passed in with their times; interrupts and log
/// messages are collected in ``effects``. ``nextDue`` is the time of the next internal event; ``advance(to:)`` processes it. The same calls
/// with the same times always have the same results.
@safe struct Controller<B: ControllerBehaviour>: ~Copyable {
  var model: ControllerModel
  let memory: HostMemory
  /// The effects since ``takeEffects(_:)``.
  var effects = Effects()
  var now = VirtualTime.zero

  // Registers. BAR 0 of both drivers is plain memory; the reference controller keeps the writable registers there.
  var bar: [UInt32]
  /// CC at the controller's last check.
  var configuration = ControllerConfiguration()
  /// CSTS as the controller means it.
  var status = ControllerStatus()

  // State.
  var isLinkUp = false
  /// Whether the host has the controller enabled.
  var isEnabled = false
  /// Whether some host has asked for Identify Controller.
  var hasBeenIdentified = false
  /// Whether a command has crashed the board's kernel: it executes nothing more, and what the host writes stays without effect.
  var hasCrashed = false
  var pageSize: UInt64 = 4096
  /// Why nvmet executes no commands although the controller is enabled; nil if it does.
  var coreFailure: CoreFailure?
  var registersDue = VirtualTime.never
  var submissions: [SubmissionQueue]
  var completions: [CompletionQueue]
  /// nvmet_pci_epf polls its queues without a pause until then.
  var busyUntil = VirtualTime.zero

  // Features, as the driver resets them at enable.
  var coalescing = CoalescingState()
  /// Features of the reference controller that are stored and have no other effect, by FID.
  var settings: [UInt8: UInt32] = [:]
  var events: EventState
  var keepAlive = KeepAliveState()
  var hasCreatedQueues = false
  /// Completion queues with properties that outlive them, in some releases of nvmet_pci_epf.
  var formerQueues = FormerQueues()

  /// Doorbells in the host's memory, when it has set them up.
  var doorbellBuffers: DoorbellBuffers?
  /// Doorbells that the host can map, in place of the registers.
  let doorbellPages: DoorbellPages?
  /// The words of ``doorbellPages``, without reference counting.
  let doorbellWords: UnsafeMutablePointer<Atomic<UInt32>>?
  var polling = DoorbellPolling()
  /// The first ``CompletionQueue/interruptDue``.
  var heldInterruptDue = VirtualTime.never

  // The state of nvmet that exists as long as the controller.
  var errorLog: ErrorLog
  /// The host's settings and transfer statistics, by the index of the model's namespaces.
  var usage: [NamespaceUsage]

  var counters = IOCounters()

  /// One transfer, reused by all commands.
  let transfer: UnsafeMutableRawBufferPointer
  var segments: [Segment] = []
  /// Entries of a page list, read once.
  let pageList: UnsafeMutableBufferPointer<UInt64>

  /// - Precondition: queue, vector and transfer limits are positive.
  init(_ model: ControllerModel, memory: HostMemory) {
    self.model = model
    // MDTS cannot express less than two pages.
    if !B.wrapsSmallTransferField(model.quirks) {
      self.model.maximumTransfer = max(model.maximumTransfer, 8192)
    }
    self.memory = memory
    bar = [UInt32](repeating: 0, count: B.memoryBytes(of: model) / 4)
    errorLog = ErrorLog(isKept: B.keepsErrorLog)
    events = EventState(configuration: B.eventConfiguration)
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

  @inline(__always)
  func has(_ quirk: Quirk) -> Bool { model.quirks.contains(quirk) }
}
