// SPDX-License-Identifier: Apache-2.0

/// Messages of Linux as the host about identities, namespaces and data of a board's controller.
/// - Source: `drivers/nvme/host/{core,multipath}.c`; `block/blk-core.c`, `block/partitions/core.c`.
extension Signature {
  private static let ownIdentity =
    "on the boards: leave NQN suffix, serial number, UUID, NGUID and controller IDs to epfnvme, which derives them from each board's /etc/machine-id (no \"identity\" of \"profile\" and no such values in the profile; a copied image needs a new machine ID: systemd-machine-id-setup), or give each board its own values; then teardown and setup; on the host: epfnvme host remove and rescan"

  static let disk: [Signature] = [
    Signature(
      id: .duplicateControllerID, rank: .cause,
      patterns: ["Duplicate cntlid"],
      meaning:
        "two controllers have one NQN and one controller ID, so the host rejects the second: two boards use a profile with fixed identities, or one machine ID, or targets of another tool. The kernel numbers the controllers of each board from 1",
      fix: ownIdentity
    ),
    Signature(
      id: .subsystemNotShared, rank: .cause,
      patterns: ["Subsystem does not support multiple controllers"],
      meaning:
        "a second controller has the NQN of an existing one, and CMIC does not allow several: two boards use the same NQN",
      fix: ownIdentity
    ),
    Signature(
      id: .mergedControllers, rank: nil, patterns: [],
      meaning:
        "two PCI functions have one NQN, so the host treats them as two paths to one disk. Two boards that are not the same disk damage each other's data",
      fix: "for a disk with two ports: none; otherwise " + ownIdentity
    ),
    Signature(
      id: .equalIdentities, rank: nil, patterns: [],
      meaning:
        "two disks of different subsystems have one identity: links below /dev/disk/by-id, multipath tools, RAID and file systems may take one for the other",
      fix: ownIdentity
    ),
    Signature(
      id: .duplicateNamespaceIDs, rank: .cause,
      patterns: [
        "duplicate IDs in subsystem for nsid", "because of duplicate IDs",
        "Duplicate unshared namespace",
      ],
      meaning:
        "two namespaces have one UUID, NGUID or EUI-64, and the host ignores one of them: its disk does not appear",
      fix:
        "on the board: give each namespace its own uuid and nguid, or leave both out, so that epfnvme derives them from the board's own /etc/machine-id, then disable and enable the namespace; on the host: nvme ns-rescan"
    ),
    Signature(
      id: .sharedNamespaceDiffers, rank: .cause,
      patterns: ["IDs don't match for shared namespace"],
      meaning:
        "two controllers of one NQN have different namespaces under one number: two boards with the same NQN and different disks",
      fix: ownIdentity
    ),
    Signature(
      id: .namespaceIDsCleared, rank: nil,
      patterns: ["globally duplicate IDs for nsid", "clearing duplicate IDs for nsid"],
      meaning:
        "a disk of another subsystem has the same UUID, NGUID or EUI-64: the host hides the identifiers of this one, and /dev/disk/by-id may name the other",
      fix: ownIdentity
    ),
    Signature(
      id: .namespaceIDsChanged, rank: nil,
      patterns: ["identifiers changed for nsid"],
      meaning:
        "after a reset or a rescan the namespace has other identifiers, so the host dropped the disk: the board was set up with another profile, or generates a UUID at each setup",
      fix:
        "on the board: set uuid and nguid in the profile; on the host: epfnvme host remove, then epfnvme host rescan"
    ),
    Signature(
      id: .namespaceMissing, rank: .consequence, patterns: [],
      meaning:
        "the controller is live and has I/O queues, but no namespace: it is disabled on the board, the subsystem has none, or the host was not told of a namespace that was added later",
      fix:
        "on the board: epfnvme status shows namespaces that are not enabled; echo 1 > the namespace's enable, or epfnvme setup; on the host: nvme ns-rescan, or epfnvme host rebind"
    ),
    Signature(
      id: .anaInaccessible, rank: .cause,
      patterns: [
        "ANA group *: inaccessible", "ANA group *: persistent-loss", "ANA group *: change",
        "(sct 0x3 / sc 0x1)", "(sct 0x3 / sc 0x2)", "(sct 0x3 / sc 0x3)",
      ],
      ends: ["ANA group *: optimized", "ANA group *: non-optimized"],
      meaning:
        "the namespace is there, but its ANA group is not accessible through the function's port, so the host has no usable path and no disk",
      fix:
        "on the board: set the state of that group to optimized for the port of type pci (anaGroups in the profile, then epfnvme setup), which notifies the host; if no disk appears, on the host: epfnvme host rebind"
    ),
    Signature(
      id: .identifyBlank, rank: .symptom, patterns: [],
      meaning:
        "Identify Controller returned no serial number and no model: the data did not arrive, and the command completed with success. In nvmet_pci_epf a failed transfer completes as success (transfer-failure-succeeds, no release fixes it)",
      fix:
        "on the board: dmesg for DMA transfer failed and mapping errors; reboot it if the DMA engine has failed; on the host: look for messages of the IOMMU; then epfnvme host rebind"
    ),
    Signature(
      id: .descriptorsFailed, rank: .cause,
      patterns: [
        "Identify Descriptors failed", "Identify namespace failed", "Identify NS List failed",
        "Command set not reported for nsid",
        "ctrl returned bogus length:",
      ],
      meaning:
        "the list of a namespace's identifiers could not be read or is malformed, so the host ignores the namespace. Data that did not arrive reads as zeros here, too",
      fix:
        "on the board: dmesg for DMA transfer failed; on the host: nvme ns-descs, and epfnvme check --host auto PROFILE; then epfnvme host rebind"
    ),
    Signature(
      id: .namespaceFormat, rank: .cause,
      patterns: [
        "invalid LBA data size", "unsupported logical block size", "unsupported metadata",
      ],
      meaning: "the host does not support the block size or metadata format of the namespace",
      fix:
        "on the board: a backing with blocks of 512 bytes to 4 KiB and no metadata (blockSize of null_blk and of loop devices)"
    ),
    Signature(
      id: .noPath, rank: .consequence,
      patterns: [
        "no available path - failing I/O", "no usable path - requeuing I/O",
        "nvme*: detected capacity change from * to 0$",
      ],
      meaning:
        "the disk has no usable path: every controller of its subsystem is gone or resetting, or its namespace was disabled or removed on the board",
      fix:
        "on the board: epfnvme status; on the host: epfnvme host find shows the controllers; epfnvme host rebind, or remove and rescan"
    ),
    Signature(
      id: .hostHung, rank: .consequence, scope: .ports,
      patterns: ["blocked for more than"], trace: ["nvme_", "blk_mq_", "submit_bio_wait"],
      meaning:
        "a task of the host waits for I/O that the board does not complete",
      fix:
        "on the board: its log, and epfnvme status; on the host: epfnvme host remove --force ends the I/O with errors"
    ),
    Signature(
      id: .ioErrors, rank: .aftermath,
      patterns: [
        "I/O error, dev nvme", "error, dev nvme", "Buffer I/O error on dev nvme", "(sct 0x",
      ],
      // Invalid Command Opcode and Invalid Field: the controller lacks an optional command, which neither data nor transfers have caused.
      exceptions: ["(sct 0x0 / sc 0x1)", "(sct 0x0 / sc 0x2)"],
      meaning:
        "commands of the disk completed with an error of the controller: its backing failed, or the transfer did",
      fix:
        "on the board: dmesg for errors of the backing and DMA transfer failed (the DMA engine works again after a reboot); on the host: the message has the NVMe status (sct, sc)"
    ),
    Signature(
      id: .dataSuspect, rank: .suspicion,
      patterns: [
        "nvme*: unable to read partition table", "Alternate GPT is invalid",
        "EXT4-fs error (device nvme", "EXT4-fs (nvme*): bad geometry",
        "EXT4-fs (nvme*): VFS: Can't find ext4 filesystem", "XFS (nvme*): Metadata corruption",
        "XFS (nvme*): Metadata CRC error", "XFS (nvme*): Invalid superblock magic",
        "XFS (nvme*): Corruption of in-memory data", "EXT4-fs (nvme*): *Checksum for group",
        "FAT-fs (nvme*): bogus", "GPT:Primary header thinks",
        "BTRFS error (device nvme", "BTRFS warning (device nvme*): checksum verify failed",
        "BTRFS warning (device nvme*): csum failed",
      ],
      meaning:
        "data of the disk is wrong, and no command reported an error: in nvmet_pci_epf a transfer that failed completes with success (transfer-failure-succeeds, no release fixes it), a backing of null_blk without memory stores no data, a backing of another size than the partition table was made for has its end elsewhere, and an MSI-X write at a random address damages memory (dma-fault)",
      fix:
        "on the board: dmesg for DMA transfer failed; use a backing that keeps data; on the host: do not repair the file system before the cause is known; epfnvme smoke with --role host verifies data"
    ),
  ]
}
