// SPDX-License-Identifier: Apache-2.0
import Doctor
import Testing

/// A kernel log of a host, with all that the doctor must say about it.
struct HostLogCase: Sendable, CustomTestStringConvertible {
  var name: String
  var log: String
  var expected: [Finding.ID]
  /// The subject of the first finding; nil for any.
  var subject: String?
  /// A part of the first finding's explanation; nil for any.
  var explains: String?

  init(
    _ name: String, _ expected: Finding.ID..., subject: String? = nil, explains: String? = nil,
    log: String
  ) {
    self.explains = explains
    self.name = name
    self.expected = expected
    self.subject = subject
    self.log = log
  }

  var testDescription: String { name }

  static let all = probing + commands + iommu + remapping + identities + bus + links + data + damage

  // MARK: Probing

  static let probing: [HostLogCase] = [
    HostLogCase(
      "CSTS 0: the enable has no effect", .probeTimeout, subject: "nvme0 (0000:01:00.0)",
      log: """
        [    1.914301] nvme nvme0: pci function 0000:01:00.0
        [    9.620114] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0
        [    9.620128] nvme nvme0: Removing after probe failure status: -19
        """),
    HostLogCase(
      "CSTS 0 after a shutdown that is still reported", .probeTimeout,
      log: "[ 9.6] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x8"),
    HostLogCase(
      "the same message of an older kernel, without CSTS", .probeTimeout, subject: "nvme0",
      log: "[   17.108] nvme nvme0: Device not ready; aborting initialisation"),
    HostLogCase(
      "a probe that failed and succeeded after a rescan",
      log: """
        [    1.9] nvme nvme0: pci function 0000:01:00.0
        [    9.6] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x0
        [    9.6] nvme nvme0: Removing after probe failure status: -19
        [  200.1] nvme nvme1: pci function 0000:01:00.0
        [  200.4] nvme nvme1: 4/0/0 default/read/poll queues
        """),
    HostLogCase(
      "CSTS all ones at the probe", .registersAllOnes, subject: "nvme0 (0000:01:00.0)",
      log: """
        [    1.9] nvme nvme0: pci function 0000:01:00.0
        [   10.2] nvme nvme0: Device not ready; aborting reset, CSTS=0xffffffff
        [   10.2] nvme 0000:01:00.0: probe with driver nvme failed with error -19
        """),
    HostLogCase(
      "RDY stays set", .readyStuck,
      log: """
        [  301.7] nvme nvme0: Device not ready; aborting reset, CSTS=0x1
        [  301.7] nvme nvme0: Disabling device after reset failure: -19
        """),
    HostLogCase(
      "a fatal status at the enable", .controllerFatal,
      log: "[   10.0] nvme nvme0: Device not ready; aborting initialisation, CSTS=0x2"),
    HostLogCase(
      "a fatal status in operation", .controllerFatal,
      log: """
        [  512.5] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
        [  513.0] nvme nvme0: Disabling device after reset failure: -19
        """),
    HostLogCase(
      "fatal statuses in operation, from which resets have recovered", .controllerFatal,
      log: """
        [    1.0] nvme nvme0: pci function 0000:01:00.0
        [  512.5] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
        [  513.0] nvme nvme0: 4/0/0 default/read/poll queues
        [  712.5] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
        [  713.0] nvme nvme0: 4/0/0 default/read/poll queues
        """),
    HostLogCase(
      "registers and configuration space are gone", .functionGone,
      log: """
        [  712.1] nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff
        [  712.1] nvme nvme0: Does your device have a faulty power saving mode enabled?
        [  712.1] nvme nvme0: Try "nvme_core.default_ps_max_latency_us=0 pcie_aspm=off pcie_port_pm=off" and report a bug
        [  712.2] nvme nvme0: Disabling device after reset failure: -19
        [  712.2] I/O error, dev nvme0n1, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 4 prio class 2
        """),
    HostLogCase(
      "the status register cannot be read", .functionGone,
      log: """
        [  712.1] nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS read failed (134)
        """),
    HostLogCase(
      "registers are gone, configuration space is not", .registersAllOnes,
      log: """
        [  712.1] nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10
        """),
    HostLogCase(
      "a shutdown without an answer", .shutdownIncomplete,
      log: "[ 99.9] nvme nvme0: Device shutdown incomplete; abort shutdown"),
    HostLogCase(
      "a target with pages of 64 KiB", .pageSize,
      log: """
        [ 2.0] nvme nvme0: Minimum device page size 65536 too large for host (4096)
        [ 2.0] nvme nvme0: Removing after probe failure status: -19
        """),
    HostLogCase(
      "the first command is not completed", .adminTimeout, subject: "nvme1 (0001:01:00.0)",
      log: """
        [    2.1] nvme nvme1: pci function 0001:01:00.0
        [   63.6] nvme nvme1: I/O tag 24 (1018) QID 0 timeout, disable controller
        [   63.7] nvme nvme1: Identify Controller failed (-4)
        [   63.7] nvme nvme1: Removing after probe failure status: -5
        """),
    HostLogCase(
      "a probe that fails without a reason", .probeFailed,
      log: "[    2.2] nvme: probe of 0000:01:00.0 failed with error -19"),
    HostLogCase(
      "the same of a newer kernel", .probeFailed, subject: "0000:01:00.0",
      log: "[    2.2] nvme 0000:01:00.0: probe with driver nvme failed with error -12"),
    HostLogCase(
      "no I/O queue", .noIOQueues,
      log: """
        [ 2.4] nvme nvme0: Could not set queue count (16385)
        [ 2.4] nvme nvme0: IO queues not created
        """),
    HostLogCase(
      "an optional feature is refused", .featureFailed,
      log: "[ 2.4] nvme nvme0: failed to set APST feature (16386)"),
  ]

  // MARK: Commands and interrupts

  static let commands: [HostLogCase] = [
    HostLogCase(
      "interrupts do not arrive", .interruptsLost,
      log: """
        [   62.3] nvme nvme0: I/O tag 12 (100c) QID 0 timeout, completion polled
        [  123.8] nvme nvme0: I/O tag 13 (100d) QID 0 timeout, completion polled
        [  154.5] nvme nvme0: I/O tag 128 (1080) QID 2 timeout, completion polled
        [  154.5] nvme nvme0: I/O tag 129 (1081) QID 2 timeout, completion polled
        """),
    HostLogCase(
      "interrupts do not arrive, on a kernel without tags", .interruptsLost,
      log: "[   62.3] nvme nvme0: I/O 12 QID 0 timeout, completion polled"),
    HostLogCase(
      "a command hangs", .ioTimeout,
      log: """
        [  402.1] nvme nvme0: I/O tag 5 (2005) opcode 0x2 (I/O Cmd) QID 3 timeout, aborting req_op:READ(0) size:131072
        [  402.1] nvme nvme0: Abort status: 0x1
        [  432.8] nvme nvme0: I/O tag 5 (2005) opcode 0x2 (I/O Cmd) QID 3 timeout, reset controller
        [  492.0] I/O error, dev nvme0n1, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2
        """),
    HostLogCase(
      "a task waits for it", .hostHung,
      log: """
        [  604.1] INFO: task kworker/u16:3:88 blocked for more than 120 seconds.
        [  604.1]       Not tainted 6.12.9 #1
        [  604.1] Call Trace:
        [  604.1]  blk_mq_freeze_queue_wait+0x9a/0xd0
        [  604.1]  nvme_wait_freeze+0x3a/0x60 [nvme_core]
        """),
    HostLogCase(
      "a task that waits for a network file system",
      log: """
        [  604.1] INFO: task cp:1234 blocked for more than 120 seconds.
        [  604.1] Call Trace:
        [  604.1]  nfs_wait_bit_killable+0x1e/0x90 [nfs]
        """),
    HostLogCase(
      "two completions for one command", .duplicateCompletion,
      log: """
        [  81.0] nvme nvme0: request 0x5 genctr mismatch (request 0x4 vs completion 0x3)
        """),
    HostLogCase(
      "a completion without its fields", .duplicateCompletion,
      log: "[  81.0] nvme nvme0: invalid id 0 completed on queue 1"),
    HostLogCase(
      "an unexpected interrupt", .unexpectedInterrupt, subject: "the host of dmesg",
      log: "[  12.3] __common_interrupt: 3.34 No irq handler for vector"),
    HostLogCase(
      "the firmware's MSI address stays in use", .interruptsLost, .unexpectedInterrupt,
      log: """
        [   12.3] __common_interrupt: 3.34 No irq handler for vector
        [   62.3] nvme nvme0: I/O tag 12 (100c) QID 0 timeout, completion polled
        """),
  ]

  // MARK: The IOMMU

  static let iommu: [HostLogCase] = [
    HostLogCase(
      "ATS on an Intel host", .atsTimeout,
      log: """
        [    2.0] nvme nvme0: pci function 0000:01:00.0
        [    2.9] DMAR: VT-d detected Invalidation Time-out Error: SID 0
        [    2.9] DMAR: QI HEAD: Device-TLB Invalidation qw0 = 0x100000003, qw1 = 0x7fffffffffffe001
        [   63.6] nvme nvme0: I/O tag 24 (1018) QID 0 timeout, disable controller
        """),
    HostLogCase(
      "an invalidation that another device does not answer, on an Intel host",
      log: """
        [    2.0] nvme nvme0: pci function 0000:01:00.0
        [    2.9] DMAR: VT-d detected Invalidation Time-out Error: SID 500
        """),
    HostLogCase(
      "an invalidation that the board does not answer, by its source ID", .atsTimeout,
      subject: "nvme0 (0000:01:00.0)",
      log: """
        [    2.0] nvme nvme0: pci function 0000:01:00.0
        [    2.9] DMAR: VT-d detected Invalidation Time-out Error: SID 100
        """),
    HostLogCase(
      "an invalidation that another device does not answer, on an AMD host",
      log: """
        [    2.0] nvme nvme0: pci function 0000:01:00.0
        [    2.9] iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:05:00.0 address=0x100a4c310]
        [    3.0] AMD-Vi: Completion-Wait loop timed out
        """),
    HostLogCase(
      "ATS on an AMD host", .atsTimeout, subject: "0000:01:00.0",
      log: """
        [    8.1] iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:01:00.0 address=0x1002a2f60]
        [    8.2] AMD-Vi: Completion-Wait loop timed out
        """),
    HostLogCase(
      "ATS on an Arm host", .atsTimeout,
      log: """
        [    8.1] arm-smmu-v3 arm-smmu-v3.2.auto: CMDQ error (cons 0x03000004): ATC invalidate timeout
        """),
    HostLogCase(
      "MSI-X races with the ATU at QD 32, on an Arm host", .dmaFault, subject: "0000:01:00.0",
      log: """
        [  204.8] arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:
        [  204.8] arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 ssid: 0x0 iova: 0xffd1c040 ipa: 0x0
        [  204.8] arm-smmu-v3 arm-smmu-v3.0.auto: unpriv data write s1 "Input address caused fault" stag: 0x0
        """),
    HostLogCase(
      "the same, on an AMD host", .dmaFault, subject: "nvme0 (0000:04:00.0)",
      log: """
        [    1.5] nvme nvme0: pci function 0000:04:00.0
        [  204.8] nvme 0000:04:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0xb3c40000 flags=0x0020]
        [  204.8] nvme 0000:04:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0xb3c40040 flags=0x0020]
        [  235.0] nvme nvme0: I/O tag 2 (4002) opcode 0x1 (I/O Cmd) QID 1 timeout, aborting req_op:WRITE(1) size:4096
        """),
    HostLogCase(
      "the same, on an Intel host", .dmaFault, subject: "0000:01:00.0",
      log: """
        [  99.0] DMAR: DRHD: handling fault status reg 2
        [  99.0] DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0x7a3c1000 [fault reason 0x05] PTE Write access is not set
        """),
    HostLogCase(
      "the same, on an Intel host with an older kernel", .dmaFault, subject: "0000:01:00.0",
      log: """
        [  99.0] DMAR: [DMA Read] Request device [01:00.0] PASID ffffffff fault addr 7a3c1000 [fault reason 06] PTE Read access is not set
        """),
    HostLogCase(
      "a DMA fault of the graphics",
      log: """
        [    3.0] pci 0000:00:02.0: [8086:3e92] type 00 class 0x030000 PCIe Root Complex Integrated Endpoint
        [   12.0] DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x7a3c1000 [fault reason 0x05] PTE Write access is not set
        """),
    HostLogCase(
      "a DMA fault of a device with another driver",
      log: """
        [    3.0] xhci_hcd 0000:05:00.3: xHCI Host Controller
        [   12.0] xhci_hcd 0000:05:00.3: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0xdeadb000 flags=0x0000]
        """),
    HostLogCase(
      "an Arm SMMU of version 2", .dmaFault,
      log: """
        [  51.2] arm-smmu fd800000.iommu: Unhandled context fault: fsr=0x402, iova=0xfffff000, fsynr=0x11, cbfrsynra=0x100, cb=3
        """),
    HostLogCase(
      "a blocked interrupt on an Intel host", .interruptRemapping, subject: "0000:01:00.0",
      log: """
        [  61.0] DMAR: DRHD: handling fault status reg 2
        [  61.0] DMAR: INTR-REMAP: Request device [01:00.0] fault index 0x8080 [fault reason 0x25] Blocked a compatibility format interrupt request
        [  92.0] nvme nvme0: I/O tag 12 (100c) QID 1 timeout, completion polled
        """),
    HostLogCase(
      "an interrupt at an address that is not mapped", .interruptRemapping,
      log: """
        [  61.0] nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0xfee00000 flags=0x0020]
        """),
    HostLogCase(
      "a fault at an address that only begins like that of interrupts", .dmaFault,
      log: """
        [  61.0] nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0xfee0000000 flags=0x0020]
        """),
    HostLogCase(
      "the same of an older kernel", .dmaFault, subject: "0000:01:00.0",
      log: """
        [  61.0] AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x0011 address=0x00000000b3c40000 flags=0x0020]
        """),
    HostLogCase(
      "a requester that the IOMMU does not know", .requesterUnknown, subject: "0000:00:00.0",
      log: """
        [   0.4] pci 0000:00:00.0: [8086:3ec2] type 00 class 0x060000 conventional PCI endpoint
        [  31.0] DMAR: [DMA Read NO_PASID] Request device [00:00.0] fault addr 0x10000 [fault reason 0x02] Present bit in context entry is clear
        """),
    HostLogCase(
      "a stream that the SMMU does not know", .requesterUnknown,
      log: """
        [  31.0] arm-smmu-v3 arm-smmu-v3.0.auto: event: C_BAD_STREAMID client: (unassigned sid) sid: 0x0 ssid: 0x0
        """),
    HostLogCase(
      "bounce buffers are exhausted", .bounceBufferFull,
      log: """
        [  31.0] nvme 0000:01:00.0: swiotlb buffer is full (sz: 524288 bytes), total 32768 (slots), used 32000 (slots)
        """),
  ]
}
