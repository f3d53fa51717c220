// SPDX-License-Identifier: Apache-2.0

/// A deviation of a driver from the specification: pci_epf_nvme.md, 13; nvmet_pci_epf.md, 20.
///
/// If a quirk is disabled, the controller follows the specification there.
///
/// Races and leftovers that no host can observe of a controller with atomic steps (pci_epf_nvme.md, 13, Q5, Q13, Q14, Q24) and operations
/// that the emulation always refuses or diagnoses (nvmet_pci_epf.md, 20, Q4, Q5, Q6, Q7, Q8, Q17) are not among them.
public enum Quirk: String, Sendable, Hashable, Codable, CaseIterable {
  // pci_epf_nvme
  case partialMappingRepeats = "partial-mapping-repeats"
  case abruptShutdownIgnored = "abrupt-shutdown-ignored"
  case shutdownStatusSticks = "shutdown-status-sticks"
  case failedEnableIsSilent = "failed-enable-is-silent"
  case interruptEnableIgnored = "interrupt-enable-ignored"
  case noncontiguousQueueIsInvalidQueue = "noncontiguous-queue-is-invalid-queue"
  case submissionQueueBeyondArrays = "submission-queue-beyond-arrays"
  case deallocateIgnored = "deallocate-ignored"
  case completionQueueDeletedInUse = "completion-queue-deleted-in-use"
  case effectsLogOverrun = "effects-log-overrun"
  case queueCountOfTarget = "queue-count-of-target"
  case lostCompletions = "lost-completions"
  case fabricsControllerLeaks = "fabrics-controller-leaks"
  case fabricsControllerStays = "fabrics-controller-stays"
  case sharedHeader = "shared-header"
  case reinitializationCrashes = "reinitialization-crashes"
  case smallTransferFieldWraps = "small-transfer-field-wraps"
  case loopCarriesLessThanMebibyte = "loop-carries-less-than-mebibyte"
  case asyncEventsNeverComplete = "async-events-never-complete"
  case wholeBARWritable = "whole-bar-writable"
  // nvmet_pci_epf
  case transferFailureSucceeds = "transfer-failure-succeeds"
  case failedReadHangs = "failed-read-hangs"
  case completionQueueOfSameID = "completion-queue-of-same-id"
  case fullTestWithoutWrap = "full-test-without-wrap"
  case hostIdentifierHasNoLength = "host-identifier-has-no-length"
  case readyDespiteFatal = "ready-despite-fatal"
  case shutdownWhileDisabledIgnored = "shutdown-while-disabled-ignored"
  case registersWritable = "registers-writable"
  case vectorNotChecked = "vector-not-checked"
  case burstAndThresholdCut = "burst-and-threshold-cut"
  case transferFieldWraps = "transfer-field-wraps"
  case shutdownDoesNotFlush = "shutdown-does-not-flush"

  public var behaviour: Behaviour {
    switch self {
    case .partialMappingRepeats, .abruptShutdownIgnored, .shutdownStatusSticks,
      .failedEnableIsSilent, .interruptEnableIgnored, .noncontiguousQueueIsInvalidQueue,
      .submissionQueueBeyondArrays, .deallocateIgnored, .completionQueueDeletedInUse,
      .effectsLogOverrun, .queueCountOfTarget, .lostCompletions,
      .fabricsControllerLeaks, .fabricsControllerStays, .sharedHeader,
      .reinitializationCrashes, .smallTransferFieldWraps, .loopCarriesLessThanMebibyte,
      .asyncEventsNeverComplete, .wholeBARWritable:
      .pciEPFNVMe
    case .transferFailureSucceeds, .failedReadHangs, .completionQueueOfSameID,
      .fullTestWithoutWrap, .hostIdentifierHasNoLength, .readyDespiteFatal,
      .shutdownWhileDisabledIgnored, .registersWritable, .vectorNotChecked,
      .burstAndThresholdCut, .transferFieldWraps, .shutdownDoesNotFlush:
      .nvmetPCIEPF
    }
  }
}

extension Quirk {
  /// The driver's behaviour, in one line.
  public var summary: String {
    switch self {
    case .partialMappingRepeats:
      "a transfer that needs several mappings transfers its first part again"
    case .abruptShutdownIgnored: "CC.SHN = 10b does nothing"
    case .shutdownStatusSticks: "CSTS.SHST stays after the next enable"
    case .failedEnableIsSilent: "a refused enable leaves CSTS as it was"
    case .interruptEnableIgnored: "queues without IEN also raise interrupts"
    case .noncontiguousQueueIsInvalidQueue: "PC = 0 is answered with Invalid Queue Deletion"
    case .submissionQueueBeyondArrays: "Create SQ accepts an id that is beyond its arrays"
    case .deallocateIgnored: "Dataset Management succeeds and does nothing"
    case .completionQueueDeletedInUse:
      "a completion queue can be deleted before its submission queues"
    case .effectsLogOverrun: "a short effects log is written past its end"
    case .queueCountOfTarget:
      "Number of Queues is the count of the target, not that of the PCI side"
    case .lostCompletions: "completions that find their queue full are lost"
    case .fabricsControllerLeaks: "a bind that fails leaves its connection to the target"
    case .fabricsControllerStays: "an unbind leaves its connection to the target"
    case .sharedHeader: "all functions share one header, which outlives them"
    case .reinitializationCrashes: "initialising an endpoint controller again crashes the kernel"
    case .smallTransferFieldWraps, .transferFieldWraps:
      "MDTS of less than 8 KiB wraps or means no limit"
    case .loopCarriesLessThanMebibyte: "a command of 1 MiB fails on the loop transport"
    case .asyncEventsNeverComplete: "event requests are dropped"
    case .wholeBARWritable: "read-only registers accept writes"
    case .transferFailureSucceeds: "a failed data transfer is answered with success"
    case .failedReadHangs: "a failed read blocks the driver's worker forever"
    case .completionQueueOfSameID: "completions go to the queue with the submission queue's id"
    case .fullTestWithoutWrap: "a full completion queue is not detected at its last entry"
    case .hostIdentifierHasNoLength: "Set Host Identifier fails for its length"
    case .readyDespiteFatal: "RDY is set with settings that cannot be served"
    case .shutdownWhileDisabledIgnored: "CC.SHN does nothing while disabled"
    case .registersWritable: "read-only registers accept writes"
    case .vectorNotChecked: "Create CQ accepts any vector"
    case .burstAndThresholdCut: "arbitration burst and threshold are truncated"
    case .shutdownDoesNotFlush: "a shutdown does not flush the backing"
    }
  }
}
