// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// Refusals before the first write, and of the bind.
extension ProvisionerTests {
  struct Refusal: Sendable, CustomStringConvertible {
    var description: String
    var kind: ProvisioningError.Kind
    var word: String
    var text = #""disk": { "nullBlock": { "device": "small0" } }"#
    var change: @Sendable (inout SimulatedKernel.Machine) -> Void = { _ in }
  }

  static let refusals: [Refusal] = [
    Refusal(description: "without privileges", kind: .needsPrivileges, word: "root") {
      $0.isPrivileged = false
    },
    Refusal(description: "without endpoint support", kind: .unsupported, word: "pci_ep") {
      $0.hasEndpointSupport = false
    },
    Refusal(description: "without a controller", kind: .unsupported, word: "controller") {
      $0.controllers = []
    },
    Refusal(description: "with two controllers to choose from", kind: .impossible, word: "2") {
      $0.controllers = [.virtual("a"), .virtual("b")]
    },
    Refusal(
      description: "a block device that is not there", kind: .inputMissing, word: "/dev/sdz",
      text: #""disk": { "block": { "path": "/dev/sdz" } }"#),
    Refusal(
      description: "a regular file as a block device", kind: .inputMissing,
      word: "character device",
      text: #""disk": { "block": { "path": "/dev/zero" } }"#),
    Refusal(
      description: "a mounted block device", kind: .inputMissing, word: "mounted at /home",
      text: #""disk": { "block": { "path": "/dev/sda" } }"#
    ) { $0.storage["/dev/sda"]?.mountPoint = "/home" },
    Refusal(
      description: "a read-only block device", kind: .inputMissing, word: "read-only",
      text: #""disk": { "block": { "path": "/dev/sda" } }"#
    ) { $0.storage["/dev/sda"]?.isReadOnly = true },
    Refusal(
      description: "a file that is not there", kind: .inputMissing, word: "does not exist",
      text: #""disk": { "file": { "path": "/srv/none" } }"#),
    Refusal(
      description: "a file in a directory that is not there", kind: .inputMissing,
      word: "no directory /nowhere",
      text: #""disk": { "file": { "path": "/nowhere/x", "create": true, "sizeMiB": 1 } }"#),
    Refusal(
      description: "a file on a file system without O_DIRECT", kind: .inputMissing,
      word: "O_DIRECT",
      text: #""disk": { "file": { "path": "/srv/f" } }"#
    ) {
      var file = SimulatedKernel.StoredObject(.regularFile, size: 1 << 20)
      file.allowsDirectIO = false
      $0.storage["/srv/f"] = file
    },
    Refusal(
      description: "a file of less than a block", kind: .inputMissing, word: "block",
      text: #""disk": { "file": { "path": "/srv/f" } }"#
    ) { $0.storage["/srv/f"] = .init(.regularFile, size: 100) },
    Refusal(description: "without null_blk", kind: .unsupported, word: "null_blk") {
      $0.modules = [
        .init("configfs", .builtIn), .init("nvmet", .builtIn), .init("nvmet_pci_epf", .builtIn),
      ]
    },
    Refusal(description: "without any function driver", kind: .unsupported, word: "nvmet_pci_epf") {
      $0.modules = [
        .init("configfs", .builtIn), .init("nvmet", .builtIn), .init("null_blk", .builtIn),
      ]
    },
  ]

  @Test(
    "is refused before the first write, with the reason and a hint", arguments: refusals)
  func refused(_ row: Refusal) throws {
    var hardware = SimulatedKernel.Machine()
    row.change(&hardware)
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    let located = try small(backings: row.text)
    let before = machine.state()
    let error = try #require(
      machine.failure { (machine) throws(ProvisioningError) in try machine.setUp(located) },
      "accepted")
    #expect(error.kind == row.kind, "\(error)")
    #expect(error.message.contains(row.word), "\(error)")
    #expect(error.hint?.isEmpty == false || error.kind == .inputMissing, "\(error)")
    #expect(machine.kernel.effects == 0)
    #expect(machine.state() == before)
    #expect(machine.journal("small") == nil)
  }

  @Test("the error of a refused bind has the kernel message")
  func kernelLines() throws {
    var hardware = SimulatedKernel.Machine()
    hardware.controllers[0].hasFeatures = false
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    let located = try small()
    let error = machine.failure { (machine) throws(ProvisioningError) in
      try machine.setUp(located)
    }
    #expect(error?.kind == .operationFailed)
    #expect(error?.operation == "link")
    #expect(error?.errno == .notSupported)
    #expect(error?.kernelLog.contains { $0.contains("epc_features not implemented") } == true)
  }
}
