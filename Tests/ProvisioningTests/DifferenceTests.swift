// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import ConfigFS
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// The differences of `diff`, and that `setup` fixes them.
@Suite struct DifferenceTests {
  private let nqn = "nqn.2026-01.org.example:nullblk-pci"
  private var subsystem: FilePath {
    FilePath("/sys/kernel/config/nvmet/subsystems").appending(nqn)
  }
  private let shipped = ShippedProfile(name: "null_blk-pci", kernelRelease: .linux7_2)

  private func standing() throws -> SimulatedMachine {
    let machine = shipped.fresh()
    try machine.setUp(try shipped.located())
    return machine
  }

  @Test(
    "a profile that was set up does not differ, on any kernelRelease", arguments: ShippedProfile.all
  )
  func same(_ shipped: ShippedProfile) throws {
    let machine = shipped.fresh()
    try machine.setUp(try shipped.located())
    #expect(try machine.provisioner.differences(try shipped.located()) == [])
  }

  @Test("on an empty machine everything is missing, and no fix disrupts a host")
  func empty() throws {
    let machine = shipped.fresh()
    let differences = try machine.provisioner.differences(try shipped.located())
    #expect(differences.count > 30)
    #expect(differences.allSatisfy { $0.disruptions.isEmpty })
    // The controller is the kernel's; it is not started.
    #expect(
      differences.filter { $0.kind != .missing }.map(\.id) == [
        "attribute pci_ep/controllers/a40000000.pcie-ep/start"
      ])
  }

  @Test(
    "a changed value is reported with both values, its reason and the effect of the fix on the host"
  )
  func changed() throws {
    let machine = try standing()
    _ = try machine.kernel.write("Other\n", to: subsystem.appending("attr_model"))
    let difference = try #require(
      try machine.provisioner.differences(try shipped.located()).first)
    #expect(difference.kind == .different)
    #expect(difference.id == "attribute nvmet/subsystems/\(nqn)/attr_model")
    #expect(difference.actual == "Other")
    #expect(difference.expected == "Linux-nvmet-pciep")
    #expect(difference.meaning == "identity that hosts see")
    #expect(
      difference.disruptions == [
        "the PCIe link of a40000000.pcie-ep goes down",
        "the host loses the NVMe controller of nullblk-pci",
      ])
  }

  @Test(
    "setup is disruptive exactly if a difference is",
    arguments: [
      ("attr_model", "Other\n", true), ("attr_allow_any_host", "0\n", false),
    ])
  func disruption(_ attribute: String, _ value: String, _ disrupts: Bool) throws {
    let machine = try standing()
    _ = try machine.kernel.write(value, to: subsystem.appending(attribute))
    let located = try shipped.located()
    let differences = try machine.provisioner.differences(located)
    #expect(differences.count == 1)
    #expect(differences.first?.disruptions.isEmpty == !disrupts)
    #expect(try machine.provisioner.plan(located).disruptions.isEmpty == !disrupts)
    try machine.setUp(located, force: true)
    #expect(try machine.provisioner.differences(located) == [])
  }

  @Test("objects of an earlier version of the profile are obsolete")
  func obsolete() throws {
    let machine = shipped.fresh()
    var profile = try shipped.located().profile
    profile.backings.append(
      Profile.Backing(name: "more", store: .file(.init(path: "/srv/m", sizeMiB: 1, create: true))))
    profile.subsystems[0].namespaces.append(Profile.Namespace(id: 2, backing: "more"))
    try machine.setUp(try Profile.decode(Array(profile.json.compactText.utf8)))
    let differences = try machine.provisioner.differences(try shipped.located())
    let gone = differences.filter { $0.kind == .obsolete }
    #expect(gone.map(\.path).contains(subsystem.appending("namespaces/2").string))
    #expect(gone.allSatisfy { $0.isFixedBySetup })
    #expect(Set(gone.flatMap(\.disruptions)) == ["namespace 2 is removed"])
  }

  @Test(
    "objects of others inside the profile's objects are reported, and setup does not change them")
  func foreign() throws {
    let machine = try standing()
    try machine.kernel.createDirectory(subsystem.appending("namespaces/7"))
    let located = try shipped.located()
    let differences = try machine.provisioner.differences(located)
    #expect(differences.map(\.kind) == [.foreign])
    #expect(differences.first?.id == "directory nvmet/subsystems/\(nqn)/namespaces/7")
    #expect(differences.first?.isFixedBySetup == false)
    try machine.setUp(located)
    #expect(try machine.provisioner.differences(located) == differences)
  }

  @Test("a bound function without its controller is a difference")
  func noController() throws {
    var description = shipped.machine
    description.controllers[0].failingOperations = [.setMSIX, .setMSI]
    let machine = SimulatedMachine(.linux7_2, machine: description)
    let kernel = machine.kernel
    // With a separate port: an undeclared port without a journal would be created again.
    var profile = try shipped.located().profile
    var port = Profile.Port(id: 1, transport: .pci)
    port.subsystems = [nqn]
    profile.ports = [port]
    let located = try Profile.decode(Array(profile.json.compactText.utf8))
    // By hand, as a script does it: the link succeeds all the same.
    for step in try machine.provisioner.plan(located).steps {
      switch step.operation {
      case .mountConfigFS: try kernel.mountConfigFS()
      case .loadModule(let name, let parameters): try kernel.load(name, parameters: parameters)
      case .createDirectory(let path): try kernel.createDirectory(FilePath(path))
      case .write(let path, .text(let text), _): _ = try kernel.write(text, to: FilePath(path))
      case .link(let path, let target):
        try kernel.createLink(at: FilePath(path), to: FilePath(target))
      default: break
      }
    }
    let differences = try machine.provisioner.differences(located)
    #expect(
      differences.map(\.id) == ["controller pci_ep/functions/nvmet_pci_epf/nullblk-pci"])
  }

  @Test(
    "a file and its other spellings are one file: no difference after setup, nothing but the file after teardown",
    arguments: [#""file""#, #""loopDevice""#],
    ["/srv/x.img", "//srv//x.img", "/srv/./x.img", "/srv/../srv/x.img", "/srv/link"])
  func spelling(kind: String, path: String) throws {
    let located = try profile(
      """
      { "version": 1, "name": "p", "backings": { "d": { \(kind): { "path": "\(path)", "sizeMiB": 16, "create": true } } },
        "subsystems": [ { "nqn": "nqn.2026-01.org.example:p", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
        "ports": [ { "id": 3, "transport": "loop", "subsystems": [ "nqn.2026-01.org.example:p" ] } ] }
      """)
    var hardware = SimulatedKernel.Machine()
    if path == "/srv/link" {
      hardware.storage[path] = .init(.symbolicLink, target: "x.img")
      hardware.storage["/srv/x.img"] = .init(.regularFile, size: 16 << 20)
    }
    let machine = SimulatedMachine(.linux7_2, machine: hardware)
    try machine.setUp(located)
    #expect(try machine.provisioner.differences(located).map(\.id) == [])
    #expect(try machine.provisioner.check(located).failures.map(\.id) == [])
    #expect(try machine.provisioner.plan(located).steps.map(\.operation.sentence) == [])
    try machine.tearDown("p")
    // The file stays: it is data.
    #expect(try machine.kernel.describe("/srv/x.img").size == 16 << 20)
    #expect(try machine.kernel.boundLoops().isEmpty)
    #expect(try machine.provisioner.names() == [])
  }
}
