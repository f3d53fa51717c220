// SPDX-License-Identifier: Apache-2.0
package import NVMe

/// The behaviour of releases other than 7.2.13.
/// - Source: releases.md, 1.1; `drivers/nvme/target/pci-epf.c` of Linux 6.14.
extension NVMetPCIEPF {
  static func logLink(_ controller: inout Controller<Self>, isUp: Bool) {
    guard !controller.has(.linkChangesNotLogged) else { return }
    controller.log(.info, isUp ? "PCI link up" : "PCI link down")
  }

  /// CC and CSTS after an enable that failed.
  static func failEnable(_ controller: inout Controller<Self>) {
    guard controller.has(.enableSurvivesShutdown) else { return clearRegisters(&controller) }
    // CC.EN stays, so that the host has to clear it; CSTS in BAR 0 is not written.
    controller.status = ControllerStatus()
  }

  // MARK: Commands

  /// The target completes a command that it refuses, and older drivers complete it once more.
  static func willRefuse(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status
  ) {
    guard controller.has(.refusedCommandCompletesTwice) else { return }
    logFailure(&controller, command, on: queue, status)
    controller.complete(Completion(queue: queue, commandID: command.id, status: status))
    controller.diagnose(
      "nvmet_pci_epf: refused command",
      "the target refused a command, and the driver completes it twice: the second completion uses freed memory (CVE-2025-38658)"
    )
  }

  /// The entry is initialised in the execution of the command.
  static func blanksFailures(_ controller: borrowing Controller<Self>) -> Bool {
    controller.has(.failedCompletionBlank)
  }

  static func refuseSegment(
    _ controller: inout Controller<Self>, length: Int, lists: Int
  ) -> Status? {
    if length >= SGLDescriptor.byteCount { return lists <= 64 ? nil : .internalError }
    if controller.has(.shortSegmentReadBeyond) {
      controller.diagnose(
        "nvmet_pci_epf: SGL segment",
        "an SGL segment of \(length) bytes: the driver reads its last descriptor out of bounds")
    }
    return .internalError
  }

  /// - Returns: nil for what does not crash.
  static func crashOfList(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome? {
    guard controller.model.crash(of: command) == .identifyNullDereference else { return nil }
    controller.crash(
      "nvmet_pci_epf: Identify",
      "Identify CNS 07h makes nvmet dereference a null pointer: the board's kernel crashes, and the host gets no completion any more"
    )
    return Outcome.none
  }

  static func refuseReservationMask(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome {
    guard controller.has(.reservationMaskNamesNamespace), command.namespaceID != .max,
      let refusal = controller.refuseNamespace(controller.index(of: command.namespaceID))
    else { return .failure(.invalidField) }
    return .failure(refusal)
  }

  // MARK: Completion queues

  /// A completion queue without interrupts, if an earlier one with its id had none either.
  static func withFormerInterrupts(
    _ controller: inout Controller<Self>, _ request: CompletionQueueRequest
  ) -> CompletionQueueRequest {
    guard controller.has(.interruptEnableSurvivesDelete) else { return request }
    var request = request
    if request.raisesInterrupts {
      controller.formerQueues.interrupting.insert(request.id)
    } else {
      request.raisesInterrupts = controller.formerQueues.interrupting.contains(request.id)
    }
    return request
  }

  /// A completion queue could not be mapped: nvmet keeps its id when the driver does not give back the reference.
  static func failMapping(_ controller: inout Controller<Self>, _ id: Int) -> Outcome {
    if controller.has(.failedMappingKeepsQueueID) { controller.formerQueues.lost.insert(id) }
    return .failure(.internalError)
  }

  /// Older drivers map the queue when they post to it.
  /// - Returns: true: the queue can be created.
  static func diagnoseUnmapped(_ controller: inout Controller<Self>, _ id: Int) -> Bool {
    controller.diagnose(
      "nvmet_pci_epf: completion queue mapping",
      "completion queue \(id) is larger than an outbound window: the driver retries its completions each millisecond, for ever"
    )
    return true
  }

  static func failedInterrupt(
    _ controller: borrowing Controller<Self>, _ queue: Int
  ) -> String {
    controller.has(.interruptFailuresNotLimited)
      ? "Failed to raise IRQ (err=-22)" : "CQ[\(queue)]: Failed to raise IRQ (err=-22)"
  }
}

/// The ids of completion queues that do not exist any more, or could not be created.
struct FormerQueues {
  /// They had interrupts.
  var interrupting: Set<Int> = []
  /// They could not be mapped, and cannot be created again.
  var lost: Set<Int> = []
}

extension ControllerModel {
  /// The bug with which an admin command crashes the board's kernel; nil if it does not.
  ///
  /// The list of a command set compares the command set of the request's namespace, which such a request does not have, as soon as there
  /// is a namespace to list.
  /// - Source: releases.md#identify-null-dereference; `drivers/nvme/target/admin-cmd.c`, `nvmet_execute_identify_nslist`.
  package func crash(of command: SubmissionEntry) -> Quirk? {
    guard quirks.contains(.identifyNullDereference), command.adminOpcode == .identify,
      command.identifyStructure == .commandSetActiveNamespaces, command.namespaceID < 0xffff_fffe,
      namespaces.contains(where: { $0.isEnabled && $0.id > command.namespaceID })
    else { return nil }
    return .identifyNullDereference
  }
}
