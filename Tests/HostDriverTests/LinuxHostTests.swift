// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import LibC
import HostDriver
import PCI
import NVMeEmulation
import Testing

/// A host and a device that know each other by PCI only.
@Suite struct LinuxHostTests {
  struct Machine {
    let function: NVMeFunction
    let host: LinuxHost
  }

  private func machine(
    _ behaviour: Behaviour, _ change: (inout ControllerModel) -> Void = { _ in }
  ) -> Machine {
    var model = ControllerModel(behaviour)
    model.vendorID = 0x15b7
    model.modelNumber = "Linux-pci-epf"
    model.nqn = "pci_epf_nvme.0.nqn"
    model.namespaces = [
      Namespace(id: 1, backend: .memory(MemoryStore(count: 1 << 20))),
      Namespace(id: 7, backend: .memory(MemoryStore(count: 2 << 20)), blockShift: 12),
    ]
    change(&model)
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff)
    let host = LinuxHost(function, memory: memory, clock: DeviceClock(function))
    function.linkUp()
    return Machine(function: function, host: host)
  }

  @Test("probe, verified I/O on every namespace, orderly shutdown", arguments: Behaviour.allCases)
  func life(_ behaviour: Behaviour) throws {
    let machine = machine(behaviour)
    let found = try machine.host.probe()
    #expect(found.vendorID == 0x15b7 && found.deviceID == 0x5fff)
    #expect(found.ioQueues == 4)
    #expect(found.namespaces.map(\.id) == [1, 7])
    #expect(found.namespaces.map(\.blockSize) == [512, 4096])
    for namespace in found.namespaces {
      #expect(try machine.host.verify(namespace, transfers: 64) == 64 * 4096)
    }
    try machine.host.shutDown()
    #expect(machine.host.interrupts[0, default: 0] > 0)
    for vector in 1...4 {
      #expect(machine.host.interrupts[vector, default: 0] > 0, "vector \(vector)")
    }
    #expect(machine.function.takeEvents().diagnoses.isEmpty)
  }

  @Test(
    "also with MSI and INTx", arguments: [ControllerModel.InterruptKind.msi(vectors: 8), .intx])
  func otherInterrupts(_ kind: ControllerModel.InterruptKind) throws {
    let machine = machine(.nvmetPCIEPF) { $0.interrupts = kind }
    let found = try machine.host.probe()
    #expect(try machine.host.verify(found.namespaces[0], transfers: 8) == 8 * 4096)
    #expect(!machine.host.interrupts.isEmpty)
  }

  @Test(
    "a host that returns after a shutdown, and after a reset, finds everything",
    arguments: Behaviour.allCases)
  func again(_ behaviour: Behaviour) throws {
    let machine = machine(behaviour)
    _ = try machine.host.probe()
    try machine.host.shutDown()
    let found = try machine.host.probe()
    #expect(found.namespaces.count == 2)
    machine.function.reset(.functionLevel)
    machine.function.linkDown()
    machine.function.linkUp()
    #expect(try machine.host.probe().namespaces.count == 2)
  }

  // pci_epf_nvme.md#queue-count-of-target
  @Test(
    "with more queues granted than available, the host continues with those that it gets"
  )
  func promisedQueues() throws {
    let machine = machine(.pciEPFNVMe) {
      $0.ioQueues = 2
      $0.targetIOQueues = 4
    }
    let found = try machine.host.probe()
    #expect(found.ioQueues == 2)
    #expect(try machine.host.verify(found.namespaces[0], transfers: 8) == 8 * 4096)
    try machine.host.shutDown()
  }

  @Test(
    "in real time the driver's polling takes as long as on a board, and the host finds the same")
  func realTime() throws {
    final class Wall: HostClock {
      let function: NVMeFunction
      init(_ function: NVMeFunction) { self.function = function }
      func wait(milliseconds: UInt64) {
        usleep(UInt32(milliseconds * 1000))
        function.catchUp()
      }
    }
    let machine = machine(.nvmetPCIEPF)
    let memory = HostMemory(count: 16 << 20)
    let function = NVMeFunction(machine.function.model, memory: memory, deviceID: 0x5fff)
    function.linkUp()
    function.runInRealTime()
    let begin = (function.now, ContinuousClock.now)
    let host = LinuxHost(function, memory: memory, clock: Wall(function))
    #expect(try host.probe().namespaces.map(\.id) == [1, 7])
    let passed = ContinuousClock.now - begin.1
    // CC is looked at every 10 ms, so that an enable is seen no earlier; and the controller's time is not ahead of the machine's.
    #expect(passed >= .milliseconds(10))
    #expect(
      function.now.nanoseconds - begin.0.nanoseconds >= 10_000_000
        && .nanoseconds(Int64(function.now.nanoseconds - begin.0.nanoseconds)) <= passed)
  }

  @Test("a controller that does not get ready is reported after its CAP.TO")
  func notReady() throws {
    let machine = machine(.reference)
    machine.function.linkDown()
    let silent = SilentFunction(machine.function)
    let host = LinuxHost(
      silent, memory: HostMemory(count: 16 << 20), clock: DeviceClock(machine.function))
    let error = #expect(throws: HostError.self) { _ = try host.probe() }
    #expect(error?.message.contains("not ready") == true)
  }

  @Test(
    "the kernel messages of a run, in order",
    arguments: [
      (Behaviour.pciEPFNVMe, ["Link UP", "Enabling controller", "Disabling controller"]),
      (.nvmetPCIEPF, ["PCI link up", "Enabling controller", "Shutting down controller"]),
    ])
  func log(_ behaviour: Behaviour, _ lines: [String]) throws {
    let machine = machine(behaviour)
    _ = try machine.host.probe()
    try machine.host.shutDown()
    #expect(machine.function.takeEvents().log.map(\.text) == lines)
  }

  /// Takes CC and never does anything.
  final class SilentFunction: PCI.Function {
    weak var host: (any HostInterface)?
    private let inner: NVMeFunction
    init(_ inner: NVMeFunction) { self.inner = inner }
    var configuration: ConfigurationSpace { inner.configuration }
    func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
      inner.writeConfiguration(offset: offset, width: width, value: value)
    }
    func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
      inner.readBAR(bar, offset: offset, into: buffer)
    }
    func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {}
    func reset(_ kind: ResetKind) {}
  }
}
