// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe

/// The commands of the reference controller.
extension Reference {
  // MARK: Admin commands

  static func refuseAdmin(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status? { command.isFused || command.usesSGL ? .invalidField : nil }

  static func executeOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    guard command.adminOpcode == .doorbellBufferConfig, controller.model.offersDoorbellBuffers
    else { return .failure(.invalidOpcode) }
    return controller.configureDoorbellBuffers(command)
  }

  // MARK: Features

  static func getFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.feature {
    case .numberOfQueues: return controller.queueCount(controller.model.ioQueues)
    case .volatileWriteCache, .powerManagement, .temperatureThreshold, .errorRecovery,
      .writeAtomicity:
      return .value(controller.settings[command.feature.rawValue, default: 0])
    case .asyncEventConfiguration: return .value(controller.events.configuration.rawValue)
    case .arbitration: return .value(controller.coalescing.burstExponent)
    case .interruptCoalescing: return .value(UInt32(controller.coalescing.threshold & 0xff))
    case .interruptVectorConfiguration: return controller.vectorConfiguration(command)
    case .hostIdentifier:
      // It has not been set.
      return .data(count: command.hostIdentifierBytes)
    default: return .failure(.invalidField)
    }
  }

  static func setFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    let value = command.featureValue
    switch command.feature {
    case .numberOfQueues:
      guard NumberOfQueues(rawValue: value).isValid else { return .failure(.invalidField) }
      guard !controller.hasCreatedQueues else { return .failure(.sequenceError) }
      return controller.queueCount(controller.model.ioQueues)
    case .asyncEventConfiguration: controller.events.configuration.rawValue = value
    case .arbitration:
      controller.coalescing.burstExponent = UInt32(Arbitration(rawValue: value)[.burst])
    case .interruptCoalescing:
      controller.coalescing.threshold = Int(InterruptCoalescing(rawValue: value)[.threshold])
    case .interruptVectorConfiguration: return controller.configureVector(command)
    case .powerManagement where value & 0x1f != 0:
      // There is one power state.
      return .failure(.invalidField)
    case .powerManagement, .temperatureThreshold, .errorRecovery, .volatileWriteCache,
      .writeAtomicity:
      controller.settings[command.feature.rawValue] = value
    default: return .failure(.invalidField)
    }
    return .success
  }

  // MARK: Events

  static var eventConfiguration: UInt32 { 0 }
  static func takeRequest(_ events: inout EventState) -> UInt16 { events.requests.removeFirst() }

  // MARK: Identify

  static func describe(
    _ controller: borrowing Controller<Self>, in data: inout IdentifyController
  ) {
    data[.subsystemVendorID] = controller.model.subsystemVendorID
    if controller.model.offersDoorbellBuffers { data[.optionalAdminCommands] = 0x100 }
    data[.asyncEvents] = 0x100
    data[.attributes] = 0x01
    data[.logPageAttributes] = 6
    data[.optionalCommands] = 0x0c
    data[.sglSupport] = 1
  }

  static func describe(_ namespace: Namespace, in data: inout IdentifyNamespace) {}

  /// NN is 1024: larger values are not namespace IDs.
  static func isInvalidNamespaceID(_ id: UInt32) -> Bool { id == 0 || id > 1024 }

  static func identifyOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.identifyStructure {
    case .commandSetNamespace where command.commandSet == .nvm: return .data(count: 4096)
    case .commandSetActiveNamespaces where command.commandSet == .nvm:
      return controller.namespaceList(after: command.namespaceID)
    case .independentNamespace:
      let index = controller.index(of: command.namespaceID)
      if let refusal = controller.refuseNamespace(index) { return .failure(refusal) }
      return controller.independentNamespace(index, sharing: 0)
    case .commandSets:
      controller.put(1, width: 8, at: 0)
      return .data(count: 4096)
    default: return .failure(.invalidField)
    }
  }

  // MARK: Log pages

  /// A page from an offset.
  static func logPage(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, count: Int
  ) -> Outcome {
    let offset = LogPageRequest(command).offset
    let size = bytes(in: command.logPage)
    guard offset & 3 == 0, offset <= UInt64(size) else { return .failure(.invalidField) }
    guard offset > 0 else { return wholePage(&controller, command, count: count) }
    let transfer = unsafe controller.transfer
    unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<max(size, count)]).zero()
    if case .done(let status, _) = wholePage(&controller, command, count: size) {
      return .failure(status)
    }
    let start = Int(offset)
    for index in 0..<count {
      unsafe transfer[index] = start + index < size ? transfer[start + index] : 0
    }
    return .data(count: count)
  }

  private static func bytes(in page: LogPageID) -> Int {
    switch page {
    case .supportedLogPages: 1024
    case .errorInformation: 64 * 128
    case .health, .firmwareSlots: 512
    default: 4096
    }
  }

  /// - Source: NVM Express Base 2.1, 5.1.12.1.
  private static func wholePage(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, count: Int
  ) -> Outcome {
    switch command.logPage {
    case .supportedLogPages: controller.putSupportedPages([0, 1, 2, 3, 4, 5], count)
    case .errorInformation: controller.acknowledgeEvents(of: .errorInformation, by: command)
    case .health where count >= 512:
      // 300 K, all of the spare left, and its threshold.
      controller.put(300, width: 2, at: 1)
      controller.put(100, width: 1, at: 3)
      controller.put(10, width: 1, at: 4)
    case .firmwareSlots where count >= 16:
      controller.put(1, width: 1, at: 0)
      var name = controller.model.firmware.utf8.makeIterator()
      for index in 8..<16 { controller.put(UInt64(name.next() ?? 0x20), width: 1, at: index) }
    case .health, .firmwareSlots: break
    case .changedNamespaces:
      // In rising order.
      controller.putChangedNamespaces(controller.events.changedNamespaces.sorted(), count)
      controller.acknowledgeEvents(of: .changedNamespaces, by: command)
      controller.forgetAcknowledgedChanges()
    case .commandEffects:
      controller.putEffects(
        count,
        admin: AdminOpcode.common
          + (controller.model.offersDoorbellBuffers ? [.doorbellBufferConfig] : []),
        plain: [.flush, .read], changing: [.write, .writeZeroes, .datasetManagement])
    default: return .failure(.invalidLogPage)
    }
    return .data(count: count)
  }

  // MARK: I/O commands

  @inline(__always)
  static func refuseIO(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry, _ index: Int
  ) -> Status? {
    command.isFused ? .invalidField : controller.refuseBlocks(command, index)
  }

  static func refuseIOOpcode(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status { .invalidOpcode }

  /// Checks the range before the data pointer.
  static func transferBlocks(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int
  ) {
    if let status = controller.check(command.firstBlock, command.blockCount, index) {
      return controller.finish(command, on: queue, .failure(status))
    }
    let shift = UInt64(controller.model.namespaces[index].blockShift)
    let bytes = command.blockCount << shift
    let pointer = controller.parseDataPointer(command, bytes: bytes)
    guard pointer == .success else {
      return controller.finish(command, on: queue, .failure(pointer))
    }
    // Data in memory needs no intermediate buffer: one copy.
    let offset = command.firstBlock << shift
    guard case .memory(let store) = controller.model.namespaces[index].backend,
      store.hasPlace(at: offset, count: Int(bytes))
    else { return controller.transferThroughBuffer(command, bytes, on: queue, index) }
    let isWrite = command.nvmOpcode == .write
    let status = controller.move(store, at: offset, isWrite: isWrite)
    if status == .success { controller.count(bytes, isWrite: isWrite) }
    controller.finish(command, on: queue, .done(status: status))
  }

  static func statusBeyondEnd(of namespace: Namespace) -> Status { .lbaOutOfRange }

  static func status(of errno: CInt) -> Status {
    switch errno {
    case ENOSPC: .capacityExceeded
    case EREMOTEIO: .lbaOutOfRange.withMore
    case EOPNOTSUPP: .invalidOpcode
    case ENODATA: .accessDenied.retriable.withMore
    default: .internalError
    }
  }
}
