// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import NVMe
import PCI
import Synchronization
import Testing

@testable import ControllerEmulation

/// Doorbells in a page that the host has mapped: the controller is not notified of a change.
@Suite struct DoorbellPageTests {
  /// A reference controller with one I/O queue pair of 64 entries.
  private struct Machine {
    let host: Host

    init() throws {
      var model = documentedModel(.reference)
      model.mapsDoorbells = true
      host = Host(model)
      host.enable()
      try #require(host.makeQueues(1, depth: 64))
    }

    private var reference: ReferenceController? { host.controller as? ReferenceController }

    /// The number of completions that wait for room in a queue.
    func waiting(_ queue: Int) -> Int? { reference?.controller.completions[queue].waiting.count }

    /// A value that the host has stored without an access to the controller.
    func value(_ queue: Int, completion: Bool = false) -> UInt32? {
      unsafe reference?.controller.doorbellPages?.words[2 * queue + (completion ? 1 : 0)]
        .load(ordering: .relaxed)
    }
    func store(_ value: UInt32, _ queue: Int, completion: Bool = false) {
      unsafe reference?.controller.doorbellPages?.words[2 * queue + (completion ? 1 : 0)]
        .store(value, ordering: .relaxed)
    }

    /// Nanoseconds until the controller looks again.
    var untilNextLook: UInt64 {
      host.controller.nextWork.nanoseconds - host.controller.now.nanoseconds
    }
  }

  @Test("the page has only doorbells: the MSI-X table follows it")
  func layout() throws {
    var model = documentedModel(.reference)
    model.mapsDoorbells = true
    let function = NVMeFunction(model, memory: HostMemory(), deviceID: 1)
    #expect(function.mappedAreas(ofBAR: 0)?.areas == [0x1000..<0x2000])
    #expect(function.mappedAreas(ofBAR: 1) == nil)
    #expect(model.msixTableOffset == 0x2000)
    #expect(model.bar0Size == 0x4000)
    for capability in function.configuration.capabilities {
      if case .msix(let msix) = capability { #expect(msix.tableRange.lowerBound == 0x2000) }
    }
  }

  @Test(
    "the drivers, and a reference controller without it, have no such page",
    arguments: Behaviour.allCases)
  func none(_ behaviour: Behaviour) {
    let function = NVMeFunction(documentedModel(behaviour), memory: HostMemory(), deviceID: 1)
    #expect(function.mappedAreas(ofBAR: 0) == nil)
  }

  @Test("a reference controller with the page does not support doorbell buffers")
  func noBuffers() {
    let function = NVMeFunction(documentedModel(.pciEPFNVMe), memory: HostMemory(), deviceID: 1)
    #expect(function.reference(memory: HostMemory()).model.offersDoorbellBuffers)
    let mapped = function.reference(memory: HostMemory(), mapsDoorbells: true)
    #expect(!mapped.model.offersDoorbellBuffers)
    #expect(mapped.mappedAreas(ofBAR: 0) != nil)
  }

  @Test("a tail in the page is found at the next poll")
  func found() throws {
    let machine = try Machine()
    machine.host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
    machine.host.pass(nanoseconds: 1000)
    #expect(machine.host.reap(1) == nil)
    machine.store(1, 1)
    machine.host.pass(nanoseconds: 1000)
    let (_, completion) = try #require(machine.host.reap(1))
    #expect(completion.status == 0)
  }

  @Test("a doorbell that is written by a register access also works")
  func written() throws {
    let machine = try Machine()
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    #expect(machine.value(1) == 1)
  }

  @Test("a full completion queue continues when the head in the page moves")
  func headInPage() throws {
    let machine = try Machine()
    // 63 commands fill the queue but for the place that stays free; one more waits.
    for _ in 0..<63 { machine.host.submitSilently(.init(opcode: 0, namespace: 1), to: 1) }
    machine.store(63, 1)
    machine.host.pass(nanoseconds: 1000)
    machine.host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
    machine.store(0, 1)
    machine.host.pass(nanoseconds: 1000)
    #expect(machine.host.controller.nextWork != .never)
    #expect(machine.waiting(1) ?? 0 > 0)
    machine.store(10, 1, completion: true)
    machine.host.pass(nanoseconds: 1000)
    #expect(machine.waiting(1) == 0)
  }

  @Test(
    "an invalid value is reported once and reset", arguments: [false, true])
  func wrongValue(_ isCompletion: Bool) throws {
    let machine = try Machine()
    let event = machine.host.submit(.init(opcode: 0x0c))
    machine.store(64, 1, completion: isCompletion)
    machine.host.pass(nanoseconds: 1000)
    let (found, completion) = try #require(machine.host.reap())
    #expect(found == event && completion.result == 0x1_0100)
    #expect(machine.value(1, completion: isCompletion) == 0)
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
  }

  @Test("values of an earlier host in the page do not hide the first command of the next")
  func leftovers() throws {
    let machine = try Machine()
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    #expect(machine.value(1) == 1)
    machine.host.write(0x14, 0)
    machine.host.enable()
    #expect(machine.value(1) == 0)
    try #require(machine.host.makeQueues(1, depth: 64))
    machine.host.submitSilently(.init(opcode: 0, namespace: 1), to: 1)
    machine.store(1, 1)
    machine.host.pass(nanoseconds: 1000)
    #expect(machine.host.reap(1) != nil)
  }

  @Test("after a command it polls continuously, then at growing intervals, finally every 10 ms")
  func pauses() throws {
    let machine = try Machine()
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    machine.host.pass(nanoseconds: 10_000)
    #expect(machine.untilNextLook == 0)
    machine.host.pass(nanoseconds: 8_000_000)
    #expect((1_000_000...1_100_000).contains(machine.untilNextLook))
    machine.host.pass(nanoseconds: 1_000_000_000)
    #expect(machine.untilNextLook == 10_000_000)
    // A command wakes it up.
    #expect(machine.host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
    #expect(machine.untilNextLook == 0)
  }

  @Test("a disabled controller does not poll")
  func disabled() throws {
    let machine = try Machine()
    machine.host.write(0x14, 0)
    machine.store(1, 1)
    machine.host.pass(nanoseconds: 1000)
    #expect(machine.host.controller.nextWork == .never)
  }
}
