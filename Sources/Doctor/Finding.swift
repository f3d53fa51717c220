// SPDX-License-Identifier: Apache-2.0
package import Provisioning

/// A finding of the doctor, with its evidence and its fix.
package struct Finding: Hashable, Sendable {
  package enum Severity: String, Sendable, Hashable, CaseIterable {
    /// Must be fixed before the machine can be an NVMe endpoint, or endangers the kernel.
    case error
    /// Works, but not as it was meant.
    case warning
    /// For information.
    case note
  }

  /// The evidence: paths and their contents.
  package struct Evidence: Hashable, Sendable {
    package var path: String
    package var text: String

    package init(_ path: String, _ text: String) {
      self.path = path
      self.text = text
    }
  }

  package var id: ID
  package var severity: Severity { id.severity }
  /// The subject: an option, a module, a directory's name.
  package var subject: String
  package var evidence: [Evidence]
  /// The meaning of the finding.
  package var explanation: String
  /// The command or the kernel option that fixes it.
  package var remedy: String

  package var json: JSONValue {
    [
      "id": .string(id.rawValue), "severity": .string(severity.rawValue),
      "subject": .string(subject),
      "evidence": .array(
        evidence.map { ["path": .string($0.path), "text": .string($0.text)] }),
      "explanation": .string(explanation), "remedy": .string(remedy),
    ]
  }
}

extension Finding {
  /// All findings of the doctor; the raw values are stable.
  package enum ID: String, Sendable, Hashable, CaseIterable {
    // The kernel.
    case optionMissing = "kernel-option-missing"
    case endpointSupportMissing = "endpoint-support-missing"
    case tlsKernel = "tls-kernel"
    case driverMissing = "driver-missing"
    case twoDrivers = "two-drivers"
    case moduleMissing = "module-missing"
    case moduleLoadingDisabled = "module-loading-disabled"
    case moduleOverridden = "module-overridden"
    case moduleRefused = "module-refused"
    case configFSNotMounted = "configfs-not-mounted"
    case knownKernelBug = "known-kernel-bug"
    case possibleKernelBug = "possible-kernel-bug"
    // The endpoint controller.
    case controllerMissing = "controller-missing"
    case controllerDisabled = "controller-disabled"
    case controllerWithoutDriver = "controller-without-driver"
    case controllerUnsuitable = "controller-unsuitable"
    case controllerWithoutFunction = "controller-without-function"
    case controllerNotStarted = "controller-not-started"
    case hostAbsent = "host-absent"
    // Functions.
    case functionUnbound = "function-unbound"
    case functionForeign = "function-foreign"
    case functionFailed = "function-failed"
    case functionWaits = "function-waits"
    case secondaryLinked = "secondary-linked"
    case virtualFunction = "virtual-function"
    case deviceWithoutDriver = "device-without-driver"
    case deviceLeaked = "device-leaked"
    case idInvisible = "id-invisible"
    case vendorUnset = "vendor-id-unset"
    case classCode = "class-code"
    case noVectors = "no-vectors"
    case tooFewVectors = "too-few-vectors"
    case vectorsBelowQueues = "vectors-below-queues"
    case intxFallback = "intx-fallback"
    case queuesLimited = "queues-limited"
    case headerConflict = "header-conflict"
    case transferLimit = "transfer-limit"
    case subsystemVendorIgnored = "subsystem-vendor-ignored"
    case optionsEmpty = "options-empty"
    case optionsMalformed = "options-malformed"
    // Targets and backings.
    case targetUnset = "target-unset"
    case targetUnreachable = "target-unreachable"
    case hostNotAllowed = "host-not-allowed"
    case connectionLost = "connection-lost"
    case noNamespace = "no-namespace"
    case backingShared = "backing-shared"
    case backingMounted = "backing-mounted"
    case subsystemUnused = "subsystem-unused"
    case portUnused = "port-unused"
    case nullBlockForeign = "null-block-foreign"
    // The past.
    case journalUnfinished = "journal-unfinished"
    case journalDamaged = "journal-damaged"
    case kernelCrashed = "kernel-crashed"
    case unlinkedWhileStarted = "unlinked-while-started"
    case eventOnFailedFunction = "event-on-failed-function"
    // Messages of the board's kernel.
    case cmaExhausted = "cma-exhausted"
    case cmaLow = "cma-low"
    case dmaFailed = "dma-failed"
    case interruptFailed = "interrupt-failed"
    case classFixed = "class-code-fixed"
    case featuresMissing = "controller-features-missing"
    case systemError = "system-error"
    // The profile.
    case profileImpossible = "profile-impossible"
    case profileWarning = "profile-warning"
    // On the host: the PCI device.
    case noController = "nvme-controller-missing"
    case diskAbsent = "disk-absent"
    case classDiffers = "class-differs"
    case driverAbsent = "nvme-driver-missing"
    case driverOther = "nvme-driver-other"
    case barUnassigned = "bar-unassigned"
    case configurationUnreadable = "configuration-unreadable"
    case configurationLost = "configuration-lost"
    case functionGone = "function-gone"
    case linkLost = "link-lost"
    case linkUntrained = "link-untrained"
    case powerState = "power-state"
    case uncorrectedErrors = "pcie-errors-uncorrected"
    case correctedErrors = "pcie-errors-corrected"
    case busAbort = "bus-abort"
    // On the host: DMA, interrupts and the IOMMU.
    case atsTimeout = "ats-timeout"
    case dmaFault = "dma-fault"
    case interruptRemapping = "interrupt-remapping-fault"
    case requesterUnknown = "requester-unknown"
    case bounceBufferFull = "bounce-buffer-full"
    case interruptsLost = "interrupts-lost"
    case unexpectedInterrupt = "unexpected-interrupt"
    // On the host: the NVMe controller.
    case probeTimeout = "probe-timeout"
    case readyStuck = "ready-stuck"
    case controllerFatal = "controller-fatal"
    case registersAllOnes = "registers-all-ones"
    case shutdownIncomplete = "shutdown-incomplete"
    case pageSize = "page-size-mismatch"
    case adminTimeout = "admin-timeout"
    case ioTimeout = "io-timeout"
    case duplicateCompletion = "duplicate-completion"
    case noIOQueues = "no-io-queues"
    case controllerNotLive = "controller-not-live"
    case probeFailed = "probe-failed"
    case featureFailed = "feature-failed"
    // On the host: identities.
    case duplicateControllerID = "duplicate-controller-id"
    case subsystemNotShared = "subsystem-not-shared"
    case duplicateNamespaceIDs = "duplicate-namespace-ids"
    case sharedNamespaceDiffers = "shared-namespace-differs"
    case namespaceIDsCleared = "namespace-ids-cleared"
    case namespaceIDsChanged = "namespace-ids-changed"
    case mergedControllers = "merged-controllers"
    case equalIdentities = "equal-identities"
    // On the host: disks and data.
    case namespaceMissing = "namespace-missing"
    case anaInaccessible = "ana-inaccessible"
    case identifyBlank = "identify-blank"
    case descriptorsFailed = "descriptors-failed"
    case namespaceFormat = "namespace-format"
    case noPath = "no-path"
    case ioErrors = "io-errors"
    case dataSuspect = "data-suspect"
    case hostHung = "host-hung"

    package var severity: Severity {
      switch self {
      case .optionMissing, .endpointSupportMissing, .tlsKernel, .driverMissing, .moduleMissing,
        .moduleLoadingDisabled, .controllerMissing, .controllerDisabled,
        .controllerWithoutDriver, .controllerUnsuitable, .functionFailed, .secondaryLinked,
        .virtualFunction,
        .deviceWithoutDriver, .idInvisible, .tooFewVectors, .vectorsBelowQueues, .optionsEmpty,
        .optionsMalformed, .targetUnset, .targetUnreachable, .hostNotAllowed, .connectionLost,
        .backingShared, .backingMounted, .journalDamaged, .kernelCrashed,
        .eventOnFailedFunction, .profileImpossible, .cmaExhausted, .dmaFailed, .featuresMissing,
        .systemError:
        .error
      case .diskAbsent, .classDiffers, .driverAbsent, .barUnassigned, .configurationUnreadable,
        .configurationLost, .functionGone, .linkLost, .linkUntrained, .powerState,
        .uncorrectedErrors, .busAbort, .atsTimeout, .dmaFault, .interruptRemapping,
        .requesterUnknown, .bounceBufferFull, .interruptsLost, .probeTimeout, .readyStuck,
        .controllerFatal, .registersAllOnes, .pageSize, .adminTimeout, .ioTimeout,
        .duplicateCompletion, .noIOQueues, .controllerNotLive, .probeFailed,
        .duplicateControllerID, .subsystemNotShared, .duplicateNamespaceIDs,
        .sharedNamespaceDiffers, .namespaceMissing, .anaInaccessible, .identifyBlank,
        .descriptorsFailed, .namespaceFormat, .noPath, .ioErrors, .dataSuspect, .hostHung:
        .error
      case .knownKernelBug, .moduleOverridden, .moduleRefused, .controllerWithoutFunction,
        .functionUnbound,
        .deviceLeaked, .vendorUnset, .classCode, .noVectors, .intxFallback, .queuesLimited,
        .headerConflict, .transferLimit, .noNamespace, .portUnused, .journalUnfinished,
        .unlinkedWhileStarted, .profileWarning, .cmaLow, .interruptFailed, .correctedErrors,
        .unexpectedInterrupt, .shutdownIncomplete, .namespaceIDsCleared, .namespaceIDsChanged,
        .mergedControllers, .equalIdentities:
        .warning
      case .possibleKernelBug, .twoDrivers, .configFSNotMounted, .controllerNotStarted, .hostAbsent,
        .functionForeign, .functionWaits, .subsystemVendorIgnored, .subsystemUnused,
        .nullBlockForeign, .classFixed, .noController, .driverOther, .featureFailed:
        .note
      }
    }
  }
}
