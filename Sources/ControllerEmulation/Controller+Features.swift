// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Features and Set Features.
extension Controller {
  mutating func getFeature(_ command: SubmissionEntry) -> Outcome {
    switch (model.behaviour, command.feature) {
    case (_, .numberOfQueues): return queueCount
    case (.reference, .volatileWriteCache), (.reference, .powerManagement),
      (.reference, .temperatureThreshold), (.reference, .errorRecovery),
      (.reference, .writeAtomicity):
      return .done(
        status: Status.success, result: UInt64(settings[command.feature.rawValue, default: 0]))
    case (_, .volatileWriteCache): return .done(status: Status.success, result: 1)
    case (_, .asyncEventConfiguration):
      return .done(status: Status.success, result: UInt64(events.configuration.rawValue))
    case (.pciEPFNVMe, .keepAliveTimer): return .done(status: Status.success, result: 0)
    case (.pciEPFNVMe, .hostIdentifier): return .failure(.invalidSGLLength)
    case (.pciEPFNVMe, .namespaceWriteProtection):
      let index = index(of: command.namespaceID)
      guard index >= 0 else { return .failure(.invalidNamespace) }
      return .done(status: Status.success, result: usage[index].isWriteProtected ? 1 : 0)
    case (.nvmetPCIEPF, .keepAliveTimer):
      return .done(status: Status.success, result: UInt64(keepAlive.seconds) * 1000)
    case (.nvmetPCIEPF, .arbitration), (.reference, .arbitration):
      return .done(status: Status.success, result: UInt64(coalescing.burstExponent))
    case (.nvmetPCIEPF, .interruptCoalescing), (.reference, .interruptCoalescing):
      return .done(status: Status.success, result: UInt64(coalescing.threshold & 0xff))
    case (.nvmetPCIEPF, .interruptVectorConfiguration), (.reference, .interruptVectorConfiguration):
      var setting = InterruptVectorConfiguration(rawValue: command.cdw11 & 0xffff)
      guard let slot = slot(of: setting[.vector]) else { return .failure(.invalidField) }
      setting[.disablesCoalescing] = coalescing.vectors[slot].isDisabled
      return .done(status: Status.success, result: UInt64(setting.rawValue))
    case (.nvmetPCIEPF, .namespaceWriteProtection):
      let index = index(of: command.namespaceID)
      if let refusal = refuseNamespace(index) { return .failure(refusal) }
      return .done(status: Status.success, result: usage[index].isWriteProtected ? 1 : 0)
    case (.nvmetPCIEPF, .reservationNotificationMask): return .failure(.invalidField)
    case (.nvmetPCIEPF, _): return .failure(.invalidField.withMore)
    default: return .failure(.invalidField)
    }
  }

  mutating func setFeature(_ command: SubmissionEntry) -> Outcome {
    let value = command.cdw11
    switch (model.behaviour, command.feature) {
    case (_, .numberOfQueues):
      let wanted = NumberOfQueues(rawValue: value)
      guard wanted[.submissionQueues] != 0xffff, wanted[.completionQueues] != 0xffff else {
        return .failure(.invalidField)
      }
      if model.behaviour == .reference, hasCreatedQueues { return .failure(.sequenceError) }
      return queueCount
    case (_, .asyncEventConfiguration):
      if model.behaviour == .nvmetPCIEPF, value & ~0x91f != 0 {
        return .failure(.invalidField.withMore)
      }
      events.configuration.rawValue = value
      return .done(
        status: Status.success, result: model.behaviour == .nvmetPCIEPF ? UInt64(value) : 0)
    case (.nvmetPCIEPF, .arbitration), (.reference, .arbitration):
      // `nvmet_pci_epf` keeps two of the three bits, so that "unlimited" becomes 8.
      let burst = Arbitration(rawValue: value)[.burst]
      let exponent =
        model.behaviour == .nvmetPCIEPF && has(.burstAndThresholdCut) ? burst & 3 : burst
      coalescing.burstExponent = UInt32(exponent)
      return .success
    case (.nvmetPCIEPF, .interruptCoalescing):
      coalescing.threshold =
        Int(InterruptCoalescing(rawValue: value)[.threshold]) + (has(.burstAndThresholdCut) ? 1 : 0)
      return .success
    case (.reference, .interruptCoalescing):
      coalescing.threshold = Int(InterruptCoalescing(rawValue: value)[.threshold])
      return .success
    case (.nvmetPCIEPF, .interruptVectorConfiguration), (.reference, .interruptVectorConfiguration):
      let setting = InterruptVectorConfiguration(rawValue: value)
      guard let slot = slot(of: setting[.vector]) else { return .failure(.invalidField) }
      coalescing.vectors[slot].isDisabled = setting[.disablesCoalescing]
      return .success
    case (.nvmetPCIEPF, .keepAliveTimer):
      keepAlive.set(milliseconds: value, at: now)
      return .done(status: Status.success, result: UInt64(keepAlive.seconds))
    case (.pciEPFNVMe, .keepAliveTimer): return .success
    case (.pciEPFNVMe, .namespaceWriteProtection), (.nvmetPCIEPF, .namespaceWriteProtection):
      return protectNamespace(command)
    case (.nvmetPCIEPF, .hostIdentifier):
      guard value & 1 != 0 else { return .failure(.invalidField.withMore) }
      return .failure(
        has(.hostIdentifierHasNoLength) ? Status.invalidSGLLength.withMore : Status.sequenceError)
    case (.pciEPFNVMe, .hostIdentifier): return .failure(.sequenceError)
    case (.nvmetPCIEPF, .reservationNotificationMask): return .failure(.invalidField)
    case (.nvmetPCIEPF, _): return .failure(.invalidField.withMore)
    case (.reference, .powerManagement), (.reference, .temperatureThreshold),
      (.reference, .errorRecovery),
      (.reference, .volatileWriteCache), (.reference, .writeAtomicity):
      // There is one power state.
      if command.feature == .powerManagement, value & 0x1f != 0 { return .failure(.invalidField) }
      settings[command.feature.rawValue] = value
      return .success
    default: return .failure(.invalidField)
    }
  }

  /// Namespace Write Protect, with two states in nvmet; other values change nothing. The host is notified as of any change.
  private mutating func protectNamespace(_ command: SubmissionEntry) -> Outcome {
    let index = index(of: command.namespaceID)
    if let refusal = refuseNamespace(index) { return .failure(refusal) }
    switch command.cdw11 {
    case 0: usage[index].isWriteProtected = false
    case 1:
      if let failure = model.namespaces[index].backend.flush() {
        return .failure(status(of: failure.errno))
      }
      usage[index].isWriteProtected = true
    default: break
    }
    tellOfChange(of: command.namespaceID)
    return .success
  }

  /// Number of Queues: the limit of the target, even if the PCI side has fewer.
  private var queueCount: Outcome {
    let usesTarget =
      switch model.behaviour {
      case .pciEPFNVMe: has(.queueCountOfTarget)
      case .nvmetPCIEPF: true
      case .reference: false
      }
    let count = UInt16(clamping: (usesTarget ? model.targetIOQueues : model.ioQueues) - 1)
    var granted = NumberOfQueues()
    granted[.submissionQueues] = count
    granted[.completionQueues] = count
    return .done(status: .success, result: UInt64(granted.rawValue))
  }

  /// Get Features, Host Identifier: zero, since it was not set.
  func hostIdentifier(_ command: SubmissionEntry) -> Outcome {
    guard model.behaviour == .reference || command.cdw11 & 1 != 0 else {
      return .failure(.invalidField.withMore)
    }
    return .data(count: command.cdw11 & 1 != 0 ? 16 : 8)
  }
}
