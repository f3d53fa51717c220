// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelModules
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A machine on which a smoke run ends in a certain way, and what its report has to say.
struct SmokeSituation: Sendable, CustomTestStringConvertible {
  var name: String
  var status: Int32
  var machine = SimulatedKernel.Machine()
  var kernelRelease = "7.2"
  var fault: SimulatedKernel.Fault?
  var options: [String] = []
  /// The cases that fail.
  var failed: [String] = []
  /// Cases that are skipped, of all that may be.
  var skipped: [String] = []
  /// A case that fails by time.
  var timedOut: String?
  /// A text that the report must have.
  var says = ""

  var testDescription: String { name }

  init(
    _ name: String, _ status: Int32, _ cable: SimulatedKernel.Cable? = .host,
    adjust: (inout SmokeSituation) -> Void = { _ in }
  ) {
    self.name = name
    self.status = status
    machine.controllers[0].cable = cable
    adjust(&self)
  }

  static let passing = SmokeSituation("everything is right", 0)
  static let failing = SmokeSituation("the endpoint controller refuses to start", 1) {
    $0.machine.controllers[0].failingOperations = [.start]
    $0.failed = ["controller-started", "no-kernel-errors"]
    $0.skipped = ["link-up", "machine-as-profile", "link-bounced"]
    $0.says = "failed to start endpoint controller"
  }
  static let skipping = SmokeSituation("there is no endpoint controller", 4) {
    $0.machine.controllers = []
    $0.skipped = ["configfs-mounted", "epc-present", "function-bound", "no-kernel-errors"]
    $0.says = "no PCI endpoint controller"
  }
  static let timingOut = SmokeSituation("no host comes, and one is asked for", 1, nil) {
    $0.options = ["--require-link"]
    $0.failed = ["link-up"]
    $0.timedOut = "link-up"
    $0.skipped = ["link-stable"]
    $0.says = "no link within"
  }
  /// The four that every report format is read back for.
  static let kinds = [passing, failing, skipping, timingOut]

  static let others = [
    SmokeSituation("no host is there", 0, nil) {
      $0.skipped = ["link-up", "link-stable"]
      $0.says = "no host is connected and powered"
    },
    SmokeSituation("the controller does not report its link", 0, nil) {
      $0.machine.controllers[0].hasLinkUpNotifier = false
      $0.skipped = ["link-up", "link-stable"]
      $0.says = "does not report its link"
    },
    SmokeSituation("the driver does not log its link", 0) {
      $0.kernelRelease = "6.14.2"
      $0.skipped = ["link-up", "link-stable"]
      $0.says = "nvmet_pci_epf of Linux 6.14.2 does not log link changes, and no host has enabled"
    },
    SmokeSituation("the same, and the link is required", 1) {
      $0.kernelRelease = "6.14.2"
      $0.options = ["--require-link"]
      $0.failed = ["link-up"]
      $0.timedOut = "link-up"
      $0.says = "nvmet_pci_epf of Linux 6.14.2 does not log link changes, and no host has enabled"
    },
    SmokeSituation("the link never comes back", 1, .trainsOnce) {
      $0.failed = ["link-bounced"]
      $0.timedOut = "link-bounced"
      $0.says = "after bounce 1 no link within"
    },
    SmokeSituation("the link goes down unexpectedly", 1, .losesLink) {
      $0.options = ["--bounces", "1"]
      $0.failed = ["link-stable"]
      $0.says = "the link went down unexpectedly"
    },
    SmokeSituation("the driver refuses the function", 1) {
      $0.machine.controllers[0].failingOperations = [.writeHeader]
      $0.failed = ["controller-created", "no-kernel-errors"]
      $0.skipped = ["link-up"]
    },
    SmokeSituation("the kernel has no such driver", 1) {
      $0.machine.modules = [
        .init("nvmet"), .init("null_blk"), .init("pci_epf_nvme", .missing),
        .init("nvmet_pci_epf", .missing), .init("nvme_loop"),
      ]
      $0.failed = ["driver-loaded"]
    },
    SmokeSituation("configfs is not mounted yet", 0) { $0.machine.isConfigFSMounted = false },
    SmokeSituation("a write to the target fails", 1) {
      $0.fault = .init(
        .write, at: "/sys/kernel/config/nvmet/subsystems/pci_epf_nvme.0.nqn/attr_model",
        action: .errno(.ioError))
      $0.failed = ["target-linked"]
      $0.skipped = ["function-bound"]
      $0.says = "EIO"
    },
    SmokeSituation("something cannot be removed", 1) {
      $0.fault = .init(
        .remove, at: "/sys/kernel/config/nvmet/subsystems/pci_epf_nvme.0.nqn",
        action: .errno(.resourceBusy), count: nil)
      $0.failed = ["clean-teardown"]
      $0.says = "nvmet/subsystems/pci_epf_nvme.0.nqn"
    },
    SmokeSituation("the named endpoint controller is another board's", 4) {
      $0.machine.controllers[0].name = "fd000000.pcie-ep"
      $0.options = []
      $0.skipped = ["epc-present"]
    },
  ]

  /// Runs the command on the machine.
  func run(_ program: Program, _ more: [String] = []) throws -> Program.Result {
    let release = SimulatedKernel.Release(rawValue: kernelRelease) ?? .linux7_2
    let kernel = try program.kernel(release, machine: machine)
    if let fault { kernel.inject(fault) }
    // Only one shipped profile names its controller.
    let profile = name.hasPrefix("the named") ? "rock5b.json" : "null_blk-loop.json"
    return try program(
      ["smoke", ShippedProfile.directory.appending(profile).string] + options + more)
  }
}

@Suite struct SmokeCommandTests {
  @Test(
    "each broken machine gives its failures, its skips and its exit code",
    arguments: SmokeSituation.kinds + SmokeSituation.others)
  func situations(_ situation: SmokeSituation) throws {
    let program = Program()
    let result = try situation.run(program)
    let report = try KTAPReader(result.output)
    #expect(result.status == situation.status, "\(result.output)\(result.errors)")
    #expect(report.results.filter { !$0.isOK }.map(\.description) == situation.failed)
    for id in situation.skipped { #expect(report[id]?.directive == "SKIP", "\(id)") }
    if let id = situation.timedOut { #expect(report[id]?.directive == "TIMEOUT") }
    #expect(result.output.contains(situation.says))
    if situation.status != 4 { #expect(report.results.contains { $0.isOK && $0.directive == nil }) }
  }

  @Test(
    "objects that existed before exist afterwards, and nothing else",
    arguments: SmokeSituation.kinds)
  func nothingLeft(_ situation: SmokeSituation) throws {
    let program = Program()
    let before = try program.kernel(machine: situation.machine).snapshot()
    _ = try situation.run(program)
    let after = try program.kernel().snapshot().filter { line in
      // Modules stay loaded, and their empty directories with them.
      before.contains(line) || line.contains("subsystems/")
        || line.contains("functions/nvmet_pci_epf/")
        || line.contains("controllers/a40000000.pcie-ep/")
    }
    #expect(after == before)
    #expect(fileNames(in: program.runDirectory).filter { $0.hasSuffix(".json") } == [])
  }

  @Test(
    "repeated runs report every case once, with the failed runs and the range of the measurements")
  func soak() throws {
    let program = Program()
    let kernel = try program.kernel(machine: SmokeSituation.passing.machine)
    kernel.inject(
      .init(
        .write, at: "/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/start",
        occurrence: 7, action: .errno(.ioError)))
    let result = try program(
      "smoke", ShippedProfile.directory.appending("null_blk-loop.json").string, "--repeat", "20",
      "--json")
    #expect(result.status == 1)
    let failed = (result.json?["results"]?.arrayValue ?? []).filter {
      $0["outcome"]?.stringValue == "failed"
    }
    #expect(failed.count == 1)
    // Each run writes start, stop, start and stop.
    #expect(failed.first?["id"]?.stringValue == "link-bounced")
    #expect(
      failed.first?["reason"]?.stringValue?.contains("in 1 of 20 runs, first in run 2") == true)
    #expect(
      result.json?["measurements"]?.arrayValue?.first?["values"]?.arrayValue?.count == 20)
  }

  @Test("--keep leaves the profile up, and the next run refuses to take it down without --force")
  func keep() throws {
    let program = Program()
    _ = try program.kernel(machine: SmokeSituation.passing.machine)
    let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
    let first = try program("smoke", profile, "--keep")
    #expect(first.status == 0)
    #expect(try KTAPReader(first.output)["clean-teardown"]?.directive == "SKIP")
    #expect(try program("check", profile).status == 0)
    let second = try program("smoke", profile)
    #expect(second.status == 64)
    #expect(second.errors.contains("--force"))
    #expect(try program("check", profile).status == 0)
    #expect(try program("smoke", profile, "--force").status == 0)
  }

  @Test(
    "a signal during a run tears everything down and completes every report",
    arguments: [(Int32(15), "during setup", 12), (2, "during setup", 3), (15, "after setup", 1000)])
  func signals(number: Int32, when: String, effect: Int) throws {
    let program = Program()
    let kernel = try program.kernel(machine: SmokeSituation.passing.machine)
    if when == "after setup" {
      kernel.inject(
        .init(
          .write, at: "/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/start",
          action: .signalAfterEffect(number)))
    } else {
      kernel.inject(.init(effect: effect, action: .signal(number)))
    }
    let xml = program.directory.appending("report.xml").string
    let result = try program(
      "smoke", ShippedProfile.directory.appending("null_blk-loop.json").string, "--repeat", "5",
      "--format", "ktap", "--output", "-", "--format", "junit", "--output", xml)
    #expect(result.status == 128 + number, "\(result.errors)")
    let report = try KTAPReader(result.output)
    #expect(!report.results.contains { !$0.isOK }, "a signal is no failure of the board")
    #expect(report.results.contains { $0.diagnosis.contains("interrupted by signal \(number)") })
    #expect(report["clean-teardown"]?.directive == nil)
    #expect(try XML.count("/testsuites/testsuite/testcase", in: xml) == report.planned)
    #expect(fileNames(in: program.runDirectory).filter { $0.hasSuffix(".json") } == [])
  }

  @Test("invalid options of reports are usage errors before anything is changed")
  func options() throws {
    let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
    let program = Program()
    for wrong in [
      ["--format", "ktap", "--format", "html", "--output", "x"], ["--format", "yaml"],
      ["--repeat", "0"], ["--bounces", "-1"],
      ["--format", "ktap", "--output", "-", "--format", "tap", "--output", "-"],
    ] {
      let result = try program(["smoke", profile] + wrong)
      #expect(result.status == 64, "\(wrong)")
      #expect(result.output.isEmpty)
    }
    let result = try program("smoke", profile, "--format", "html", "--output", "/nonexistent/x")
    #expect(result.status == 73)
    let untouched = try program.kernel().snapshot()
    #expect(untouched == SimulatedKernel(.linux7_2).snapshot())
  }
}
