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

  /// The replies to fabrics commands: only Property Get is supported.
  private static func fabricsCommand(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    switch command.fabricsType {
    case .propertyGet:
      switch (command.isWideProperty, command.propertyOffset) {
      case (true, 0): return .done(status: .success, result: controller.model.capabilities)
      case (false, Register.version.offset): return .value(controller.model.version)
      // CC and CSTS of nvmet's core, which the registers do not show to the host.
      case (false, Register.configuration.offset):
        return .value(controller.coreFailure == .stopped ? 0 : controller.configuration.rawValue)
      case (false, Register.status.offset):
        return .value(controller.coreFailure?.status ?? 1)
      default: return .failure(.invalidField.withMore)
      }
    case .propertySet: return .failure(.invalidField.withMore)
    case .authenticationSend, .authenticationReceive:
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
      return command.hasExtendedHostIdentifier
        ? .data(count: command.hostIdentifierBytes) : .failure(.invalidField.withMore)
    case .reservationNotificationMask: return refuseReservationMask(controller, command)
    default: return .failure(.invalidField.withMore)
    }
  }

  static func setFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    let value = command.featureValue
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
      guard command.hasExtendedHostIdentifier else {
        return .failure(.invalidField.withMore)
      }
      return .failure(
        controller.has(.hostIdentifierHasNoLength) ? .invalidSGLLength.withMore : .sequenceError)
    case .reservationNotificationMask: return refuseReservationMask(controller, command)
    default: return .failure(.invalidField.withMore)
    }
  }

  // MARK: Events

  /// nvmet keeps reported events and the host's settings.
  static func resetEvents(_ controller: inout Controller<Self>) { controller.events.requests = [] }

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
