// SPDX-License-Identifier: Apache-2.0
import CLinux
import ControllerEmulation
import Foundation
import LibC
import HostDriver
import PCI
import Numbers
import ServedHost
import Testing

@testable import VFIOUser

/// Clients that come, go and do what they want: the next honest one must be served, and nothing may be left behind.
// One after the other: they count what is open in the process.
@Suite(.serialized) struct HostileClientTests {
  /// Open descriptors of this process of the kinds that clients pass, and mappings.
  private func left() -> (descriptors: Int, mappings: Int) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let passed = names.count { name in
      let target =
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")) ?? ""
      return target.contains("memfd:leak")
    }
    // The size of the file is 0: String(contentsOfFile:) would read only its first 4 KiB.
    let bytes = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()
    let maps = String(decoding: bytes ?? Data(), as: UTF8.self)
    return (passed, maps.split(separator: "\n").count { $0.contains("memfd:leak") })
  }

  private func honest(_ machine: ServedMachine, _ behaviour: Behaviour = .reference) throws {
    let guest = try ServedGuest(machine, behaviour)
    let found = try guest.host.probe()
    #expect(try guest.host.verify(found.namespaces[0], transfers: 4) == 4 * 4096)
  }

  @Test("a client that disconnects at any time leaves nothing behind")
  func leaving() throws {
    let machine = try ServedMachine(.reference)
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
    "a controller with an address of unmapped memory continues", arguments: Behaviour.allCases
  )
  func wildAddresses(_ behaviour: Behaviour) throws {
    let machine = try ServedMachine(behaviour)
    let guest = try ServedGuest(machine, behaviour)
    let found = try guest.host.probe()
    // The memory goes while queues live there.
    try guest.client.unmap(at: 0, count: UInt64(ServedGuest.memoryCount))
    for bell in 0..<8 {
      try guest.client.write(region: 0, offset: 0x1000 + 4 * UInt64(bell), [1, 0, 0, 0])
    }
    try guest.client.map(guest.shared, at: 0)
    try guest.client.reset()
    let again = LinuxHost(guest.function, memory: guest.memory, clock: guest.function)
    #expect(try again.probe().namespaces.count == found.namespaces.count)
  }

  @Test("after a thousand clients without a request, the next is served")
  func silent() throws {
    let machine = try ServedMachine(.nvmetPCIEPF)
    for _ in 0..<1000 { _ = try RawClient(machine) }
    try honest(machine, .nvmetPCIEPF)
  }

  @Test(
    "a client that does not reply to requests about its memory is disconnected, or its commands fail; the next is served"
  )
  func refusing() throws {
    let machine = try ServedMachine(.reference)
    do {
      let guest = try ServedGuest(machine, .reference, .messages)
      // It refuses: its memory is empty.
      try guest.memory.remove(at: 0, count: ServedGuest.memoryCount)
      guest.function.isHopeless = true
      #expect(throws: (any Error).self) { _ = try guest.host.probe() }
    }
    try honest(machine)
  }

  @Test(
    "a thousand random messages of any shape, from each of ten seeds, change nothing for the next client"
  )
  func random() throws {
    let machine = try ServedMachine(.reference)
    for seed in 1...10 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      let client = try RawClient.negotiated(machine)
      for _ in 0..<1000 {
        let message = RandomMessage(&random)
        do { try client.channel.send(message.bytes, message.descriptors) } catch { break }
      }
    }
    try honest(machine)
    #expect(left().mappings == 0)
  }

  // MARK: What the fuzzer and its writing have found

  /// Enables a controller whose queues are in memory that only messages reach, and rings: the server asks for the entry.
  private func askForEntry(_ client: RawClient) throws {
    #expect(try client.ask(2, RawClient.map(0, 1 << 20)) == .done(0))
    #expect(try client.ask(10, RawClient.access(7, 4, 2) + [6, 0]) == .done(16))
    for (offset, value) in [
      (0x24, 0x001f_001f), (0x28, 0x1000), (0x30, 0x2000), (0x14, 0x0046_0001), (0x1000, 1),
    ] as [(UInt64, UInt32)] {
      #expect(
        try client.ask(10, RawClient.access(0, offset, 4) + RawClient.words(value)) == .done(16))
    }
    let request = try #require(try client.receive())
    #expect(request.command == .readDMA)
  }

  @Test("a full event counter does not block the server")
  func fullEvent() throws {
    let machine = try ServedMachine(.reference)
    let client = try RawClient.negotiated(machine)
    let event = OpenDescriptor(epfnvme_event_descriptor())
    var most = UInt64.max - 1
    try #require(write(event.number, &most, 8) == 8)
    try #require(fcntl(event.number, F_SETFL, 0) == 0)
    // A server that waits for room must not block this test forever.
    defer { var count: UInt64 = 0; _ = read(event.number, &count, 8) }
    #expect(
      try client.ask(8, RawClient.words(20, 0x24, 2, 0, 1), descriptors: [event]) == .done(0))
    #expect(try client.ask(8, RawClient.words(20, 0x21, 2, 0, 1)) == .done(0))
  }

  @Test("a client that sends work without end while it owes a reply is disconnected")
  func endlessWork() throws {
    let machine = try ServedMachine(.reference)
    let client = try RawClient.negotiated(machine)
    try askForEntry(client)
    let ring = RawClient.access(0, 0x1000, 4) + RawClient.words(2)
    let isLeft = (0..<100_000).contains { _ in
      do throws(Channel.Failure) {
        var bytes: [UInt8] = []
        MessageHeader(request: .writeRegion, id: 9, bodyCount: ring.count, wantsNoReply: true)
          .append(to: &bytes)
        try client.channel.send(bytes + ring)
        return false
      } catch { return error == .closed }
    }
    #expect(isLeft)
    try honest(machine)
    #expect(machine.events.all[1].hasPrefix("left: it violated the protocol: it sends requests"))
  }

  @Test(
    "a client that sends requests without end while it owes a reply does not prevent the server from stopping"
  )
  func endlessQuestions() throws {
    let machine = try ServedMachine(.reference)
    let client = try RawClient.negotiated(machine)
    try askForEntry(client)
    // From here on it is that thread's.
    nonisolated(unsafe) let asker = client
    let asking = Thread {
      let question = RawClient.access(0, 0x1c, 4)
      var bytes: [UInt8] = []
      for id in 0..<UInt16(100) {
        MessageHeader(request: .readRegion, id: id, bodyCount: question.count, wantsNoReply: true)
          .append(to: &bytes)
        bytes += question
      }
      while (try? asker.channel.send(bytes)) != nil {}
    }
    asking.start()
    machine.end()
    #expect(machine.events.all == ["connected", "gone"])
  }

  @Test(
    "a file with more pages than the limit of mappings can be truncated while the server uses it")
  func manyPagesCutShort() throws {
    let pages: UInt64 = 140_000
    let file = OpenDescriptor(epfnvme_memory_descriptor("leak", pages * 4096))
    let memory = HostMemory()
    let maps = GuestMaps(memory)
    try maps.add(
      DMAMap(address: 0, count: pages * 4096, offset: 0, access: [.read, .write]),
      descriptor: file)
    try #require(ftruncate(file.number, 4096) == 0)
    // Every second one, from behind: neighbours would become one mapping.
    for page in stride(from: pages - 1, to: 0, by: -2) {
      #expect(try memory.load(at: page * 4096, as: UInt64.self) == 0)
    }
    #expect(left().mappings == 1)
    maps.removeAll()
    maps.releaseRetired()
    #expect(left().mappings == 0)
  }
}
