// SPDX-License-Identifier: Apache-2.0
import BoardTests
import HostTools
import Provisioning
import SimulatedKernel
import TestSupport
import Testing

/// Bounces of a link that a host uses, and the host's part in them.
@Suite("A live link")
struct LiveLinkTests {
  private static let controller = "a40000000.pcie-ep"

  /// A smoke run with a host that enables the controller as soon as the link is up.
  private func run(_ adjust: (inout Smoke.Options) -> Void) throws -> TestReport {
    var board = SimulatedKernel.Machine()
    board.controllers[0].cable = .host
    let machine = SimulatedMachine(.linux7_2, machine: board)
    var options = Smoke.Options()
    options.hold = .zero
    adjust(&options)
    let located = try ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2).located()
    let kernel = machine.kernel
    let smoke = Smoke(machine.provisioner, located, prediction: nil, options: options) { event in
      guard case .result(let result) = event, result.id == "link-up" else { return }
      kernel.host(.enable, at: Self.controller)
      kernel.advance(by: .seconds(1))
    }
    return try smoke.run()
  }

  private func outcome(_ id: String, _ report: TestReport) -> TestReport.Outcome? {
    report.results.first { $0.id == id }?.outcome
  }

  @Test(
    "smoke refuses to bounce a controller that a host has enabled, and says what the host must do")
  func refused() throws {
    let report = try run { _ in }
    let reason = outcome("link-bounced", report)?.reason ?? ""
    #expect(reason.contains("a host has enabled the NVMe controller of nullblk-pci"), "\(reason)")
    for word in ["refused", "epfnvme host remove", "rescan", "--force", "--role", "--bounces 0"] {
      #expect(reason.contains(word), "\(word): \(reason)")
    }
    #expect(outcome("link-bounced", report)?.isFailure == true)
    #expect(report.exitCode == 1)
    #expect(outcome("clean-teardown", report) == .passed)
  }

  @Test("smoke without bounces passes while a host has the controller enabled")
  func noBounces() throws {
    let report = try run { $0.bounces = 0 }
    #expect(report.exitCode == 0, "\(report.results)")
  }

  @Test("smoke bounces it with force, or if the host takes part")
  func forced() throws {
    let report = try run { $0.bouncesEnabled = true }
    #expect(outcome("link-bounced", report) == .passed, "\(report.results)")
  }

  // MARK: The host

  private func host(_ fake: FakeHostMachine) throws -> HostSide {
    try HostSide(
      try ShippedProfile(name: "rock5b", kernelRelease: .linux7_2).located(), .linux7_2,
      disk: "auto", on: fake.bus)
  }

  private static let disk = FakeHostMachine.Controller(
    name: "0000:01:00.0", driver: "nvme", number: 1)
  private static let test = HostSide.DataTest(isDestructive: false, mebibytes: 1)
  private static let remove = "1 > sys/bus/pci/devices/0000:01:00.0/remove"
  private static let rescan = "1 > sys/bus/pci/rescan"

  @Test("the host removes a disk that it had before and rescans; one that differs stays at the end")
  func stale() throws {
    let fake = try FakeHostMachine([Self.disk], hidden: [Self.disk])
    let results = try host(fake).smoke(within: .zero, Self.test)
    #expect(fake.writes == [Self.remove, Self.rescan])
    #expect(results.first { $0.id == "host-disk-as-predicted" }?.outcome.isFailure == true)
    let found = try #require(results.first { $0.id == "host-disk-found" })
    #expect(found.outcome == .passed)
    #expect(found.details.contains { $0.contains("found again by a rescan") }, "\(found.details)")
  }

  @Test("the host leaves the disk of a board that stays up")
  func kept() throws {
    let fake = try FakeHostMachine([Self.disk], hidden: [Self.disk])
    _ = try host(fake).smoke(within: .zero, Self.test, staysUp: true)
    #expect(fake.writes == [Self.remove, Self.rescan])
  }

  @Test("the host does not remove a disk that is in use, and says so")
  func inUse() throws {
    let fake = try FakeHostMachine([Self.disk])
    try fake.write(
      "36 25 259:1 / /mnt rw - ext4 \(fake.at("dev/nvme1n1")) rw\n", to: "proc/self/mountinfo")
    let results = try host(fake).smoke(within: .zero, Self.test)
    #expect(fake.writes == [])
    let found = try #require(results.first { $0.id == "host-disk-found" })
    #expect(found.outcome == .passed)
    #expect(found.details.contains { $0.contains("was not removed before") && $0.contains("/mnt") })
  }
}
