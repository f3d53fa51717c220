// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory
internal import Numbers

/// Messages of Linux as the host about DMA and interrupts of a board, the IOMMU's messages above all.
/// - Source: `drivers/iommu/{amd/iommu,intel/dmar,intel/irq_remapping}.c`, `drivers/iommu/arm/arm-smmu*/`, `kernel/dma/swiotlb.c`.
extension Signature {
  /// The release that keeps the first MSI address.
  private static var cached: String { KernelChange.interruptCached.since?.mainlineText ?? "" }

  /// The reasons of VT-d for a blocked interrupt, which newer kernels print as 0x22 and older ones as 34.
  /// - Source: Intel VT-d specification 4.1, 7.1.3; `drivers/iommu/intel/dmar.c`, `dmar_fault_do_one`, `irq_remap_fault_reasons`.
  private static let interruptReasons = [
    "reason 20h: the message has reserved bits set, so it is not one that the host wrote",
    "reason 21h: the message's index is beyond the remapping table, so it is not one that the host wrote",
    "reason 22h: the message's entry in the remapping table is not present: the host has freed that interrupt, as after a reset, a rebind or a change of driver",
    "reason 23h: the IOMMU could not read its remapping table: a fault of the host",
    "reason 24h: the message's entry in the remapping table has reserved bits set: a fault of the host",
    "reason 25h: the message is in compatibility format, as firmware without remapping sets it, and the host has disabled that format",
    "reason 26h: the message came with a requester ID that the host has not given this interrupt: the board uses another bus or function number, or a bridge changes it",
  ].enumerated().map { index, meaning in
    let reason = 0x20 + index
    return Detail(
      patterns: ["fault reason \(hexadecimal(reason))]", "fault reason \(reason)]"]
        .map { LinePattern($0) },
      meaning: meaning)
  }

  static let dma: [Signature] = [
    Signature(
      id: .atsTimeout, rank: .cause,
      patterns: [
        "VT-d detected Invalidation Time-out", "DMAR: Invalidation Time-out Error",
        "DRHD: handling fault status reg 40", "IOTLB_INV_TIMEOUT", "ATC invalidate timeout",
        "CMD_SYNC timeout", "Completion-Wait loop timed out",
      ],
      meaning:
        "the device advertises ATS, so the IOMMU asks it to invalidate translations, and it never answers. RK3588 in endpoint mode advertises an ATS capability that does not work, with a kernel \(withoutFix(.brokenATS)) on the board",
      fix:
        "on the board: use \(fixed(.brokenATS)) or later, which hides the capability; on the host until then: boot with pci=noats; or without translation: intel_iommu=off, amd_iommu=off, or the firmware's setting"
    ),
    Signature(
      id: .interruptRemapping, rank: .cause, scope: .ports,
      patterns: [
        "INTR-REMAP: Request device", "[INTR-REMAP] Request device", "INTR-REMAP:[fault reason",
        "INVALID_DEVICE_REQUEST",
        "IO_PAGE_FAULT * address=0xfee????? ", "IO_PAGE_FAULT * address=0x00000000fee????? ",
        "fault addr 0xfee????? ", "fault addr fee????? ",
        "Blocked a compatibility format interrupt", "Blocked an interrupt request due to source-id",
      ],
      meaning:
        "the IOMMU blocked an interrupt of the device: the board wrote an MSI message with an address or data that the host has not set, or no longer uses. With \(cached) on the board, the MSI address that the host's firmware had set stays in use after Linux has changed it (fixed in \(fixed(.interruptCached)))",
      details: interruptReasons,
      fix:
        "on the board: stop and start the endpoint controller after the firmware of the host has run, and avoid \(cached); on the host: epfnvme host remove and rescan; to find out whether remapping is the reason: intremap=off"
    ),
    Signature(
      id: .requesterUnknown, rank: .cause, scope: .ports,
      patterns: [
        "[fault reason 0x01]", "[fault reason 0x02]", "[fault reason 01]", "[fault reason 02]",
        "fault reason 0x01]", "Present bit in context entry is clear",
        "Present bit in root entry is clear", "C_BAD_STREAMID", "C_BAD_STE",
        "F_STREAM_DISABLED", "ILLEGAL_DEV_TABLE_ENTRY",
      ],
      meaning:
        "a DMA request has a requester ID for which the IOMMU has no domain: the board does not know its bus number, which it takes from configuration writes and loses with a reset, or the request passes a bridge that changes the ID",
      fix:
        "on the host: epfnvme host remove, then epfnvme host rescan, which writes the configuration again; use a slot without a PCIe-to-PCI bridge; to try: iommu=pt"
    ),
    Signature(
      id: .dmaFault, rank: .cause, scope: .ports,
      patterns: [
        "F_TRANSLATION", "F_PERMISSION", "F_ADDR_SIZE", "F_ACCESS", "event 0x10 received",
        "event 0x13 received", "IO_PAGE_FAULT", "DMAR: [DMA Write", "DMAR: [DMA Read",
        "DMAR:[DMA Write", "DMAR:[DMA Read", "Unhandled context fault",
      ],
      meaning:
        "the device accessed host memory that is not mapped for it. With DesignWare endpoints (RK3568, RK3588 and others) and MSI-X, with a kernel \(withoutFix(.interruptUnmapped)) on the board, an MSI-X write races with the unmapping of its ATU entry and lands at a random address under load (queue depth 32, not 1); without an IOMMU it damages host memory",
      fix:
        "on the board: use \(fixed(.interruptUnmapped)) or a stable release with the fix, or MSI instead of MSI-X (\"msixVectors\": 0, \"msiVectors\": 32 in the profile); on the host: keep the IOMMU on, since it protects the memory"
    ),
    Signature(
      id: .bounceBufferFull, rank: .cause,
      patterns: ["swiotlb buffer is full", "overflow 0x* of DMA mask"],
      meaning:
        "the host copies the device's data through bounce buffers (encrypted guest, device or slot without 64-bit DMA, or an untrusted port), and they are exhausted, or it has none for memory beyond the device's DMA mask",
      fix:
        "on the host: boot with swiotlb=65536 or larger, or use the IOMMU instead; on the board: a smaller mdtsKiB"
    ),
    Signature(
      id: .interruptsLost, rank: .symptom,
      patterns: ["timeout, completion polled"],
      meaning:
        "the completion was in the queue, but its interrupt did not arrive: the board cannot raise the kind of interrupt that the host uses (INTx on most controllers, MSI-X on those without), or the message does not reach the interrupt controller. With \(cached) on the board, an MSI address of the host's firmware stays in use",
      fix:
        "on the board: request both kinds in the profile (msixVectors and msiVectors 32), look for Failed to raise IRQ in its log, and avoid \(cached); on the host: cat /proc/interrupts shows whether the counters of nvmeNqN grow; to try: intremap=off, or pci=nomsi for INTx"
    ),
    Signature(
      id: .unexpectedInterrupt, rank: nil,
      patterns: ["No irq handler for vector", "irq *: nobody cared"],
      meaning:
        "an interrupt arrived that no driver expects: a board that still uses an earlier MSI message, for example that of the host's firmware, or an INTx line that stays asserted",
      fix:
        "on the board: stop and start the endpoint controller after the host's firmware has run, and avoid \(cached); on the host: epfnvme host rebind"
    ),
  ]
}
