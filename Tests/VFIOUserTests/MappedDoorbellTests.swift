// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import LibC
import HostDriver
import NVMe
import PCI
import ServedHost
import Testing

@testable import VFIOUser

/// Hosts that ring by storing to memory, over a socket.
@Suite struct MappedDoorbellTests {
  private static let change: @Sendable (inout ControllerModel) -> Void = {
    $0.mapsDoorbells = true
  }

  @Test(
    "a host probes, verifies I/O and shuts down", arguments: [ServedGuest.Way.shared, .messages])
  func life(_ way: ServedGuest.Way) throws {
    let machine = try ServedMachine(.reference, Self.change)
    let guest = try ServedGuest(machine, .reference, way, model: Self.change)
    let found = try guest.host.probe()
    for namespace in found.namespaces {
      #expect(try guest.host.verify(namespace, transfers: 16) == 16 * 4096)
    }
    try guest.host.shutDown()
    #expect(guest.function.failure == nil)
    #expect(machine.events.all == ["connected"])
  }

  @Test("a second driver after the first finds the page clean")
  func secondDriver() throws {
    let machine = try ServedMachine(.reference, Self.change)
    let guest = try ServedGuest(machine, .reference, model: Self.change)
    for _ in 0..<3 {
      let host = LinuxHost(guest.function, memory: guest.memory, clock: guest.function)
      let found = try host.probe()
      #expect(try host.verify(found.namespaces[0], transfers: 4) == 4 * 4096)
      // It leaves without a word, as firmware does.
    }
    #expect(guest.function.failure == nil)
  }

  @Test("the page is memory for the client, and the rest of the BAR is not")
  func areas() throws {
    let machine = try ServedMachine(.reference, Self.change)
    let guest = try ServedGuest(machine, .reference, model: Self.change)
    let region = try #require(try guest.client.map(region: 0))
    #expect(region.store(0, at: 0x1000) && region.store(0, at: 0x1ffc))
    #expect(!region.store(0, at: 0xffc) && !region.store(0, at: 0x2000))
    #expect(!region.store(0, at: 0x1002))
    #expect(try guest.client.map(region: 7) == nil)
  }

  @Test("a client cannot truncate the page")
  func sealed() throws {
    let machine = try ServedMachine(.reference, Self.change)
    let guest = try ServedGuest(machine, .reference, model: Self.change)
    let answer = try guest.client.exchange(.regionInfo, RawClient.words(64, 0, 0, 0, 0, 0, 0, 0))
    let file = try #require(answer.descriptors.first)
    #expect(ftruncate(file.number, 0) == -1 && errno == EPERM)
  }
}

/// Doorbells in the guest's own memory (Doorbell Buffer Config), however that is reached.
@Suite struct ServedDoorbellBufferTests {
  private static let change: @Sendable (inout ControllerModel) -> Void = {
    $0.offersDoorbellBuffers = true
  }

  @Test("a host with doorbells in its memory verifies I/O", arguments: ServedGuest.Way.allCases)
  func life(_ way: ServedGuest.Way) throws {
    let machine = try ServedMachine(.reference, Self.change)
    let guest = try ServedGuest(machine, .reference, way, model: Self.change)
    let found = try guest.host.probe()
    // Pages that the host leaves alone.
    let (shadow, indexes) = (UInt64(12 << 20), UInt64(13 << 20))
    guest.function.willRing = { [memory = guest.memory] offset, value in
      // Those of the admin queue are registers.
      if offset >= 8 { try? memory.store(value, at: shadow + offset) }
    }
    let end = try guest.host.execute(.doorbellBufferConfig, prp1: shadow, prp2: indexes)
    #expect(end.status.isSuccess)
    for namespace in found.namespaces {
      #expect(try guest.host.verify(namespace, transfers: 64) == 64 * 4096)
    }
    // It has asked to be rung beyond the commands that it has seen.
    #expect(try guest.memory.load(at: indexes + 8, as: UInt32.self) > 0)
    try guest.host.shutDown()
    #expect(guest.function.failure == nil)
    #expect(machine.events.all == ["connected"])
  }
}
