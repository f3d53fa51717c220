// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// Get Features and Set Features.
extension Controller {
  mutating func getFeature(_ command: SubmissionEntry) -> Outcome {
    switch (model.personality, command.feature) {
    case (_, .numberOfQueues): return queueCount
    case (.strict, .volatileWriteCache), (.strict, .powerManagement),
      (.strict, .temperatureThreshold), (.strict, .errorRecovery), (.strict, .writeAtomicity):
      return .done(
        status: Status.success, result: UInt64(settings[command.feature.rawValue, default: 0]))
    case (_, .volatileWriteCache): return .done(status: Status.success, result: 1)
    case (_, .asyncEventConfiguration):
      return .done(status: Status.success, result: UInt64(events.configuration.rawValue))
    case (.pciEPFNVMe, .keepAliveTimer): return .done(status: Status.success, result: 0)
    case (.pciEPFNVMe, .hostIdentifier): return .failure(.invalidSGLLength)
    case (.pciEPFNVMe, .namespaceWriteProtection), (.nvmetPCIEPF, .namespaceWriteProtection):
      guard let index = model.namespaces.firstIndex(where: { $0.id == command.namespaceID }) else {
        return .failure(noSuchNamespace)
      }
      return .done(status: Status.success, result: model.namespaces[index].isReadOnly ? 1 : 0)
    case (.nvmetPCIEPF, .keepAliveTimer): return .done(status: Status.success, result: 0)
    case (.nvmetPCIEPF, .arbitration), (.strict, .arbitration):
      return .done(status: Status.success, result: UInt64(coalescing.burstExponent))
    case (.nvmetPCIEPF, .interruptCoalescing), (.strict, .interruptCoalescing):
      return .done(status: Status.success, result: UInt64(coalescing.threshold & 0xff))
    case (.nvmetPCIEPF, .interruptVectorConfiguration), (.strict, .interruptVectorConfiguration):
      var setting = InterruptVectorConfiguration(rawValue: command.cdw11 & 0xffff)
      let vector = Int(setting[.vector])
      guard completions.contains(where: { $0.isLive && Int($0.vector) == vector }) else {
        return .failure(.invalidField)
      }
      setting[.disablesCoalescing] = coalescing.vectors[vector].isDisabled
      return .done(status: Status.success, result: UInt64(setting.rawValue))
    case (.nvmetPCIEPF, .reservationNotificationMask): return .failure(.invalidField)
    case (.nvmetPCIEPF, _): return .failure(.invalidField.withMore)
    default: return .failure(.invalidField)
    }
  }

  mutating func setFeature(_ command: SubmissionEntry) -> Outcome {
    let value = command.cdw11
    switch (model.personality, command.feature) {
    case (_, .numberOfQueues):
      let wanted = NumberOfQueues(rawValue: value)
      guard wanted[.submissionQueues] != 0xffff, wanted[.completionQueues] != 0xffff else {
        return .failure(.invalidField)
      }
      if model.personality == .strict, hasCreatedQueues { return .failure(.sequenceError) }
      return queueCount
    case (_, .asyncEventConfiguration):
      if model.personality == .nvmetPCIEPF, value & ~0x91f != 0 {
        return .failure(.invalidField.withMore)
      }
      events.configuration.rawValue = value
      return .done(
        status: Status.success, result: model.personality == .nvmetPCIEPF ? UInt64(value) : 0)
    case (.nvmetPCIEPF, .arbitration), (.strict, .arbitration):
      // The mainline driver keeps two of the three bits, so that "unlimited" becomes 8.
      let burst = Arbitration(rawValue: value)[.burst]
      let exponent =
        model.personality == .nvmetPCIEPF && has(.burstAndThresholdCut) ? burst & 3 : burst
      coalescing.burstExponent = UInt32(exponent)
      return .success
    case (.nvmetPCIEPF, .interruptCoalescing):
      coalescing.threshold =
        Int(InterruptCoalescing(rawValue: value)[.threshold]) + (has(.burstAndThresholdCut) ? 1 : 0)
      return .success
    case (.strict, .interruptCoalescing):
      coalescing.threshold = Int(InterruptCoalescing(rawValue: value)[.threshold])
      return .success
    case (.nvmetPCIEPF, .interruptVectorConfiguration), (.strict, .interruptVectorConfiguration):
      let setting = InterruptVectorConfiguration(rawValue: value)
      let vector = Int(setting[.vector])
      guard vector < coalescing.vectors.count,
        completions.contains(where: { $0.isLive && Int($0.vector) == vector })
      else { return .failure(.invalidField) }
      coalescing.vectors[vector].isDisabled = setting[.disablesCoalescing]
      return .success
    case (.nvmetPCIEPF, .keepAliveTimer):
      if value != 0 {
        diagnose(
          "nvmet_pci_epf Q5", "a keep-alive timer of \(value) ms: its expiry crashes the kernel")
      }
      return .done(status: Status.success, result: UInt64((value &+ 999) / 1000))
    case (.pciEPFNVMe, .keepAliveTimer): return .success
    case (.pciEPFNVMe, .namespaceWriteProtection), (.nvmetPCIEPF, .namespaceWriteProtection):
      return protect(command)
    case (.nvmetPCIEPF, .hostIdentifier):
      guard value & 1 != 0 else { return .failure(.invalidField.withMore) }
      return .failure(
        has(.hostIdentifierHasNoLength) ? Status.invalidSGLLength.withMore : Status.sequenceError)
    case (.pciEPFNVMe, .hostIdentifier): return .failure(.sequenceError)
    case (.nvmetPCIEPF, .reservationNotificationMask): return .failure(.invalidField)
    case (.nvmetPCIEPF, _): return .failure(.invalidField.withMore)
    case (.strict, .powerManagement), (.strict, .temperatureThreshold), (.strict, .errorRecovery),
      (.strict, .volatileWriteCache), (.strict, .writeAtomicity):
      // There is one power state.
      if command.feature == .powerManagement, value & 0x1f != 0 { return .failure(.invalidField) }
      settings[command.feature.rawValue] = value
      return .success
    default: return .failure(.invalidField)
    }
  }

  /// Namespace Write Protection Config: 1 protects and flushes, 0 frees, other values succeed and change nothing.
  private mutating func protect(_ command: SubmissionEntry) -> Outcome {
    var namespaces = model.namespaces
    guard let index = namespaces.firstIndex(where: { $0.id == command.namespaceID }) else {
      return .failure(noSuchNamespace)
    }
    guard command.cdw11 & 7 <= 1 else { return .success }
    namespaces[index].isReadOnly = command.cdw11 & 7 == 1
    if namespaces[index].isReadOnly { _ = namespaces[index].backend.flush() }
    take(namespaces)
    return .success
  }

  /// Number of Queues: what the target allows, whether or not the PCI side has as many.
  private var queueCount: Outcome {
    let usesTarget =
      switch model.personality {
      case .pciEPFNVMe: has(.queueCountOfTarget)
      case .nvmetPCIEPF: true
      case .strict: false
      }
    let count = UInt16(clamping: (usesTarget ? model.targetIOQueues : model.ioQueues) - 1)
    var granted = NumberOfQueues()
    granted[.submissionQueues] = count
    granted[.completionQueues] = count
    return .done(status: .success, result: UInt64(granted.rawValue))
  }

  /// Get Features, Host Identifier: zero, since nobody has set it.
  func hostIdentifier(_ command: SubmissionEntry) -> Outcome {
    guard model.personality == .strict || command.cdw11 & 1 != 0 else {
      return .failure(.invalidField.withMore)
    }
    return .data(count: command.cdw11 & 1 != 0 ? 16 : 8)
  }
}
