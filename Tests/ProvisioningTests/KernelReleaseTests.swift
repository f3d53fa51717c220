// SPDX-License-Identifier: Apache-2.0
import KernelEvents
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

@testable import Provisioning

/// Provisioning on a kernel with a known bug.
@Suite("Provisioning by kernel release")
struct KernelReleaseTests {
  private func machine(_ release: String) throws -> SimulatedMachine {
    SimulatedMachine(try #require(SimulatedKernel.Release(rawValue: release)))
  }

  private func profile(on machine: SimulatedMachine) throws -> Profile.Located {
    let isMainline = machine.kernel.kernelRelease.functionDriver == "nvmet_pci_epf"
    return try ShippedProfile(
      name: isMainline ? "null_blk-pci" : "null_blk-loop",
      kernelRelease: machine.kernel.kernelRelease
    ).located()
  }

  /// A release, and what it says to windows that are too few for the queues where each queue keeps its own.
  static let windowRows: [(release: String, isRefused: Bool, isWarned: Bool)] = [
    ("6.14.2", false, false), ("6.14.9", true, false), ("6.15.3", false, true),
    ("6.16", true, false), ("7.2", true, false), ("6.16.2-rockchip", true, false),
    ("6.14.2-rockchip", false, true), ("6.12", false, false),
  ]

  @Test(
    "outbound windows limit the queues only where completion queues stay mapped",
    arguments: windowRows)
  func windows(release: String, isRefused: Bool, isWarned: Bool) throws {
    let machine = try machine(release)
    let located = try Profile.decode(
      Array(
        #"""
        { "version": 1, "name": "x", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
          "subsystems": [ { "nqn": "nqn.2026-01.org.example:x", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
          "functions": [ { "name": "f.0", "controller": "auto", "ioQueues": 4, "msixVectors": 8, "msiVectors": 8,
            "vendorID": "0x1b96", "deviceID": "0xbeef", "target": { "pci": "nqn.2026-01.org.example:x" },
            "controllerFeatures": { "outboundWindows": 8 } } ] }
        """#.utf8))
    let path = "functions[0].controllerFeatures.outboundWindows"
    #expect(
      located.warnings.filter { $0.path == path }.map(\.message) == [
        "8 windows serve 3 queue pairs; 5 are requested, including the admin queue, with nvmet_pci_epf since Linux 6.16, a release of 6.15.y, about 6.14.9"
      ])
    let plan = Result { try machine.provisioner.plan(located) }
    switch plan {
    case .success(let plan):
      #expect(!isRefused)
      #expect(
        plan.warnings.contains { $0.path == path && $0.message.contains("perhaps in") } == isWarned)
    case .failure(let error):
      #expect(isRefused, "\(error)")
      #expect((error as? ProvisioningError)?.kind == .impossible)
    }
  }

  @Test(
    "little contiguous memory is a warning before the first step, where BAR 0 is taken from it",
    arguments: [
      (780, "rockchip,rk3588-pcie-ep", true), (1024, "rockchip,rk3588-pcie-ep", false),
      (780, "rockchip,rk3399-pcie-ep", false), (nil, "rockchip,rk3588-pcie-ep", false),
    ] as [(UInt64?, String, Bool)])
  func memory(free: UInt64?, compatible: String, isWarned: Bool) throws {
    let simulated = try machine("7.2")
    var machine = simulated.provisioner.machine
    machine.compatible = { _ in [compatible] }
    machine.contiguousMemory = { free.map { ContiguousMemory(total: 16384, free: $0) } }
    let provisioner = Provisioner(machine, run: simulated.provisioner.run)
    let located = try profile(on: simulated)
    func warnings() throws -> [ProfileIssue] {
      try provisioner.plan(located).warnings.filter { $0.topic?.kind == .contiguousMemory }
    }
    #expect(try warnings().count == (isWarned ? 1 : 0))
    if isWarned {
      #expect(try warnings()[0].message.contains("CmaFree is 780 kB of 16384 kB"))
      #expect(try warnings()[0].hint?.contains("cma=") == true)
    }
    _ = try provisioner.setUp(located, force: false) { _ in }
    #expect(try warnings().isEmpty, "a bound function has its memory")
  }

  @Test(
    "controllers take their memory from one area, and a function that is bound again leaves its own",
    arguments: [(2100, false), (2000, true)] as [(UInt64, Bool)])
  func sharedMemory(free: UInt64, isWarned: Bool) throws {
    var given = SimulatedKernel.Machine()
    given.controllers.append(given.controllers[0])
    given.controllers[1].name = "b.pcie-ep"
    let names = given.controllers.map(\.name)
    let simulated = SimulatedMachine(.linux7_2, machine: given)
    var machine = simulated.provisioner.machine
    machine.compatible = { _ in ["rockchip,rk3588-pcie-ep"] }
    machine.contiguousMemory = { ContiguousMemory(total: 16384, free: free) }
    let provisioner = Provisioner(machine, run: simulated.provisioner.run)
    func located(_ vectors: Int, _ count: Int = 2) throws -> Profile.Located {
      let functions = names.prefix(count).enumerated().map { index, name in
        #"""
        { "name": "f.\#(index)", "controller": "\#(name)", "ioQueues": 2, "msixVectors": \#(vectors),
          "vendorID": "0x1b96", "deviceID": "0xbeef", "target": { "pci": "nqn.2026-01.org.example:x" } }
        """#
      }
      return try Profile.decode(
        Array(
          #"""
          { "version": 1, "name": "x", "identity": "profile", "backings": { "d": { "nullBlock": { "sizeMiB": 64, "memoryBacked": true } } },
            "subsystems": [ { "nqn": "nqn.2026-01.org.example:x", "namespaces": [ { "id": 1, "backing": "d" } ] } ],
            "functions": [ \#(functions.joined(separator: ", ")) ] }
          """#.utf8))
    }
    func warnings(_ vectors: Int) throws -> [ProfileIssue] {
      try provisioner.plan(located(vectors)).warnings.filter {
        $0.topic?.kind == .contiguousMemory
      }
    }
    let found = try warnings(8)
    #expect(found.count == (isWarned ? 1 : 0))
    if isWarned {
      #expect(found[0].topic?.subjects == names)
      #expect(found[0].message.contains("2 times 1 MiB"))
    }
    _ = try provisioner.setUp(located(8), force: false) { _ in }
    // Another number of vectors binds both again.
    let plan = try provisioner.plan(located(16))
    #expect(plan.steps.contains { if case .unlink = $0.operation { true } else { false } })
    machine.contiguousMemory = { ContiguousMemory(total: 16384, free: 0) }
    let full = Provisioner(machine, run: simulated.provisioner.run)
    #expect(
      !(try full.plan(located(16)).warnings.contains { $0.topic?.kind == .contiguousMemory }))
    // One is bound again, the other one is new: only its controller needs memory.
    _ = try provisioner.setUp(located(8, 1), force: true) { _ in }
    let second = try full.plan(located(16)).warnings.filter { $0.topic?.kind == .contiguousMemory }
    #expect(second.map { $0.topic?.subjects } == [[names[1]]])
    #expect(second.first?.path == "functions[1]")
  }

  @Test("a link that fails for lack of memory names what can be lacking, and where to look")
  func memoryHint() {
    let link = Operation.link(path: "/c/pci_ep/controllers/x/f", target: "/c/pci_ep/functions/d/f")
    let any = Hints.hint(for: link, .noMemory)
    for words in ["CmaFree in /proc/meminfo", "cma=128M", "outbound memory", "BAR 0"] {
      #expect(any.contains(words))
    }
    let contiguous = Hints.hint(
      for: link, .noMemory, kernelLog: ["rockchip-dw-pcie x: failed to allocate mem space"])
    #expect(contiguous.contains("CmaFree") && !contiguous.contains("outbound memory"))
  }

  /// A release, and the modules that teardown unloads on request.
  static let unloading: [(release: String, unloaded: Set<String>, kept: String?)] = [
    ("6.14.2", ["null_blk"], "nvmet-pci-epf stays loaded: unloading it may be a use after free"),
    ("6.16.3", ["null_blk"], "nvmet-pci-epf stays loaded: unloading it is a use after free"),
    ("6.16.4", ["null_blk", "nvmet", "nvmet_pci_epf"], nil),
    ("7.2", ["null_blk", "nvmet", "nvmet_pci_epf"], nil),
    (
      "6.12", ["null_blk", "nvmet", "nvme_loop"],
      "pci-epf-nvme stays loaded: unloading it may be a use after free"
    ),
    ("6.12.117", ["null_blk", "nvmet", "nvme_loop", "pci_epf_nvme"], nil),
  ]

  @Test(
    "teardown leaves a driver loaded where unloading it is a use after free, with what the driver needs",
    arguments: unloading)
  func unloads(release: String, unloaded: Set<String>, kept: String?) throws {
    let machine = try machine(release)
    let located = try profile(on: machine)
    try machine.setUp(located)
    var options = Provisioner.TeardownOptions()
    options.unloadsModules = true
    let plan = try #require(
      try machine.provisioner.teardownPlan(located.profile.name, options: options))
    let planned = plan.steps.compactMap { step in
      if case .unloadModule(let name) = step.operation {
        name.replacing("-", with: "_")
      } else {
        nil
      }
    }
    #expect(Set(planned) == unloaded)
    #expect(plan.warnings.count == (kept == nil ? 0 : 1))
    var sentences: [String] = []
    let changed = try machine.provisioner.tearDown(located.profile.name, options: options) {
      if case .kept(let sentence) = $0 { sentences.append(sentence) }
    }
    #expect(changed)
    #expect(machine.kernel.crashes == [])
    #expect(sentences.filter { $0.contains("stays loaded") } == plan.warnings.map(\.message))
    if let kept {
      #expect(sentences.contains { $0.hasPrefix(kept + " in Linux ") && $0.contains("fixed in") })
    }
    #expect(machine.journal(located.profile.name) == nil)
  }

  @Test(
    "a driver of functions cannot be unloaded where that is a use after free, by any means",
    arguments: [
      ("6.16.3", "driver-unload"), ("6.14.2", "driver-unload"), ("6.17", nil), ("7.2", nil),
    ] as [(String, String?)])
  func guarded(release: String, hazard: String?) throws {
    let machine = try machine(release)
    try machine.kernel.load("nvmet_pci_epf")
    let found = Hazard.refusal(of: .unloadModule("nvmet-pci-epf"), on: machine.provisioner.machine)
    #expect(found?.id == hazard)
    #expect(Hazard.refusal(of: .unloadModule("null_blk"), on: machine.provisioner.machine) == nil)
  }

  @Test(
    "where the driver does not log its link, a host that enables the controller shows that it is up",
    arguments: [("6.14.2", true), ("6.14.6", false), ("7.2", false)])
  func link(release: String, isSilent: Bool) throws {
    let machine = try machine(release)
    let driver = "nvmet_pci_epf"
    let watch = KernelWatch(machine.kernel, driver: driver, release: machine.kernel.facts.release)
    #expect((watch.silence != nil) == isSilent)
    if isSilent {
      #expect(watch.silence == "nvmet_pci_epf of Linux 6.14.2 does not log link changes")
    }
    let mark = watch.mark()
    try machine.setUp(try profile(on: machine))
    machine.kernel.host(.linkUp, at: "a40000000.pcie-ep")
    #expect(watch.links(since: mark) == (isSilent ? [] : [.up]))
    machine.kernel.host(.enable, at: "a40000000.pcie-ep")
    machine.kernel.advance(by: .seconds(1))
    #expect(watch.links(since: mark) == [.up])
  }
}
