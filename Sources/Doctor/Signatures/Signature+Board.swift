// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory

/// Messages of the board's kernel about its endpoint.
/// - Source: `drivers/nvme/target/pci-epf.c`, `drivers/pci/endpoint/pci-epf-core.c`, `mm/cma.c`, `arch/arm64/kernel/traps.c`.
extension Signature {
  /// A message of an endpoint function driver or controller: other devices of a board report failed transfers in the same words.
  private static func ofFunction(_ messages: String...) -> [LinePattern] {
    messages.flatMap { message in
      [
        "nvmet_pci_epf nvmet_pci_epf.*: *\(message)", "pci_epf_nvme pci_epf_nvme.*: *\(message)",
        "pcie-ep: *\(message)",
      ].map { LinePattern($0) }
    }
  }

  static let board: [Signature] = [
    Signature(
      id: .cmaExhausted, rank: nil,
      patterns: ["cma: * alloc failed, req-size", "failed to allocate mem space"],
      ends: ["New PCI ctrl", "NVMe PCI controller:"],
      confirmations: ["failed to allocate mem space"],
      meaning:
        "the memory for BAR 0 could not be allocated when the function was linked (ENOMEM): controllers with resizable BARs (RK35xx, R-Car Gen4) need 1 MiB of contiguous memory",
      fix:
        "boot the board with a larger area (cma=128M on the kernel command line), or set the profile up early at boot, before the memory is fragmented; CmaFree in /proc/meminfo shows what is left"
    ),
    Signature(
      id: .dmaFailed, rank: nil,
      patterns: ofFunction(
        "DMA transfer failed", "DMA transfer timeout", "Failed to do DMA submit",
        "DMA submit failed"),
      meaning:
        "a transfer of the DMA engine failed, usually because the link went down during it. The engine does not recover: later transfers fail as well, and nvmet_pci_epf completes such commands with success, so that the host reads wrong data",
      fix:
        "reboot the board before the disk is used again, and check the host's file systems; or set \"dma\": false in a profile of pci_epf_nvme"
    ),
    Signature(
      id: .interruptFailed, rank: nil,
      patterns: ofFunction("Failed to raise IRQ", "Raise IRQ failed") + ["EP cannot raise INT"],
      meaning:
        "the controller could not raise an interrupt: the host has not enabled the kind that the function uses (firmware that polls), or the controller cannot raise INTx. nvmet_pci_epf \(withoutFix(.interruptFailuresUnlimited)) falls back to INTx and logs each attempt",
      fix:
        "with a host that runs an operating system: request both kinds (msixVectors and msiVectors 32 in the profile), link the function again, and on the host: epfnvme host rebind; none while only firmware uses the disk"
    ),
    Signature(
      id: .classFixed, rank: nil,
      patterns: ["Cannot set class-code", "must be set in IP"],
      meaning:
        "the class code is fixed in the controller's hardware or bitstream, so the host may see another class than 010802, and then no NVMe driver binds by class",
      fix:
        "set the class code 010802 in the hardware design; or on the host bind the driver by ID (/sys/bus/pci/drivers/nvme/new_id); epfnvme doctor --host PROFILE finds the function by its IDs"
    ),
    Signature(
      id: .featuresMissing, rank: nil,
      patterns: ["epc_features not implemented"],
      ends: ["New PCI ctrl", "NVMe PCI controller:"],
      meaning:
        "the link was refused (EOPNOTSUPP): the controller's driver does not report its features, or reports them for function 0 only",
      fix:
        "link the function as the first one of its controller, so that it becomes function 0; or use a controller driver with get_features"
    ),
    Signature(
      id: .systemError, rank: nil,
      patterns: [
        "SError Interrupt", "Asynchronous SError", "synchronous external abort",
        "Synchronous External Abort",
      ],
      trace: ["pci_ep", "pci-ep", "nvmet", "dw_pcie", "dw_edma", "cdns_", "_ep_", "pcie_ep"],
      meaning:
        "the processor of the board was denied an access to the controller: registers without a clock (Tegra, Qualcomm and STM32MP2 have none until the host releases PERST#; linking a function to them \(withoutFix(.dmaBeforeInit)) accesses the DMA engine), or a window to a host that is gone",
      fix:
        "reboot the board; power the host on before the function is linked, and stop the controller (epfnvme stop) before the host is switched off"
    ),
  ]
}
