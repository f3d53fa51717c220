// SPDX-License-Identifier: Apache-2.0
import Doctor

/// Kinds of messages that have many spellings.
extension HostLogCase {
  // MARK: Interrupt remapping

  /// How kernels print a blocked interrupt: the beginning with the device, and a number of a reason.
  private static let remappingForms: [(String, @Sendable (Int) -> String)] = [
    ("DMAR: [INTR-REMAP] Request device [01:00.0] fault index 0x8080 ", { hexadecimal($0) }),
    ("DMAR: [INTR-REMAP] Request device [0000:01:00.0] fault index 0x8080 ", { hexadecimal($0) }),
    ("DMAR: [INTR-REMAP] Request device [0x01:0x00.0] fault index 0x8080 ", { hexadecimal($0) }),
    ("DMAR: INTR-REMAP: Request device [01:00.0] fault index 0x8080 ", { hexadecimal($0) }),
    ("dmar: INTR-REMAP: Request device [[01:00.0] fault index 8080 ", { "[fault reason \($0)]" }),
    (
      "DMAR: INTR-REMAP: Request device [[01:00.0] fault index 8080\n[  61.0] DMAR: INTR-REMAP:",
      { "[fault reason \($0)]" }
    ),
  ]

  private static func hexadecimal(_ reason: Int) -> String {
    "[fault reason 0x\(String(reason, radix: 16))]"
  }

  private static let reasons = [
    "Detected reserved fields in the decoded interrupt-remapped request",
    "Interrupt index exceeded the interrupt-remapping table size",
    "Present field in the IRTE entry is clear",
    "Error accessing interrupt-remapping table pointed by IRTA_REG",
    "Detected reserved fields in the IRTE entry",
    "Blocked a compatibility format interrupt request",
    "Blocked an interrupt request due to source-id verification failure",
  ]

  static let remapping: [HostLogCase] =
    remappingForms.enumerated().flatMap { form, text in
      reasons.enumerated().map { index, reason in
        HostLogCase(
          "a blocked interrupt, form \(form), reason \(String(0x20 + index, radix: 16))h",
          .interruptRemapping, subject: "0000:01:00.0",
          explains: "reason \(String(0x20 + index, radix: 16))h: ",
          log: "[  61.0] " + text.0 + text.1(0x20 + index) + " " + reason)
      }
    } + [
      HostLogCase(
        "a blocked interrupt of a function of another driver",
        log: """
          [   3.0] xhci_hcd 0000:64:00.5: xHCI Host Controller
          [  61.0] DMAR: [INTR-REMAP] Request device [0x64:0x00.5] fault index 0x2 [fault reason 0x22] Present field in the IRTE entry is clear
          """),
      HostLogCase(
        "a blocked interrupt and a fault of devices that the log does not name, beside a working disk",
        log: """
          [   1.2] nvme nvme0: pci function 0000:01:00.0
          [   1.6] nvme nvme0: 4/0/0 default/read/poll queues
          [  61.0] DMAR: [INTR-REMAP] Request device [64:00.5] fault index 0x2 [fault reason 0x22] Present field in the IRTE entry is clear
          [  62.0] DMAR: [DMA Write NO_PASID] Request device [65:00.0] fault addr 0x1000 [fault reason 0x05] PTE Write access is not set
          """),
      HostLogCase(
        "a blocked interrupt of the disk, beside devices that the log does not name",
        .interruptRemapping, subject: "nvme0 (0000:01:00.0)",
        log: """
          [   1.2] nvme nvme0: pci function 0000:01:00.0
          [  61.0] DMAR: [INTR-REMAP] Request device [01:00.0] fault index 0x2 [fault reason 0x22] Present field in the IRTE entry is clear
          """),
      HostLogCase(
        "a blocked interrupt with a requester ID that no device has", .interruptRemapping,
        log: """
          [   1.2] nvme nvme0: pci function 0000:01:00.0
          [  61.0] DMAR: [INTR-REMAP] Request device [00:00.0] fault index 0x2 [fault reason 0x26] Blocked an interrupt request due to source-id verification failure
          """),
    ]

  // MARK: Links

  static let links: [HostLogCase] =
    [
      "rk-pcie fe150000.pcie: PCIe Link Fail, LTSSM is 0x3, hw_retries=0",
      "brcm-pcie fd500000.pcie: link down", "j721e-pcie 2900000.pcie: Link is not up",
      "rcar-pcie fe000000.pcie: PCIe link down", "tegra-pcie 1003000.pcie: link 0 down, ignoring",
      "mtk-pcie-gen3 11230000.pcie: PCIe link down, current LTSSM state: detect.quiet (0x0)",
      "xilinx-xdma-pcie 400000000.pcie: PCIe Link is DOWN",
      "imx6q-pcie 33800000.pcie: Phy link never came up",
      "pcieport 0000:00:1c.0: pciehp: Slot(1): No link",
    ].map { HostLogCase("no link: \($0)", .linkUntrained, log: "[  2.3] \($0)") } + [
      HostLogCase(
        "a slot whose card is present again, without a link", .linkLost, subject: "0000:00:1c.0",
        log: """
          [  1.2] nvme nvme0: pci function 0000:01:00.0
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card not present
          [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card present
          [ 96.2] pcieport 0000:00:1c.0: pciehp: Failed to check link status
          """),
      HostLogCase(
        "a slot whose card is present again, and nothing else", .linkLost,
        log: """
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
          [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card present
          """),
      HostLogCase(
        "a slot whose link is never trained, in a host with another disk", .linkUntrained,
        subject: "0000:00:1c.0",
        log: """
          [  1.2] nvme nvme0: pci function 0000:02:00.0
          [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card present
          [ 96.1] pcieport 0000:00:1c.0: pciehp: Slot(0): Cannot train link: status 0x5811
          [ 96.2] pcieport 0000:00:1c.0: pciehp: Failed to check link status
          """),
      HostLogCase(
        "a slot whose function is found again without a message about its link",
        log: """
          [  0.4] pci 0000:00:1c.0: PCI bridge to [bus 01]
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
          [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card present
          [ 95.4] pci 0000:01:00.0: [1b96:beef] type 00 class 0x010802 PCIe Endpoint
          [ 95.5] nvme nvme1: pci function 0000:01:00.0
          """),
      HostLogCase(
        "a slot without a link, while a function behind another port is found", .linkLost,
        log: """
          [  0.4] pci 0000:00:1c.0: PCI bridge to [bus 01]
          [  0.4] pci 0000:00:1d.0: PCI bridge to [bus 02-03]
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
          [ 95.5] nvme nvme1: pci function 0000:02:00.0
          """),
      HostLogCase(
        "a slot without a link, while a function of another domain is found", .linkLost,
        log: """
          [  0.4] pci 0000:00:1c.0: PCI bridge to [bus 01]
          [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
          [ 95.5] nvme nvme1: pci function 0002:01:00.0
          """),
      HostLogCase(
        "the link of a network card is down",
        log: "[  2.3] r8169 0002:21:00.0 enP2p33s0: Link is Down"),
    ]

  // MARK: Data

  static let damage: [HostLogCase] =
    [
      "XFS (nvme0n1p1): Corruption of in-memory data (0x8) detected at xfs_trans_cancel+0x14b/0x160. Shutting down filesystem",
      "EXT4-fs (nvme0n1): ext4_check_descriptors: Checksum for group 0 failed (23001!=0)",
      "FAT-fs (nvme0n1p1): bogus number of reserved sectors",
      "GPT:Primary header thinks Alt. header is not at the end of the disk.",
    ].map { HostLogCase("wrong data: \($0.prefix(40))", .dataSuspect, log: "[  9.0] \($0)") } + [
      HostLogCase(
        "a file system of another disk is damaged",
        log: "[  9.0] EXT4-fs (sda1): ext4_check_descriptors: Checksum for group 0 failed (1!=0)"),
      HostLogCase(
        "a command to an inaccessible namespace", .anaInaccessible,
        log: """
          [  9.0] nvme0n1: Read(0x2) @ LBA 0, 8 blocks, Asymmetric Access Inaccessible (sct 0x3 / sc 0x2)
          [  9.0] I/O error, dev nvme0n1, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2
          """),
      HostLogCase(
        "the same of a kernel without names of statuses", .anaInaccessible,
        log: "[  9.0] nvme0n1: I/O Cmd(0x2) @ LBA 0, 8 blocks, I/O Error (sct 0x3 / sc 0x2) "),
      HostLogCase(
        "a namespace with a persistent loss", .anaInaccessible,
        log:
          "[  9.0] nvme0n1: Read(0x2) @ LBA 0, 8 blocks, Asymmetric Access Persistent Loss (sct 0x3 / sc 0x1) "
      ),
      HostLogCase(
        "the disk became empty", .noPath,
        log: "[  9.0] nvme0n1: detected capacity change from 2097152 to 0"),
      HostLogCase(
        "the disk became empty when its controller failed", .controllerFatal,
        log: """
          [  8.0] nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10
          [  9.0] nvme nvme0: Disabling device after reset failure: -19
          [  9.0] nvme0n1: detected capacity change from 2097152 to 0
          """),
      HostLogCase(
        "the disk became larger",
        log: "[  9.0] nvme0n1: detected capacity change from 2097152 to 4194304"),
      HostLogCase(
        "the device cannot reach the host's memory", .bounceBufferFull, subject: "0000:01:00.0",
        log:
          "[  9.0] nvme 0000:01:00.0: overflow 0x00000001f0000000+4096 of DMA mask ffffffff bus mask 0"
      ),
      HostLogCase(
        "no room for BAR 0, on a kernel of 2013", .barUnassigned,
        log: "[  9.0] pci 0000:01:00.0: BAR 0: can't assign mem (size 0x100000)"),
      HostLogCase(
        "ANA states of a disk behind a network",
        log: """
          [  1.2] nvme nvme0: pci function 0000:01:00.0
          [  1.6] nvme nvme0: 4/0/0 default/read/poll queues
          [  8.0] nvme nvme5: ANA group 1: inaccessible.
          [  8.1] nvme nvme5: creating 4 I/O queues.
          [  8.2] nvme nvme5: new ctrl: NQN "nqn.2026-01.org.example:t", addr 192.0.2.1:4420, hostnqn: nqn.2014-08.org.nvmexpress:uuid:x
          [  9.0] nvme nvme5: ANA group 2: inaccessible.
          [  9.1] block nvme5n1: no usable path - requeuing I/O
          """),
      HostLogCase(
        "ANA states of a network's disk in a log without its beginning",
        log: """
          [  1.2] nvme nvme0: pci function 0000:01:00.0
          [  1.6] nvme nvme0: 4/0/0 default/read/poll queues
          [ 90.0] nvme nvme5: ANA group 2: inaccessible.
          [ 91.0] block nvme5n1: no usable path - requeuing I/O
          """),
      HostLogCase(
        "ANA states of a network's disk, of which the log has a reconnection only",
        log: """
          [ 80.0] nvme nvme5: ANA group 2: inaccessible.
          [ 81.0] nvme nvme5: mapped 4/0/0 default/read/poll queues.
          [ 90.0] nvme nvme5: ANA group 2: change.
          [ 91.0] nvme nvme5: starting error recovery
          [ 91.0] nvme nvme5: Reconnecting in 10 seconds...
          """),
      HostLogCase(
        "a command to an inaccessible namespace of a disk whose connection the log does not have",
        log: """
          [  1.2] nvme nvme0: pci function 0000:01:00.0
          [ 90.0] nvme5n1: Read(0x2) @ LBA 0, 8 blocks, Asymmetric Access Inaccessible (sct 0x3 / sc 0x2)
          """),
      HostLogCase(
        "a name that a network's disk had before", .anaInaccessible,
        subject: "nvme0 (0000:01:00.0)",
        log: """
          [  8.2] nvme nvme0: new ctrl: NQN "nqn.2026-01.org.example:t", addr 192.0.2.1:4420
          [  9.0] nvme nvme0: Removing ctrl: NQN "nqn.2026-01.org.example:t"
          [ 11.2] nvme nvme0: pci function 0000:01:00.0
          [ 11.4] nvme nvme0: ANA group 1: inaccessible.
          """),
    ]
}
