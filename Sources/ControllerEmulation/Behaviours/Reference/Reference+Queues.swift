// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Creating queues, as the specification has it.
extension Reference {
  /// - Source: NVM Express PCIe Transport 1.1; NVM Express Base 2.1, 5.2.1.
  static func createCompletionQueue(
    _ controller: inout Controller<Self>, _ request: CompletionQueueRequest
  ) -> Outcome {
    guard request.id > 0, request.id < controller.completions.count,
      !controller.completions[request.id].isLive
    else { return .failure(.invalidQueueID) }
    guard controller.isQueueSize(request.size) else { return .failure(.invalidQueueSize) }
    guard request.isContiguous else { return .failure(.invalidField) }
    guard request.address % controller.pageSize == 0 else { return .failure(.invalidPRPOffset) }
    guard Int(request.vector) < controller.model.interrupts.vectors else {
      return .failure(.invalidVector)
    }
    guard controller.configuration[.completionEntrySize] == 4 else {
      return .failure(.invalidQueueSize)
    }
    return controller.add(request)
  }

  /// - Source: NVM Express Base 2.1, 5.2.2.
  static func createSubmissionQueue(
    _ controller: inout Controller<Self>, _ request: SubmissionQueueRequest
  ) -> Outcome {
    guard request.id > 0, request.id < controller.submissions.count,
      !controller.submissions[request.id].isLive
    else { return .failure(.invalidQueueID) }
    guard controller.isIOCompletionQueue(request.completionQueue) else {
      return .failure(.invalidCompletionQueue)
    }
    guard controller.isQueueSize(request.size) else { return .failure(.invalidQueueSize) }
    guard request.isContiguous else { return .failure(.invalidField) }
    guard request.address % controller.pageSize == 0 else { return .failure(.invalidPRPOffset) }
    guard controller.configuration[.submissionEntrySize] == 6 else {
      return .failure(.invalidQueueSize)
    }
    return controller.add(request, due: .never)
  }
}
