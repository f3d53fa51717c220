// SPDX-License-Identifier: Apache-2.0

/// Get Features and Set Features.
extension Controller {
  mutating func getFeature(_ command: Command) -> Outcome {
    let feature = UInt8(truncatingIfNeeded: command.cdw10)
    switch (model.personality, feature) {
    case (_, 0x07): return queueCount
    case (_, 0x06): return .done(status: Answer.success, result: 1)
    case (_, 0x0b): return .done(status: Answer.success, result: UInt64(asyncEventMask))
    case (.pciEPFNVMe, 0x0f): return .done(status: Answer.success, result: 0)
    case (.pciEPFNVMe, 0x81): return .failure(0x400f)
    case (.nvmetPCIEPF, 0x0f): return .done(status: Answer.success, result: 0)
    case (.nvmetPCIEPF, 0x01), (.strict, 0x01):
      return .done(status: Answer.success, result: UInt64(coalescing.burstExponent))
    case (.nvmetPCIEPF, 0x08), (.strict, 0x08):
      return .done(status: Answer.success, result: UInt64(coalescing.threshold & 0xff))
    case (.nvmetPCIEPF, 0x09), (.strict, 0x09):
      let vector = Int(command.cdw11 & 0xffff)
      guard completions.contains(where: { $0.isLive && Int($0.vector) == vector }) else {
        return .failure(Answer.invalidField)
      }
      let isDisabled = coalescing.vectors[vector].isDisabled
      return .done(status: Answer.success, result: UInt64(vector) | (isDisabled ? 1 << 16 : 0))
    case (.nvmetPCIEPF, 0x82): return .failure(Answer.invalidField)
    case (.nvmetPCIEPF, _): return .failure(Answer.invalidField | Answer.more)
    case (.strict, 0x02), (.strict, 0x04), (.strict, 0x05), (.strict, 0x0a):
      return .done(status: Answer.success, result: 0)
    default: return .failure(Answer.invalidField)
    }
  }

  mutating func setFeature(_ command: Command) -> Outcome {
    let feature = UInt8(truncatingIfNeeded: command.cdw10)
    let value = command.cdw11
    switch (model.personality, feature) {
    case (_, 0x07):
      guard value & 0xffff != 0xffff, value >> 16 != 0xffff else {
        return .failure(Answer.invalidField)
      }
      if model.personality == .strict, hasCreatedQueues { return .failure(Answer.sequenceError) }
      return queueCount
    case (_, 0x0b):
      if model.personality == .nvmetPCIEPF, value & ~0x91f != 0 {
        return .failure(Answer.invalidField | Answer.more)
      }
      asyncEventMask = value
      return .done(
        status: Answer.success, result: model.personality == .nvmetPCIEPF ? UInt64(value) : 0)
    case (.nvmetPCIEPF, 0x01), (.strict, 0x01):
      // The mainline driver keeps two of the three bits, so that "unlimited" becomes 8.
      let exponent =
        model.personality == .nvmetPCIEPF && has(.burstAndThresholdCut) ? value & 3 : value & 7
      coalescing.burstExponent = exponent
      return .success
    case (.nvmetPCIEPF, 0x08):
      coalescing.threshold =
        Int(value & 0xff) + (has(.burstAndThresholdCut) ? 1 : 0)
      return .success
    case (.strict, 0x08):
      coalescing.threshold = Int(value & 0xff)
      return .success
    case (.nvmetPCIEPF, 0x09), (.strict, 0x09):
      let vector = Int(value & 0xffff)
      guard vector < coalescing.vectors.count,
        completions.contains(where: { $0.isLive && Int($0.vector) == vector })
      else { return .failure(Answer.invalidField) }
      coalescing.vectors[vector].isDisabled = value >> 16 & 1 != 0
      return .success
    case (.nvmetPCIEPF, 0x0f):
      if value != 0 {
        diagnose(
          "nvmet_pci_epf Q5", "a keep-alive timer of \(value) ms: its expiry crashes the kernel")
      }
      return .done(status: Answer.success, result: UInt64((value &+ 999) / 1000))
    case (.pciEPFNVMe, 0x0f): return .success
    case (.nvmetPCIEPF, 0x81):
      guard value & 1 != 0 else { return .failure(Answer.invalidField | Answer.more) }
      return .failure(has(.hostIdentifierHasNoLength) ? 0x600f : Answer.sequenceError)
    case (.pciEPFNVMe, 0x81): return .failure(Answer.sequenceError)
    case (.nvmetPCIEPF, 0x82): return .failure(Answer.invalidField)
    case (.nvmetPCIEPF, _): return .failure(Answer.invalidField | Answer.more)
    case (.strict, 0x02), (.strict, 0x04), (.strict, 0x05), (.strict, 0x06), (.strict, 0x0a):
      return .success
    default: return .failure(Answer.invalidField)
    }
  }

  /// Number of Queues: what the target allows, whether or not the PCI side has as many.
  private var queueCount: Outcome {
    let usesTarget =
      switch model.personality {
      case .pciEPFNVMe: has(.queueCountOfTarget)
      case .nvmetPCIEPF: true
      case .strict: false
      }
    let count = UInt64((usesTarget ? model.targetIOQueues : model.ioQueues) - 1)
    return .done(status: Answer.success, result: count | count << 16)
  }

  /// Get Features, Host Identifier: zero, since nobody has set it.
  func hostIdentifier(_ command: Command) -> Outcome {
    guard model.personality == .strict || command.cdw11 & 1 != 0 else {
      return .failure(Answer.invalidField | Answer.more)
    }
    return .data(count: command.cdw11 & 1 != 0 ? 16 : 8)
  }
}
