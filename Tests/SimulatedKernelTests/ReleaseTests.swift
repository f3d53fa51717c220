// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelHistory
import SimulatedKernel
import SystemPackage
import Testing

/// The differences between simulated releases: releases.md, 1.
@Suite("Releases of the simulated kernel")
struct ReleaseTests {
  typealias Release = SimulatedKernel.Release

  @Test(
    "a release is named as the kernel's, with its driver",
    arguments: [
      ("7.2", "7.2.13", "nvmet_pci_epf"), ("6.12", "6.12.0-rc2", "pci_epf_nvme"),
      ("6.14", "6.14.0", "nvmet_pci_epf"), ("6.14.2", "6.14.2", "nvmet_pci_epf"),
      ("7.0", "7.0.0", "nvmet_pci_epf"), ("7.3-rc2", "7.3.0-rc2", "nvmet_pci_epf"),
      ("7.2.0", "7.2.0", "nvmet_pci_epf"), ("6.12.48", "6.12.48", "pci_epf_nvme"),
      ("6.18.2-current-rockchip64", "6.18.2-current-rockchip64", "nvmet_pci_epf"),
      ("6.12.48+deb13-arm64", "6.12.48+deb13-arm64", "pci_epf_nvme"),
    ])
  func names(_ text: String, _ uname: String, _ driver: String) throws {
    let release = try #require(Release(rawValue: text))
    #expect(release.uname == uname)
    #expect(release.functionDriver == driver)
    #expect(release.rawValue == text)
  }

  @Test(
    "a release without a driver, or unknown here, is refused",
    arguments: ["6.1", "6.11", "6.13", "6.20", "7.4", "8.0", "windows", "", "7", "7.2x"])
  func refused(_ text: String) { #expect(Release(rawValue: text) == nil) }

  /// Behaviours of the trees: what happens with the older release, and with the newer one.
  struct Row: Sendable, CustomTestStringConvertible {
    var change: KernelChange
    var old: String
    var new: String
    var act: @Sendable (Release) throws -> String
    var testDescription: String { change.name }
  }

  private static func function(_ driver: String) -> String { "pci_ep/functions/\(driver)/late" }

  static let rows: [Row] = [
    Row(change: .lateGroups, old: "later", new: "at once") { release in
      let kernel = SimulatedKernel(release)
      try kernel.load("nvmet_pci_epf")
      try kernel.make(function("nvmet_pci_epf"))
      let isThere = kernel.text(function("nvmet_pci_epf") + "/nvme/portid") != nil
      kernel.advance(by: .milliseconds(2))
      #expect(kernel.text(function("nvmet_pci_epf") + "/nvme/portid") == "0\n")
      return isThere ? "at once" : "later"
    },
    Row(change: .driverUnload, old: "1 crash", new: "0 crashes") { release in
      let kernel = SimulatedKernel(release)
      try kernel.load("nvmet_pci_epf")
      try? kernel.unload("nvmet_pci_epf")
      return kernel.crashes.isEmpty ? "0 crashes" : "\(kernel.crashes.count) crash"
    },
    Row(change: .portWithoutType, old: "transport type 255 not supported", new: "EINVAL") {
      release in
      let kernel = SimulatedKernel(release)
      try kernel.load("nvmet")
      try kernel.make(Names.subsystem)
      try kernel.make(Names.port)
      let errno = kernel.errno { try $0.link(Names.port + "/subsystems/nq", Names.subsystem) }
      if !kernel.crashes.isEmpty {
        return kernel.logLines.contains("nvmet: transport type 255 not supported")
          ? "transport type 255 not supported" : "crash"
      }
      return errno == .invalidArgument ? "EINVAL" : "\(String(describing: errno))"
    },
    Row(change: .dmaBeforeInit, old: "crash", new: "bound") { release in
      var machine = SimulatedKernel.Machine()
      machine.controllers[0].initializesAtReset = true
      machine.lateGroups = false
      let kernel = SimulatedKernel(release, machine: machine)
      try kernel.makeFunction()
      try? kernel.bind()
      return kernel.crashes.isEmpty ? "bound" : "crash"
    },
  ]

  @Test(
    "a release behaves as its rows say",
    arguments: rows, ["6.14.2", "6.15", "6.16.9", "6.17", "6.18", "6.19", "7.0", "7.2", "7.3"])
  func walk(row: Row, release: String) throws {
    let release = try #require(Release(rawValue: release))
    #expect(try row.act(release) == (release.has(row.change) ? row.old : row.new))
  }
}
