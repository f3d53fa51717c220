// SPDX-License-Identifier: Apache-2.0
import Doctor
import Testing

/// A host's bus, sysfs and procfs with one problem, and all that the doctor must say about it.
struct HostBusCase: Sendable, CustomTestStringConvertible {
  var name: String
  var expected: [Finding.ID]
  var hasProfile = false
  /// The log of the machine.
  var log = ""
  var inflict: @Sendable (FakeHostMachine) throws -> Void

  init(
    _ name: String, _ expected: Finding.ID..., hasProfile: Bool = false, log: String = "",
    inflict: @escaping @Sendable (FakeHostMachine) throws -> Void
  ) {
    self.name = name
    self.expected = expected
    self.hasProfile = hasProfile
    self.log = log
    self.inflict = inflict
  }

  var testDescription: String { name }

  private static let board = "sys/bus/pci/devices/0000:01:00.0"
  private static let controller = "\(board)/nvme/nvme1"

  /// A host with the disk of a board and an SSD, behind an IOMMU, as sysfs and procfs have them.
  static func machine() throws -> FakeHostMachine {
    let fake = try FakeHostMachine([
      .init(name: "0000:01:00.0", driver: "nvme", number: 1),
      .init(name: "0000:02:00.0", device: "0x5006", driver: "nvme", number: 0),
      .init(name: "0000:03:00.0", vendor: "0x8086", device: "0x15f3", classCode: "0x020000"),
    ])
    for (number, name) in ["0000:02:00.0", "0000:01:00.0"].enumerated() {
      let device = "sys/bus/pci/devices/\(name)"
      for (file, text) in [
        ("resource", "0x00000000a1000000 0x00000000a10fffff 0x0000000000140204"),
        ("power_state", "D0"), ("current_link_speed", "8.0 GT/s PCIe"), ("current_link_width", "4"),
        ("max_link_speed", "16.0 GT/s PCIe"), ("link/l1_aspm", "1"), ("link/clkpm", "0"),
        ("aer_dev_fatal", "Undefined 0\nCmpltTO 0\nUnsupReq 0\nTOTAL_ERR_FATAL 0"),
        ("aer_dev_nonfatal", "CmpltTO 0\nUnsupReq 3\nTOTAL_ERR_NONFATAL 3"),
        ("aer_dev_correctable", "RxErr 2\nBadTLP 0\nTOTAL_ERR_COR 2"), ("msi_irqs/40", "msix"),
      ] { try fake.write(text + "\n", to: "\(device)/\(file)") }
      try fake.write("DMA-FQ\n", to: "sys/kernel/iommu_groups/\(number)/type")
      try fake.link("\(device)/iommu_group", to: "../../../../kernel/iommu_groups/\(number)")
      try fake.write("uuid-\(number)\n", to: "sys/class/block/nvme\(number)n1/uuid")
    }
    try fake.make("sys/class/iommu/dmar0")
    try fake.write(
      "[default] performance powersave\n", to: "sys/module/pcie_aspm/parameters/policy")
    try fake.write("root=/dev/nvme0n1p1 intel_iommu=on\n", to: "proc/cmdline")
    try fake.write(interrupts(of: "25         0", "0          7"), to: "proc/interrupts")
    return fake
  }

  private static func interrupts(of board: String, _ disk: String) -> String {
    """
                CPU0       CPU1
      40:       \(board)  IR-PCI-MSIX-0000:01:00.0    0-edge      nvme1q0
      41:        999          0  IR-PCI-MSIX-0000:01:00.0    1-edge      nvme1q1
      50:       \(disk)  IR-PCI-MSIX-0000:02:00.0    0-edge      nvme0q0

    """
  }

  static let all: [HostBusCase] = [
    HostBusCase("a healthy host") { _ in },
    HostBusCase("a healthy host with the disk of the profile", hasProfile: true) { _ in },
    HostBusCase("a healthy host without an IOMMU, AER and MSI-X") { fake in
      for file in [
        "iommu_group", "aer_dev_fatal", "aer_dev_nonfatal", "aer_dev_correctable", "msi_irqs",
      ] { try fake.remove("\(board)/\(file)") }
      try fake.remove("proc/interrupts")
    },
    HostBusCase("a host without NVMe", .noController) { fake in
      for name in ["0000:01:00.0", "0000:02:00.0"] {
        try fake.remove("sys/bus/pci/devices/\(name)")
      }
    },
    HostBusCase("the disk of the profile is absent", .diskAbsent, hasProfile: true) {
      try $0.remove(board)
    },
    HostBusCase("the disk of the profile has another class", .classDiffers, hasProfile: true) {
      try $0.remove(board)
      try $0.plug(.init(name: "0000:01:00.0", classCode: "0x058000"))
    },
    HostBusCase("no driver", .driverAbsent) {
      try $0.remove("\(board)/driver")
      try $0.remove("\(board)/nvme")
    },
    HostBusCase(
      "no driver, and the log says why", .duplicateControllerID,
      log: """
        [ 1.3] nvme nvme1: pci function 0000:01:00.0
        [ 1.9] nvme nvme1: Duplicate cntlid 1 with nvme0, subsys nqn.2026-01.org.example:a, rejecting
        """
    ) {
      try $0.remove("\(board)/driver")
      try $0.remove("\(board)/nvme")
    },
    HostBusCase("a driver for guests", .driverOther) {
      try $0.remove("\(board)/nvme")
      try $0.link("\(board)/driver", to: "../../../../bus/pci/drivers/vfio-pci")
    },
    HostBusCase("the function does not answer", .functionGone) {
      try $0.overwrite([UInt8](repeating: 0xff, count: 64), of: "\(board)/config")
    },
    HostBusCase("the board was started again under the host", .configurationLost) {
      try $0.overwrite(
        [0xb7, 0x15, 0xff, 0x5f] + [UInt8](repeating: 0, count: 60), of: "\(board)/config")
    },
    HostBusCase("BAR 0 has no address", .barUnassigned) {
      try $0.write(
        "0x0000000000000000 0x00000000000fffff 0x0000000000140204\n", to: "\(board)/resource")
    },
    HostBusCase("BAR 0 has an address that is not used", .barUnassigned) {
      try $0.write(
        "0x00000000a1000000 0x00000000a10fffff 0x0000000020140204\n", to: "\(board)/resource")
    },
    HostBusCase("a function in D3cold with its driver", .powerState) {
      try $0.write("D3cold\n", to: "\(board)/power_state")
    },
    HostBusCase("a completion timeout was counted", .uncorrectedErrors) {
      try $0.write("CmpltTO 4\nTOTAL_ERR_NONFATAL 4\n", to: "\(board)/aer_dev_nonfatal")
    },
    HostBusCase("many corrected errors were counted", .correctedErrors) {
      try $0.write("RxErr 12345\nTOTAL_ERR_COR 12345\n", to: "\(board)/aer_dev_correctable")
    },
    HostBusCase("a controller that is being reset", .controllerNotLive) {
      try $0.write("resetting\n", to: "\(controller)/state")
    },
    HostBusCase(
      "a controller that is dead, and the log says why", .functionGone,
      log: """
        [   1.3] nvme nvme1: pci function 0000:01:00.0
        [ 712.1] nvme nvme1: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff
        """
    ) { try $0.write("dead\n", to: "\(controller)/state") },
    HostBusCase("no disk: no namespace is enabled", .namespaceMissing) {
      try $0.remove("\(controller)/nvme1n1")
    },
    HostBusCase("no disk: the ANA group is inaccessible", .anaInaccessible) {
      try $0.remove("\(controller)/nvme1n1")
      try $0.write("inaccessible\n", to: "\(controller)/nvme1c1n1/ana_state")
    },
    HostBusCase("a disk with an accessible ANA group") {
      try $0.remove("\(controller)/nvme1n1")
      try $0.write("optimized\n", to: "\(controller)/nvme1c1n1/ana_state")
    },
    HostBusCase("no disk: no I/O queues", .noIOQueues) {
      try $0.remove("\(controller)/nvme1n1")
      try $0.write("1\n", to: "\(controller)/queue_count")
    },
    HostBusCase("no disk: interrupts do not arrive", .interruptsLost) {
      try $0.remove("\(controller)/nvme1n1")
      try $0.write(interrupts(of: "0          0", "0          7"), to: "proc/interrupts")
    },
    HostBusCase("no disk: Identify completed with success and without data", .identifyBlank) {
      try $0.remove("\(controller)/nvme1n1")
      for file in ["serial", "model"] { try $0.write("\n", to: "\(controller)/\(file)") }
    },
    HostBusCase("a disk without sectors", .namespaceFormat) {
      try $0.write("0\n", to: "sys/class/block/nvme1n1/size")
    },
    HostBusCase("two functions of one subsystem", .mergedControllers) {
      try $0.write("nqn.2026-01.org.example:0\n", to: "\(controller)/subsysnqn")
    },
    HostBusCase("two controllers with one serial number", .equalIdentities) {
      try $0.write("serial-0\n", to: "\(controller)/serial")
    },
    HostBusCase("two disks with one UUID", .equalIdentities) {
      try $0.write("uuid-0\n", to: "sys/class/block/nvme1n1/uuid")
    },
  ]
}
