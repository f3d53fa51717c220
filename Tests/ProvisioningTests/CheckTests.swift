// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A machine held against its profile.
@Suite struct CheckTests {
  @Test("a machine that was set up passes, one that was not fails", arguments: ShippedProfile.all)
  func passes(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    #expect(try machine.provisioner.check(located).hasPassed == false)
    let plan = try machine.setUp(located).plan
    let check = try machine.provisioner.check(located)
    #expect(check.failures.isEmpty, "\(check.failures)")
    #expect(check.cases.count >= plan.steps.count(where: { $0.operation.isEffect }))
    #expect(Set(check.cases.map(\.id)).count == check.cases.count, "an id twice")
  }

  /// Values that some attribute may take.
  private static let others = [
    "0\n", "1\n", "2\n", "3\n", "7\n", "64\n", "256\n", "4096\n", "0x0001\n", "0xabcd\n", "other\n",
    "loop\n", "tcp\n", "/dev/sda\n", "11111111-1111-4111-8111-111111111111\n",
  ]

  @Test(
    "an attribute that others changed is named, with its actual and expected value",
    arguments: ShippedProfile.all)
  func changedAttribute(_ shipped: ShippedProfile) throws {
    let located = try shipped.located()
    let machine = shipped.fresh()
    let plan = try machine.setUp(located).plan
    var changed = 0
    let written = plan.steps.compactMap { step -> String? in
      guard case .write(let path, _, let shown) = step.operation, shown != nil,
        // The kernel crashes and cannot be inspected afterwards.
        !path.hasSuffix("/attr_qid_max")
      else { return nil }
      return path
    }
    for path in TestScale.some(of: written, oneIn: 3, offset: written.count) {
      let copy = SimulatedMachine(
        kernel: machine.kernel.copy(),
        journals: [plan.name: try #require(machine.journal(plan.name))])
      let before = try copy.kernel.read(FilePath(path))
      for text in Self.others {
        _ = try? copy.kernel.write(text, to: FilePath(path))
        if (try? copy.kernel.read(FilePath(path))) != before { break }
      }
      // The kernel keeps it while a controller lives.
      guard let now = try? copy.kernel.read(FilePath(path)), now != before,
        copy.kernel.crashes.isEmpty
      else { continue }
      changed += 1
      let failures = try copy.provisioner.check(located).failures
      let failure = try #require(failures.first { $0.path == path }, "\(path) was not noticed")
      #expect(failure.actual == now.withoutTrailingNewline)
    }
    #expect(changed > 1)
  }

  @Test("a missing link, a missing device, a stopped controller")
  func gone() throws {
    let shipped = ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2)
    let located = try shipped.located()
    let machine = shipped.fresh()
    try machine.setUp(located)
    let root = "/sys/kernel/config/"
    let controller = root + "pci_ep/controllers/a40000000.pcie-ep"
    _ = try machine.kernel.write("0", to: FilePath(controller + "/start"))
    #expect(
      try machine.provisioner.check(located).failures.map(\.id) == [
        "attribute pci_ep/controllers/a40000000.pcie-ep/start"
      ])
    try machine.kernel.removeLink(FilePath(controller + "/nullblk-pci"))
    let ids = try machine.provisioner.check(located).failures.map(\.id)
    #expect(ids.contains("link pci_ep/controllers/a40000000.pcie-ep/nullblk-pci"))
    #expect(ids.contains("controller pci_ep/functions/nvmet_pci_epf/nullblk-pci"))
  }
}
