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

/// Problems of the NVMe target.
extension Breakage {
  static let targets: [Breakage] = [
    Breakage("a function without a subsystem", .targetUnset, .functionFailed) { patient in
      patient.machine.controllers[0].hasLinkUpNotifier = false
      try patient.work()
      try patient.rebind { try patient.write("", to: "\(patient.function)/nvme/subsysnqn") }
    },
    Breakage("a port that does not lead to the subsystem", .targetUnreachable, .functionFailed) {
      patient in
      patient.machine.controllers[0].hasLinkUpNotifier = false
      try patient.work()
      try patient.rebind { try patient.unlink("nvmet/ports/1/subsystems/\(patient.nqn)") }
    },
    Breakage("a subsystem that does not let the driver in", .hostNotAllowed, .functionFailed) {
      patient in
      patient.machine.controllers[0].hasLinkUpNotifier = false
      try patient.work()
      try patient.rebind { try patient.write("0", to: "\(patient.subsystem)/attr_allow_any_host") }
    },
    Breakage(
      "a link event at a function that has failed", .targetUnreachable, .functionFailed,
      .eventOnFailedFunction
    ) { patient in
      try patient.work()
      try patient.rebind { try patient.unlink("nvmet/ports/1/subsystems/\(patient.nqn)") }
      patient.kernel.host(.linkUp, at: Patient.controller)
    },
    Breakage(
      "a subsystem that was never linked into the loop port", on: .linux6_12, .targetUnreachable
    ) {
      patient in
      try patient.work()
      try patient.write("0", to: "pci_ep/controllers/\(Patient.controller)/start")
      try patient.unlink(patient.link)
      try patient.unlink("nvmet/ports/1/subsystems/\(patient.nqn)")
      #expect(throws: Errno.self) { try patient.link(patient.link, to: patient.function) }
    },
    Breakage("the fabrics connection has gone", on: .linux6_12, .connectionLost) {
      try $0.work()
      for connection in try $0.kernel.connections() { try $0.kernel.disconnect(connection.name) }
    },
    Breakage(
      "the fabrics connection is lost and the kernel tries again", on: .linux6_12, .connectionLost
    ) {
      try $0.work()
      for connection in try $0.kernel.connections() {
        try $0.kernel.setConnection(connection.name, isLive: false)
      }
    },
    Breakage("no namespace is enabled", .noNamespace) {
      try $0.work()
      try $0.write("0", to: "\($0.subsystem)/namespaces/1/enable")
    },
    Breakage("two namespaces on one store", .backingShared) {
      try $0.work()
      try $0.make("\($0.subsystem)/namespaces/2")
      try $0.write("/dev/nullblk-pci-disk", to: "\($0.subsystem)/namespaces/2/device_path")
      try $0.write("1", to: "\($0.subsystem)/namespaces/2/enable")
    },
    Breakage("a mounted store", .backingMounted, .subsystemUnused) {
      $0.machine.storage["/dev/sda"]?.mountPoint = "/srv"
      try $0.kernel.load("nvmet")
      try $0.make("nvmet/subsystems/left")
      try $0.make("nvmet/subsystems/left/namespaces/1")
      try $0.write("/dev/sda", to: "nvmet/subsystems/left/namespaces/1/device_path")
      try $0.write("1", to: "nvmet/subsystems/left/namespaces/1/enable")
    },
    Breakage("a subsystem on a port without a function", .subsystemUnused) {
      try $0.kernel.load("nvmet")
      try $0.kernel.load("nvme_loop")
      try $0.make("nvmet/subsystems/left")
      try $0.make("nvmet/ports/1")
      try $0.write("loop", to: "nvmet/ports/1/addr_trtype")
      try $0.link("nvmet/ports/1/subsystems/left", to: "nvmet/subsystems/left")
    },
    Breakage("a port without a subsystem", .portUnused) {
      try $0.kernel.load("nvmet")
      try $0.make("nvmet/ports/1")
      try $0.write("tcp", to: "nvmet/ports/1/addr_trtype")
    },
    Breakage("a pci port without a subsystem beside a working function", .portUnused) {
      try $0.work()
      try $0.make("nvmet/ports/9")
      try $0.write("pci", to: "nvmet/ports/9/addr_trtype")
    },
    Breakage("a loop port without a subsystem beside a working function", .portUnused) {
      try $0.work()
      try $0.kernel.load("nvme_loop")
      try $0.make("nvmet/ports/9")
      try $0.write("loop", to: "nvmet/ports/9/addr_trtype")
    },
    Breakage("a port without a type and a subsystem beside a working function", .portUnused) {
      try $0.work()
      try $0.make("nvmet/ports/9")
    },
    Breakage("a left-over null_blk device", .nullBlockForeign) {
      try $0.kernel.load("null_blk", parameters: ["nr_devices=0"])
      try $0.make("nullb/left")
      try $0.write("1", to: "nullb/left/power")
    },
    Breakage("two functions and two vendors", .headerConflict) { patient in
      patient.machine.controllers[0].maximumFunctions = 2
      try patient.simulated.setUp(
        ShippedProfile(name: "two-functions", kernelRelease: .linux7_2).located())
      patient.attachHost()
      let subsystem = try #require(
        try patient.kernel.entries(of: "/sys/kernel/config/nvmet/subsystems").first?.name)
      try patient.write("0x1234", to: "nvmet/subsystems/\(subsystem)/attr_vendor_id")
    },
  ]
}
