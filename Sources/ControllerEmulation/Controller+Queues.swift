// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Creating and deleting queues.
extension Controller {
  /// Whether a queue can have this size, 0's based.
  func isQueueSize(_ size: UInt32) -> Bool {
    size > 0 && size <= UInt32(model.maximumQueueEntries - 1)
  }

  func isIOCompletionQueue(_ id: Int) -> Bool {
    id > 0 && id < completions.count && completions[id].isLive
  }

  /// Creates a completion queue; the request has been checked.
  mutating func add(_ request: CompletionQueueRequest) -> Outcome {
    var queue = CompletionQueue()
    queue.isLive = true
    queue.address = request.address
    queue.depth = request.size + 1
    queue.entryShift = UInt64(configuration[.completionEntrySize])
    queue.vector = request.vector
    queue.raisesInterrupts = request.raisesInterrupts
    queue.references = 1
    queue.slot = B.takeSlot(&self, for: request.vector)
    completions[request.id] = queue
    clearDoorbell(completion: request.id)
    hasCreatedQueues = true
    return .success
  }

  /// Creates a submission queue; the request has been checked.
  /// - Parameter due: the time of its first poll.
  mutating func add(_ request: SubmissionQueueRequest, due: VirtualTime) -> Outcome {
    var queue = SubmissionQueue()
    queue.isLive = true
    queue.address = request.address
    queue.depth = request.size + 1
    queue.entryShift = UInt64(configuration[.submissionEntrySize])
    queue.completionQueue = UInt16(request.completionQueue)
    queue.due = due
    submissions[request.id] = queue
    // Not every release checks that it exists.
    if request.completionQueue < completions.count {
      completions[request.completionQueue].references += 1
    }
    clearDoorbell(submission: request.id)
    hasCreatedQueues = true
    return .success
  }

  mutating func deleteSubmissionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.queueID)
    guard id > 0, id < submissions.count, submissions[id].isLive else {
      return .failure(.invalidQueueID)
    }
    let target = Int(submissions[id].completionQueue)
    // Completions of fetched commands are posted before the queue is removed.
    post(to: B.completionQueue(self, of: id))
    submissions[id] = SubmissionQueue()
    if target < completions.count, completions[target].isLive {
      completions[target].references -= 1
    }
    return .success
  }

  mutating func deleteCompletionQueue(_ command: SubmissionEntry) -> Outcome {
    let id = Int(command.queueID)
    guard isIOCompletionQueue(id), completions[id].references > 0 else {
      return .failure(.invalidQueueID)
    }
    guard completions[id].references == 1 else { return B.deleteUsedCompletionQueue(&self, id) }
    B.giveSlot(&self, completions[id].slot)
    completions[id] = CompletionQueue()
    return .success
  }
}
