// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory

/// Messages of Linux as the host about an NVMe controller of a board: enabling, commands, resets.
/// - Source: `drivers/nvme/host/{core,pci}.c`, Linux 6.1 to 7.2. The versions are those of Docs/Reference/Kernel/releases.md.
extension Signature {
  /// The messages with a value of CSTS whose low bits are one of these.
  private static func status(_ prefix: String, _ values: [String]) -> [LinePattern] {
    values.flatMap { ["\(prefix)CSTS=0x\($0)$", "\(prefix)CSTS=0x\($0),"] }.map { LinePattern($0) }
  }

  static let controller: [Signature] = [
    Signature(
      id: .probeTimeout, rank: .symptom,
      patterns: status("Device not ready; aborting initialisation, ", ["0", "4", "8", "c"])
        + ["Device not ready; aborting initialisation$"],
      ends: probed,
      meaning:
        "the registers can be read, but CSTS.RDY did not follow CC.EN: the function driver did not enable the controller. nvmet_pci_epf \(withoutFix(.enableSurvivesShutdown)) keeps CC.EN after the host has shut down, and the next enable has no effect; on every kernel it happens while the board is stopped, or its NVMe controller was not created",
      fix:
        "on the board: epfnvme doctor, then stop the endpoint controller and start it (with a kernel without the fix also unlink the function and link it again: epfnvme teardown and setup), and use \(fixed(.enableSurvivesShutdown)) or later; on the host: epfnvme host remove, then epfnvme host rescan"
    ),
    Signature(
      id: .readyStuck, rank: .symptom,
      patterns: status("Device not ready; aborting reset, ", ["1", "5", "9", "d"])
        + ["Device not ready; aborting reset$"],
      ends: probed,
      meaning:
        "CSTS.RDY did not go away after the host cleared CC.EN: the board waits for commands that do not end. In nvmet_pci_epf a command with data to the host that failed blocks the disable (no release fixes it)",
      fix:
        "on the board: look for errors of DMA and of the backing in its log, then stop the endpoint controller, tear the profile down and set it up; reboot the board if teardown does not return; on the host: epfnvme host remove, then epfnvme host rescan"
    ),
    Signature(
      id: .controllerFatal, rank: .symptom,
      patterns: status("", ["2", "3", "6", "7", "a", "b"]),
      ends: probed,
      // A controller that fails in service fails again, also if a reset has helped.
      recurring: ["controller is down; will reset"],
      meaning:
        "the controller reports a fatal status (CSTS.CFS): the board refused the settings of the host, or could not map or read the admin queue",
      fix:
        "on the board: its kernel log has the reason (outbound windows, entry sizes, page size); epfnvme predict shows the windows that a profile needs; then stop and start the endpoint controller; on the host: epfnvme host rebind"
    ),
    Signature(
      id: .functionGone, rank: .symptom,
      patterns: [
        "CSTS=0xffffffff, PCI_STATUS=0xffff", "CSTS=0xffffffff, PCI_STATUS read failed",
      ],
      ends: probed,
      meaning:
        "neither registers nor configuration space answer: the link is down, or the board was stopped, restarted or lost power. A power saving mode, which the kernel suggests, is rarely the reason with a board",
      fix:
        "on the board: epfnvme status, and epfnvme start if the controller is stopped; on the host, for each start of the board: epfnvme host remove, then epfnvme host rescan; if the link is lost without a restart, boot with pcie_aspm=off and check cable and clock"
    ),
    Signature(
      id: .registersAllOnes, rank: .symptom,
      patterns: status("", ["ffffffff"]),
      ends: probed,
      meaning:
        "every register reads as all ones, although the function is on the bus: memory accesses do not reach the board. Its BAR 0 is not mapped (a board that was restarted under a running host has lost its configuration), or its link is down",
      fix:
        "on the board: epfnvme check and status; on the host: epfnvme host remove, then epfnvme host rescan, which assigns the BAR again"
    ),
    Signature(
      id: .shutdownIncomplete, rank: nil,
      patterns: ["Device shutdown incomplete; abort shutdown"],
      meaning:
        "CSTS.SHST did not report a completed shutdown: the board was stopped first, or does not process CC. With nvmet_pci_epf \(withoutFix(.enableSurvivesShutdown)) the next probe times out",
      fix:
        "on the board: stop and start the endpoint controller before the host starts again; shut the host down before the board"
    ),
    Signature(
      id: .pageSize, rank: .cause,
      patterns: ["Minimum device page size * too large for host"],
      meaning:
        "CAP.MPSMIN is larger than the page of this host (4 KiB in the NVMe driver): the target's kernel has larger pages",
      fix: "on the board: use a kernel with 4 KiB pages"
    ),
    Signature(
      id: .adminTimeout, rank: .consequence,
      patterns: [
        "QID 0 timeout, disable controller", "QID 0 timeout, reset controller",
        "Identify Controller failed (",
      ],
      ends: probed,
      meaning:
        "an admin command was not completed: the completion was not written to the host's memory, or the board never saw the command. Unlike a lost interrupt, no completion was in the queue",
      fix:
        "on the board: look for DMA and mapping errors in its log, and check that it uses the host's addresses (epfnvme check); on the host: look for messages of the IOMMU, and try iommu=pt"
    ),
    Signature(
      id: .ioTimeout, rank: .consequence,
      patterns: [
        "timeout, aborting", "timeout, reset controller", "timeout, disable controller",
        "ANATT timeout, resetting controller",
      ],
      meaning:
        "the board did not complete a command in time (30 s): its backing hangs, its DMA engine has failed, or a command with data to the host failed, which nvmet_pci_epf never completes (no release fixes it)",
      fix:
        "on the board: dmesg for DMA transfer failed and errors of the backing; reboot the board if its DMA engine has failed; on the host: nvme_core.io_timeout=255 for a slow backing"
    ),
    Signature(
      id: .duplicateCompletion, rank: .cause,
      patterns: ["genctr mismatch", "invalid id * completed on queue"],
      meaning:
        "a completion belongs to no outstanding command. nvmet_pci_epf completes a command twice that the target lacks (CVE-2025-38658, \(withoutFix(.completedTwice))), and leaves fields of a completion unset \(withoutFix(.blankCompletion))",
      fix:
        "on the board: use \(fixed(.completedTwice)) or later; on the host: avoid nvme security-recv and other commands that the target lacks (nvme effects-log)"
    ),
    Signature(
      id: .noIOQueues, rank: .symptom,
      patterns: [
        "Could not set queue count", "IO queues not created", "IO queues lost",
      ],
      ends: probed,
      meaning:
        "the controller answers admin commands, but no I/O queue could be created, so there is no disk: too few vectors or queues on the board, or Create I/O Queue failed there",
      fix:
        "on the board: epfnvme predict shows queues and vectors of the profile; set msixVectors or msiVectors to the queues plus one, and attr_qid_max to at most the vectors less one; see its log for Create CQ errors; then epfnvme host rebind on the host"
    ),
    Signature(
      id: .controllerNotLive, rank: .suspicion, patterns: [],
      meaning:
        "the NVMe driver is bound, but the controller is not usable: a reset is under way or has failed",
      fix:
        "see the NVMe messages of the kernel log; on the board: epfnvme status; on the host: epfnvme host rebind, or epfnvme host remove and rescan"
    ),
    Signature(
      id: .probeFailed, rank: .aftermath,
      patterns: [
        "probe with driver nvme failed with error", "nvme: probe of * failed with error",
        "Removing after probe failure", "Disabling device after reset failure",
        "Removing after reset failure",
      ],
      ends: probed,
      meaning:
        "the NVMe driver gave up the device without another reason in this log: -19 (ENODEV) for registers that read as all ones or a BAR 0 below 8 KiB, -12 (ENOMEM) for a BAR that cannot be mapped, -5 (EIO) for a failed command",
      fix:
        "on the host: see the messages before this one in the complete log, then epfnvme check --host auto PROFILE, which compares BAR and registers; on the board: epfnvme check"
    ),
    Signature(
      id: .featureFailed, rank: nil,
      patterns: [
        "failed to set APST feature", "could not set timestamp", "failed to set host mem",
        "unable to set dbbuf", "Failed to configure AEN", "reading changed ns log failed",
        "Get FW SLOT INFO log error",
      ],
      meaning: "the controller advertises an optional feature and refuses it; the disk works",
      fix: "none is needed; a newer kernel on the board may support the feature"
    ),
  ]

  /// The NVMe driver has found its queues after a probe or a reset.
  static let probed: [LinePattern] = ["default/read/poll queues"]
}
