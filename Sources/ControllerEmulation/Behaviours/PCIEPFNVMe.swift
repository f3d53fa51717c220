// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import Numbers
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
    let opcode = String(command.opcode, radix: 16)
    controller.log(
      .error,
      "QID \(queue): submit command \(name) (0x\(opcode)) failed, status 0x\(String(status.rawValue, radix: 16))"
    )
  }

  // MARK: Admin commands

  static func refuseAdmin(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status? { nil }

  static func executeOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    let opcode = hexadecimalDigits(command.opcode, count: 2)
    controller.log(.error, "Unhandled admin command Admin Cmd (0x\(opcode))")
    return .failure(.invalidOpcode)
  }

  static func createCompletionQueue(
    _ controller: inout Controller<Self>, _ request: CompletionQueueRequest
  ) -> Outcome {
    guard request.id < controller.completions.count, !controller.completions[request.id].isLive
    else { return .failure(.invalidQueueID) }
    guard request.isContiguous else { return .failure(notContiguous(controller)) }
    guard checkQueueSize(&controller, request.size, "CQ", request.id) else {
      return .failure(.invalidQueueSize)
    }
    guard Int(request.vector) < controller.model.interrupts.vectors else {
      return .failure(.invalidVector)
    }
    return controller.add(request)
  }

  static func createSubmissionQueue(
    _ controller: inout Controller<Self>, _ request: SubmissionQueueRequest
  ) -> Outcome {
    let (id, target) = (request.id, request.completionQueue)
    // The driver's check accepts one id too many.
    let end = controller.submissions.count
    guard id != 0, id <= end, !(id < end && controller.submissions[id].isLive) else {
      return .failure(.invalidQueueID)
    }
    if id == end || target >= controller.completions.count {
      if controller.has(.submissionQueueBeyondArrays) {
        controller.diagnose(
          // pci_epf_nvme.md#submission-queue-beyond-arrays
          "pci_epf_nvme: queue id",
          "Create I/O SQ \(id) on CQ \(target): the driver uses entries beyond its arrays")
      }
      return .failure(id == end ? .invalidQueueID : .invalidCompletionQueue)
    }
    guard controller.isIOCompletionQueue(target) else { return .failure(.invalidCompletionQueue) }
    guard request.isContiguous else { return .failure(notContiguous(controller)) }
    guard checkQueueSize(&controller, request.size, "SQ", id) else {
      return .failure(.invalidQueueSize)
    }
    return controller.add(request, due: controller.now + VirtualTime.Milliseconds(4))
  }

  /// PC = 0: a status that the specification defines for deletion.
  private static func notContiguous(_ controller: borrowing Controller<Self>) -> Status {
    controller.has(.noncontiguousQueueIsInvalidQueue) ? .invalidQueueDeletion : .invalidField
  }

  /// Logs a size beyond the limit, before it is refused.
  private static func checkQueueSize(
    _ controller: inout Controller<Self>, _ size: UInt32, _ kind: String, _ id: Int
  ) -> Bool {
    let maximum = controller.model.maximumQueueEntries - 1
    if size > UInt32(maximum) {
      controller.log(
        .warning, "Create \(kind) \(id), qsize \(size) > mqes \(maximum): buggy driver?")
    }
    return controller.isQueueSize(size)
  }

  /// The driver removes one reference, and the queue stays.
  static func deleteUsedCompletionQueue(
    _ controller: inout Controller<Self>, _ id: Int
  ) -> Outcome {
    guard controller.has(.completionQueueDeletedInUse) else {
      return .failure(.invalidQueueDeletion)
    }
    controller.completions[id].references -= 1
    return .success
  }

  // MARK: Features

  static func getFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.feature {
    case .numberOfQueues: return queueCount(controller)
    case .volatileWriteCache: return .value(1)
    case .asyncEventConfiguration: return .value(controller.events.configuration.rawValue)
    case .keepAliveTimer: return .value(0)
    case .hostIdentifier: return .failure(.invalidSGLLength)
    case .namespaceWriteProtection:
      let index = controller.index(of: command.namespaceID)
      guard index >= 0 else { return .failure(.invalidNamespace) }
      return .value(controller.usage[index].isWriteProtected ? 1 : 0)
    default: return .failure(.invalidField)
    }
  }

  static func setFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.feature {
    case .numberOfQueues:
      return NumberOfQueues(rawValue: command.cdw11).isValid
        ? queueCount(controller) : .failure(.invalidField)
    case .asyncEventConfiguration:
      controller.events.configuration.rawValue = command.cdw11
      return .success
    case .keepAliveTimer: return .success
    case .namespaceWriteProtection: return controller.protectNamespace(command)
    case .hostIdentifier: return .failure(.sequenceError)
    default: return .failure(.invalidField)
    }
  }

  /// The limit of the target, even if the PCI side has fewer.
  private static func queueCount(_ controller: borrowing Controller<Self>) -> Outcome {
    controller.queueCount(
      controller.has(.queueCountOfTarget)
        ? controller.model.targetIOQueues : controller.model.ioQueues)
  }

  /// The host identifier is not data.
  static var transfersHostIdentifier: Bool { false }

  // MARK: Events

  /// Requests are freed and forgotten.
  static func requestEvent(_ controller: inout Controller<Self>, _ command: SubmissionEntry) {
    if !controller.has(.asyncEventsNeverComplete) { controller.waitForEvent(command) }
  }

  static var notifiesOfNamespaces: Bool { false }

  // MARK: Identify

  /// - Source: the values of the target: pci_epf_nvme.md, 11.4.
  static func describe(
    _ controller: borrowing Controller<Self>, in data: inout IdentifyController
  ) {
    // The driver copies the vendor ID.
    data[.subsystemVendorID] = controller.model.vendorID
    data[.asyncEvents] = 0x900
    data[.attributes] = 0x41
    data[.logPageAttributes] = 7
    data[.optionalCommands] = 0x0c
    controller.describeTarget(in: &data)
  }

  static func describe(_ namespace: Namespace, in data: inout IdentifyNamespace) {
    if namespace.hidesUtilization { data[.utilization] = 0 }
    data[.features] = namespace.isFile ? 0 : 2
    data[.sharing] = 1
  }

  static func isInvalidNamespaceID(_ id: UInt32) -> Bool { id == 0 || id == .max }

  static func identifyOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome { .failure(.invalidField) }

  // MARK: Log pages

  /// The target ignores the offset.
  static func logPage(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, count: Int
  ) -> Outcome {
    switch command.logPage {
    case .errorInformation: controller.acknowledgeEvents(of: .errorInformation, by: command)
    case .health, .firmwareSlots: break
    case .changedNamespaces:
      controller.putChangedNamespaces(controller.events.changedNamespaces, count)
      controller.acknowledgeEvents(of: .changedNamespaces, by: command)
      controller.forgetAcknowledgedChanges()
    case .commandEffects:
      if controller.has(.effectsLogOverrun), count < 24 {
        controller.diagnose(
          // pci_epf_nvme.md#effects-log-overrun
          "pci_epf_nvme: effects log",
          "an effects log of \(count) bytes: the driver edits the first 24 and writes past its buffer"
        )
      }
      controller.putEffects(
        count, admin: AdminOpcode.common, plain: [.flush, .read],
        changing: [.write, .writeZeroes, .datasetManagement])
    case .namespaceAccess: putAccess(controller, command, count)
    default: return .failure(.invalidField)
    }
    return .data(count: count)
  }

  /// Asymmetric Namespace Access: group 1 always, others with their first namespace.
  private static func putAccess(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry, _ count: Int
  ) {
    let namespaces = controller.model.namespaces.filter(\.isEnabled)
    let groups = Set(namespaces.map(\.anaGroup)).union([1]).sorted()
    guard count >= 16 else { return }
    controller.put(UInt64(groups.count), width: 2, at: 8)
    var offset = 16
    for group in groups {
      let members = namespaces.filter { $0.anaGroup == group }
      let ids = command.wantsGroupsOnly ? [] : members.map(\.id)
      guard offset + 32 + 4 * ids.count <= count else { return }
      controller.putAccessGroup(
        group, ids, members.first?.accessState ?? .optimized, at: offset)
      offset += 32 + 4 * ids.count
    }
  }

  // MARK: I/O commands

  /// The driver ignores Dataset Management, and transfers the data of Read and Write, before the target can refuse them.
  static func refuseIO(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry, _ index: Int
  ) -> Status? {
    if let refusal = controller.refuseNamespace(index) { return refusal }
    let isPassedAtOnce = [.flush, .writeZeroes].contains(command.nvmOpcode)
    if isPassedAtOnce, let refusal = controller.refuseAccess(index) { return refusal }
    return controller.refuseBlocks(command, index)
  }

  /// The target's refusals are logged.
  static func willRefuse(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {
    // Only the target sets MORE.
    if status.hasMore { logRefusal(&controller, command, on: queue, status) }
  }

  static func refuseIOOpcode(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status {
    controller.log(
      .error, "Unhandled IO command I/O Cmd (0x\(hexadecimalDigits(command.opcode, count: 2)))")
    return .invalidOpcode
  }

  static func transferBlocks(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) {
    let bytes = command.blockCount << UInt64(controller.model.namespaces[index].blockShift)
    let pointer = controller.parseDataPointer(command, bytes: bytes)
    guard pointer == .success else {
      return controller.finish(command, on: queue, .failure(pointer))
    }
    if let refusal = controller.refuseAccess(index) {
      return controller.finish(command, on: queue, .refused(refusal))
    }
    if controller.model.usesLoop, bytes == 1 << 20, controller.has(.loopCarriesLessThanMebibyte) {
      return controller.finish(command, on: queue, .failure(.internalError))
    }
    controller.transferThroughBuffer(command, bytes, on: queue, index)
  }

  /// Announced, but not implemented.
  static func manageDataset(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) {
    guard !controller.has(.deallocateIgnored) else {
      return controller.finish(command, on: queue, .success)
    }
    controller.deallocate(command, on: queue, index, ranges: UInt64(command.cdw10 & 0xff) + 1)
  }
}

final class PCIEPFNVMeController: ControllerBox<PCIEPFNVMe>, EmulatedController {}
