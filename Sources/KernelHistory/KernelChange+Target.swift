// SPDX-License-Identifier: Apache-2.0

/// `drivers/nvme/target`, in the order in which the behaviours ended.
extension KernelChange {
  /// Two fixes of one pull request.
  private static let requestFixes = Point(
    7, 3, .y(7, 2, .by(13)), .y(7, 1, .unknown), .y(7, 0, .unknown), .y(6, 18, .known(47)))
  private static let doubleCompletionFix = Point(
    6, 17, .y(6, 16, .about(1)), .y(6, 15, .unknown))

  static let rcuStall = KernelChange(
    name: "rcu-stall-under-load", area: .nvmetPCIEPF,
    title: "Avoid RCU stalls under heavy workload", commits: ["01ef7ff7dd3c"],
    until: Point(6, 14),
    shows: "`rcu: INFO: … stall` in the board's log while fio runs on the host",
    effect: .limited, place: .board)

  static let readyLate = KernelChange(
    name: "ready-set-late", area: .nvmetPCIEPF,
    title: "Correctly initialize CSTS when enabling; Do not uselessly write CSTS",
    commits: ["68a5c91f01fc", "ffa35567632c"], until: Point(6, 14),
    shows: "CSTS.RDY is lost or set late, only in candidates of 6.14", effect: .limited,
    place: .host)

  static let queueCreationRace = KernelChange(
    name: "queue-creation-race", area: .nvmetPCIEPF,
    title: "Set Q_LIVE when a queue is fully created; Do not add an IRQ vector if not needed",
    commits: ["bf9b8020a80d", "39393f5c5c79"], until: Point(6, 14),
    shows: "a race at the creation of queues, only in candidates of 6.14", effect: .limited,
    place: .board)

  static let bar032Bit = KernelChange(
    name: "bar0-32-bit", area: .nvmetPCIEPF, title: "Always configure BAR0 as 64-bit",
    commits: ["ca43073203c2"], until: Point(6, 15, .y(6, 14, .unknown)),
    shows:
      "BAR 0 is 32-bit on controllers without only_64bit; some firmware refuses such an NVMe device",
    effect: .limited, place: .host)

  public static let enableSurvivesShutdown = KernelChange(
    name: "enable-survives-shutdown", area: .nvmetPCIEPF,
    title: "clear CC and CSTS when disabling the controller", commits: ["f8e01fa93f3e"],
    until: Point(6, 15, .y(6, 14, .known(4))),
    shows:
      "a host shuts down without clearing CC.EN, as Linux does. When it starts again, the driver sees no change of CC.EN, never enables the controller, and the probe times out: `Device not ready; aborting initialisation, CSTS=0x0`. The log has no line `Shutting down controller`. After a lost link without a shutdown, CSTS.RDY stays set as well, so that the host's driver waits until its cleared CC.EN is seen, and the probe succeeds",
    workaround:
      "after each shutdown of the host: epfnvme stop, unlink the function, link it again, epfnvme start (epfnvme teardown and setup do it)",
    effect: .severe, place: .host)

  /// The driver does not log link up and link down.
  public static let linkChangesNotLogged = KernelChange(
    name: "link-changes-not-logged", area: .nvmetPCIEPF,
    title: "cleanup link state management", commits: ["ad91308d3bde"],
    until: Point(6, 15, .y(6, 14, .about(6))),
    shows: "the lines `PCI link up` and `PCI link down` do not exist, whatever the link does",
    workaround: "a host that has enabled the controller (`Enabling controller`) has a link",
    effect: .limited, place: .board)

  public static let blankCompletion = KernelChange(
    name: "failed-completion-blank", area: .nvmetPCIEPF,
    title: "always fully initialize completion entries",
    source: "drivers/nvme/target/pci-epf.c, nvmet_pci_epf_cq_work()",
    until: Point(6, 15, .y(6, 14, .about(5))),
    shows:
      "a command that fails before its execution, as with a data pointer that cannot be used, completes without SQID, SQHD and CID: the host reports `genctr mismatch` or an invalid id, and the command times out",
    effect: .limited, place: .host)

  /// Linking a subsystem into a port whose transport type was never written.
  public static let portWithoutType = KernelChange(
    name: "port-without-type-out-of-bounds", area: .nvmet,
    title: "Fix out-of-bounds access in nvmet_enable_port", commits: ["3d7aa0c7b4e9"],
    until: Point(6, 15, .y(6, 14, .unknown)),
    shows:
      "linking a subsystem into a port whose addr_trtype was never written: KASAN global-out-of-bounds, `transport type 255 not supported`",
    workaround: "write addr_trtype before linking, as epfnvme does", effect: .limited,
    place: .board)

  static let interruptFlagKept = KernelChange(
    name: "interrupt-enable-survives-delete", area: .nvmetPCIEPF,
    title: "clear completion queue IRQ flag on delete", commits: ["85adf2094abb"],
    until: Point(6, 15, .y(6, 14, .about(9))),
    shows:
      "a completion queue that is created again without interrupts, as after nvme reset or kexec, raises them",
    effect: .limited, place: .host)

  public static let mappedPerPost = KernelChange(
    name: "completion-queue-mapped-per-post", area: .nvmetPCIEPF,
    title: "Keep completion queues mapped", commits: ["ea7789c15410"],
    until: Point(6, 16, .y(6, 15, .unknown), .y(6, 14, .about(9))),
    shows:
      "one outbound window is mapped for each post, in place of one for each completion queue: slower, mapping errors (`Failed to map queue`) are retried each millisecond, but the number of windows does not grow with the I/O queues",
    effect: .minor, place: .host)

  public static let interruptFailuresUnlimited = KernelChange(
    name: "interrupt-failures-not-limited", area: .nvmetPCIEPF,
    title: "do not fall back to INTX if not supported", commits: ["2c3a6f6a2805"],
    until: Point(6, 16, .y(6, 15, .unknown)),
    shows:
      "`Failed to raise IRQ (err=%d)`, without queue and rate limit, floods the log while the host's firmware runs without MSI, on controllers without INTx as the RK35xx",
    effect: .limited, place: .board)

  static let completionQueueNotChecked = KernelChange(
    name: "completion-queue-id-not-checked", area: .nvmet,
    title: "support completion queue sharing",
    source: "drivers/nvme/target/core.c, nvmet_check_io_cqid()", until: Point(6, 16),
    shows:
      "Create I/O Submission Queue with the id of a completion queue that does not exist succeeds; the line `nvmet: SQ %u: Invalid CQID %u` does not exist",
    effect: .minor, place: .host)

  public static let completedTwice = KernelChange(
    name: "refused-command-completes-twice", area: .nvmetPCIEPF,
    title: "Do not complete commands twice if nvmet_req_init() fails (CVE-2025-38658)",
    commits: ["746d0ac5a07d"], until: doubleCompletionFix,
    shows:
      "a host sends an opcode that the target lacks, as with `nvme security-recv /dev/nvme0n1 -n1 -x4096`: two completions for one command, and a use after free on the board",
    workaround: "give the disk only to hosts that you trust", effect: .severe, place: .host)

  static let failedReadHangs = KernelChange(
    name: "failed-read-hangs", area: .nvmetPCIEPF,
    title: "a failed command with data to the host completes, and its worker waits for ever",
    commits: ["746d0ac5a07d"], since: doubleCompletionFix, until: nil,
    shows:
      "after such a command, a later one may never complete, and disable, link down and unlink hang",
    workaround:
      "do not read log pages, features and structures that the controller does not have; see epfnvme predict --commands",
    effect: .severe, place: .host)

  /// The DMA engine is used before the endpoint controller is initialised.
  public static let dmaBeforeInit = KernelChange(
    name: "dma-before-controller-init", area: .nvmetPCIEPF,
    title: "move DMA initialization to EPC init callback", commits: ["511b3b644e28"],
    until: Point(6, 19, .y(6, 18, .unknown)),
    shows:
      "registers of the DMA engine are accessed at ln -s, before the host's reference clock: the board hangs (SError), or DMA is not found",
    workaround: "link the function after the host has released PERST#, or disable the eDMA",
    effect: .severe, place: .board,
    hardware: ["nvidia,tegra", "qcom,", "st,stm32mp25-pcie-ep"])

  static let dmaDebugPrint = KernelChange(
    name: "dma-channel-debug-print", area: .nvmetPCIEPF, title: "fix DMA channel debug print",
    source: "drivers/nvme/target/pci-epf.c, nvmet_pci_epf_init_dma()", until: Point(6, 19),
    shows: "a debug message names the wrong channel",
    effect: .minor, place: .board)

  static let bioDoneRace = KernelChange(
    name: "bio-done-race", area: .nvmet,
    title: "fix race in nvmet_bio_done() leading to NULL pointer dereference",
    source: "drivers/nvme/target/io-cmd-bdev.c, nvmet_bio_done()",
    until: Point(6, 19, others: true), shows: "the board oopses under load", effect: .severe,
    place: .board)

  static let completionQueueReference = KernelChange(
    name: "failed-mapping-keeps-queue-id", area: .nvmetPCIEPF,
    title: "put CQ ref on create_cq mapping failure", commits: ["659ae9d02cb5"],
    since: Point(6, 16), until: requestFixes,
    shows:
      "after a Create I/O Completion Queue that failed for lack of an outbound window, the same id can never be created again",
    workaround: "use fewer I/O queues than the endpoint controller has windows", effect: .limited,
    place: .host)

  static let executeAfterFree = KernelChange(
    name: "exec-iod-work-use-after-free", area: .nvmetPCIEPF,
    title: "fix use-after-free in nvmet_pci_epf_exec_iod_work()", commits: ["c9e9bb757971"],
    until: requestFixes, shows: "the board crashes at random under load", effect: .severe,
    place: .board)

  static let shortSegment = KernelChange(
    name: "short-sgl-segment-read-beyond", area: .nvmetPCIEPF,
    title: "reject too-short SGL segments", commits: ["5d5fbfbbacd1"],
    until: Point(7, 3, .y(7, 2, .about(8))),
    shows: "an SGL segment shorter than 16 bytes is read out of bounds", effect: .limited,
    place: .host)

  static let maskNamespace = KernelChange(
    name: "reservation-mask-names-namespace", area: .nvmet,
    title: "return Invalid Field for invalid NSIDs of feature 82h",
    source: "drivers/nvme/target/pr.c, nvmet_set_feat_resv_notif_mask()",
    until: Point(7, 3, .y(7, 2, .about(10))),
    shows:
      "Get and Set Features, Reservation Notification Mask, of a namespace that does not exist: Invalid Namespace, in place of Invalid Field",
    effect: .minor, place: .host)

  static let devicePathLost = KernelChange(
    name: "device-path-lost-without-memory", area: .nvmet,
    title: "preserve device path on allocation failure",
    source: "drivers/nvme/target/configfs.c, nvmet_ns_device_path_store()",
    until: Point(7, 3, .y(7, 2, .about(10))),
    shows: "a write of device_path that fails for lack of memory loses the earlier path",
    effect: .minor, place: .board)

  static let hostIdentifierCopiedLate = KernelChange(
    name: "host-id-copied-late", area: .nvmet, title: "copy the hostid before PR pc_refs",
    source: "drivers/nvme/target/core.c, nvmet_alloc_ctrl()",
    until: Point(7, 3, .y(7, 2, .about(10))),
    shows: "reservations of a new host may have the identifier of another one", effect: .minor,
    place: .board)

  /// nvmet dereferences a null pointer in the active namespace list of a command set.
  public static let identifyCrash = KernelChange(
    name: "identify-null-dereference", area: .nvmet,
    title:
      "fix NULL pointer dereferences in nvmet_execute_identify_nslist and nvmet_execute_identify_ns_zns",
    commits: ["713f4d88c9eb", "f594863967d8"],
    until: Point(7, 3, .y(7, 2, .by(13)), .y(6, 18, .known(47)), others: true),
    shows:
      "an Identify command of a host crashes the board: CNS 07h, the active namespaces of a command set (`nvme list-ns --csi=0`), with an enabled namespace, and CNS 05h for the zoned command set with a namespace on a file. Linux as the host sends neither to such a disk by itself. The emulation has the first one",
    workaround: "give the disk only to hosts that you trust", effect: .severe, place: .host)

  static let dmaSerialised = KernelChange(
    name: "dma-transfers-serialised", area: .nvmetPCIEPF,
    title:
      "Remove unnecessary dmaengine_terminate_sync(); Use dmaengine_prep_config_single_safe()",
    commits: ["bd00d2c4a1b2", "a0fba0a49f77"], until: Point(7, 3),
    shows: "transfers by DMA are serialised by a mutex for each direction", effect: .minor,
    place: .board)

  static let disableWindow = KernelChange(
    name: "namespace-disable-window", area: .nvmet,
    title:
      "defer setting ns->enabled to false; don't allow I/O admission after percpu ns reference is killed",
    commits: ["42b0f5196dc2", "3fdd281e0a04"], until: Point(7, 3),
    shows: "while a namespace under I/O is disabled, commands are still admitted for a moment",
    effect: .minor, place: .board)

  static let largeEntries = KernelChange(
    name: "large-entry-sizes-enabled", area: .nvmetPCIEPF,
    title: "fix heap overflow for invalid I/O SQES/CQES (posted on 24 Apr 2026)",
    source: "drivers/nvme/target/pci-epf.c, nvmet_pci_epf_enable_ctrl()",
    until: Point(.posted(KernelVersion(7, 3))),
    shows:
      "CC.IOSQES of 7 to 15, or CC.IOCQES of 5 to 15: the controller shows RDY, and refuses every command; without that refusal, 128 B to 32 KiB would be fetched into a buffer of 64 bytes. A kernel with the patch fails the enable: `Unsupported I/O SQES 128 (need 64)`",
    effect: .minor, place: .host)

  /// The rows of `drivers/nvme/target`.
  static let target: [KernelChange] = [
    rcuStall, readyLate, queueCreationRace, bar032Bit, enableSurvivesShutdown,
    linkChangesNotLogged, blankCompletion, portWithoutType, interruptFlagKept, mappedPerPost,
    interruptFailuresUnlimited, completionQueueNotChecked, completedTwice, failedReadHangs,
    dmaBeforeInit, dmaDebugPrint, bioDoneRace, completionQueueReference, executeAfterFree,
    shortSegment, maskNamespace, devicePathLost, hostIdentifierCopiedLate, identifyCrash,
    dmaSerialised, disableWindow, largeEntries,
  ]
}
