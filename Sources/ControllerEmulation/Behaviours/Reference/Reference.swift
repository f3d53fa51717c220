// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe
internal import PCI

/// The reference controller: the behaviour of the specification, with the least that it allows.
///
/// It acts on each write of the host, and polls only doorbells in memory.
/// - Source: NVM Express Base 2.1; NVM Command Set 1.1; NVM Express PCIe Transport 1.1.
enum Reference: ControllerBehaviour {
  static var behaviour: Behaviour { .reference }
  static func makeController(
    _ model: ControllerModel, memory: HostMemory
  ) -> any EmulatedController { ReferenceController(model, memory: memory) }

  // MARK: Model

  static var version: UInt32 { 0x0002_0100 }
  static var maximumTransfer: Int { 512 << 10 }
  static func wrapsSmallTransferField(_ quirks: QuirkSet) -> Bool { false }

  static var doorbellPairs: Int { NVMetPCIEPF.doorbellPairs }
  /// As many as queues.
  static func doorbellPairs(of model: ControllerModel) -> Int { model.ioQueues + 1 }

  // MARK: Setup

  // No driver sets it up.
  static func queues(of setup: DriverSetup, target: Int) -> DriverSetup.Queues {
    NVMetPCIEPF.queues(of: setup, target: target)
  }
  static var interruptSubject: String { NVMetPCIEPF.interruptSubject }

  // MARK: Link

  static func linkUp(_ controller: inout Controller<Self>) {}

  static func linkDown(_ controller: inout Controller<Self>) {
    controller.log(.info, "PCI link down")
    controller.disable(isShutdown: false)
    controller.reset()
  }

  static func willRemove(_ controller: inout Controller<Self>) {}

  // MARK: Registers

  /// Doorbells need not be readable.
  static var hasReadableDoorbells: Bool { false }

  /// - Source: NVM Express Base 2.1, 3.1.4.
  static func writeRegister(_ controller: inout Controller<Self>, _ offset: Int, _ value: UInt32) {
    switch offset {
    case Register.configuration.offset:
      controller.bar[offset / 4] = value
      controller.pollConfiguration()
    case Register.adminQueueAttributes.offset:
      controller.bar[offset / 4] = value & 0x0fff_0fff
    case Register.adminSubmissionQueue.offset, Register.adminCompletionQueue.offset:
      controller.bar[offset / 4] = value & ~0xfff
    case Register.adminSubmissionQueue.offset + 4, Register.adminCompletionQueue.offset + 4:
      controller.bar[offset / 4] = value
    // Masks of pin and MSI interrupts; with MSI-X the host must not use them, and they have no effect.
    case Register.interruptMaskSet.offset:
      setMask(&controller, interruptMask(controller) | value)
    case Register.interruptMaskClear.offset:
      setMask(&controller, interruptMask(controller) & ~value)
    default: break
    }
  }

  private static func interruptMask(_ controller: borrowing Controller<Self>) -> UInt32 {
    controller.bar[Register.interruptMaskSet.offset / 4]
  }

  private static func setMask(_ controller: inout Controller<Self>, _ mask: UInt32) {
    controller.bar[Register.interruptMaskSet.offset / 4] = mask
    controller.bar[Register.interruptMaskClear.offset / 4] = mask
  }

  static func transition(
    _ controller: inout Controller<Self>, from old: ControllerConfiguration,
    to new: ControllerConfiguration
  ) {
    if !old[.enable], new[.enable] {
      controller.status[.shutdown] = .normal
      if !controller.enable() { controller.status[.fatal] = true }
    } else if old[.enable], !new[.enable] {
      // A controller reset clears everything but the admin queue's registers.
      controller.disable(isShutdown: false)
      controller.status = ControllerStatus()
    }
    if old[.shutdown] == .none, new[.shutdown] != .none {
      controller.flushBackings()
      controller.status[.shutdown] = .complete
    }
    controller.writeStatus()
  }

  // MARK: Enable, disable

  /// - Source: NVM Express Base 2.1, 3.1.4.5, 3.1.4.7 and 3.5.1.
  static func mayEnable(_ controller: inout Controller<Self>) -> Bool {
    let attributes = controller.adminQueueAttributes
    return controller.configuration.isServed && attributes[.submissionQueueSize] >= 1
      && attributes[.completionQueueSize] >= 1
  }

  static func becomeReady(_ controller: inout Controller<Self>) {
    controller.status[.ready] = true
  }

  static func willDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {}
  static func didDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {}

  // MARK: Polling

  static var registerPeriod: VirtualTime.Milliseconds? { nil }
  static func queuePeriod(_ queue: Int) -> VirtualTime.Milliseconds? { nil }

  // MARK: Queues

  static func submissionDoorbell(_ controller: inout Controller<Self>, _ queue: Int) {
    controller.fetch(from: queue)
  }

  static func completionDoorbell(_ controller: inout Controller<Self>, _ queue: Int) {
    if !controller.completions[queue].waiting.isEmpty { controller.post(to: queue) }
  }

  /// The queue waits for a valid value, at its register.
  static func invalidTail(_ controller: inout Controller<Self>, _ tail: UInt32, of queue: Int) {
    controller.setDoorbellRegister(
      queue, completion: false, controller.submissions[queue].head)
    controller.submissions[queue].leavesBuffers = true
    reportDoorbell(&controller, .value)
  }

  static var ignoresInvalidHeads: Bool { true }

  /// An error event, once until the host reads the Error Information log.
  /// - Source: NVM Express Base 2.1, 5.1.2: error status, log page 01h.
  static func reportDoorbell(_ controller: inout Controller<Self>, _ error: DoorbellError) {
    guard controller.isEnabled else { return }
    var event = AsyncEvent()
    event[.information] = error.rawValue
    event[.logPage] = LogPageID.errorInformation
    controller.hold(event)
    controller.completeHeldEvents()
    controller.post(to: 0)
  }

  static func canFetch(_ controller: inout Controller<Self>) -> Bool { true }

  static var writesCompletionsAtOnce: Bool { true }
  static func ignoresWrap(_ controller: borrowing Controller<Self>) -> Bool { false }

  /// The rest follows when the host moves the head.
  static func keepWaiting(_ controller: inout Controller<Self>, _ queue: Int, written: Int) {
    controller.completions[queue].waiting.removeFirst(written)
  }

  // MARK: Interrupts

  static func didPostBatch(_ controller: inout Controller<Self>, to queue: Int, count: Int) {
    guard count > 0, controller.completions[queue].raisesInterrupts else { return }
    controller.raiseOrHold(queue)
  }

  /// A mask register counts for pins and MSI only.
  static func isMasked(_ controller: borrowing Controller<Self>, _ vector: UInt16) -> Bool {
    if case .msix = controller.model.interrupts { return false }
    return vector < 32 && interruptMask(controller) >> UInt32(vector) & 1 != 0
  }

  /// The pin is asserted while a queue has entries that the host has not acknowledged, and vector 0 is not masked.
  /// - Source: NVM Express PCIe Transport 1.1, 3.5.1.
  static func pinLevel(_ controller: borrowing Controller<Self>) -> Bool? {
    guard interruptMask(controller) & 1 == 0 else { return false }
    for queue in controller.completions.indices
    where controller.completions[queue].isLive && controller.completions[queue].raisesInterrupts {
      let head = controller.doorbell(completion: queue) & 0xffff
      if head != controller.completions[queue].tail { return true }
    }
    return false
  }

  // MARK: Data pointers

  static var acceptsZeroPRPs: Bool { true }
  static var checksListAlignment: Bool { true }
  static var unreadableList: Status { .dataTransferError }
  static func refuseSegment(
    _ controller: inout Controller<Self>, length: Int, lists: Int
  ) -> Status? {
    let size = SGLDescriptor.byteCount
    return length >= size && length % size == 0 && lists <= 64 ? nil : .invalidField
  }
  static var endsAtLastSegment: Bool { true }
  static func refuseTransfer(_ controller: inout Controller<Self>) -> Status? { nil }
}

final class ReferenceController: ControllerBox<Reference>, EmulatedController {}
