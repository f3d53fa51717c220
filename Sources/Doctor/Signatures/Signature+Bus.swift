// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory

/// Messages of Linux as the host about the PCI device of a board: link, BARs, power states, errors.
/// - Source: `drivers/pci/{probe,setup-res,pci,quirks}.c`, `drivers/pci/hotplug/pciehp_*.c`, `drivers/pci/pcie/{aer,dpc}.c`.
extension Signature {
  private static let untrained =
    "the link of the slot was not trained, so no device can be found: board not started yet, reference clock, cable, lanes, or a switch or riser that does not support the generation"
  private static let untrainedFix =
    "on the board: start it before the host, and see the LTSSM state (epfnvme doctor on the board); limit the generation with max-link-speed = <1> to try; on the host: another slot, without a switch or riser"

  static let bus: [Signature] = [
    Signature(
      id: .noController, rank: nil, patterns: [],
      meaning:
        "this machine's bus has no NVMe controller: the board was not ready when the host looked for devices, its link is down, or it has another class code",
      fix:
        "on the board: epfnvme status must show the controller as started; on the host: epfnvme host rescan, or restart the host while the board stays up"
    ),
    Signature(
      id: .diskAbsent, rank: nil, patterns: [],
      meaning: "no function on this machine's bus has the IDs of the profile",
      fix:
        "on the board: epfnvme status must show the controller as started; on the host: epfnvme host rescan --profile PROFILE, or restart the host while the board stays up; in a slot without hot plug only a restart assigns resources"
    ),
    Signature(
      id: .classDiffers, rank: nil, patterns: [],
      meaning:
        "a function has the profile's IDs, but its class is not 010802, so the NVMe driver does not bind to it. Some controllers have the class code in their hardware or bitstream (Cannot set class-code, must be set in IP)",
      fix:
        "on the board: set the class code in the hardware design, or classCode in the profile if that has another one; on the host: echo VENDOR DEVICE > /sys/bus/pci/drivers/nvme/new_id binds the driver by ID"
    ),
    Signature(
      id: .driverAbsent, rank: .suspicion, patterns: [],
      meaning: "an NVMe controller without a driver: the driver is missing, or its probe failed",
      fix:
        "on the host: modprobe nvme, then epfnvme host rebind; if the driver gives up again, the kernel log has the reason"
    ),
    Signature(
      id: .driverOther, rank: nil, patterns: [],
      meaning: "another driver has the controller, so this machine has no block device for it",
      fix: "on the host, if that is not intended: epfnvme host rebind --force"
    ),
    Signature(
      id: .barUnassigned, rank: .cause,
      patterns: [
        "BAR 0: no space for", "BAR 0: failed to assign", "BAR 0: can't reserve",
        "BAR 0: can't assign mem", "BAR 0 [mem size *]: can't assign",
        "BAR 0 [mem size *]: failed to assign",
        "BAR 0 [*]: can't claim", "can't claim BAR 0 [mem", "can't enable device: BAR 0",
        "not available because of resource collisions", "BAR 0 [*]: not assigned",
        "BAR 0 [*]: not claimed", "device not available (can't reserve", "can't ioremap BAR 0",
      ],
      ends: ["BAR 0 [mem *]: assigned", "BAR 0: assigned [mem"],
      meaning:
        "the host has no address range for BAR 0, so the registers cannot be mapped. A board that appears after the host's boot needs room behind its bridge, and on RK35xx and R-Car Gen4 BAR 0 needs 1 MiB",
      fix:
        "on the host: restart it while the board is started, or boot with pci=realloc, or pci=hpmmiosize=4M for the slot's bridge; enable decoding above 4 GiB in its firmware"
    ),
    Signature(
      id: .configurationUnreadable, rank: .cause,
      patterns: [
        "unknown header type 7f", "unknown header type ff", "type 7f class 0xffffff",
        "BAR 0: error updating",
      ],
      meaning:
        "configuration space was read while the board did not answer, or was half written. On RK35xx \(withoutFix(.hotResetRace)) a hot reset or a lost link leaves registers in that state until the board restarts",
      fix:
        "on the board: stop and start the endpoint controller, or restart the board, and use \(fixed(.hotResetRace)) or later; on the host: epfnvme host remove, then epfnvme host rescan"
    ),
    Signature(
      id: .configurationLost, rank: .cause, patterns: [],
      meaning:
        "the function no longer has the BAR or the command register that the host wrote: the board was stopped and started, or restarted, under the running host, which keeps the earlier configuration",
      fix: "on the host: epfnvme host remove, then epfnvme host rescan; nothing on the board"
    ),
    Signature(
      id: .linkLost, rank: .cause, scope: .ports,
      patterns: ["pciehp: Slot(*): Link Down", "pciehp: Slot(*): Card not present"],
      // A card that is present need not have a link; a function behind the slot ends it, too.
      ends: ["pciehp: Slot(*): Link Up"],
      endsWithFunction: true,
      meaning:
        "the slot lost its link, and it has not come back: the board was stopped or restarted, or the signal is bad",
      fix:
        "on the board: epfnvme status and epfnvme start; on the host: epfnvme host rescan; for links that go down under load check cable, clock and riser, and limit the generation with max-link-speed in the board's device tree"
    ),
    // A slot has a card, so that another disk is no reason to expect none behind it.
    Signature(
      id: .linkUntrained, rank: .cause, scope: .ports,
      patterns: [
        "pciehp: Failed to check link status", "pciehp: Slot(*): Failed to check link status",
        "pciehp: Slot(*): Cannot train link",
      ],
      ends: ["pciehp: Slot(*): Link Up"],
      endsWithFunction: true,
      meaning: untrained, fix: untrainedFix),
    Signature(
      id: .linkUntrained, rank: .cause, scope: .ports,
      patterns: [
        "Phy link never came up", "Link failed to come up", "link training failed",
        "Cannot train link", "retraining non-functional downstream link", "retraining failed",
        "PCIe Link Fail", "PCIe link down", "PCIe Link is DOWN", "-pcie *: link down",
        "-pcie *: Link down", "-pcie *: Link is not up", "-pcie *: link * down, ignoring",
        "pciehp: Slot(*): No link",
      ],
      onlyWithoutDisk: true,
      meaning: untrained, fix: untrainedFix),
    Signature(
      id: .powerState, rank: .cause,
      patterns: [
        "change power state from", "refused to change power state",
        "after FLR; giving up", "after resume; giving up", "after bus reset; giving up",
        "failed to resume async",
      ],
      meaning:
        "the function did not return from a low-power state or a reset: a board loses its state with the power or the reference clock of the slot, and function drivers do not implement D3",
      fix:
        "on the host: boot with pcie_port_pm=off and pcie_aspm=off, or echo 0 > /sys/bus/pci/devices/ADDRESS/d3cold_allowed and echo on > .../power/control; do not suspend it with the board attached; then epfnvme host remove and rescan"
    ),
    Signature(
      id: .uncorrectedErrors, rank: .cause, scope: .ports,
      patterns: [
        "PCIe Bus Error: severity=Uncorrect", "AER: Uncorrect", "AER: Multiple Uncorrect",
        "AER: device recovery failed", "DPC: containment event", "frozen state error detected",
      ],
      meaning:
        "PCIe reported an uncorrectable error between the host and the board: completion timeout (the board did not answer a read), unsupported request (an access to what the board does not map), malformed or poisoned packets",
      fix:
        "on the board: its log at that time; a started controller must not be stopped under a running host; on the host: the lines after the message name the error; for completion timeouts try pcie_aspm=off; check cable and riser"
    ),
    Signature(
      id: .correctedErrors, rank: nil,
      patterns: ["PCIe Bus Error: severity=Correct", "AER: Correct", "AER: Multiple Correct"],
      meaning:
        "PCIe corrected errors on the link: bad signal, clock or cable, or ASPM. The disk works, slower",
      fix:
        "check cable, riser and clock (spread spectrum); boot the host with pcie_aspm=off; limit the generation with max-link-speed in the board's device tree"
    ),
    Signature(
      id: .busAbort, rank: .cause, scope: .ports,
      patterns: [
        "synchronous external abort", "Synchronous External Abort", "SError Interrupt",
        "Asynchronous SError", "imprecise external abort",
      ],
      trace: [
        "pci_generic_config_read", "pci_bus_read_config", "pci_user_read_config", "nvme_", "cdns_",
        "dw_pcie", "pci_scan",
      ],
      meaning:
        "an access to the board was answered with an error that this host's processor reports as an abort: the link was down, or the function does not exist. J721E as the host aborts when it scans an endpoint whose functions are not all configured (TI LCPD-16396)",
      fix:
        "on the board: configure every function up to max-functions, and start before the host scans; on the host: remove the device before the board is stopped"
    ),
  ]
}
