// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Creating and deleting queues, in the order of the driver's checks.
/// - Source: `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
extension PCIEPFNVMe {
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
}
