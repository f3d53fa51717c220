// SPDX-License-Identifier: Apache-2.0

public import KernelHistory

/// A deviation of a driver from the specification, or of some releases from Linux 7.2.13: pci_epf_nvme.md, 13; nvmet_pci_epf.md, 20;
/// releases.md, 1.
///
/// If a quirk is disabled, the controller follows the specification there. A quirk that only some releases have is a row of
/// ``KernelChange`` with the quirk's name.
///
/// Races and leftovers that no host can observe of a controller with atomic steps (pci_epf_nvme.md#fast-enable-lost, pci_epf_nvme.md#prp-list-buffer-shared, pci_epf_nvme.md#mutexes-not-initialized, pci_epf_nvme.md#deleted-queue-polled) and operations
/// that the emulation always refuses or diagnoses (nvmet_pci_epf.md#queue-id-beyond-arrays, nvmet_pci_epf.md#keep-alive-expiry-crashes, nvmet_pci_epf.md#controller-deletion-crashes, nvmet_pci_epf.md#tls-crashes-creation, nvmet_pci_epf.md#doorbell-beyond-queue-loops, nvmet_pci_epf.md#link-event-after-failed-creation) are not among them.
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
  // nvmet_pci_epf, in some releases
  case largeEntrySizesEnabled = "large-entry-sizes-enabled"
  case bar0Is32Bit = "bar0-32-bit"
  case enableSurvivesShutdown = "enable-survives-shutdown"
  case linkChangesNotLogged = "link-changes-not-logged"
  case failedCompletionBlank = "failed-completion-blank"
  case interruptEnableSurvivesDelete = "interrupt-enable-survives-delete"
  case completionQueueMappedPerPost = "completion-queue-mapped-per-post"
  case interruptFailuresNotLimited = "interrupt-failures-not-limited"
  case completionQueueNotChecked = "completion-queue-id-not-checked"
  case refusedCommandCompletesTwice = "refused-command-completes-twice"
  case failedMappingKeepsQueueID = "failed-mapping-keeps-queue-id"
  case shortSegmentReadBeyond = "short-sgl-segment-read-beyond"
  case identifyNullDereference = "identify-null-dereference"
  case reservationMaskNamesNamespace = "reservation-mask-names-namespace"
  // Of some endpoint controllers, in some releases
  case addressTranslationBroken = "ats-capability-broken"
  case interruptWriteAfterUnmap = "msix-write-after-unmap"
  case interruptAddressCached = "msi-address-cached"
  case linkTrainingDuringHotReset = "link-training-during-hot-reset"

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
      .burstAndThresholdCut, .transferFieldWraps, .shutdownDoesNotFlush,
      .largeEntrySizesEnabled, .bar0Is32Bit, .enableSurvivesShutdown, .linkChangesNotLogged,
      .failedCompletionBlank, .interruptEnableSurvivesDelete, .completionQueueMappedPerPost,
      .interruptFailuresNotLimited, .completionQueueNotChecked, .refusedCommandCompletesTwice,
      .failedMappingKeepsQueueID, .shortSegmentReadBeyond, .identifyNullDereference,
      .reservationMaskNamesNamespace,
      .addressTranslationBroken, .interruptWriteAfterUnmap, .interruptAddressCached,
      .linkTrainingDuringHotReset:
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
    case .largeEntrySizesEnabled: "I/O entries larger than 64 and 16 bytes can be enabled"
    case .bar0Is32Bit: "BAR 0 has a 32-bit address"
    case .enableSurvivesShutdown: "CC.EN stays set after a shutdown and a lost link"
    case .linkChangesNotLogged: "the log does not have link up and link down"
    case .failedCompletionBlank:
      "a command that fails before its execution completes without SQID, SQHD and CID"
    case .interruptEnableSurvivesDelete:
      "a completion queue that was deleted raises interrupts when it is created without them"
    case .completionQueueMappedPerPost: "completion queues occupy outbound windows only for a post"
    case .interruptFailuresNotLimited: "the log does not have the queue of a failed interrupt"
    case .completionQueueNotChecked: "Create SQ accepts the id of a queue that does not exist"
    case .refusedCommandCompletesTwice: "a command that the target refuses completes twice"
    case .failedMappingKeepsQueueID:
      "a completion queue that could not be mapped can never be created again"
    case .shortSegmentReadBeyond: "an SGL segment of less than 16 bytes is read beyond its end"
    case .identifyNullDereference:
      "Identify CNS 07h with an enabled namespace crashes the board"
    case .reservationMaskNamesNamespace:
      "feature 82h of a missing namespace fails with Invalid Namespace"
    case .addressTranslationBroken:
      "an RK3588 offers ATS, and does not answer the IOMMU's invalidations"
    case .interruptWriteAfterUnmap:
      "a DesignWare controller may write MSI-X messages that follow each other to wrong addresses"
    case .interruptAddressCached:
      "a DesignWare controller keeps the first MSI address: interrupts to another one are lost"
    case .linkTrainingDuringHotReset:
      "an RK35xx trains its link during a hot reset, when registers may be half written"
    }
  }
}

extension Quirk {
  /// Its row in the table of releases; nil for a quirk that every release of the driver has.
  public var change: KernelChange? { KernelChange.named(rawValue) }

  /// The releases with the quirk, in words; nil if all releases of the driver have it.
  public var releases: String? {
    guard let change else { return nil }
    let since = change.since.map { "since \($0.text)" }
    let until = change.until.map { "until \($0.text)" }
    let both = [since, until].compactMap(\.self)
    return both.isEmpty ? nil : both.joined(separator: ", ")
  }

  /// Whether a release of the driver has it.
  func isPresent(in version: KernelVersion) -> Bool { change?.isEmulated(in: version) ?? true }
}
