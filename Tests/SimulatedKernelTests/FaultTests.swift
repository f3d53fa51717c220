// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import KernelEvents
import LibC
import SimulatedKernel
import SystemPackage
import Testing

@Suite("Faults and state files")
struct FaultTests {
  private func temporaryFile() -> FilePath {
    FilePath("/tmp/simulated-kernel-\(getpid())-\(UInt64.random(in: 0...UInt64.max)).json")
  }

  private func remove(_ file: FilePath) {
    for suffix in ["", ".lock", ".new"] { _ = unlink(file.string + suffix) }
  }

  @Test("each effect of a setup can fail in turn, changing and logging nothing")
  func eachEffect() throws {
    let model = SimulatedKernel.withVirtualController()
    try model.makeFunction()
    try model.bind()
    #expect(model.effects > 20)
    for number in 1...model.effects {
      let kernel = SimulatedKernel.withVirtualController()
      kernel.failEffect(number: number, with: .resourceBusy)
      #expect(
        kernel.errno {
          try $0.makeFunction()
          try $0.bind()
        } == .resourceBusy)
      #expect(kernel.effects == number)
    }
  }

  @Test("a fault by operation, path, occurrence and count")
  func conditions() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet")
    kernel.inject(
      .init(.create, at: "/sys/kernel/config/nvmet/hosts/b", action: .errno(.noSpace)))
    kernel.inject(.init(.remove, occurrence: 2, action: .errno(.ioError), count: 2))
    try kernel.make("nvmet/hosts/a")
    #expect(kernel.errno { try $0.make("nvmet/hosts/b") } == .noSpace)
    try kernel.make("nvmet/hosts/b")
    try kernel.drop("nvmet/hosts/a")
    #expect(kernel.errno { try $0.drop("nvmet/hosts/b") } == .ioError)
    #expect(kernel.errno { try $0.drop("nvmet/hosts/b") } == .ioError)
    try kernel.drop("nvmet/hosts/b")
    kernel.inject(.init(.read, action: .errno(.ioError), count: nil))
    #expect(kernel.text("nvmet/discovery_nqn") == nil)
    #expect(kernel.text("nvmet/discovery_nqn") == nil)
    kernel.removeFaults()
    #expect(kernel.text("nvmet/discovery_nqn") != nil)
  }

  @Test("an error after the effect")
  func afterEffect() throws {
    let kernel = SimulatedKernel(.linux7_2)
    try kernel.load("nvmet")
    kernel.inject(.init(.create, action: .errnoAfterEffect(.interrupted)))
    #expect(kernel.errno { try $0.make("nvmet/hosts/a") } == .interrupted)
    #expect(try kernel.names("nvmet/hosts") == ["a"])
  }

  @Test("a kernel in a file keeps its release")
  func kept() throws {
    let release = try #require(SimulatedKernel.Release(rawValue: "6.14.2"))
    let file = temporaryFile()
    defer { remove(file) }
    let kernel = try SimulatedKernel(contentsOf: file, kernelRelease: release)
    try kernel.load("nvmet")
    #expect(try SimulatedKernel(contentsOf: file).kernelRelease == release)
    #expect(try SimulatedKernel(contentsOf: file).facts.release == "6.14.2")
  }

  @Test("a state file carries a kernel from one process to the next")
  func persistence() throws {
    let file = temporaryFile()
    defer { remove(file) }
    let first = try SimulatedKernel(contentsOf: file, kernelRelease: .linux6_12)
    try first.makePCIEPFNVMeFunction()
    // Another process, at the same time.
    let second = try SimulatedKernel(contentsOf: file)
    #expect(second.kernelRelease == .linux6_12)
    #expect(second.snapshot() == first.snapshot())
    try second.bind()
    #expect(first.errno { try $0.bind() } == .fileExists)
    #expect(first.logLines == second.logLines)
    first.inject(.init(.create, action: .errno(.noMemory)))
    #expect(second.errno { try $0.make("nvmet/hosts/h") } == .noMemory)
    #expect(first.snapshot() == second.snapshot())
    #expect(first.effects == second.effects)
    var status = stat()
    #expect(stat(file.string, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test("late groups have appeared for the next process")
  func settled() throws {
    let file = temporaryFile()
    defer { remove(file) }
    let first = try SimulatedKernel(contentsOf: file, kernelRelease: .linux6_12)
    try first.load("pci_epf_nvme")
    try first.make(Names.pciEPFNVMeFunction)
    #expect(first.text(Names.pciEPFNVMeFunction + "/nvme/mdts_kb") == nil)
    let second = try SimulatedKernel(contentsOf: file)
    #expect(second.text(Names.pciEPFNVMeFunction + "/nvme/mdts_kb") == "128\n")
  }

  @Test("a link has trained for the next process, and the driver has logged it")
  func trained() throws {
    let file = temporaryFile()
    defer { remove(file) }
    var machine = SimulatedKernel.Machine()
    machine.controllers[0].cable = .host
    let first = try SimulatedKernel(contentsOf: file, machine: machine)
    try first.makeFunction()
    try first.bind()
    try first.put("1\n", Names.controller + "/start")
    #expect(!first.logLines.contains { $0.hasSuffix("PCI link up") })
    let second = try SimulatedKernel(contentsOf: file)
    #expect(second.logLines.last?.hasSuffix("PCI link up") == true)
    #expect(second.controllers.values.map(\.isLinkUp) == [true])
  }

  @Test(
    "an invalid or newer state file is an error that names it",
    arguments: [
      ("{", "it is damaged"), ("", "it is damaged"), ("{\"version\":4}", "it is damaged"),
      ("{\"version\":3}", "it has version 3, this tool supports version 4"),
    ])
  func damaged(text: String, reason: String) throws {
    let file = temporaryFile()
    defer { remove(file) }
    let descriptor = try FileDescriptor.open(
      file, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try descriptor.writeAll(text.utf8)
    try descriptor.close()
    let error = #expect(throws: StateFileError.self) {
      try SimulatedKernel(contentsOf: file)
    }
    #expect(error?.description.contains(file.string) == true)
    #expect(error?.reason.hasPrefix(reason) == true)
  }

  @Test("SIGKILL before and after an effect leaves the state before and after it")
  func kill() async throws {
    for isAfter in [false, true] {
      let file = temporaryFile()
      defer { remove(file) }
      let kernel = try SimulatedKernel(contentsOf: file)
      try kernel.load("nvmet")
      kernel.inject(
        .init(.create, action: isAfter ? .signalAfterEffect(SIGKILL) : .signal(SIGKILL)))
      let name = file.string
      await #expect(processExitsWith: .signal(SIGKILL)) { [name = name as String] in
        let victim = try SimulatedKernel(contentsOf: FilePath(name))
        try victim.createDirectory("/sys/kernel/config/nvmet/hosts/h")
      }
      let after = try SimulatedKernel(contentsOf: file)
      #expect(try after.names("nvmet/hosts") == (isAfter ? ["h"] : []))
      #expect(after.errno { try $0.make("nvmet/hosts/i") } == nil)
    }
  }

  @Test("a hundred setups are fast")
  func speed() throws {
    let clock = ContinuousClock()
    let taken = try clock.measure {
      for _ in 0..<100 {
        let kernel = SimulatedKernel.withVirtualController()
        try kernel.makeFunction()
        try kernel.bind()
      }
    }
    // Some 5 ms each in a debug build; the limit leaves room for a busy machine.
    #expect(taken < .seconds(20))
  }
}
