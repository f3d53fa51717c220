// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe

/// The commands of the driver, and of the target behind it.
extension PCIEPFNVMe {
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
      return NumberOfQueues(rawValue: command.featureValue).isValid
        ? queueCount(controller) : .failure(.invalidField)
    case .asyncEventConfiguration:
      controller.events.configuration.rawValue = command.featureValue
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
      let ids = LogPageRequest(command).hasGroupsOnly ? [] : members.map(\.id)
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
    controller.deallocate(command, on: queue, index, ranges: command.rangeCount)
  }
}
