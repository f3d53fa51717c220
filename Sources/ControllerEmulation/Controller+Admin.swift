// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The completion of a command.
enum Outcome {
  case done(status: Status, result: UInt64 = 0)
  /// The target refused it: pci_epf_nvme logs such a refusal, but not its own refusals.
  case refused(Status)
  /// The first bytes of the buffer go to the host.
  case data(count: Int)
  /// No completion, now or ever.
  case none

  static let success = Outcome.done(status: Status.success)
  static func failure(_ status: Status) -> Outcome { .done(status: status) }
  /// Success, with a result in completion DW0.
  static func value(_ value: UInt32) -> Outcome { .done(status: .success, result: UInt64(value)) }

  /// The same status as that of the target.
  var ofTarget: Outcome {
    if case .done(let status, _) = self, !status.isSuccess { .refused(status) } else { self }
  }
}

/// The admin queue.
extension Controller {
  mutating func executeAdmin(_ command: SubmissionEntry) {
    if let refusal = B.refuseAdmin(&self, command) {
      B.willRefuse(&self, command, on: 0, refusal)
      return finish(command, on: 0, .failure(refusal))
    }
    switch command.adminOpcode {
    case .deleteIOSubmissionQueue:
      finish(command, on: 0, deleteSubmissionQueue(command))
    case .createIOSubmissionQueue:
      finish(command, on: 0, B.createSubmissionQueue(&self, SubmissionQueueRequest(command)))
    case .deleteIOCompletionQueue:
      finish(command, on: 0, deleteCompletionQueue(command))
    case .createIOCompletionQueue:
      finish(command, on: 0, B.createCompletionQueue(&self, CompletionQueueRequest(command)))
    case .getLogPage:
      let count = LogPageRequest(command).byteCount
      answer(command, count: count) { B.logPage(&$0, command, count: count) }
    case .identify: answer(command, count: 4096) { $0.identify(command) }
    // Both targets report that the command was not aborted, which the specification allows.
    case .abort: finish(command, on: 0, .value(1))
    case .setFeatures:
      finish(command, on: 0, B.setFeature(&self, command).ofTarget)
      completeHeldEvents()
    // The host identifier is data; everything else is in the completion.
    case .getFeatures where command.feature == .hostIdentifier && B.transfersHostIdentifier:
      answer(command, count: command.hostIdentifierBytes) { B.getFeature(&$0, command) }
    case .getFeatures: finish(command, on: 0, B.getFeature(&self, command).ofTarget)
    case .asyncEventRequest: B.requestEvent(&self, command)
    default: finish(command, on: 0, B.executeOther(&self, command))
    }
  }

  // MARK: Data to the host

  /// Executes a command that fills the buffer, with the order of checks of each driver.
  mutating func answer(
    _ command: SubmissionEntry, count: Int, _ body: (inout Controller) -> Outcome
  ) {
    let pointer = parseDataPointer(command, count: count)
    guard pointer == .success else { return fail(command, on: 0, pointer) }
    unsafe UnsafeMutableRawBufferPointer(rebasing: transfer[..<count]).zero()
    let outcome = body(&self)
    if case .done(let status, _) = outcome, status != .success {
      B.readFailed(&self, command, on: 0)
    }
    finish(command, on: 0, outcome.ofTarget)
  }
}
