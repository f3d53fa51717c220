// SPDX-License-Identifier: Apache-2.0
import Foundation
import Provisioning
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// `setup`, `status`, `plan`, `teardown` as processes on a simulated kernel in a file.
@Suite struct SetupCommandTests {
  private let howto = ShippedProfile.directory.appending("null_blk-loop.json").string

  @Test(
    "setup changes, a second setup does not, status has everything, teardown leaves the tree as it was"
  )
  func walk() throws {
    let program = Program()
    // The directories that modules bring along are no leftovers.
    let before = try program.kernel()
    for module in ["nvmet", "nvmet_pci_epf"] { try before.load(module) }
    try before.load("null_blk", parameters: ["nr_devices=0"])
    let tree = before.snapshot()

    let first = try program("setup", howto, "--json")
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.json?["changed"]?.boolValue == true)
    #expect(first.json?["name"]?.stringValue == "nullblk-loop")
    #expect(first.json?["driver"]?.stringValue == "nvmet_pci_epf")
    let second = try program("setup", howto, "--json")
    #expect(second.status == 0)
    #expect(second.json?["changed"]?.boolValue == false)

    let status = try program("status", "--json")
    let endpoint = try #require(status.json?["endpoints"]?.arrayValue?.first)
    #expect(endpoint["started"]?.boolValue == true)
    let function = try #require(endpoint["functions"]?.arrayValue?.first)
    #expect(function["name"]?.stringValue == "pci_epf_nvme.0")
    #expect(function["driver"]?.stringValue == "nvmet_pci_epf")
    #expect(function["bound"]?.boolValue == true)
    #expect(function["ids"]?["vendorID"]?.stringValue == "0x15b7")
    #expect(function["ids"]?["deviceID"]?.stringValue == "0x5fff")
    #expect(function["vectors"]?["msix"]?.integerValue == 32)
    #expect(function["vectors"]?["msi"]?.integerValue == 32)
    #expect(function["mdtsKiB"]?.integerValue == 128)
    #expect(function["hasController"]?.boolValue == true)
    #expect(status.json?["profiles"]?.arrayValue?.map(\.stringValue) == ["nullblk-loop"])

    let text = try program("status", "--color", "never")
    for word in [
      "a40000000.pcie-ep", "started", "pci_epf_nvme.0", "pci_epf_nvme.0.nqn", "/dev/nullb",
    ] { #expect(text.output.contains(word), "\(text.output)") }
    #expect(!text.output.contains("\u{1b}"))

    let down = try program("teardown", "nullblk-loop", "--json")
    #expect(down.status == 0, "\(down.errors)")
    #expect(down.json?["changed"]?.boolValue == true)
    #expect(try program.kernel().snapshot() == tree)
    let again = try program("teardown", "nullblk-loop", "--json")
    #expect(again.status == 66, "a name that is not set up is no success")
    #expect(again.json?["error"]?["code"]?.integerValue == 66)
    let profile = ShippedProfile.directory.appending("null_blk-loop.json").string
    let file = try program("teardown", profile, "--json")
    #expect(file.status == 0, "\(file.errors)")
    #expect(file.json?["changed"]?.boolValue == false)
  }

  @Test("setup without a profile creates a disk according to the options")
  func options() throws {
    let program = Program()
    let up = try program(
      "setup", "--device", "/dev/sda", "--mdts", "256", "--io-queues", "2", "--msix", "8", "--msi",
      "8", "--model", "My disk", "--json")
    #expect(up.status == 0, "\(up.errors)")
    let tree = try program.kernel().snapshot()
    for line in [
      "attr_model = My disk", "device_path = /dev/sda", "msix_interrupts = 8", "mdts_kb = 256",
    ] {
      #expect(tree.contains { $0.contains(line) }, "no \(line)")
    }
    #expect(try program("teardown", "--all").status == 0)
  }

  @Test("a profile on standard input is a profile")
  func standardInput() throws {
    let program = Program()
    let result = try program("validate", "-")
    #expect(result.status == 65, "an empty one: \(result.output)")
  }

  @Test("plan and setup --dry-run print the same and change nothing")
  func plan() throws {
    let program = Program()
    let before = try program.kernel().snapshot()
    let plan = try program("plan", howto)
    #expect(plan.status == 0)
    #expect(try program("setup", howto, "--dry-run").output == plan.output)
    let json = try program("plan", howto, "--json")
    #expect((json.json?["steps"]?.arrayValue?.count ?? 0) > 30)
    #expect(
      json.json?["steps"]?.arrayValue?.allSatisfy { $0["reason"]?.stringValue?.isEmpty == false }
        == true)
    #expect(try program.kernel().snapshot() == before)
    #expect(try program.kernel().effects == 0)
  }

  @Test("plan --format shell prints a script that a shell accepts", arguments: ShippedProfile.all)
  func shellScript(_ shipped: ShippedProfile) throws {
    let program = Program()
    _ = try program.kernel(shipped.kernelRelease, machine: shipped.machine)
    let plan = try program("plan", shipped.file.string, "--format", "shell")
    #expect(plan.status == 0, "\(plan.errors)")
    let script = try program.write(plan.output, to: "script.sh")
    _ = try Tool.run("sh", ["-n", script])
    #expect(plan.output.contains("ln -s"))
    #expect(!plan.output.contains("sleep 0.5"))
  }

  @Test("the controller stops, starts and bounces")
  func controller() throws {
    let program = Program()
    #expect(try program("setup", howto).status == 0)
    let stop = try program("stop", "--json")
    #expect(stop.json?["changed"]?.boolValue == true)
    #expect(try program("stop", "--json").json?["changed"]?.boolValue == false)
    #expect(try program("bounce").status == 78, "a stopped one does not bounce")
    #expect(try program("start", "--json").json?["changed"]?.boolValue == true)
    #expect(try program("bounce").status == 0)
    let list = try program("controllers", "--json")
    #expect(list.json?.arrayValue?.first?["name"]?.stringValue == "a40000000.pcie-ep")
    #expect(try program("stop", "b").status == 78, "there is no b")
    #expect(try program("teardown", "--all").status == 0)
  }

  @Test("check exits with 0 after setup, and with 1 and the name of a difference")
  func check() throws {
    let program = Program()
    #expect(try program("check", howto).status == 1)
    #expect(try program("setup", howto).status == 0)
    let good = try program("check", howto, "--json")
    #expect(good.status == 0)
    #expect(good.json?["passed"]?.boolValue == true)
    #expect(try program("stop").status == 0)
    let bad = try program("check", howto)
    #expect(bad.status == 1)
    #expect(bad.output.contains("controllers/a40000000.pcie-ep/start: \"0\", should be \"1\""))
    #expect(try program("start").status == 0)
    #expect(try program("check", howto).status == 0)
  }

  @Test("the other simulated kernel sets up the same profile with the other driver")
  func kernelRelease() throws {
    let program = Program()
    let up = try program("setup", howto, "--kernel-release", "6.12", "--json")
    #expect(up.json?["driver"]?.stringValue == "pci_epf_nvme")
    #expect(try program("teardown", "--all").status == 0)
  }

  // MARK: Two at a time, signals, crashes

  @Test(
    "while another run holds the lock, setup exits with 75 and a message",
    arguments: [[], ["--timeout", "0.1"]])
  func locked(_ options: [String]) throws {
    let program = Program()
    #expect(try program("setup", howto).status == 0)
    let lock = open(program.runDirectory.appending("lock").string, O_RDWR | O_CLOEXEC)
    try #require(lock >= 0)
    defer { close(lock) }
    try #require(flock(lock, LOCK_EX | LOCK_NB) == 0)
    let result = try program.start(["setup", howto, "--json"] + options).finish()
    #expect(result.status == 75)
    #expect(result.json?["error"]?["code"]?.integerValue == 75)
    #expect(result.json?["error"]?["message"]?.stringValue?.contains("another run") == true)
    #expect(result.json?["error"]?["hint"]?.stringValue?.contains("--timeout") == true)
  }

  @Test(
    "each of several concurrent setups succeeds or exits with 75, and the machine is set up once")
  func concurrent() throws {
    let program = Program()
    _ = try program.kernel()
    let runs = try (0..<4).map { _ in try program.start(["setup", howto, "--json"]) }
    let results = try runs.map { try $0.finish() }
    #expect(results.allSatisfy { $0.status == 0 || $0.status == 75 })
    #expect(results.count { $0.json?["changed"]?.boolValue == true } == 1)
    #expect(try program.kernel().controllers.count == 1)
  }

  @Test("several setups with a timeout all succeed, one after the other")
  func waiting() throws {
    let program = Program()
    _ = try program.kernel()
    let runs = try (0..<3).map { _ in
      try program.start(["setup", howto, "--json", "--timeout", "60"])
    }
    let results = try runs.map { try $0.finish() }
    #expect(results.map(\.status) == [0, 0, 0])
    #expect(results.count { $0.json?["changed"]?.boolValue == true } == 1)
  }

  @Test(
    "a signal during setup undoes everything and is named",
    arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)])
  func signals(_ signal: Int32, _ status: Int) throws {
    let program = Program()
    let kernel = try program.kernel()
    kernel.inject(.init(.create, occurrence: 3, action: .signalAfterEffect(signal)))
    let result = try program("setup", howto, "--json")
    #expect(result.status == Int32(status))
    #expect(result.json?["error"]?["code"]?.integerValue == Int64(status))
    let tree = kernel.snapshot()
    #expect(
      !tree.contains {
        $0.contains("pci_epf_nvme.0") || $0.contains("->") || $0.contains("nullb/nullb")
      })
    #expect(try program("teardown", "--all").status == 0)
    #expect(try program("setup", howto).status == 0)
  }

  @Test(
    "a signal that interrupts the kernel's connect is an interruption",
    arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)])
  func interruptedConnect(_ signal: Int32, _ status: Int) throws {
    let program = Program()
    let kernel = try program.kernel()
    let before = kernel.snapshot()
    let link =
      "/sys/kernel/config/pci_ep/controllers/a40000000.pcie-ep/pci_epf_nvme.0"
    kernel.inject(.init(.link, at: link, action: .interruption(signal)))
    let result = try program("setup", howto, "--json")
    #expect(result.status == Int32(status))
    #expect(result.json?["error"]?["kind"]?.stringValue == "interrupted")
    #expect(result.json?["error"]?["path"]?.stringValue == link)
    #expect(!kernel.snapshot().contains { $0.contains("pci_epf_nvme.0") })
    #expect(kernel.snapshot().count >= before.count)
    #expect(try kernel.connections().isEmpty)
  }

  @Test("killed at each effect, the next run finishes the undo: with real processes")
  func killed() throws {
    let whole = Program()
    _ = try whole.kernel()
    #expect(try whole("setup", howto).status == 0)
    let complete = try whole.kernel().snapshot()
    let effects = try whole.kernel().effects
    try #require(effects > 20)
    for effect in TestScale.some(of: 1...effects, oneIn: 3, offset: 0) {
      let program = Program()
      try program.kernel().inject(.init(effect: effect, action: .signal(SIGKILL)))
      let killed = try program("setup", howto)
      #expect(killed.status == 128 + SIGKILL, "effect \(effect)")
      let next = try program("setup", howto)
      #expect(next.status == 0, "effect \(effect): \(next.errors)")
      #expect(try program.kernel().snapshot() == complete, "effect \(effect)")
      #expect(try program.kernel().crashes.isEmpty, "effect \(effect)")
    }
  }
}
