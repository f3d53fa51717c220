// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import HostDriver
import PCI
import ServedHost
import Testing

@testable import VFIOUser

/// Hosts in process on the other side of the socket.
@Suite struct ServedHostTests {
  @Test(
    "a host probes, verifies I/O and shuts down over the socket", arguments: Behaviour.allCases,
    ServedGuest.Way.allCases)
  func life(_ behaviour: Behaviour, _ way: ServedGuest.Way) throws {
    let machine = try ServedMachine(behaviour)
    let guest = try ServedGuest(machine, behaviour, way)
    let found = try guest.host.probe()
    #expect(found.vendorID == 0x15b7 && found.deviceID == 0x5fff)
    #expect(found.ioQueues == 4)
    for namespace in found.namespaces {
      #expect(try guest.host.verify(namespace, transfers: 16) == 16 * 4096)
    }
    try guest.host.shutDown()
    guest.function.takeInterrupts()
    for vector in 0...4 {
      #expect(guest.host.interrupts[vector, default: 0] > 0, "vector \(vector)")
    }
    #expect(guest.function.failure == nil)
    #expect(machine.events.all == ["connected"])
  }

  // One vector is too few for I/O queues of the other two.
  @Test(
    "MSI and INTx also interrupt a host",
    arguments: [
      (.pciEPFNVMe, 1), (.nvmetPCIEPF, 1), (.reference, 1), (.nvmetPCIEPF, 0),
    ] as [(Behaviour, Int)])
  func otherInterrupts(_ behaviour: Behaviour, _ kind: Int) throws {
    let change: @Sendable (inout ControllerModel) -> Void = {
      $0.interrupts = kind == 1 ? .msi(vectors: 8) : .intx
    }
    let machine = try ServedMachine(behaviour, change)
    let guest = try ServedGuest(machine, behaviour, kind: kind, model: change)
    let found = try guest.host.probe()
    for namespace in found.namespaces {
      #expect(try guest.host.verify(namespace, transfers: 16) == 16 * 4096)
    }
    guest.function.takeInterrupts()
    #expect(guest.host.interrupts[0, default: 0] > 0)
    #expect(guest.function.failure == nil)
  }

  @Test("the next host finds what the last one wrote", arguments: Behaviour.allCases)
  func hostAfterHost(_ behaviour: Behaviour) throws {
    let machine = try ServedMachine(behaviour)
    var blocks: [UInt64] = []
    for _ in 0..<3 {
      let guest = try ServedGuest(machine, behaviour)
      let found = try guest.host.probe()
      blocks.append(found.namespaces[0].blocks)
      #expect(try guest.host.verify(found.namespaces[0], transfers: 4) == 4 * 4096)
      // It goes without a word.
    }
    #expect(blocks == [8192, 8192, 8192])
    machine.end()
    #expect(machine.events.all == ["connected", "gone", "connected", "gone", "connected", "gone"])
  }

  // QEMU maps its BIOS like this for the lifetime of a guest; it must not make every command take a snapshot.
  @Test("ROM without a descriptor is not host memory, and a queue there causes no request")
  func rom() throws {
    let rom: UInt64 = 0xfffc_0000
    let maps = GuestMaps(HostMemory())
    try maps.add(DMAMap(address: rom, count: 1 << 18, offset: 0, access: .read))
    #expect(maps.remoteCount == 0)
    try maps.add(DMAMap(address: 0, count: 1 << 18, offset: 0, access: [.read, .write]))
    #expect(maps.remoteCount == 1)
    try maps.remove(at: rom, count: 1 << 18)
    try maps.remove(at: 0, count: 1 << 18)
    #expect(maps.remoteCount == 0)

    let machine = try ServedMachine(.reference)
    let guest = try ServedGuest(machine, .reference)
    try guest.client.mapRemote(at: rom, count: 1 << 18, access: [.read])
    var requests = 0
    guest.client.onMemoryRequest = { _, _, _ in requests += 1 }
    let found = try guest.host.probe()
    #expect(try guest.host.verify(found.namespaces[0], transfers: 4) == 4 * 4096)
    // CC.EN 0, the admin queue in the ROM, CC.EN 1, a doorbell.
    for (offset, value) in [
      (0x14, 0), (0x28, UInt32(rom)), (0x2c, 0), (0x14, 0x0046_0001), (0x1000, 1),
    ] as [(UInt64, UInt32)] {
      try guest.client.write(
        region: 0, offset: offset, (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }
    #expect(try guest.client.read(region: 0, offset: 8, count: 4) == [0, 1, 2, 0])
    #expect(requests == 0)
  }

  @Test("a register read is answered while the controller waits for the guest's memory")
  func noDeadLock() throws {
    let machine = try ServedMachine(.reference)
    let guest = try ServedGuest(machine, .reference, .messages)
    var answers = 0
    // Within a request for memory, a processor of the guest looks at the registers.
    guest.client.onMemoryRequest = { _, _, _ in
      if let version = try? guest.client.read(region: 0, offset: 8, count: 4),
        version == [0, 1, 2, 0]
      {
        answers += 1
      }
    }
    _ = try guest.host.probe()
    #expect(answers > 20)
    #expect(guest.function.failure == nil)
  }

  @Test(
    "a reset that arrives while the controller waits for the guest's memory ends that wait",
    arguments: Behaviour.allCases)
  func resetWhileWaiting(_ behaviour: Behaviour) throws {
    let machine = try ServedMachine(behaviour)
    let guest = try ServedGuest(machine, behaviour, .messages)
    var isReset = false
    guest.client.onMemoryRequest = { isWrite, _, _ in
      guard isWrite, !isReset else { return }
      isReset = true
      guest.function.isHopeless = true
      try? guest.client.reset()
    }
    #expect(throws: (any Error).self) { _ = try guest.host.probe() }
    guest.client.onMemoryRequest = nil
    guest.function.isHopeless = false
    #expect(isReset)
    let configuration = try guest.client.read(region: 0, offset: 0x14, count: 4)
    #expect(configuration[0] & 1 == 0)
    // And the next probe finds a controller that works.
    let again = LinuxHost(guest.function, memory: guest.memory, clock: guest.function)
    #expect(try again.probe().ioQueues == 4)
  }
}
