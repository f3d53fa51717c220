// SPDX-License-Identifier: Apache-2.0
import CLinux
import ControllerEmulation
import Foundation
import Glibc
import HostDriver
import PCI
import Testing

@testable import VFIOUser

/// Clients that come, go and do what they want: the next honest one must be served, and nothing may be left behind.
@Suite struct HostileClientTests {
  /// Open descriptors of this process that are not somebody else's doing: mappings and descriptors of the kinds that clients pass.
  private func left() -> (descriptors: Int, mappings: Int) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let passed = names.count { name in
      let target =
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")) ?? ""
      return target.contains("memfd:leak")
    }
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    return (passed, maps.split(separator: "\n").count { $0.contains("memfd:leak") })
  }

  private func honest(_ machine: ServedMachine, _ personality: Personality = .strict) throws {
    let guest = try ServedHostTests.guest(machine, personality)
    let found = try guest.host.probe()
    #expect(try guest.host.verify(found.namespaces[0], transfers: 4) == 4 * 4096)
  }

  @Test("a client that leaves in the middle of anything leaves nothing behind")
  func leaving() throws {
    let machine = try ServedMachine(.strict)
    for round in 0..<300 {
      let client = try RawClient.negotiated(machine)
      let memory = OpenDescriptor(epfnvme_memory_descriptor("leak", 1 << 20))
      try client.send(2, RawClient.map(0, 1 << 20), descriptors: [memory])
      try client.send(
        8, RawClient.words(20, 0x24, 2, 0, 1),
        descriptors: [OpenDescriptor(epfnvme_event_descriptor())])
      // Cut off: a header's first bytes with descriptors, half a body, or nothing.
      var bytes: [UInt8] = []
      MessageHeader(request: .mapDMA, id: 1, bodyCount: 32).append(to: &bytes)
      bytes += RawClient.map(1 << 20, 1 << 20)
      let cut = round % 48
      if cut > 0 { try client.channel.send(Array(bytes[..<cut]), [memory]) }
    }
    try honest(machine)
    machine.end()
    #expect(left() == (0, 0))
  }

  @Test(
    "a controller that is told of memory that is not there goes on", arguments: Personality.allCases
  )
  func wildAddresses(_ personality: Personality) throws {
    let machine = try ServedMachine(personality)
    let guest = try ServedHostTests.guest(machine, personality)
    let found = try guest.host.probe()
    // The memory goes while queues live there.
    try guest.client.unmap(at: 0, count: UInt64(ServedHostTests.memoryCount))
    for bell in 0..<8 {
      try guest.client.write(region: 0, offset: 0x1000 + 4 * UInt64(bell), [1, 0, 0, 0])
    }
    try guest.client.map(guest.shared, at: 0)
    try guest.client.reset()
    let again = LinuxHost(guest.function, memory: guest.memory, clock: guest.function)
    #expect(try again.probe().namespaces.count == found.namespaces.count)
  }

  @Test("after a thousand clients that say nothing, the next is served")
  func silent() throws {
    let machine = try ServedMachine(.nvmetPCIEPF)
    for _ in 0..<1000 { _ = try RawClient(machine) }
    try honest(machine, .nvmetPCIEPF)
  }

  @Test(
    "a client that answers no request about its memory is left, or its commands fail; the next is served"
  )
  func refusing() throws {
    let machine = try ServedMachine(.strict)
    do {
      let guest = try ServedHostTests.guest(machine, .strict, .messages)
      // It refuses: its memory is empty.
      try guest.memory.remove(at: 0, count: ServedHostTests.memoryCount)
      guest.function.isHopeless = true
      #expect(throws: (any Error).self) { _ = try guest.host.probe() }
    }
    try honest(machine)
  }

  @Test(
    "a thousand random messages of any shape, from each of ten seeds, change nothing for the next client"
  )
  func random() throws {
    let machine = try ServedMachine(.strict)
    for seed in 1...10 as ClosedRange<UInt64> {
      var random = SeededGenerator(seed: seed)
      let client = try RawClient.negotiated(machine)
      for _ in 0..<1000 {
        let message = RandomMessage(&random)
        do { try client.channel.send(message.bytes, message.descriptors) } catch { break }
      }
    }
    try honest(machine)
    #expect(left().mappings == 0)
  }
}
