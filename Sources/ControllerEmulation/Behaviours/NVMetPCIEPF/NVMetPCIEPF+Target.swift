// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The commands of the target behind the driver.
/// - Source: `drivers/nvme/target/core.c`, `admin-cmd.c`, `fabrics-cmd.c`, `io-cmd-bdev.c`, `io-cmd-file.c`; nvmet_pci_epf.md.
extension NVMetPCIEPF {
  /// The settings that nvmet's core supports: entries of 64 and 16 bytes, pages of 4 KiB, round robin, a supported command set.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_start_ctrl`.
  static func isServable(_ configuration: ControllerConfiguration) -> Bool {
    configuration[.submissionEntrySize] == 6 && configuration[.completionEntrySize] == 4
      && configuration.isServed
  }

  /// After a command the timer starts again.
  static func keepAliveExpired(_ controller: inout Controller<Self>) {
    guard !controller.keepAlive.hasSeenCommand else {
      return controller.keepAlive.restart(at: controller.now)
    }
    let (id, seconds) = (controller.model.controllerID, controller.keepAlive.seconds)
    controller.keepAlive.due = .never
    controller.log(.error, "nvmet: ctrl \(id) keep-alive timer (\(seconds) seconds) expired!")
    controller.log(.error, "nvmet: ctrl \(id) fatal error occurred!")
    controller.diagnose(
      // nvmet_pci_epf.md#keep-alive-expiry-crashes
      "nvmet_pci_epf: keep-alive timer",
      "the keep-alive timer of \(seconds) s has expired: the kernel calls a missing operation and crashes"
    )
  }

  static var keepsErrorLog: Bool { true }

  // MARK: Admin commands

  static func refuseAdmin(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status? {
    if command.isFused { return .invalidField.withMore }
    // nvmet has another parser for them, which does not check whether it is enabled.
    if command.adminOpcode == .fabrics { return nil }
    if let failure = controller.coreFailure {
      let state = failure == .fatal ? "CSTS.RDY" : "CC.EN"
      controller.log(.error, "nvmet: got cmd \(command.opcode) while \(state) == 0 on qid = 0")
      return .sequenceError
    }
    return command.usesSGL ? .invalidField : nil
  }

  static func executeOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.adminOpcode {
    case .keepAlive:
      guard controller.keepAlive.seconds > 0 else {
        return .failure(.invalidKeepAliveTimeout.retriable)
      }
      controller.keepAlive.restart(at: controller.now)
      return .success
    case .fabrics: return fabricsCommand(controller, command)
    default:
      willRefuse(&controller, command, on: 0, .invalidOpcode.withMore)
      return .failure(.invalidOpcode.withMore)
    }
  }

  /// The replies to fabrics commands, by the type in the first byte of the NSID: only Property Get is supported.
  private static func fabricsCommand(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch UInt8(truncatingIfNeeded: command.namespaceID) {
    case 0x04:
      // ATTRIB, bit 0: eight bytes.
      switch (command.cdw10 & 1 != 0, Int(command.cdw11)) {
      case (true, 0): return .done(status: .success, result: controller.model.capabilities)
      case (false, Register.version.offset): return .value(controller.model.version)
      // CC and CSTS of nvmet's core, which the registers do not show to the host.
      case (false, Register.configuration.offset):
        return .value(controller.coreFailure == .stopped ? 0 : controller.configuration.rawValue)
      case (false, Register.status.offset):
        return .value(controller.coreFailure?.status ?? 1)
      default: return .failure(.invalidField.withMore)
      }
    // Property Set.
    case 0x00: return .failure(.invalidField.withMore)
    // Authentication Send and Receive.
    case 0x05, 0x06:
      return .failure(
        controller.model.hasAuthentication ? .invalidField.withMore : .invalidOpcode.withMore)
    default: return .failure(.invalidOpcode.withMore)
    }
  }

  // MARK: Features

  static func getFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.feature {
    case .numberOfQueues: return controller.queueCount(controller.model.targetIOQueues)
    case .volatileWriteCache: return .value(1)
    case .asyncEventConfiguration: return .value(controller.events.configuration.rawValue)
    // In milliseconds.
    case .keepAliveTimer:
      return .done(status: .success, result: UInt64(controller.keepAlive.seconds) * 1000)
    case .arbitration: return .value(controller.coalescing.burstExponent)
    case .interruptCoalescing: return .value(UInt32(controller.coalescing.threshold & 0xff))
    case .interruptVectorConfiguration: return controller.vectorConfiguration(command)
    case .namespaceWriteProtection:
      let index = controller.index(of: command.namespaceID)
      if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
      return .value(controller.usage[index].isWriteProtected ? 1 : 0)
    case .hostIdentifier:
      // It has not been set; only the extended identifier is supported.
      return command.cdw11 & 1 != 0
        ? .data(count: command.hostIdentifierBytes) : .failure(.invalidField.withMore)
    case .reservationNotificationMask: return refuseReservationMask(controller, command)
    default: return .failure(.invalidField.withMore)
    }
  }

  static func setFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    let value = command.cdw11
    switch command.feature {
    case .numberOfQueues:
      return NumberOfQueues(rawValue: value).isValid
        ? controller.queueCount(controller.model.targetIOQueues) : .failure(.invalidField)
    case .asyncEventConfiguration:
      guard value & ~0x91f == 0 else { return .failure(.invalidField.withMore) }
      controller.events.configuration.rawValue = value
      return .value(value)
    case .arbitration:
      // The driver keeps two of the three bits, so that "unlimited" becomes 8.
      let burst = Arbitration(rawValue: value)[.burst]
      controller.coalescing.burstExponent = UInt32(
        controller.has(.burstAndThresholdCut) ? burst & 3 : burst)
      return .success
    case .interruptCoalescing:
      controller.coalescing.threshold =
        Int(InterruptCoalescing(rawValue: value)[.threshold])
        + (controller.has(.burstAndThresholdCut) ? 1 : 0)
      return .success
    case .interruptVectorConfiguration: return controller.configureVector(command)
    case .keepAliveTimer:
      controller.keepAlive.set(milliseconds: value, at: controller.now)
      return .value(controller.keepAlive.seconds)
    case .namespaceWriteProtection: return controller.protectNamespace(command)
    case .hostIdentifier:
      guard value & 1 != 0 else { return .failure(.invalidField.withMore) }
      return .failure(
        controller.has(.hostIdentifierHasNoLength) ? .invalidSGLLength.withMore : .sequenceError)
    case .reservationNotificationMask: return refuseReservationMask(controller, command)
    default: return .failure(.invalidField.withMore)
    }
  }

  // MARK: Events

  /// nvmet keeps reported events and the host's settings.
  static func resetEvents(_ controller: inout Controller<Self>) { controller.events.requests = [] }

  // MARK: Identify

  /// - Source: nvmet_pci_epf.md, 15.
  static func describe(
    _ controller: borrowing Controller<Self>, in data: inout IdentifyController
  ) {
    data[.subsystemVendorID] = controller.model.subsystemVendorID
    data[.multipath] = 0x0b
    data[.asyncEvents] = 0x900
    data[.attributes] = 0x40041
    data[.logPageAttributes] = 7
    controller.describeTarget(in: &data)
    data[.enduranceGroups] = 1024
    data[.writeProtection] = 1
    data[.optionalCommands] = 0x2c
    data[.sglSupport] = 1
  }

  static func describe(_ namespace: Namespace, in data: inout IdentifyNamespace) {
    if namespace.hidesUtilization { data[.utilization] = 0 }
    data[.features] = namespace.isFile ? 0 : 0x32
    data[.sharing] = 1
    data[.enduranceGroup] = UInt16(truncatingIfNeeded: namespace.id)
  }

  /// nvmet checks only whether the namespace exists.
  static func isInvalidNamespaceID(_ id: UInt32) -> Bool { id == .max }

  static var noSuchNamespace: Status { .invalidNamespace.withMore }
  static var namespaceNotEnabled: Status { .internalPathError.retriable.withMore }

  static func identifyOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    let id = command.namespaceID
    switch command.identifyStructure {
    case .commandSetNamespace where command.commandSet == .nvm:
      return commandSetNamespace(controller, id)
    case .commandSetActiveNamespaces where command.commandSet == .nvm:
      return controller.namespaceList(after: id)
    // nvmet lists the namespaces of any command set: here, none.
    case .commandSetActiveNamespaces:
      return id < 0xffff_fffe ? .data(count: 4096) : .failure(noSuchNamespace)
    case .enduranceGroups: return enduranceGroups(controller, after: command.cdw11 & 0xffff)
    case .independentNamespace:
      let index = controller.index(of: id)
      if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
      // A block device may report that it has no write cache.
      if !controller.model.namespaces[index].isFile { controller.put(0x20, width: 1, at: 0) }
      return controller.independentNamespace(index, sharing: 1)
    default: return .failure(.invalidField.withMore)
    }
  }

  /// The structure of the NVM command set: the discard limit of a block device, in blocks.
  private static func commandSetNamespace(
    _ controller: borrowing Controller<Self>, _ id: UInt32
  ) -> Outcome {
    let index = controller.index(of: id)
    if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
    if !controller.model.namespaces[index].isFile {
      // NPDGL and NPDAL.
      controller.put(1, width: 4, at: 268)
      controller.put(1, width: 4, at: 284)
    }
    return .data(count: 4096)
  }

  /// Every namespace is a separate endurance group.
  private static func enduranceGroups(
    _ controller: borrowing Controller<Self>, after id: UInt32
  ) -> Outcome {
    let ids = controller.activeNamespaces(after: id).prefix(2047)
    controller.put(UInt64(ids.count), width: 2, at: 0)
    for (index, id) in ids.enumerated() {
      controller.put(UInt64(id), width: 2, at: 2 + 2 * index)
    }
    return .data(count: 4096)
  }

  // MARK: Log pages

  /// nvmet ignores the offset.
  static func logPage(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, count: Int
  ) -> Outcome {
    func checkLength(_ least: Int) -> Outcome? {
      count < least ? .failure(.invalidSGLLength.withMore) : nil
    }
    switch command.logPage {
    case .supportedLogPages:
      if let failure = checkLength(1024) { return failure }
      controller.putSupportedPages([0, 1, 2, 3, 4, 5, 9, 0xc, 0x12, 0x16, 0x80], count)
    case .errorInformation:
      controller.acknowledgeEvents(of: .errorInformation, by: command)
      putErrors(controller)
    case .health:
      guard count == 512 else { return .failure(.internalError.retriable) }
      if let refusal = putHealth(controller, command.namespaceID) { return .failure(refusal) }
    case .firmwareSlots: break
    case .changedNamespaces:
      guard count == 4096 else { return .failure(.internalError.retriable) }
      controller.putChangedNamespaces(controller.events.changedNamespaces, count)
      controller.acknowledgeEvents(of: .changedNamespaces, by: command)
      // nvmet always clears the list; the specification keeps it with the event.
      controller.events.changedNamespaces = []
    case .commandEffects:
      // CSI, CDW14 bits 31:24: the NVM and the zoned command set.
      guard [0, 2].contains(command.cdw14 >> 24) else {
        return .failure(.invalidLogPage.retriable)
      }
      if let failure = checkLength(4096) { return failure }
      // Write and Write Zeroes change the contents of blocks; nvmet forgets it of Dataset Management.
      controller.putEffects(
        count, admin: AdminOpcode.common + [.keepAlive],
        plain: [
          .flush, .read, .reservationRegister, .reservationReport, .reservationAcquire,
          .reservationRelease, .datasetManagement,
        ], changing: [.write, .writeZeroes])
    case .enduranceGroup:
      let index = controller.index(of: command.cdw11 >> 16)
      if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
      if let failure = checkLength(512) { return failure }
      putEnduranceGroup(controller, index)
    case .namespaceAccess:
      if let failure = checkLength(16) { return failure }
      putAccess(controller, groupsOnly: command.wantsGroupsOnly)
    case .featureEffects:
      if let failure = checkLength(1024) { return failure }
      for feature in [0x07, 0x0b, 0x0f, 0x81] {
        controller.put(0x20_0001, width: 4, at: 4 * feature)
      }
      for feature in [0x82, 0x84] { controller.put(0x10_0001, width: 4, at: 4 * feature) }
    case .rotationalMedia:
      let index = controller.index(of: command.cdw11 >> 16)
      // There is no rotational medium.
      return .failure(controller.refuseNamespace(index) ?? .invalidField)
    // Nothing has been reserved.
    case .reservationNotification: break
    default: return .failure(.invalidField.withMore)
    }
    return .data(count: count)
  }

  /// Error Information: the buffer has room for all entries, independent of the requested length.
  private static func putErrors(_ controller: borrowing Controller<Self>) {
    for (index, entry) in controller.errorLog.newestFirst.enumerated() {
      controller.put(entry.count, width: 8, at: 64 * index)
      controller.put(UInt64(entry.queue), width: 2, at: 64 * index + 8)
      controller.put(UInt64(entry.command), width: 2, at: 64 * index + 10)
      controller.put(UInt64(entry.status), width: 2, at: 64 * index + 12)
      controller.put(UInt64(entry.location), width: 2, at: 64 * index + 14)
      controller.put(entry.block, width: 8, at: 64 * index + 16)
      controller.put(UInt64(entry.namespace), width: 4, at: 64 * index + 24)
    }
  }

  /// SMART: the statistics of one block device or of all; files have none.
  private static func putHealth(
    _ controller: borrowing Controller<Self>, _ id: UInt32
  ) -> Status? {
    var total = NamespaceUsage(isWriteProtected: false)
    var units = (read: UInt64(0), written: UInt64(0))
    if id != .max, let refusal = controller.refuseNamespace(controller.index(of: id)) {
      return refusal
    }
    for (index, space) in controller.model.namespaces.enumerated()
    where !space.isFile && (id == .max ? space.isEnabled : space.id == id) {
      let usage = controller.usage[index]
      total.reads += usage.reads
      total.writes += usage.writes
      units.read += usage.unitsRead
      units.written += usage.unitsWritten
    }
    controller.put(units.read, width: 8, at: 32)
    controller.put(units.written, width: 8, at: 48)
    controller.put(total.reads, width: 8, at: 64)
    controller.put(total.writes, width: 8, at: 80)
    controller.put(controller.errorLog.count, width: 8, at: 176)
    return nil
  }

  /// The statistics of a block device; files have none.
  private static func putEnduranceGroup(_ controller: borrowing Controller<Self>, _ index: Int) {
    guard !controller.model.namespaces[index].isFile else { return }
    let usage = controller.usage[index]
    controller.put(usage.unitsRead, width: 8, at: 48)
    controller.put(usage.unitsWritten, width: 8, at: 64)
    controller.put(usage.reads, width: 8, at: 96)
    controller.put(usage.writes, width: 8, at: 112)
  }

  /// Asymmetric Namespace Access: group 1 always, others with their first namespace. The log is truncated to the host's buffer.
  private static func putAccess(_ controller: borrowing Controller<Self>, groupsOnly: Bool) {
    let groups = Set(controller.model.namespaces.map(\.anaGroup)).union([1]).sorted()
    controller.put(UInt64(groups.count), width: 2, at: 8)
    var offset = 16
    for group in groups {
      let members = controller.model.namespaces.filter { $0.anaGroup == group }
      let ids = groupsOnly ? [] : members.filter(\.isEnabled).map(\.id)
      let size = 32 + 4 * ids.count
      unsafe UnsafeMutableRawBufferPointer(
        rebasing: controller.transfer[offset..<offset + size]
      ).zero()
      controller.putAccessGroup(
        group, ids, members.first?.accessState ?? .optimized, at: offset)
      offset += size
    }
  }

  // MARK: I/O commands

  /// nvmet's core sets MORE for its refusals.
  static func refuseIO(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry, _ index: Int
  ) -> Status? {
    if command.isFused { return .invalidField.withMore }
    let opcode = command.nvmOpcode
    if opcode == .fabrics { return .invalidOpcode.withMore }
    if controller.coreFailure != nil { return .sequenceError }
    if let refusal = controller.refuseNamespace(index) ?? controller.refuseAccess(index) {
      return refusal
    }
    let changes = opcode != .read && opcode != .flush
    return changes && controller.usage[index].isWriteProtected
      ? .writeProtected.retriable.withMore : nil
  }

  static func refuseIOOpcode(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status { .invalidOpcode.withMore }

  static func transferBlocks(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) {
    let bytes = command.blockCount << UInt64(controller.model.namespaces[index].blockShift)
    let pointer = controller.parseDataPointer(command, bytes: bytes)
    guard pointer != .success else {
      return controller.transferThroughBuffer(command, bytes, on: queue, index)
    }
    let status = statusOfFailedTransfer(controller, pointer)
    // For a file, nvmet checks that the data length matches the command; for a block device it does not.
    guard pointer == .invalidSGLLength, status == .success,
      controller.model.namespaces[index].isFile
    else { return controller.fail(command, on: queue, pointer) }
    if command.nvmOpcode == .read { readFailed(&controller, command, on: queue) }
    controller.finish(command, on: queue, .failure(.internalError.withMore))
  }

  /// nvmet uses all 32 bits as the number of ranges.
  static func manageDataset(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) { controller.deallocate(command, on: queue, index, ranges: UInt64(command.cdw10) + 1) }
}
