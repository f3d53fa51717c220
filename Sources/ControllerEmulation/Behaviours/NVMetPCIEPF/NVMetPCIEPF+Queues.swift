// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Creating and deleting queues, in the order of nvmet's checks.
/// - Source: `drivers/nvme/target/admin-cmd.c`, `nvmet_execute_create_cq`, `nvmet_execute_create_sq`; `drivers/nvme/target/pci-epf.c`.
extension NVMetPCIEPF {
  static func createCompletionQueue(
    _ controller: inout Controller<Self>, _ request: CompletionQueueRequest
  ) -> Outcome {
    let id = request.id
    guard id > 0, id <= controller.model.targetIOQueues,
      !(id < controller.completions.count && controller.completions[id].isLive),
      !controller.formerQueues.lost.contains(id)
    else { return .failure(.invalidQueueID) }
    guard controller.isQueueSize(request.size) else { return .failure(.invalidQueueSize) }
    guard id < controller.completions.count else { return beyondArrays(&controller, id) }
    guard request.isContiguous else { return .failure(.invalidQueueDeletion) }
    guard
      controller.has(.vectorNotChecked)
        || Int(request.vector) < controller.model.interrupts.vectors
    else { return .failure(.invalidVector) }
    guard
      canMap(&controller, completionQueue: id, at: request.address, depth: request.size + 1)
    else { return failMapping(&controller, id) }
    return controller.add(withFormerInterrupts(&controller, request))
  }

  static func createSubmissionQueue(
    _ controller: inout Controller<Self>, _ request: SubmissionQueueRequest
  ) -> Outcome {
    let id = request.id
    guard id > 0, id <= controller.model.targetIOQueues,
      !(id < controller.submissions.count && controller.submissions[id].isLive)
    else { return .failure(.invalidQueueID) }
    guard
      controller.has(.completionQueueNotChecked)
        || controller.isIOCompletionQueue(request.completionQueue)
    else {
      controller.log(.error, "nvmet: SQ \(id): Invalid CQID \(request.completionQueue)")
      return .failure(.invalidQueueID)
    }
    guard controller.isQueueSize(request.size) else { return .failure(.invalidQueueSize) }
    guard id < controller.submissions.count else { return beyondArrays(&controller, id) }
    guard request.isContiguous else { return .failure(.invalidQueueDeletion) }
    return controller.add(request, due: controller.submissions[0].due)
  }

  private static func beyondArrays(_ controller: inout Controller<Self>, _ id: Int) -> Outcome {
    controller.diagnose(
      // nvmet_pci_epf.md#queue-id-beyond-arrays
      "nvmet_pci_epf: queue id",
      "queue \(id) is beyond the \(controller.submissions.count) that the driver has room for: it would write past its arrays"
    )
    return .failure(.invalidQueueID)
  }

  static func deleteUsedCompletionQueue(
    _ controller: inout Controller<Self>, _ id: Int
  ) -> Outcome { .failure(.invalidQueueID) }
}
