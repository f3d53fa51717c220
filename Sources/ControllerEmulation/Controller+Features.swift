// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Features and Set Features: the parts that several behaviours share.
extension Controller {
  /// Number of Queues, for submission and completion queues.
  func queueCount(_ queues: Int) -> Outcome {
    let count = UInt16(clamping: queues - 1)
    var granted = NumberOfQueues()
    granted[.submissionQueues] = count
    granted[.completionQueues] = count
    return .value(granted.rawValue)
  }

  /// Get Features, Interrupt Vector Configuration.
  func vectorConfiguration(_ command: SubmissionEntry) -> Outcome {
    var setting = InterruptVectorConfiguration()
    setting[.vector] = command.featureVector
    guard let slot = slot(of: setting[.vector]) else { return .failure(.invalidField) }
    setting[.disablesCoalescing] = coalescing.vectors[slot].isDisabled
    return .value(setting.rawValue)
  }

  /// Set Features, Interrupt Vector Configuration.
  mutating func configureVector(_ command: SubmissionEntry) -> Outcome {
    let setting = InterruptVectorConfiguration(rawValue: command.featureValue)
    guard let slot = slot(of: setting[.vector]) else { return .failure(.invalidField) }
    coalescing.vectors[slot].isDisabled = setting[.disablesCoalescing]
    return .success
  }

  /// The slot of a vector that some completion queue has.
  private func slot(of vector: UInt16) -> Int? {
    completions.first { $0.isLive && $0.vector == vector }?.slot
  }

  /// Namespace Write Protect, with two states in nvmet; other values change nothing. The host is notified as of any change.
  mutating func protectNamespace(_ command: SubmissionEntry) -> Outcome {
    let index = index(of: command.namespaceID)
    if let refusal = refuseNamespace(index) { return .failure(refusal) }
    switch command.featureValue {
    case 0: usage[index].isWriteProtected = false
    case 1:
      if let failure = model.namespaces[index].backend.flush() {
        return .failure(B.status(of: failure.errno))
      }
      usage[index].isWriteProtected = true
    default: break
    }
    tellOfChange(of: command.namespaceID)
    return .success
  }
}

extension NumberOfQueues {
  var isValid: Bool { self[.submissionQueues] != 0xffff && self[.completionQueues] != 0xffff }
}

extension SubmissionEntry {
  /// The length of the host identifier: 16 bytes if it is extended (EXHID).
  var hostIdentifierBytes: Int { hasExtendedHostIdentifier ? 16 : 8 }
}
