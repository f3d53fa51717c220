// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// `nvmet_pci_epf`, in Linux since 6.14: the endpoint driver. The commands of its target are in `NVMetPCIEPF+Target.swift`.
/// - Source: `drivers/nvme/target/pci-epf.c`; nvmet_pci_epf.md.
enum NVMetPCIEPF: ControllerBehaviour {
  static var behaviour: Behaviour { .nvmetPCIEPF }
  static func makeController(
    _ model: ControllerModel, memory: HostMemory
  ) -> any EmulatedController { NVMetPCIEPFController(model, memory: memory) }

  // MARK: Model

  /// Targets since Linux 6.14 report 2.1.
  static var version: UInt32 { 0x0002_0100 }
  static var maximumTransfer: Int { 512 << 10 }
  static func wrapsSmallTransferField(_ quirks: QuirkSet) -> Bool {
    quirks.contains(.transferFieldWraps)
  }
  static var doorbellPairs: Int { 128 }
  /// BAR 0 is memory from its beginning to its end. Only the first part of a large BAR is backed; the rest reads zero.
  static func memoryBytes(of model: ControllerModel) -> Int {
    max(min(model.bar0Size, 1 << 24), model.registerBytes)
  }

  // MARK: Setup

  static func queues(of setup: DriverSetup, target: Int) -> DriverSetup.Queues {
    // Queues that there are doorbells and vectors for.
    let maximum =
      setup.interrupts == .intx ? doorbellPairs : min(doorbellPairs, setup.interrupts.vectors)
    guard maximum >= 2 else {
      return DriverSetup.Queues(log: [
        .init(level: .error, text: "Invalid maximum number of queues \(maximum)")
      ])
    }
    return DriverSetup.Queues(ioQueues: min(target + 1, maximum) - 1)
  }

  static var interruptSubject: String { "PCI endpoint controller" }

  // MARK: Link

  static func linkUp(_ controller: inout Controller<Self>) {
    logLink(&controller, isUp: true)
    controller.registersDue = controller.now + registerPeriod
  }

  static func linkDown(_ controller: inout Controller<Self>) {
    logLink(&controller, isUp: false)
    controller.disable(isShutdown: false)
    if !controller.has(.enableSurvivesShutdown) { clearRegisters(&controller) }
  }

  static func willRemove(_ controller: inout Controller<Self>) {
    controller.log(.info, "Destroying PCI ctrl \"\(controller.model.nqn)\"")
    logLink(&controller, isUp: false)
  }

  // MARK: Registers

  /// BAR 0 is plain memory.
  static func writeRegister(_ controller: inout Controller<Self>, _ offset: Int, _ value: UInt32) {
    guard controller.has(.registersWritable) || !Register.isReadOnly(offset) else { return }
    controller.bar[offset / 4] = value
  }

  static func transition(
    _ controller: inout Controller<Self>, from old: ControllerConfiguration,
    to new: ControllerConfiguration
  ) {
    if !old[.enable], new[.enable], !controller.enable() { return failEnable(&controller) }
    // nvmet's core forgets CC at a shutdown, and so finds one here that the driver does not: it stops again.
    if !old[.enable], new[.enable], old[.shutdown] != .none, new[.shutdown] != .none {
      controller.coreFailure = .stopped
    }
    if old[.enable], !new[.enable] { controller.disable(isShutdown: false) }
    if old[.shutdown] == .none, new[.shutdown] != .none {
      if controller.isEnabled {
        controller.disable(isShutdown: true)
      } else if !controller.has(.shutdownWhileDisabledIgnored) {
        controller.status[.shutdown] = .complete
      }
    }
    if old[.shutdown] != .none, new[.shutdown] == .none {
      controller.status[.shutdown] = .normal
    }
    controller.writeStatus()
  }

  static func clearRegisters(_ controller: inout Controller<Self>) {
    controller.configuration = ControllerConfiguration()
    controller.status = ControllerStatus()
    controller.writeConfiguration()
    controller.writeStatus()
  }

  // MARK: Enable, disable

  /// IOSQES of 64 and IOCQES of 16 bytes, or at least that many, already at enable.
  static func mayEnable(_ controller: inout Controller<Self>) -> Bool {
    controller.log(.info, "Enabling controller")
    let submission = 1 << Int(controller.configuration[.submissionEntrySize])
    let completion = 1 << Int(controller.configuration[.completionEntrySize])
    let takesLarge = controller.has(.largeEntrySizesEnabled)
    if submission < 64 || submission > 64 && !takesLarge {
      controller.log(.error, "Unsupported I/O SQES \(submission) (need 64)")
      return false
    }
    if completion < 16 || completion > 16 && !takesLarge {
      controller.log(.error, "Unsupported I/O CQES \(completion) (need 16)")
      return false
    }
    return true
  }

  /// Burst and threshold start anew; the disabled state of a vector is kept.
  static func resetFeatures(_ controller: inout Controller<Self>) {
    if controller.has(.vectorNotChecked) {
      controller.coalescing.resetAtEnable()
    } else {
      controller.coalescing.reset()
    }
    controller.keepAlive.restart(at: controller.now)
    resetEvents(&controller)
  }

  /// The register has no other bit than RDY, whatever the state of nvmet.
  static func becomeReady(_ controller: inout Controller<Self>) {
    controller.coreFailure = isServable(controller.configuration) ? nil : .fatal
    controller.status = ControllerStatus()
    if controller.coreFailure != nil, !controller.has(.readyDespiteFatal) {
      controller.status[.fatal] = true
    } else {
      controller.status[.ready] = true
    }
  }

  /// Outstanding event requests complete before their queue is removed, the last one first. Without a link nothing is posted.
  static func willDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {
    let isNamed = isShutdown && !controller.has(.enableSurvivesShutdown)
    controller.log(.info, isNamed ? "Shutting down controller" : "Disabling controller")
    guard controller.isLinkUp else { return }
    for event in controller.events.requests.reversed() {
      controller.complete(Completion(queue: 0, commandID: event, status: .internalError))
    }
    controller.post(to: 0)
  }

  static func didDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {
    guard isShutdown else { return }
    if !controller.has(.shutdownDoesNotFlush) { controller.flushBackings() }
    controller.status[.shutdown] = .complete
    if controller.has(.enableSurvivesShutdown) { return }
    controller.configuration[.enable] = false
    controller.writeStatus()
    controller.writeConfiguration()
  }

  // MARK: Polling

  static var registerPeriod: VirtualTime.Milliseconds? { .init(10) }
  static func queuePeriod(_ queue: Int) -> VirtualTime.Milliseconds? { .init(5) }

  /// After a command the driver polls its queues for five seconds without a pause.
  static func didFetch(_ controller: inout Controller<Self>) {
    controller.busyUntil = controller.now + VirtualTime.Milliseconds(5000)
    controller.keepAlive.hasSeenCommand = true
  }

  static func submissionDoorbell(_ controller: inout Controller<Self>, _ queue: Int) {
    if controller.now < controller.busyUntil { controller.fetch(from: queue) }
  }

  // MARK: Queues

  /// nvmet finds the completion queue by the submission queue's id.
  static func completionQueue(_ controller: borrowing Controller<Self>, of queue: Int) -> Int {
    controller.has(.completionQueueOfSameID)
      ? queue : Int(controller.submissions[queue].completionQueue)
  }

  static func ignoresWrap(_ controller: borrowing Controller<Self>) -> Bool {
    controller.has(.fullTestWithoutWrap)
  }

  static func keepWaiting(_ controller: inout Controller<Self>, _ queue: Int, written: Int) {
    controller.completions[queue].waiting.removeFirst(written)
    controller.completions[queue].due = controller.now + VirtualTime.Milliseconds(1)
  }

  // MARK: Interrupts

  /// The admin queue, and vectors without coalescing: one for each completion and one at the end. Others: one for each full threshold, and
  /// one at the end for the rest.
  static func didPost(_ controller: inout Controller<Self>, to queue: Int) {
    guard controller.completions[queue].raisesInterrupts else { return }
    let slot = controller.completions[queue].slot
    guard queue > 0, !controller.coalescing.vectors[slot].isDisabled else {
      return controller.raise(queue)
    }
    controller.coalescing.vectors[slot].count += 1
    if controller.coalescing.vectors[slot].count >= controller.coalescing.threshold {
      controller.coalescing.vectors[slot].count = 0
      controller.raise(queue)
    }
  }

  static func didPostBatch(_ controller: inout Controller<Self>, to queue: Int, count: Int) {
    guard count > 0, controller.completions[queue].raisesInterrupts else { return }
    let slot = controller.completions[queue].slot
    guard queue > 0, !controller.coalescing.vectors[slot].isDisabled else {
      return controller.raise(queue)
    }
    if controller.coalescing.vectors[slot].count > 0 { controller.raise(queue) }
    controller.coalescing.vectors[slot].count = 0
  }

  /// There are as many slots as queues; they are assigned in order of creation, independent of the vectors.
  static func takeSlot(_ controller: inout Controller<Self>, for vector: UInt16) -> Int {
    controller.coalescing.take(vector)
  }

  static func giveSlot(_ controller: inout Controller<Self>, _ slot: Int) {
    controller.coalescing.give(slot)
  }

  // MARK: Data pointers

  static func logList(_ controller: inout Controller<Self>, _ error: StaticString) {
    controller.log(.error, "PRPs list \(error)")
  }

  static func refuseLength(
    _ controller: inout Controller<Self>, _ total: Int, for count: Int
  ) -> Status? {
    guard total != count, controller.has(.transferFailureSucceeds) else { return nil }
    controller.diagnose(
      // nvmet_pci_epf.md, 12
      "nvmet_pci_epf: SGL length",
      "an SGL of \(total) bytes for \(count): the driver does not compare them, and transfers the length of the SGL"
    )
    return .invalidSGLLength
  }

  /// The driver posts the core's status, which is still zero if the data could not be transferred.
  static func statusOfFailedTransfer(
    _ controller: borrowing Controller<Self>, _ status: Status
  ) -> Status { controller.has(.transferFailureSucceeds) ? .success : status }

  static func readFailed(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16
  ) {
    guard controller.has(.failedReadHangs) else { return }
    let subject = queue == 0 ? "command 0x\(hexadecimalDigits(command.opcode, count: 2))" : "a read"
    controller.diagnose(
      // nvmet_pci_epf.md#failed-read-hangs
      "nvmet_pci_epf: failed read",
      "\(subject) failed in execution: the driver's worker waits forever, and disable, link-down or unlink would hang"
    )
  }

  static func logFailure(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {
    // The driver does not look at the queue: it is silent about Verify, the I/O command with this opcode, as well.
    guard command.adminOpcode != .asyncEventRequest else { return }
    let name = queue == 0 ? "Admin Cmd" : "I/O Cmd"
    controller.log(
      .error,
      "CQ[\(queue)]: Command \(name) (\(hexadecimal(command.opcode))) status \(hexadecimal(status.rawValue))"
    )
  }

  // MARK: Outbound windows

  /// Each completion queue has a window, from its creation on; in older releases only for a post.
  private static func freeWindows(_ controller: borrowing Controller<Self>) -> Int {
    guard let windows = controller.model.windows else { return .max }
    if controller.has(.completionQueueMappedPerPost) { return windows.count }
    return windows.count - controller.completions.count { $0.isLive }
  }

  static func canMap(
    _ controller: inout Controller<Self>, completionQueue id: Int, at address: UInt64,
    depth: UInt32
  ) -> Bool {
    guard let windows = controller.model.windows else { return true }
    guard freeWindows(controller) > 0 else {
      controller.log(.error, "Failed to map CQ \(id) (err=-12)")
      return false
    }
    guard windows.reach(from: address) >= UInt64(depth) * 16 else {
      controller.log(.error, "Invalid partial mapping of queue \(id)")
      return controller.has(.completionQueueMappedPerPost) && diagnoseUnmapped(&controller, id)
    }
    return true
  }

  /// With DMA, the driver fetches by DMA.
  static func canFetch(_ controller: inout Controller<Self>) -> Bool {
    guard freeWindows(controller) < 1, !controller.model.usesDMA else { return true }
    controller.diagnoseNoWindow()
    return false
  }

  static func refuseTransfer(_ controller: inout Controller<Self>) -> Status? {
    !controller.model.usesDMA && freeWindows(controller) < 1 ? .dataTransferError : nil
  }
}

final class NVMetPCIEPFController: ControllerBox<NVMetPCIEPF>, EmulatedController {}
