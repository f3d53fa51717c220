// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// `pci_epf_nvme`, the out-of-tree driver of Linux 6.12, in front of a fabrics connection to a target.
///
/// The driver keeps CC and the queues, and passes most other commands to the target.
/// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`; pci_epf_nvme.md.
enum PCIEPFNVMe: ControllerBehaviour {
  static var behaviour: Behaviour { .pciEPFNVMe }
  static func makeController(
    _ model: ControllerModel, memory: HostMemory
  ) -> any EmulatedController { PCIEPFNVMeController(model, memory: memory) }

  // MARK: Model

  /// The target of Linux 6.12 reports 1.3.
  static var version: UInt32 { 0x0001_0300 }
  static var maximumTransfer: Int { 128 << 10 }
  static func wrapsSmallTransferField(_ quirks: QuirkSet) -> Bool {
    quirks.contains(.smallTransferFieldWraps)
  }
  static var doorbellPairs: Int { 16 }

  // MARK: Setup

  /// Whole pages.
  static func requestedBytes(_ needed: UInt64) -> UInt64 { (needed + 4095) / 4096 * 4096 }

  static func queues(of setup: DriverSetup, target: Int) -> DriverSetup.Queues {
    var queues = min(target + 1, doorbellPairs)
    var isLimited = target + 1 > doorbellPairs
    if setup.interrupts != .intx, setup.interrupts.vectors < queues {
      queues = setup.interrupts.vectors
      isLimited = true
    }
    guard queues >= 2 else {
      return DriverSetup.Queues(log: [
        .init(level: .info, text: "Invalid number of queues \(queues)"),
        .init(level: .info, text: "Deleting controller"),
      ])
    }
    var log: [DriverSetup.Line] = []
    if isLimited { log.append(.init(level: .info, text: "Limiting number of queues to \(queues)")) }
    log.append(.init(level: .info, text: "NVMe PCI controller: \(queues - 1) I/O queues"))
    return DriverSetup.Queues(ioQueues: queues - 1, log: log)
  }

  static var interruptSubject: String { "NVMe PCI controller" }

  // MARK: Link

  static func linkUp(_ controller: inout Controller<Self>) {
    if controller.model.hasLinkUpNotifier { controller.log(.info, "Link UP") }
    controller.initializeRegisters()
    controller.registersDue = controller.now + registerPeriod
  }

  static func linkDown(_ controller: inout Controller<Self>) {
    controller.log(.info, "Link DOWN")
    controller.disable(isShutdown: false)
  }

  static func willRemove(_ controller: inout Controller<Self>) {
    controller.log(.info, "Deleting controller")
  }

  // MARK: Registers

  /// The value of its fabrics host.
  static var initialConfiguration: UInt32 { 0x0046_0060 }

  /// BAR 0 is plain memory.
  static func writeRegister(_ controller: inout Controller<Self>, _ offset: Int, _ value: UInt32) {
    guard controller.has(.wholeBARWritable) || !Register.isReadOnly(offset) else { return }
    controller.bar[offset / 4] = value
  }

  static func transition(
    _ controller: inout Controller<Self>, from old: ControllerConfiguration,
    to new: ControllerConfiguration
  ) {
    let isShutdown = isShutdown(controller, new)
    switch (old[.enable], new[.enable]) {
    case (false, true): controller.enable()
    case (true, true) where isShutdown, (true, false): controller.disable(isShutdown: isShutdown)
    default: break
    }
  }

  /// The driver tests one bit of SHN, so that an abrupt shutdown is ignored.
  private static func isShutdown(
    _ controller: borrowing Controller<Self>, _ configuration: ControllerConfiguration
  ) -> Bool {
    let notification = configuration[.shutdown]
    return controller.has(.abruptShutdownIgnored)
      ? notification.rawValue & 1 != 0 : notification != .none
  }

  /// When the host sets EN and SHN at once, the driver enables the controller and checks SHN at the next tick.
  static func hasLateShutdown(_ controller: borrowing Controller<Self>) -> Bool {
    controller.isEnabled && isShutdown(controller, controller.configuration)
  }

  // MARK: Enable, disable

  /// After a failure EN stays, RDY and CFS stay clear.
  static func mayEnable(_ controller: inout Controller<Self>) -> Bool {
    controller.log(.info, "Enabling controller")
    guard hasEntrySizes(&controller) else {
      if !controller.has(.failedEnableIsSilent) {
        controller.status[.fatal] = true
        controller.writeStatus()
      }
      return false
    }
    return true
  }

  private static func hasEntrySizes(_ controller: inout Controller<Self>) -> Bool {
    let submission = 1 << Int(controller.configuration[.submissionEntrySize])
    let completion = 1 << Int(controller.configuration[.completionEntrySize])
    if submission < 64 {
      controller.log(.error, "Unsupported IO sqes \(submission) (need 64)")
      return false
    }
    if completion < 16 {
      // The driver prints the other size by mistake.
      controller.log(.error, "Unsupported IO cqes \(submission) (need 16)")
      return false
    }
    return true
  }

  /// SHST of an earlier shutdown stays.
  static func becomeReady(_ controller: inout Controller<Self>) {
    controller.status[.ready] = true
    if !controller.has(.shutdownStatusSticks) { controller.status[.shutdown] = .normal }
  }

  static func willDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {
    controller.log(.info, "Disabling controller")
  }

  static func didDisable(_ controller: inout Controller<Self>, isShutdown: Bool) {
    if isShutdown {
      controller.status[.shutdown] = .complete
      // The bit of SHN that the driver tests.
      controller.configuration.rawValue &= ~(1 << 14)
    }
    controller.configuration[.enable] = false
    controller.writeStatus()
    controller.writeConfiguration()
  }

  // MARK: Polling

  static var registerPeriod: VirtualTime.Milliseconds? { .init(5) }

  /// The work item of the I/O queues sleeps and polls until its jiffy (4 ms) is over, and is scheduled again a jiffy later.
  static func queuePeriod(_ queue: Int) -> VirtualTime.Milliseconds? { .init(queue > 0 ? 8 : 5) }
  static func spin(_ queue: Int) -> VirtualTime.Milliseconds { .init(queue > 0 ? 4 : 0) }

  /// A poll that has not ended finds the command.
  static func submissionDoorbell(_ controller: inout Controller<Self>, _ queue: Int) {
    if controller.now < controller.submissions[queue].spinsUntil { controller.fetch(from: queue) }
  }

  // MARK: Queues

  /// The driver maps the queue, with DMA as well.
  static func canFetch(_ controller: inout Controller<Self>) -> Bool {
    guard let windows = controller.model.windows, windows.count < 1 else { return true }
    controller.diagnoseNoWindow()
    return false
  }

  static func ignoresWrap(_ controller: borrowing Controller<Self>) -> Bool {
    controller.has(.lostCompletions)
  }

  /// The driver drops completions without room.
  static func keepWaiting(_ controller: inout Controller<Self>, _ queue: Int, written: Int) {
    if controller.has(.lostCompletions) {
      controller.completions[queue].waiting.removeAll(keepingCapacity: true)
    } else {
      controller.completions[queue].waiting.removeFirst(written)
      controller.completions[queue].due = controller.now + VirtualTime.Milliseconds(1)
    }
  }

  /// One interrupt for the batch, also when the queue had no room for any of it.
  static func didPostBatch(_ controller: inout Controller<Self>, to queue: Int, count: Int) {
    guard controller.completions[queue].raisesInterrupts || controller.has(.interruptEnableIgnored)
    else { return }
    controller.raise(queue)
  }

  // MARK: Data pointers

  static func parseSGL(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, _ count: Int
  ) -> Status { .invalidField }

  /// Pages of 4 KiB, independent of CC.MPS.
  static func directBytes(pageSize: UInt64) -> UInt64 { 8192 }

  static func refuseList(
    _ controller: inout Controller<Self>, _ first: PRP, count: Int, rest: UInt64
  ) -> Status? {
    guard rest == 0 else { return nil }
    // Inside the first of pages above 4 KiB: the driver counts that page to its end.
    let page = controller.pageSize
    controller.log(
      .error,
      "PRPs transfer length mismatch \(page - first.offset(pageSize: page)) / \(count)")
    return .internalError
  }

  static func refuseTransfer(_ controller: inout Controller<Self>) -> Status? {
    guard let windows = controller.model.windows, !controller.model.usesDMA else { return nil }
    guard windows.count > 0 else { return .dataTransferError }
    guard controller.has(.partialMappingRepeats) else { return nil }
    for segment in controller.segments
    where windows.reach(from: segment.address) < UInt64(segment.count) {
      controller.diagnose(
        // pci_epf_nvme.md#partial-mapping-repeats
        "pci_epf_nvme: partial mapping",
        "a piece of \(segment.count) bytes needs more than one mapping: the driver would transfer its first part repeatedly"
      )
      return .dataTransferError
    }
    return nil
  }

  // MARK: The end of a command

  /// The driver logs a refusal of the target, and not its own.
  static func logRefusal(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {
    let name = queue == 0 ? "Admin Cmd" : "I/O Cmd"
    controller.log(
      .error,
      "QID \(queue): submit command \(name) (\(hexadecimal(command.opcode))) failed, status \(hexadecimal(status.rawValue))"
    )
  }
}

final class PCIEPFNVMeController: ControllerBox<PCIEPFNVMe>, EmulatedController {}
