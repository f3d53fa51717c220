// SPDX-License-Identifier: Apache-2.0

/// Which controller is imitated.
public enum Personality: String, Sendable, Hashable, CaseIterable {
  /// The out-of-tree driver of Linux 6.12: `drivers/pci/endpoint/functions/pci-epf-nvme.c`.
  case pciEPFNVMe = "pci_epf_nvme"
  /// `nvmet_pci_epf`, in Linux since 6.14: `drivers/nvme/target/pci-epf.c`.
  case nvmetPCIEPF = "nvmet_pci_epf"
  /// The reference controller: the behaviour of the specification.
  case strict

  /// The deviations that the driver really has.
  public var quirks: Set<Quirk> {
    Set(Quirk.allCases.filter { $0.personality == self })
  }
}

/// A deviation of a driver from the specification, by its number in the fact sheets.
///
/// If a quirk is disabled, the controller follows the specification there.
///
/// Missing numbers are races and leftovers that no host can observe of a controller with atomic steps (pci_epf_nvme Q5, Q13, Q14, Q24), or
/// operations that the emulation always refuses (nvmet_pci_epf Q4, Q6 to Q8, Q17).
public enum Quirk: String, Sendable, Hashable, Codable, CaseIterable {
  // pci_epf_nvme
  case partialMappingRepeats = "seed-Q1"
  case abruptShutdownIgnored = "seed-Q2"
  case shutdownStatusSticks = "seed-Q3"
  case failedEnableIsSilent = "seed-Q4"
  case interruptEnableIgnored = "seed-Q6"
  case noncontiguousQueueIsInvalidQueue = "seed-Q7"
  case submissionQueueBeyondArrays = "seed-Q8"
  case deallocateIgnored = "seed-Q9"
  case completionQueueDeletedInUse = "seed-Q10"
  case effectsLogOverrun = "seed-Q11"
  case queueCountOfTarget = "seed-Q12"
  case lostCompletions = "seed-Q15"
  case fabricsControllerLeaks = "seed-Q16"
  case fabricsControllerStays = "seed-Q17"
  case sharedHeader = "seed-Q18"
  case reinitializationCrashes = "seed-Q19"
  case seedTransferFieldWraps = "seed-Q20"
  case loopCarriesLessThanMebibyte = "seed-Q21"
  case asyncEventsNeverComplete = "seed-Q22"
  case wholeBARWritable = "seed-Q23"
  // nvmet_pci_epf
  case transferFailureSucceeds = "mainline-Q1"
  case failedReadHangs = "mainline-Q2"
  case completionQueueOfSameID = "mainline-Q3"
  case fullTestWithoutWrap = "mainline-Q9"
  case hostIdentifierHasNoLength = "mainline-Q10"
  case readyDespiteFatal = "mainline-Q11"
  case shutdownWhileDisabledIgnored = "mainline-Q12"
  case registersWritable = "mainline-Q13"
  case vectorNotChecked = "mainline-Q14"
  case burstAndThresholdCut = "mainline-Q15"
  case transferFieldWraps = "mainline-Q16"
  case shutdownDoesNotFlush = "mainline-Q18"

  public var personality: Personality {
    rawValue.hasPrefix("seed") ? .pciEPFNVMe : .nvmetPCIEPF
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
    case .seedTransferFieldWraps, .transferFieldWraps:
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
