// SPDX-License-Identifier: Apache-2.0
import SimulatedKernel
import SystemPackage
import Testing
import TestSupport
@testable import Provisioning

/// Hazards of creating a controller: a failure, and kernels that crash.
extension HazardTests {
  @Test("a function whose controller could not be created is unlinked at once")
  func failedStaysLinked() throws {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].failingOperations = [.setBAR]
    let simulated = SimulatedMachine(.linux7_2, machine: machine)
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let error = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.setUp(located)
    }
    #expect(error?.kind == .operationFailed)
    #expect(error?.operation == "verify")
    #expect(error?.kernelLog.contains { $0.contains("BAR 0") } == true)
    #expect(!simulated.tree.contains { $0.contains("->") }, "a link is left")
    // Not even started, so no link event can have reached it.
    #expect(!simulated.kernel.logLines.contains { $0.contains("link up") })
    #expect(simulated.kernel.crashes.isEmpty)
  }

  /// A machine where the controller has refused BAR 0 of a `pci_epf_nvme` function, and setup's error.
  private func withRefusedBAR() throws -> (SimulatedMachine, ProvisioningError?) {
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].failingOperations = [.setBAR]
    let simulated = SimulatedMachine(.linux6_12, machine: machine)
    let located = try ShippedProfile(name: "null_blk-loop", kernelRelease: .linux6_12).located()
    return (
      simulated,
      simulated.failure { (simulated) throws(ProvisioningError) in try simulated.setUp(located) }
    )
  }

  @Test(
    "a function of pci_epf_nvme whose BAR was refused is left linked, and its controller stopped")
  func freedBAR() throws {
    let (simulated, error) = try withRefusedBAR()
    #expect(error?.kind == .rollbackIncomplete)
    #expect(error?.kernelLog.contains { $0.hasSuffix("Set BAR 0 failed") } == true)
    #expect(error?.hint?.contains(Hazard.freedBAR.safeOrder) == true)
    #expect(error?.leftovers.contains { $0.contains("pci_epf_nvme.0") } == true)
    let name = try #require(simulated.provisioner.names().first)
    let again = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.tearDown(name)
    }
    #expect(again?.kind == .rollbackIncomplete)
    #expect(again?.hint == Hazard.freedBAR.safeOrder)
    let start = simulated.failure { (simulated) throws(ProvisioningError) in
      _ = try simulated.provisioner.setStarted(true, "a40000000.pcie-ep")
    }
    #expect(start?.hint == Hazard.freedBAR.safeOrder)
    #expect(simulated.tree.contains { $0.contains("->") && $0.contains("pci_epf_nvme.0") })
    #expect(simulated.kernel.crashes.isEmpty)
  }

  @Test("the same operation without the check crashes the kernel", arguments: [true, false])
  func freedBARByHand(_ unlinks: Bool) throws {
    let (simulated, _) = try withRefusedBAR()
    if unlinks {
      _ = try? simulated.kernel.removeLink(FilePath(Self.controller + "/pci_epf_nvme.0"))
    } else {
      simulated.kernel.host(.linkUp, at: "a40000000.pcie-ep")
    }
    #expect(simulated.kernel.crashes.count == 1)
  }

  @Test("a kernel that crashes at the first controller is refused before the first write")
  func tlsKernel() throws {
    var machine = SimulatedKernel.Machine()
    machine.options.insert(.tcpTLS)
    let simulated = SimulatedMachine(.linux7_2, machine: machine)
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let error = simulated.failure { (simulated) throws(ProvisioningError) in
      try simulated.setUp(located)
    }
    #expect(error?.kind == .unsupported)
    #expect(error?.message.contains("CONFIG_NVME_TARGET_TCP_TLS") == true)
    #expect(simulated.kernel.effects == 0)
  }

  @Test(
    "a kernel that accesses a DMA engine without a clock is refused before the first write",
    arguments: [
      ("6.14.2", "nvidia,tegra234-pcie-ep", true, "unsupported"),
      ("6.14.2", "qcom,sdx55-pcie-ep", true, "unsupported"),
      ("6.14.2", "st,stm32mp25-pcie-ep", true, "unsupported"),
      // Without the engine's driver nothing accesses it; other controllers have a clock.
      ("6.14.2", "nvidia,tegra234-pcie-ep", false, "plan"),
      ("6.14.2", "rockchip,rk3588-pcie-ep", true, "plan"), ("6.14.2", "", true, "plan"),
      // Some release of 6.18.y has the fix.
      ("6.18.2", "nvidia,tegra234-pcie-ep", true, "warning"),
      ("6.19", "nvidia,tegra234-pcie-ep", true, "plan"),
    ])
  func dmaBeforeInit(
    _ release: String, _ compatible: String, _ hasDriver: Bool, _ expected: String
  ) throws {
    let release = try #require(SimulatedKernel.Release(rawValue: release))
    let kernel = SimulatedKernel(release)
    let simulated = SimulatedMachine(kernel: kernel) { machine in
      var machine = machine
      machine.compatible = { _ in compatible.isEmpty ? [] : [compatible] }
      machine.kernelOption = { $0 == "DW_EDMA" ? hasDriver : kernel.kernelOption($0) }
      return machine
    }
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let found: String
    do {
      let plan = try simulated.provisioner.plan(located)
      let warns = plan.warnings.contains { $0.message.contains("DMA engine") }
      found = warns ? "warning" : "plan"
    } catch {
      found = "\(error.kind)"
      #expect(error.message.contains("before the host") || error.message.contains("PERST#"))
    }
    #expect(found == expected)
    #expect(kernel.effects == 0)
  }
}
