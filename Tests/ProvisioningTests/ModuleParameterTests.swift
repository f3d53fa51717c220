// SPDX-License-Identifier: Apache-2.0
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The values of a fresh null_blk device are the module's parameters; a profile's defaults do not depend on them.
@Suite struct ModuleParameterTests {
  private static let parameters = [
    "nr_devices=0", "gb=1", "bs=4096", "completion_nsec=5", "hw_queue_depth=16", "memory_backed=Y",
    "cache_size=8", "mbps=100", "zone_size=64", "irqmode=0",
  ]
  private let disk = FilePath("/sys/kernel/config/nullb/disk")
  private let text = """
    {"version": 1, "name": "p", "backings": {"disk": {"nullBlock": {"device": "disk"}}}}
    """

  private func expectDefaults(_ machine: SimulatedMachine) throws {
    let located = try profile(text)
    #expect(try machine.provisioner.differences(located) == [])
    #expect(try machine.provisioner.plan(located).steps.isEmpty)
    for (name, value) in [
      ("size", "256000"), ("blocksize", "512"), ("completion_nsec", "10000"),
      ("hw_queue_depth", "64"), ("memory_backed", "0"), ("cache_size", "0"), ("mbps", "0"),
      ("zone_size", "256"), ("irqmode", "1"),
    ] {
      #expect(try machine.kernel.read(disk.appending(name)) == value + "\n", "\(name)")
    }
  }

  @Test("the defaults of the profile are written where a loaded null_blk has other parameters")
  func loaded() throws {
    let machine = SimulatedMachine(.linux7_2)
    try machine.kernel.load("null_blk", parameters: Self.parameters)
    try machine.setUp(try profile(text))
    try expectDefaults(machine)
  }

  @Test("the defaults of the profile are written where modprobe.d has other parameters")
  func configured() throws {
    var description = SimulatedKernel.Machine()
    description.modules = [
      .init("configfs", .builtIn), .init("null_blk", options: Self.parameters),
    ]
    let machine = SimulatedMachine(.linux7_2, machine: description)
    try machine.setUp(try profile(text))
    try expectDefaults(machine)
  }

  @Test(
    "a null_blk that is loaded with the kernel's parameters needs no step more",
    arguments: [
      "{}", #"{ "memoryBacked": true }"#,
      #"{ "memoryBacked": true, "zoned": true, "sizeMiB": 1024 }"#,
    ])
  func loadedAsUsual(_ device: String) throws {
    let located = try profile(
      #"{ "version": 1, "name": "p", "backings": { "disk": { "nullBlock": \#(device) } } }"#)
    func writes(_ machine: SimulatedMachine) throws -> [String] {
      try machine.provisioner.plan(located).steps.compactMap { step in
        if case .write(let path, _, _) = step.operation { path } else { nil }
      }
    }
    let unloaded = SimulatedMachine(.linux7_2)
    let loaded = SimulatedMachine(.linux7_2)
    try loaded.kernel.load("null_blk", parameters: ["nr_devices=0"])
    #expect(loaded.kernel.parameters(of: "null_blk")["home_node"] == "-1")
    #expect(try writes(loaded) == writes(unloaded))
    try loaded.setUp(located)
    #expect(try loaded.provisioner.plan(located).steps.isEmpty)
  }

  @Test("without parameters nothing is written for a default")
  func usual() throws {
    let machine = SimulatedMachine(.linux7_2)
    let written = try machine.provisioner.plan(try profile(text)).steps.compactMap { step in
      if case .write(let path, _, _) = step.operation { path } else { nil }
    }
    #expect(written == [disk.appending("power").string])
    try machine.setUp(try profile(text))
    try expectDefaults(machine)
  }
}
