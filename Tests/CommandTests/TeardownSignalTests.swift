// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Signals at every effect of `teardown`, with real processes.
@Suite struct TeardownSignalTests {
  /// The profiles of a board, on both kernels; ``SignalTests`` has every profile, without processes.
  static let ones = ShippedProfile.all.filter { $0.name == "null_blk-loop" }

  @Test(
    "a signal at any effect of teardown: everything is removed, the message says so, and the exit code is the signal's",
    arguments: ones)
  func once(_ shipped: ShippedProfile) throws {
    let prepared = try PreparedMachine(shipped)
    for effect in prepared.effects {
      let signal = [SIGINT, SIGTERM, SIGHUP][effect % 3]
      let label = "signal \(signal) at effect \(effect)"
      let program = try prepared.start(.init(effect: effect, action: .signal(signal)))
      let result = try program("teardown", prepared.name)
      #expect(result.status == 128 + signal, "\(label): \(result.errors)")
      #expect(
        result.errors.contains(
          "\(Signals.name(of: signal)); \(prepared.name) was taken down completely"),
        "\(label): \(result.errors)")
      #expect(result.output.isEmpty, "\(label)")
      try prepared.expectGone(program, label)
    }
  }

  @Test("killed at any effect of teardown, the next one finishes it", arguments: ones)
  func killed(_ shipped: ShippedProfile) throws {
    let prepared = try PreparedMachine(shipped)
    for effect in prepared.effects {
      let program = try prepared.start(.init(effect: effect, action: .signal(SIGKILL)))
      #expect(try program("teardown", prepared.name).status == 128 + SIGKILL, "effect \(effect)")
      let next = try program("teardown", prepared.name)
      #expect(next.status == 0, "effect \(effect): \(next.errors)")
      try prepared.expectGone(program, "SIGKILL at effect \(effect)")
    }
  }

  @Test(
    "a second signal stops the teardown, lists what is left, and the next teardown removes it",
    arguments: ones)
  func twice(_ shipped: ShippedProfile) throws {
    let prepared = try PreparedMachine(shipped)
    let first = prepared.effects.lowerBound
    let program = try prepared.start(
      .init(effect: first, action: .signal(SIGTERM)),
      .init(effect: first + 3, action: .signal(SIGINT)))
    let result = try program("teardown", prepared.name, "--json")
    #expect(result.status == 76, "\(result.errors)")
    #expect(result.errors.contains("teardown again"), "\(result.errors)")
    #expect(result.json?["error"]?["leftovers"]?.arrayValue?.isEmpty == false)
    #expect(try program.kernel().effects == first + 3, "it went on")
    let next = try program("teardown", prepared.name)
    #expect(next.status == 0, "\(next.errors)")
    try prepared.expectGone(program, "a second teardown")
  }

  @Test(
    "a second signal stops the undo of a setup, and the message does not claim that everything is undone"
  )
  func setupTwice() throws {
    let shipped = try #require(Self.ones.first)
    let program = Program()
    let kernel = try program.kernel(shipped.kernelRelease, machine: shipped.machine)
    kernel.inject(.init(effect: 20, action: .signal(SIGTERM)))
    kernel.inject(.init(effect: 23, action: .signal(SIGTERM)))
    let result = try program("setup", shipped.file.string, "--json")
    #expect(result.status == 76, "\(result.errors)")
    let error = try #require(result.json?["error"])
    #expect(error["leftovers"]?.arrayValue?.isEmpty == false)
    #expect(error["message"]?.stringValue?.contains("not everything was undone") == true)
    let next = try program("teardown", "--all")
    #expect(next.status == 0, "\(next.errors)")
    #expect(!kernel.snapshot().contains { $0.contains("pci_epf_nvme.0") })
  }

  @Test(
    "after a signal during start, stop or bounce the controller has the requested state",
    arguments: [
      ("bounce", SIGTERM, "1"), ("stop", SIGINT, "0"), ("start", SIGHUP, "1"),
    ])
  func controller(_ command: String, _ signal: Int32, _ started: String) throws {
    let shipped = try #require(Self.ones.first)
    let program = Program()
    _ = try program.kernel(shipped.kernelRelease, machine: shipped.machine)
    #expect(try program("setup", shipped.file.string).status == 0)
    if command == "start" { #expect(try program("stop").status == 0) }
    let kernel = try program.kernel()
    kernel.inject(.init(.write, action: .signalAfterEffect(signal)))
    let result = try program.start([command]).finish()
    #expect(result.status == 128 + signal, "\(result.errors)")
    #expect(result.errors.contains(Signals.name(of: signal)), "\(result.errors)")
    let start = FilePath("/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/start")
    #expect(try program.kernel().read(start) == started + "\n")
  }
}
