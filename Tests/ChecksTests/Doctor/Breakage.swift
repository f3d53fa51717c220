// SPDX-License-Identifier: Apache-2.0
import Doctor
import ConfigFS
import KernelEvents
import KernelModules
import LinuxFiles
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A way to break a machine, with all that the doctor must say about it.
struct Breakage: Sendable, CustomTestStringConvertible {
  var name: String
  var kernelRelease: SimulatedKernel.Release
  var expected: [Finding.ID]
  var inflict: @Sendable (Patient) throws -> Void

  init(
    _ name: String, on kernelRelease: SimulatedKernel.Release = .linux7_2,
    _ expected: Finding.ID..., inflict: @escaping @Sendable (Patient) throws -> Void
  ) {
    self.name = name
    self.kernelRelease = kernelRelease
    self.expected = expected
    self.inflict = inflict
  }

  var testDescription: String { name }

  func patient() throws -> Patient {
    let patient = Patient(kernelRelease)
    try inflict(patient)
    return patient
  }

  static let all =
    kernels + modules + controllers + functions + targets + access + past + messages + profiles

  // MARK: The kernel

  static let kernels: [Breakage] = [
    Breakage(
      "a kernel without endpoint support", .optionMissing, .optionMissing, .driverMissing
    ) { $0.machine.hasEndpointSupport = false },
    Breakage("the same, with unknown options", .endpointSupportMissing, .driverMissing) {
      $0.machine.hasEndpointSupport = false
      $0.falsify = { $0.remove("/proc/config.gz") }
    },
    Breakage("a kernel without configfs", .optionMissing) {
      $0.machine.isConfigFSMounted = false
      $0.machine.modules = usualModules(without: "configfs")
    },
    Breakage("configfs is not mounted", .configFSNotMounted) {
      $0.machine.isConfigFSMounted = false
    },
    Breakage("a kernel with TLS in the target", .tlsKernel) {
      $0.machine.options.insert(.tcpTLS)
    },
    Breakage(
      "a kernel with bugs that later releases fix", .knownKernelBug, .knownKernelBug,
      .knownKernelBug, .possibleKernelBug, .possibleKernelBug
    ) { $0.machine.release = "6.16.9" },
  ]

  private static func usualModules(without name: String? = nil) -> [SimulatedKernel.Module] {
    let all: [SimulatedKernel.Module] = [
      .init("configfs", .builtIn), .init("nvme_core"), .init("nvme_fabrics", needs: ["nvme_core"]),
      .init("nvmet", needs: ["nvme_core"]), .init("nvme_loop", needs: ["nvmet", "nvme_fabrics"]),
      .init("nvme_tcp", needs: ["nvme_fabrics"]), .init("nvmet_tcp", needs: ["nvmet"]),
      .init("null_blk"), .init("loop"), .init("nvmet_pci_epf", needs: ["nvmet"]),
    ]
    return all.filter { $0.name != name }
  }

  // MARK: Modules

  static let modules: [Breakage] = [
    Breakage("no function driver", .driverMissing) {
      $0.machine.modules = usualModules(without: "nvmet_pci_epf")
    },
    Breakage("the driver's module was built and not installed", .moduleMissing) {
      $0.machine.modules = usualModules(without: "nvmet_pci_epf")
      $0.falsify = { files in
        files.add(
          "/proc/config.gz",
          "CONFIG_CONFIGFS_FS=y\nCONFIG_PCI_ENDPOINT=y\nCONFIG_PCI_ENDPOINT_CONFIGFS=y\nCONFIG_NVME_TARGET=m\nCONFIG_NVME_TARGET_PCI_EPF=m\n"
        )
      }
    },
    Breakage(
      "the module of pci_epf_nvme was built and not installed", on: .linux6_12, .moduleMissing
    ) {
      $0.machine.modules = usualModules(without: "nvmet_pci_epf")
      $0.falsify = { files in
        files.add(
          "/proc/config.gz",
          "CONFIG_CONFIGFS_FS=y\nCONFIG_PCI_ENDPOINT=y\nCONFIG_PCI_ENDPOINT_CONFIGFS=y\nCONFIG_NVME_TARGET=m\nCONFIG_PCI_EPF_NVME=m\n"
        )
      }
    },
    Breakage("a driver and no target", .optionMissing) {
      $0.machine.modules = usualModules(without: "nvmet")
    },
    Breakage("null_blk is missing, and the profile wants it", .optionMissing) {
      $0.machine.modules = usualModules(without: "null_blk")
      $0.profile = try $0.shipped
    },
    Breakage("the loop transport is missing", on: .linux6_12, .optionMissing) {
      $0.machine.modules =
        usualModules(without: "nvme_loop").filter { $0.name != "nvmet_pci_epf" } + [
          .init("pci_epf_nvme", needs: ["nvme_fabrics"])
        ]
    },
    Breakage("both drivers", .twoDrivers) {
      $0.machine.modules = usualModules() + [.init("pci_epf_nvme", needs: ["nvme_fabrics"])]
    },
    Breakage("no more modules until the next boot", .moduleLoadingDisabled) {
      $0.falsify = { $0.add("/proc/sys/kernel/modules_disabled", "1\n") }
    },
    Breakage("modprobe runs something else for the driver", .moduleOverridden) {
      $0.falsify = {
        $0.add("/etc/modprobe.d/no-endpoint.conf", "# no\ninstall nvmet_pci_epf /bin/false\n")
      }
    },
    Breakage("the driver's module is of another kernel", on: .linux6_12, .moduleRefused) {
      $0.kernel.tell(.error, "pci_epf_nvme: Unknown symbol nvmf_create_ctrl (err -2)")
    },
  ]

  // MARK: Controllers

  private static let node: FilePath = "/proc/device-tree/pcie-ep@fe150000"

  static let controllers: [Breakage] = [
    Breakage("no endpoint controller and no device tree", .controllerMissing) {
      $0.machine.controllers = []
    },
    Breakage("the device tree switches the endpoint off", .controllerDisabled) {
      $0.machine.controllers = []
      $0.falsify = {
        $0.add(node.appending("compatible"), "rockchip,rk3588-pcie-ep\0rockchip,rk3568-pcie-ep\0")
        $0.add(node.appending("status"), "disabled\0")
      }
    },
    Breakage("the endpoint's hardware has no driver", .controllerWithoutDriver) {
      $0.machine.controllers = []
      $0.falsify = {
        $0.add("/proc/device-tree/soc@0/pcie-ep@1/compatible", "rockchip,rk3588-pcie-ep\0")
        $0.add("/proc/device-tree/soc@0/pcie-ep@1/status", "okay\0")
      }
    },
    Breakage("a controller without a usable BAR 0", .controllerUnsuitable) {
      $0.falsify = {
        $0.add(
          FilePath("/sys/class/pci_epc/\(Patient.controller)/device/of_node/compatible"),
          "ti,am654-pcie-ep\0")
      }
    },
    Breakage("started without a function", .controllerWithoutFunction) {
      try $0.write("1", to: "pci_ep/controllers/\(Patient.controller)/start")
    },
    Breakage("stopped with a function", .controllerNotStarted) {
      try $0.work()
      try $0.write("0", to: "pci_ep/controllers/\(Patient.controller)/start")
    },
    Breakage("no host at the other end", .hostAbsent) {
      $0.machine.controllers[0].cable = nil
      try $0.simulated.setUp($0.shipped)
    },
    Breakage("a host that has looked too early", on: .linux6_12, .hostAbsent) {
      try $0.simulated.setUp($0.shipped)
      $0.kernel.advance(by: .seconds(1))
    },
    Breakage("a controller that waits for PERST#", .functionWaits) { patient in
      patient.machine.controllers[0].initializesAtReset = true
      patient.kernel.host(.releaseReset, at: Patient.controller)
      try patient.work()
      patient.kernel.host(.assertReset, at: Patient.controller)
    },
  ]

  // MARK: Functions

  static let functions: [Breakage] = [
    Breakage("a function that is not bound", .functionUnbound) {
      try $0.kernel.load("nvmet_pci_epf")
      try $0.make("pci_ep/functions/nvmet_pci_epf/begun")
    },
    Breakage("a function of other hands", .functionForeign) {
      try $0.work()
      $0.journals = [:]
    },
    Breakage("ctrl_opts never reached the driver", on: .linux6_12, .optionsEmpty) { patient in
      try patient.kernel.load("pci_epf_nvme")
      try patient.make("pci_ep/functions/pci_epf_nvme/f")
      patient.kernel.advance(by: .seconds(1))
      #expect(throws: Errno.invalidArgument) {
        try patient.link(
          "pci_ep/controllers/\(Patient.controller)/f", to: "pci_ep/functions/pci_epf_nvme/f")
      }
    },
    Breakage("a function without ctrl_opts that was never linked", on: .linux6_12, .optionsEmpty) {
      try $0.kernel.load("pci_epf_nvme")
      try $0.make("pci_ep/functions/pci_epf_nvme/f")
      $0.kernel.advance(by: .seconds(1))
    },
    Breakage("ctrl_opts in the words of the nvme command", on: .linux6_12, .optionsMalformed) {
      try $0.kernel.load("pci_epf_nvme")
      try $0.make("pci_ep/functions/pci_epf_nvme/f")
      $0.kernel.advance(by: .seconds(1))
      try $0.write(
        "--transport=loop,--nqn=nq,--nr-io-queues=4",
        to: "pci_ep/functions/pci_epf_nvme/f/nvme/ctrl_opts")
    },
    Breakage("no IDs that a host would take for a device", .idInvisible) { patient in
      try patient.work()
      try patient.rebind {
        try patient.write("0", to: "\(patient.subsystem)/attr_vendor_id")
        try patient.write("0xffff", to: "\(patient.function)/deviceid")
      }
    },
    Breakage("no vendor ID", .vendorUnset) { patient in
      try patient.work()
      try patient.rebind { try patient.write("0", to: "\(patient.subsystem)/attr_vendor_id") }
    },
    Breakage("another class code", on: .linux6_12, .classCode) {
      try $0.work()
      try $0.write("0", to: "\($0.function)/progif_code")
    },
    Breakage("no vectors", .noVectors) { patient in
      try patient.work()
      try patient.rebind { try patient.vectors(msix: 0, msi: 0) }
    },
    Breakage("one vector", .tooFewVectors, .functionFailed) { patient in
      patient.machine.controllers[0].hasLinkUpNotifier = false
      try patient.work()
      try patient.rebind { try patient.vectors(msix: 1, msi: 1) }
    },
    Breakage("more queues than vectors", .vectorsBelowQueues) { patient in
      try patient.work()
      try patient.rebind { try patient.vectors(msix: 4, msi: 4) }
    },
    Breakage("MSI-X alone on a controller without", .intxFallback) { patient in
      patient.machine.controllers[0].isMSIXCapable = false
      try patient.work()
      try patient.rebind { try patient.vectors(msix: 32, msi: 0) }
    },
    Breakage("fewer processors than queues", on: .linux6_12, .queuesLimited) {
      $0.machine.onlineCPUs = 2
      try $0.work()
    },
    Breakage("a transfer limit of 4 KiB", on: .linux6_12, .transferLimit) { patient in
      try patient.work()
      try patient.rebind { try patient.write("4", to: "\(patient.function)/nvme/mdts_kb") }
    },
    Breakage(
      "a subsystem vendor ID that Identify will not show", on: .linux6_12, .subsystemVendorIgnored
    ) {
      try $0.work()
      try $0.write("0x1b96", to: "\($0.function)/subsys_vendor_id")
    },
    // The simulated kernel does not imitate what the driver does when it is bound twice.
    Breakage("a secondary interface", .secondaryLinked) { patient in
      try patient.work()
      patient.overlay = [
        "\(patient.function)/secondary/c": "pci_ep/controllers/\(Patient.controller)"
      ]
    },
    Breakage("a virtual function", .virtualFunction) { patient in
      patient.machine.controllers[0].maximumVirtualFunctions = 1
      try patient.work()
      try patient.rebind {
        try patient.make("pci_ep/functions/nvmet_pci_epf/virtual")
        try patient.link("\(patient.function)/v", to: "pci_ep/functions/nvmet_pci_epf/virtual")
      }
    },
    Breakage("a device unbound through sysfs", .deviceWithoutDriver) {
      try $0.work()
      $0.falsify = { $0.remove("/sys/bus/pci-epf/devices/nvmet_pci_epf.0/driver") }
    },
    Breakage("devices of a driver that was unloaded too early", .deviceLeaked) {
      $0.falsify = { $0.addDirectory("/sys/bus/pci-epf/devices/nvmet_pci_epf.0") }
    },
  ]

  // MARK: The past

  static let past: [Breakage] = [
    Breakage("a run that was killed", .journalUnfinished) { patient in
      try patient.work()
      let journal = try #require(patient.simulated.journal(patient.name))
      let lines = journal.split(separator: "\n").filter { !$0.contains("\"commit\"") }
      patient.journals = [patient.name: lines.joined(separator: "\n") + "\n"]
    },
    Breakage("an unreadable journal", .journalDamaged) { patient in
      try patient.work()
      patient.journals = [patient.name: "{\"epfnvme\":1}\nnonsense\n"]
    },
    Breakage("the kernel has crashed in the target", .kernelCrashed) {
      $0.kernel.tell(.error, "BUG: kernel NULL pointer dereference, address: 0000000000000028")
      $0.kernel.tell(.error, "RIP: 0010:nvmet_pci_epf_destroy_ctrl+0x1f/0x90 [nvmet_pci_epf]")
    },
    Breakage("the kernel has crashed elsewhere") {
      $0.kernel.tell(.error, "BUG: kernel NULL pointer dereference, address: 0000000000000028")
      $0.kernel.tell(.error, "RIP: 0010:some_wifi_driver+0x1f/0x90 [some_wifi]")
      $0.kernel.tell(.info, "nvmet: adding nsid 1 to subsystem a")
    },
    Breakage("a function was unlinked while its controller was started", .unlinkedWhileStarted) {
      patient in
      try patient.work()
      try patient.unlink(patient.link)
      try patient.link(patient.link, to: patient.function)
      patient.kernel.host(.linkUp, at: Patient.controller)
      patient.attachHost()
    },
  ]

  // MARK: Profiles

  static let profiles: [Breakage] = [
    Breakage("two controllers, and the profile names none", .profileImpossible) {
      $0.machine.controllers.append(.virtual("b40000000.pcie-ep"))
      $0.profile = try $0.shipped
    },
    Breakage("the profile's disk is not there", .profileImpossible) {
      $0.profile = try ShippedProfile(name: "block", kernelRelease: .linux7_2).located()
    },
    Breakage("more queues in the profile than processors", on: .linux6_12, .profileWarning) {
      $0.machine.onlineCPUs = 2
      $0.profile = try $0.shipped
    },
  ]
}

extension Patient {
  func vectors(msix: Int, msi: Int) throws {
    try write("\(msix)", to: "\(function)/msix_interrupts")
    try write("\(msi)", to: "\(function)/msi_interrupts")
  }
}
