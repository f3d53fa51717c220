// SPDX-License-Identifier: Apache-2.0
import Doctor

extension HostLogCase {
  // MARK: Identities

  static let identities: [HostLogCase] = [
    HostLogCase(
      "two boards of one profile", .duplicateControllerID, subject: "nvme1 (0000:02:00.0)",
      log: """
        [    1.2] nvme nvme0: pci function 0000:01:00.0
        [    1.3] nvme nvme1: pci function 0000:02:00.0
        [    1.6] nvme nvme0: 4/0/0 default/read/poll queues
        [    1.9] nvme nvme1: Duplicate cntlid 1 with nvme0, subsys nqn.2026-01.org.example:rock5b, rejecting
        [    1.9] nvme nvme1: Removing after probe failure status: -22
        """),
    HostLogCase(
      "two controllers of a subsystem for one", .subsystemNotShared, subject: "nvme1",
      log: """
        [    1.9] nvme nvme1: Subsystem does not support multiple controllers
        [    1.9] nvme nvme1: Removing after probe failure status: -22
        """),
    HostLogCase(
      "two namespaces with one UUID", .duplicateNamespaceIDs,
      log: "[ 2.0] nvme nvme0: duplicate IDs in subsystem for nsid 2"),
    HostLogCase(
      "the same, with what Linux does then", .duplicateNamespaceIDs, .namespaceIDsCleared,
      log: """
        [ 2.0] nvme nvme1: globally duplicate IDs for nsid 1
        [ 2.0] nvme nvme1: ignoring nsid 1 because of duplicate IDs
        """),
    HostLogCase(
      "two disks with one UUID in two subsystems", .namespaceIDsCleared,
      log: """
        [ 2.0] nvme nvme1: globally duplicate IDs for nsid 1
        [ 2.0] nvme nvme1: clearing duplicate IDs for nsid 1
        [ 2.0] nvme nvme1: use of /dev/disk/by-id/ may cause data corruption
        """),
    HostLogCase(
      "two boards with one NQN and different disks", .sharedNamespaceDiffers,
      log: "[ 2.0] nvme nvme1: IDs don't match for shared namespace 1"),
    HostLogCase(
      "a private namespace twice", .duplicateNamespaceIDs,
      log: "[ 2.0] nvme nvme1: Duplicate unshared namespace 1"),
    HostLogCase(
      "another disk after a reset", .namespaceIDsChanged,
      log: "[ 90.0] nvme nvme0: identifiers changed for nsid 1"),
  ]

  // MARK: The bus

  static let bus: [HostLogCase] = [
    HostLogCase(
      "no room for BAR 0", .barUnassigned, subject: "0000:01:00.0",
      log: """
        [  120.0] pci 0000:01:00.0: [15b7:5fff] type 00 class 0x010802 PCIe Endpoint
        [  120.0] pci 0000:01:00.0: BAR 0 [mem size 0x00100000 64bit]: can't assign; no space
        [  120.0] pci 0000:01:00.0: BAR 0 [mem size 0x00100000 64bit]: failed to assign
        [  120.1] nvme 0000:01:00.0: probe with driver nvme failed with error -12
        """),
    HostLogCase(
      "the same, on an older kernel", .barUnassigned,
      log: """
        [  120.0] pci 0000:01:00.0: BAR 0: no space for [mem size 0x00100000 64bit]
        [  120.0] pci 0000:01:00.0: BAR 0: failed to assign [mem size 0x00100000 64bit]
        """),
    HostLogCase(
      "the device cannot be enabled", .barUnassigned,
      log: """
        [  2.0] nvme 0000:01:00.0: can't enable device: BAR 0 [mem 0x00000000-0x000fffff 64bit] not assigned
        """),
    HostLogCase(
      "room for BAR 0 is found at the second attempt",
      log: """
        [  120.0] pci 0000:01:00.0: [15b7:5fff] type 00 class 0x010802 PCIe Endpoint
        [  120.0] pci 0000:01:00.0: BAR 0 [mem size 0x00100000 64bit]: can't assign; no space
        [  120.0] pci 0000:01:00.0: BAR 0 [mem 0x600000000-0x6000fffff 64bit]: assigned
        """),
    HostLogCase(
      "no room for BAR 0 of a network card",
      log: """
        [  1.0] pci 0000:03:00.0: [8086:15f3] type 00 class 0x020000 PCIe Endpoint
        [  1.0] pci 0000:03:00.0: BAR 0 [mem size 0x00100000]: can't assign; no space
        """),
    HostLogCase(
      "configuration space was half written", .configurationUnreadable,
      log: """
        [ 44.0] pci 0000:01:00.0: [ffff:ffff] type 7f class 0xffffff conventional PCI
        [ 44.0] pci 0000:01:00.0: unknown header type 7f, ignoring device
        """),
    HostLogCase(
      "a BAR register does not keep its value", .configurationUnreadable,
      log: "[ 44.0] pci 0000:01:00.0: BAR 0: error updating (0xa0000004 != 0xffffffff)"),
    HostLogCase(
      "the link is lost and with it the disk", .linkLost, subject: "0000:00:1c.0",
      log: """
        [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
        [ 90.1] nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff
        """),
    HostLogCase(
      "the link is lost and comes back",
      log: """
        [ 90.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Down
        [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Card present
        [ 95.0] pcieport 0000:00:1c.0: pciehp: Slot(0): Link Up
        """),
    HostLogCase(
      "an Arm host without a link", .linkUntrained,
      log: "[ 2.3] rockchip-dw-pcie a40000000.pcie: Phy link never came up"),
    HostLogCase(
      "an empty slot of an Arm host with a disk in another",
      log: """
        [ 2.3] rockchip-dw-pcie a40000000.pcie: Phy link never came up
        [ 2.9] nvme nvme0: pci function 0001:01:00.0
        [ 3.1] nvme nvme0: 8/0/0 default/read/poll queues
        """),
    HostLogCase(
      "the link does not train at its speed", .linkUntrained,
      log: """
        [ 1.3] pcieport 0000:00:1c.0: broken device, retraining non-functional downstream link at 2.5GT/s
        [ 2.3] pcieport 0000:00:1c.0: retraining failed
        """),
    HostLogCase(
      "a device that stays in D3cold", .powerState, subject: "0000:01:00.0",
      log: """
        [ 77.0] nvme 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible
        [ 77.1] nvme nvme0: Disabling device after reset failure: -19
        """),
    HostLogCase(
      "a reset that does not end", .powerState,
      log: "[ 77.0] nvme 0000:01:00.0: not ready 65535ms after FLR; giving up"),
    HostLogCase(
      "an uncorrectable error", .uncorrectedErrors, subject: "0000:01:00.0",
      log: """
        [ 80.0] pcieport 0000:00:1c.0: AER: Uncorrectable (Non-Fatal) error message received from 0000:01:00.0
        [ 80.0] nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrectable (Non-Fatal), type=Transaction Layer, (Completer ID)
        [ 80.0] nvme 0000:01:00.0:    [14] CmpltTO                (First)
        [ 80.1] nvme 0000:01:00.0: probe with driver nvme failed with error -5
        """),
    HostLogCase(
      "a port that is contained", .uncorrectedErrors, subject: "0000:00:01.0",
      log: """
        [ 80.0] pcieport 0000:00:01.0: DPC: containment event, status:0x1f01 source:0x0000
        [ 80.0] pcieport 0000:00:01.0: DPC: unmasked uncorrectable error detected
        """),
    HostLogCase(
      "corrected errors", .correctedErrors, subject: "nvme0 (0000:01:00.0)",
      log: """
        [  1.5] nvme nvme0: pci function 0000:01:00.0
        [ 80.0] nvme 0000:01:00.0: PCIe Bus Error: severity=Correctable, type=Physical Layer, (Receiver ID)
        [ 80.0] nvme 0000:01:00.0:   device [15b7:5fff] error status/mask=00000001/0000e000
        """),
    HostLogCase(
      "a corrected error that its port received", .correctedErrors, subject: "0000:01:00.0",
      log: """
        [ 80.0] pcieport 0000:00:1c.0: AER: Corrected error message received from 0000:01:00.0
        """),
    HostLogCase(
      "corrected errors of a wireless card",
      log: """
        [  1.5] ath10k_pci 0000:3a:00.0: enabling device (0000 -> 0002)
        [ 80.0] ath10k_pci 0000:3a:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)
        """),
    HostLogCase(
      "J721E as the host of an endpoint with functions that do not exist", .busAbort,
      log: """
        [  3.1] Internal error: synchronous external abort: 0000000096000210 [#1] PREEMPT SMP
        [  3.1] pc : pci_generic_config_read+0x40/0xd8
        [  3.1] lr : pci_generic_config_read+0x28/0xd8
        """),
    HostLogCase(
      "an abort in another driver",
      log: """
        [  3.1] Internal error: synchronous external abort: 0000000096000210 [#1] PREEMPT SMP
        [  3.1] pc : i2c_read+0x40/0xd8
        """),
  ]

  // MARK: Disks and data

  static let data: [HostLogCase] = [
    HostLogCase(
      "an inaccessible ANA group", .anaInaccessible,
      log: """
        [  2.0] nvme nvme0: ANA group 1: inaccessible.
        [  9.0] block nvme0n1: no usable path - requeuing I/O
        """),
    HostLogCase(
      "an ANA group that became accessible",
      log: """
        [  2.0] nvme nvme0: ANA group 1: inaccessible.
        [  9.0] nvme nvme0: ANA group 1: optimized.
        """),
    HostLogCase(
      "no path to the disk", .noPath,
      log: "[  9.0] block nvme0n1: no available path - failing I/O"),
    HostLogCase(
      "the identifiers cannot be read", .descriptorsFailed,
      log: "[  2.0] nvme nvme0: Identify Descriptors failed (nsid=1, status=0x6)"),
    HostLogCase(
      "the list of namespaces cannot be read", .descriptorsFailed,
      log: "[  2.0] nvme nvme0: Identify NS List failed (status=0x6)"),
    HostLogCase(
      "no command set in the identifiers", .descriptorsFailed,
      log: "[  2.0] nvme nvme0: Command set not reported for nsid: 1"),
    HostLogCase(
      "a block size that the host lacks", .namespaceFormat,
      log: "[  2.0] nvme nvme0: invalid LBA data size 7, skipping namespace"),
    HostLogCase(
      "commands fail", .ioErrors, subject: "nvme0",
      log: """
        [ 30.0] nvme0n1: Read(0x2) @ LBA 2048, 8 blocks, Internal Error (sct 0x0 / sc 0x6) DNR
        [ 30.0] I/O error, dev nvme0n1, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2
        [ 30.0] Buffer I/O error on dev nvme0n1, logical block 256, async page read
        [ 30.1] EXT4-fs error (device nvme0n1): ext4_find_entry:1463: inode #2: comm ls: reading directory lblock 0
        """),
    HostLogCase(
      "commands that the controller does not have",
      log: """
        [  1.0] nvme nvme0: pci function 0000:01:00.0
        [ 12.4] nvme0: Identify(0x6), Invalid Field in Command (sct 0x0 / sc 0x2) MORE DNR
        [ 12.5] nvme0: Admin Cmd(0x82), I/O Error (sct 0x0 / sc 0x1) MORE DNR
        """),
    HostLogCase(
      "the medium fails", .ioErrors,
      log: "[ 30.0] critical medium error, dev nvme0n1, sector 8 op 0x1:(WRITE) flags 0x800"),
    HostLogCase(
      "wrong data without an error", .dataSuspect,
      log: """
        [ 30.0] XFS (nvme0n1): Metadata CRC error detected at xfs_agf_read_verify+0xce/0xf0 [xfs], xfs_agf block 0x1
        [ 30.0] XFS (nvme0n1): Unmount and run xfs_repair
        """),
    HostLogCase(
      "a file system that is not there any more", .dataSuspect,
      log: "[ 30.0] EXT4-fs (nvme0n1): VFS: Can't find ext4 filesystem"),
    HostLogCase(
      "a file system error of another disk",
      log: "[ 30.0] EXT4-fs error (device sda1): ext4_lookup:1785: inode #2: comm ls: deleted inode"
    ),
  ]

  // MARK: Healthy hosts

  /// Whole boots of healthy machines, as the tools save them.
  static let healthy: [HostLogCase] = [
    HostLogCase(
      "Intel with an IOMMU, dmesg",
      log: """
        [    0.000000] Linux version 6.12.9-1-generic (build@host) (gcc 14.2.0) #1 SMP PREEMPT_DYNAMIC
        [    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 intel_iommu=on
        [    0.212001] DMAR: IOMMU enabled
        [    0.312001] DMAR-IR: Enabled IRQ remapping in x2apic mode
        [    0.512001] pci 0000:01:00.0: [144d:a80a] type 00 class 0x010802 PCIe Endpoint
        [    0.512011] pci 0000:01:00.0: BAR 0 [mem 0xa1000000-0xa1003fff 64bit]
        [    0.612001] pci 0000:00:1d.0: bridge window [io  size 0x1000]: can't assign; no space
        [    0.612041] pci 0000:00:1d.0: bridge window [io  size 0x1000]: failed to assign
        [    0.701999] DMAR: Intel(R) Virtualization Technology for Directed I/O
        [    0.712001] pci 0000:01:00.0: Adding to iommu group 14
        [    1.112001] nvme 0000:01:00.0: platform quirk: setting simple suspend
        [    1.112101] nvme nvme0: pci function 0000:01:00.0
        [    1.116201] nvme nvme0: missing or invalid SUBNQN field.
        [    1.122101] nvme nvme0: 8/0/0 default/read/poll queues
        [    1.132101]  nvme0n1: p1 p2
        [    2.132101] EXT4-fs (nvme0n1p2): mounted filesystem 4a1c0c8e ro with ordered data mode. Quota mode: none.
        """),
    HostLogCase(
      "Intel without an IOMMU, journalctl -o short-monotonic",
      log: """
        [    0.000000] desk kernel: Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org) #1 SMP
        [    0.512001] desk kernel: pci 0000:01:00.0: [8086:f1a8] type 00 class 0x010802
        [    1.112101] desk kernel: nvme nvme0: pci function 0000:01:00.0
        [    1.122101] desk kernel: nvme nvme0: allocated 32 MiB host memory buffer.
        [    1.132101] desk kernel: nvme nvme0: 4/0/0 default/read/poll queues
        [    9.132101] desk kernel: pcieport 0000:00:1c.0: AER: enabled with IRQ 122
        """),
    HostLogCase(
      "AMD with an IOMMU and a board, journalctl",
      log: """
        Nov 30 16:14:28 desk kernel: Linux version 6.14.2-arch1-1 (linux@archlinux) #1 SMP
        Nov 30 16:14:28 desk kernel: iommu: Default domain type: Translated
        Nov 30 16:14:28 desk kernel: pci 0000:00:00.2: AMD-Vi: IOMMU performance counters supported
        Nov 30 16:14:28 desk kernel: AMD-Vi: Interrupt remapping enabled
        Nov 30 16:14:28 desk kernel: pci 0000:04:00.0: [15b7:5fff] type 00 class 0x010802 PCIe Endpoint
        Nov 30 16:14:28 desk kernel: pci 0000:04:00.0: 7.876 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x1 link at 0000:00:02.1
        Nov 30 16:14:29 desk kernel: nvme nvme0: pci function 0000:04:00.0
        Nov 30 16:14:29 desk kernel: nvme nvme0: passthrough uses implicit buffer lengths
        Nov 30 16:14:29 desk kernel: nvme nvme0: 4/0/0 default/read/poll queues
        Nov 30 16:14:29 desk kernel: nvme nvme0: rescanning namespaces.
        """),
    HostLogCase(
      "AMD without an IOMMU, dmesg -T",
      log: """
        [Mon Nov 30 16:14:28 2026] Linux version 6.8.0-51-generic (buildd@lcy02) #52-Ubuntu SMP
        [Mon Nov 30 16:14:29 2026] nvme nvme0: pci function 0000:01:00.0
        [Mon Nov 30 16:14:29 2026] nvme nvme0: Shutdown timeout set to 8 seconds
        [Mon Nov 30 16:14:29 2026] nvme nvme0: 16/0/0 default/read/poll queues
        """),
    HostLogCase(
      "an Arm server with an SMMU, dmesg -x",
      log: """
        kern  :notice: [    0.000000] Linux version 6.6.63-v8+ (dom@buildbot) #1 SMP PREEMPT
        kern  :info  : [    1.000000] arm-smmu-v3 arm-smmu-v3.0.auto: ias 44-bit, oas 44-bit (features 0x00001c2f)
        kern  :info  : [    1.100000] nvme 0000:01:00.0: Adding to iommu group 3
        kern  :info  : [    1.200000] nvme nvme0: pci function 0000:01:00.0
        kern  :info  : [    1.300000] nvme nvme0: allocated 64 MiB host memory buffer.
        kern  :info  : [    1.400000] nvme nvme0: 32/0/0 default/read/poll queues
        """),
    HostLogCase(
      "an Arm board as the host without an IOMMU, dmesg --raw",
      log: """
        <5>[    0.000000][    T0] Linux version 6.12.20-rpi (serge@raspberrypi.com) #1 SMP PREEMPT
        <6>[    0.390000][    T1] brcm-pcie 1000110000.pcie: link up, 8.0 GT/s PCIe x1 (!SSC)
        <6>[    0.500000][    T1] pci 0000:01:00.0: BAR 0 [mem 0x1b80000000-0x1b800fffff 64bit]: assigned
        <6>[    0.600000][   T58] nvme nvme0: pci function 0000:01:00.0
        <4>[    0.610000][   T58] nvme nvme0: using unchecked data buffer
        <6>[    0.700000][   T58] nvme nvme0: 4/0/0 default/read/poll queues
        """),
    HostLogCase(
      "a guest, syslog with dates of ISO 8601",
      log: """
        2026-11-30T16:14:28.123456+00:00 guest kernel: [    0.000000] Linux version 7.2.13-cloud-amd64
        2026-11-30T16:14:29.123456+00:00 guest kernel: [    1.900000] nvme nvme0: pci function 0000:00:04.0
        2026-11-30T16:14:29.223456+00:00 guest kernel: [    1.910000] nvme nvme0: 2/0/0 default/read/poll queues
        """),
    HostLogCase("a host without NVMe", log: "[ 0.0] Linux version 6.1.0-28-arm64\n"),
  ]
}
