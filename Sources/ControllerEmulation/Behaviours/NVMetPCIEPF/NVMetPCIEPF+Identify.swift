// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The data structures of the target: Identify and log pages.
/// - Source: `drivers/nvme/target/admin-cmd.c`; nvmet_pci_epf.md.
extension NVMetPCIEPF {
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
    if let end = crashOfList(&controller, command) { return end }
    switch command.identifyStructure {
    case .commandSetNamespace where command.commandSet == .nvm:
      return commandSetNamespace(controller, id)
    case .commandSetActiveNamespaces where command.commandSet == .nvm:
      return controller.namespaceList(after: id)
    // nvmet lists the namespaces of any command set: here, none.
    case .commandSetActiveNamespaces:
      return id < 0xffff_fffe ? .data(count: 4096) : .failure(noSuchNamespace)
    case .enduranceGroups:
      return enduranceGroups(controller, after: UInt32(command.identifyIdentifier))
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
    let request = LogPageRequest(command)
    switch request.page {
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
      guard [.nvm, .zoned].contains(request.commandSet) else {
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
      let index = controller.index(of: UInt32(request.identifier))
      if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
      if let failure = checkLength(512) { return failure }
      putEnduranceGroup(controller, index)
    case .namespaceAccess:
      if let failure = checkLength(16) { return failure }
      putAccess(controller, groupsOnly: request.hasGroupsOnly)
    case .featureEffects:
      if let failure = checkLength(1024) { return failure }
      for feature in [0x07, 0x0b, 0x0f, 0x81] {
        controller.put(0x20_0001, width: 4, at: 4 * feature)
      }
      for feature in [0x82, 0x84] { controller.put(0x10_0001, width: 4, at: 4 * feature) }
    case .rotationalMedia:
      let index = controller.index(of: UInt32(request.identifier))
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
}
