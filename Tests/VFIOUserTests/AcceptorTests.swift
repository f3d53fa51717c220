// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC
import PCI
import ServedHost
import Synchronization
import Testing

@testable import VFIOUser

@Suite("connections without descriptors", .serialized) struct AcceptorTests {
  /// A kernel that has no descriptor for the first connections.
  private final class Kernel: Sendable {
    private let failures: Mutex<[CInt]>
    init(_ failures: [CInt]) { self.failures = Mutex(failures) }

    func accept(_ listener: CInt) -> CInt {
      if let error = failures.withLock({ $0.popLast() }) { return -error }
      return epfnvme_unix_accept(listener)
    }
  }

  private final class Observer: ServerObserver, ServerGroupObserver {
    func clientConnected() {}
    func clientLeft(_ reason: String?) {}
    func isReady(_ member: Int) -> Bool { true }
    func clientConnected(_ member: Int) {}
    func clientLeft(_ member: Int, _ reason: String?) {}
    func worked() {}
    let nanosecondsToReport: UInt64? = nil
  }

  /// A function without a behaviour.
  private final class Plain: Function {
    weak var host: (any HostInterface)?
    let configuration = ConfigurationSpace.plain(bar: 4096)
    func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {}
    func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {}
    func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {}
    func reset(_ kind: ResetKind) {}
  }

  enum Kind: CaseIterable { case server, group }

  @Test(
    "a server that cannot accept pauses, and then serves the client that has waited",
    arguments: Kind.allCases, [EMFILE, ENFILE, ENOMEM, ENOBUFS])
  func pauses(kind: Kind, errno: CInt) throws {
    let kernel = Kernel([errno, errno])
    let server = try RunningServer(sockets: 1) { listeners, stop in
      let acceptor = Acceptor(call: kernel.accept)
      let memory = HostMemory()
      let function = Plain()
      switch kind {
      case .server:
        Server(function, memory: memory, at: listeners[0], acceptor)
          .run(until: stop, observer: Observer())
      case .group:
        ServerGroup([.init(function, memory: memory, at: listeners[0])], acceptor)
          .run(until: stop, observer: Observer())
      }
    }
    defer { server.end() }
    let began = ContinuousClock.now
    let client = try Client(connectingTo: server.socket, memory: HostMemory())
    #expect(ContinuousClock.now - began >= Acceptor.pause * 2)
    _ = try client.read(region: 7, offset: 0, count: 4)
  }

  @Test(
    "a client that has gone before it was accepted causes no pause",
    arguments: [EAGAIN, ECONNABORTED])
  func noPause(errno: CInt) throws {
    var acceptor = Acceptor { _ in -errno }
    let listener = OpenDescriptor(epfnvme_event_descriptor())
    #expect(acceptor.accept(listener) == nil)
    #expect(acceptor.takePause() == nil)
  }

  @Test("all clients of a group together stay within what the process can map", arguments: 1...65)
  func mappings(clients: Int) {
    let limit = GuestMaps.limit(among: clients)
    #expect(limit * clients <= Int(EPFNVME_GUARDED_MAPPINGS))
    // QEMU announces some tens of pieces.
    #expect(limit >= 500)
  }

  @Test("a client of a group is refused more than its share of mappings, and told of it")
  func share() throws {
    let members = 65
    let server = try RunningServer(sockets: members) { listeners, stop in
      ServerGroup(
        listeners.map { .init(Plain(), memory: HostMemory(), at: $0) }
      ).run(until: stop, observer: Observer())
    }
    defer { server.end() }
    let limit = GuestMaps.limit(among: members)
    let client = try Client(connectingTo: server.sockets[3], memory: HostMemory())
    let shared = try #require(SharedMemory(count: 4096))
    func map(_ number: Int) throws { try client.map(shared, at: UInt64(number) << 12) }
    for number in 0..<limit { try map(number) }
    let failure = #expect(throws: Client.Failure.self) { try map(limit) }
    #expect(failure?.errno == ENOSPC)
    #expect(
      String(decoding: VersionOffer.answer(fitting: 4096, maps: limit), as: UTF8.self)
        .contains("\"max_dma_maps\":\(limit)"))
    try client.unmap(at: 0, count: 4096)
    try map(limit)
  }
}
