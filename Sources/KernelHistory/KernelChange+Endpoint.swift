// SPDX-License-Identifier: Apache-2.0

/// `drivers/pci`, in the order in which the behaviours ended, and behaviours without an end.
extension KernelChange {
  private static let rockchip = ["rockchip,rk3568-pcie-ep", "rockchip,rk3588-pcie-ep"]
  /// Controllers with DesignWare's core and MSI-X.
  private static let designWareMSIX = rockchip + ["ti,am654", "fsl,ls", "snps,dw-pcie-ep"]

  static let memoryMap = KernelChange(
    name: "no-epc-mem-map", area: .endpointCore, title: "pci_epc_mem_map()",
    source: "drivers/pci/endpoint/pci-epc-core.c, pci_epc_mem_map()",
    until: Point(6, 13),
    shows: "function drivers map windows themselves; nvmet_pci_epf needs pci_epc_mem_map()",
    effect: .minor, place: .board)

  public static let brokenATS = KernelChange(
    name: "ats-capability-broken", area: .rockchip,
    title: "PCI: dw-rockchip: Hide broken ATS capability for RK3588 in EP mode",
    commits: ["1f5a69f1b313"], until: Point(6, 15),
    shows:
      "a host with an IOMMU cannot use the device: Intel `DMAR: VT-d detected Invalidation Time-out Error: SID 0`, AMD `iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT …]`",
    workaround:
      "on the host: pci=noats, intel_iommu=off or amd_iommu=off on the kernel's command line, or no IOMMU in the firmware",
    effect: .severe, place: .host, hardware: ["rockchip,rk3588-pcie-ep"])

  public static let fixedBARs = KernelChange(
    name: "bars-not-resizable", area: .designWare, title: "resizable BARs (BAR_RESIZABLE)",
    source: "drivers/pci/controller/dwc/pcie-designware-ep.c, dw_pcie_ep_set_bar_resizable()",
    until: Point(6, 15),
    shows:
      "the BARs of the RK35xx have a fixed size of 1 MiB; since then they are resizable, from 1 MiB on: a host finds a BAR 0 of 1 MiB in both",
    effect: .minor, place: .board, hardware: rockchip)

  public static let hotResetRace = KernelChange(
    name: "link-training-during-hot-reset", area: .rockchip,
    title: "PCI: dw-rockchip: Delay link training after hot reset in EP mode",
    commits: ["c0b93754547d"], until: Point(6, 17, .y(6, 16, .about(2))),
    shows:
      "after a hot reset or a lost link, registers may be half written: wrong BAR size or header, and the device is gone until the board restarts",
    workaround: "restart the board, then the host", effect: .severe, place: .host,
    hardware: rockchip)

  /// Unloading an endpoint function driver.
  public static let driverUnload = KernelChange(
    name: "driver-unload-use-after-free", area: .endpointCore,
    title:
      "PCI: endpoint: Fix configfs group list head handling, and removal of groups when a driver is unregistered",
    commits: ["d79123d79a81"],
    until: Point(6, 17, .y(6, 16, .about(4)), .y(6, 12, .by(117)), others: true),
    shows:
      "rmmod of an endpoint function driver, with or without function directories: KASAN slab-use-after-free in `pci_epf_remove_cfs`, list corruption",
    workaround: "leave the driver loaded; teardown --unload-modules does", effect: .severe,
    place: .board)

  /// Doorbells of a host through MSI of the board.
  static let msiDoorbells = KernelChange(
    name: "no-doorbells-through-msi", area: .endpointCore,
    title: "doorbells through MSI (pci-ep-msi)",
    source: "drivers/pci/endpoint/pci-ep-msi.c, pci_epf_alloc_doorbell()", until: Point(6, 18),
    shows: "no function driver can use them; nvmet_pci_epf polls its doorbells in every release",
    effect: .minor, place: .board)

  public static let interruptUnmapped = KernelChange(
    name: "msix-write-after-unmap", area: .designWare,
    title: "PCI: dwc: ep: Flush MSI-X write before unmapping its ATU entry",
    commits: ["c22533c66cca"], until: Point(7, 0, .y(6, 12, .by(117)), others: true),
    shows:
      "at a queue depth of 32, interrupts are written to random addresses of the host: `arm-smmu-v3 … F_TRANSLATION client: 0000:01:00.0`, AMD `IO_PAGE_FAULT`, damaged memory; a queue depth of 1 works",
    workaround: "MSI in place of MSI-X: no msixVectors in the profile, and msiVectors of up to 32",
    effect: .severe, place: .host, hardware: designWareMSIX)

  static let interruptUncached = KernelChange(
    name: "msi-window-not-cached", area: .designWare,
    title: "PCI: dwc: ep: Cache MSI outbound iATU mapping", commits: ["8719c64e76bf"],
    until: Point(7, 0), shows: "the board locks up under MSI with eDMA load (R-Car S4)",
    effect: .severe, place: .board, hardware: ["renesas,rcar-gen4", "renesas,r8a779"])

  public static let interruptCached = KernelChange(
    name: "msi-address-cached", area: .designWare,
    title: "PCI: dwc: ep: the fix of the regression of 8719c64e76bf", commits: ["468711a40d5d"],
    since: Point(.release(KernelVersion(7, 0, candidate: 1))),
    until: Point(.release(KernelVersion(7, 0, candidate: 2))),
    shows:
      "only in 7.0-rc1: the host's firmware used MSI, then Linux: `WARN … dw_pcie_ep_raise_msi_irq`, no interrupts, the host hangs",
    effect: .severe, place: .host, hardware: designWareMSIX)

  /// The directories of a function appear after mkdir.
  public static let lateGroups = KernelChange(
    name: "sub-groups-created-late", area: .endpointCore,
    title: "PCI: endpoint: Avoid creating sub-groups asynchronously", commits: ["7c5c7d06bd1f"],
    until: Point(
      7, 0, .y(6, 19, .unknown), .y(6, 18, .unknown), .y(6, 12, .by(117)), others: true),
    shows:
      "`primary/`, `secondary/` and `nvme/` appear up to some milliseconds after mkdir; scripts race with the kernel",
    workaround: "wait for the directories, as epfnvme does", effect: .minor, place: .board)

  static let portReset = KernelChange(
    name: "configuration-lost-at-link-down", area: .hostPCI,
    title: "PCI port reset on link down (version 7 of Mar 2026)",
    source: "drivers/pci/controller/pci-host-common.c, pci_host_handle_link_down()",
    until: Point(.pending),
    shows: "after a lost link, the host has lost the device's configuration space",
    workaround: "on the host: epfnvme host rescan, which removes the device and scans the bus",
    effect: .limited, place: .host)

  // MARK: Not fixed in any release

  static let transferFailureSucceeds = KernelChange(
    name: "transfer-failure-succeeds", area: .nvmetPCIEPF,
    title: "failures of data set-up and transfer complete with status 0",
    source: "drivers/nvme/target/pci-epf.c, nvmet_pci_epf_exec_iod_work()",
    until: nil,
    shows: "a command whose data could not be transferred completes as successful",
    effect: .severe, place: .host)
  static let queueOfSameID = KernelChange(
    name: "completion-queue-of-same-id", area: .nvmetPCIEPF,
    title: "completions go to the completion queue with the submission queue's id",
    source: "drivers/nvme/target/pci-epf.c, nvmet_pci_epf_alloc_iod()",
    until: nil, shows: "a submission queue with another completion queue gets no completions",
    workaround: "use pairs of queues with one id, as Linux does", effect: .limited, place: .host)
  public static let keepAliveCrash = KernelChange(
    name: "keep-alive-expiry-crashes", area: .nvmetPCIEPF,
    title: "the transport has no delete_ctrl, which the keep-alive timer calls",
    source: "drivers/nvme/target/core.c, nvmet_fatal_error_handler()",
    until: nil,
    shows: "a host sets a keep-alive timeout and lets it expire: the board's kernel crashes",
    effect: .severe, place: .host)
  public static let deleteCrash = KernelChange(
    name: "controller-deletion-crashes", area: .nvmetPCIEPF,
    title: "the transport has no delete_ctrl, which nvmet calls",
    source:
      "drivers/nvme/target/configfs.c, nvmet_subsys_attr_qid_max_store(); core.c, nvmet_port_del_ctrls()",
    until: nil,
    shows:
      "a write of attr_qid_max, or the unlink of a subsystem from its port, under a PCI controller: the board's kernel crashes",
    workaround: "unlink the function first, as epfnvme does", effect: .severe, place: .board)
  public static let tlsCrash = KernelChange(
    name: "tls-crashes-creation", area: .nvmetPCIEPF,
    title: "with CONFIG_NVME_TARGET_TCP_TLS, the creation of a PCI controller dereferences NULL",
    source: "drivers/nvme/target/core.c, nvmet_alloc_ctrl()", until: nil,
    shows: "the board's kernel crashes at ln -s",
    workaround: "a kernel without CONFIG_NVME_TARGET_TCP_TLS", effect: .severe, place: .board)

  static let endpoint: [KernelChange] = [
    memoryMap, brokenATS, fixedBARs, hotResetRace, driverUnload, msiDoorbells, interruptUnmapped,
    interruptUncached, interruptCached, lateGroups, portReset,
  ]
  static let unfixed: [KernelChange] = [
    transferFailureSucceeds, queueOfSameID, keepAliveCrash, deleteCrash, tlsCrash,
  ]

  /// The table.
  public static let all: [KernelChange] = target + endpoint + unfixed
}
