// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import Foundation
import Numbers
import PCI
import ServedHost
import Synchronization
import Testing

@testable import VFIOUser

@Suite("endpoint-link.md, 8: both sides at sockets", .serialized) struct LinkServerTests {
  /// A link at sockets, and the changes that it reports.
  final class ServedLink: Sendable {
    private let entries = Mutex<[LinkNotice]>([])
    var notices: [LinkNotice] { entries.withLock { $0 } }

    func serve(
      _ options: EndpointLink.Options = .init(), hosts: Int = 1,
      _ body: (RunningServer) throws -> Void
    ) throws {
      let server = try RunningServer(sockets: 1 + hosts) { [self] listeners, stop in
        LinkServer(
          EndpointLink(options), board: listeners[0], hosts: Array(listeners.dropFirst())
        ).run(until: stop) { notice in self.entries.withLock { $0.append(notice) } }
      }
      defer { server.end() }
      try body(server)
    }
  }

  /// A task of a host that waits for the board, on a separate thread.
  private final class Later<Result>: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    private var result: Swift.Result<Result, any Error>?

    init(_ body: @escaping @Sendable () throws -> sending Result) {
      let thread = Thread { [self] in
        result = Swift.Result { try body() }
        done.signal()
      }
      thread.start()
    }

    func get() throws -> Result {
      done.wait()
      return try #require(result).get()
    }
  }

  /// A board behind its socket: RAM, shared page, event counters.
  private final class ServedBoard {
    static let memory: UInt64 = 0x10_0000
    static let bar = memory + 0x10000
    let client: Client
    let shared: SharedMemory
    let memory = HostMemory()
    let events: [Client.Event]

    init(_ server: RunningServer) throws {
      shared = try #require(SharedMemory(count: 1 << 20))
      try memory.add(at: Self.memory, backing: shared.bytes)
      client = try Client(connectingTo: server.socket, memory: memory)
      try client.map(shared, at: Self.memory)
      events = try (0..<2).map { _ in try #require(Client.Event()) }
      try client.reset()
      try client.setEvents(events, index: 2)
      try configure(0x18, [0, 0, 0, 0, 0x20, 0, 0, 0])
      try configure(0x04, [6, 0])
      let msix = try #require(try find(0x11))
      try configure(msix + 2, [0x01, 0x80])
      try write(0x18, UInt32(Self.memory))
      try write(0x1C, 0)
    }

    private func configure(_ offset: UInt64, _ bytes: [UInt8]) throws {
      for start in stride(from: 0, to: bytes.count, by: 4) {
        try client.write(
          region: 7, offset: offset + UInt64(start),
          Array(bytes[start..<min(start + 4, bytes.count)]))
      }
    }

    private func find(_ id: UInt8) throws -> UInt64? {
      var offset = try client.read(region: 7, offset: 0x34, count: 1)[0]
      while offset != 0 {
        let head = try client.read(region: 7, offset: UInt64(offset), count: 2)
        if head[0] == id { return UInt64(offset) }
        offset = head[1]
      }
      return nil
    }

    func read(_ register: UInt64) throws -> UInt32 {
      try client.read(region: 0, offset: register, count: 4).word
    }
    func write(_ register: UInt64, _ value: UInt32) throws {
      try client.write(region: 0, offset: register, value.bytes, isPosted: true)
    }

    func run(
      _ operation: UInt32, _ arguments: [UInt32] = [], function: UInt32 = 0, address: UInt64 = 0,
      size: UInt64 = 0
    ) throws {
      try memory.store(operation, at: Self.memory + 0x100)
      try memory.store(function, at: Self.memory + 0x104)
      for (index, argument) in arguments.enumerated() {
        try memory.store(argument, at: Self.memory + 0x108 + 4 * UInt64(index))
      }
      try memory.store(address, at: Self.memory + 0x120)
      try memory.store(size, at: Self.memory + 0x128)
      try write(0x20, 0)
      try #require(try read(0x14) == 0)
    }

    func start(functions: UInt32 = 1) throws {
      for function in 0..<functions {
        try run(1, [0x5678_1234, 0x0108_0200, 0, 0, 1], function: function)
        try run(
          2, [0, 4], function: function, address: Self.bar + 0x4000 * UInt64(function),
          size: 0x4000)
        try run(4, [8], function: function)
        try run(5, [16, 0, 0x2000], function: function)
      }
      try run(6)
    }

    /// Waits for events and acknowledges them.
    func serveEvents() throws -> LinkEvents {
      try #require(events[0].wait(milliseconds: 10_000))
      _ = events[0].take()
      let events = try read(0x0C)
      try write(0x10, events)
      return LinkEvents(rawValue: events)
    }

    /// Runs a transfer.
    /// - Returns: the descriptor's status.
    func transfer(
      _ channel: UInt32, local: UInt64, remote: UInt64, length: UInt32, function: UInt32 = 0
    ) throws -> UInt32 {
      let base = Self.memory + 0x200 + 64 * UInt64(channel)
      for (offset, value) in [(0, local), (8, remote)] as [(UInt64, UInt64)] {
        try memory.store(value, at: base + offset)
      }
      for (offset, value) in [(16, length), (20, function), (24, 1), (28, 1)]
        as [(UInt64, UInt32)]
      {
        try memory.store(value, at: base + offset)
      }
      try write(0x3C, channel)
      try #require(events[1].wait(milliseconds: 10_000))
      _ = events[1].take()
      return try memory.load(at: base + 28, as: UInt32.self)
    }
  }

  /// A host behind a function's socket, with 1 MiB of memory from 0 on.
  private final class ServedHost: @unchecked Sendable {
    let client: Client
    let shared: SharedMemory
    let memory = HostMemory()

    init(_ socket: String) throws {
      shared = try #require(SharedMemory(count: 1 << 20))
      try memory.add(at: 0, backing: shared.bytes)
      client = try Client(connectingTo: socket, memory: memory)
      try client.map(shared, at: 0)
    }

    func read(_ region: Int, _ offset: UInt64) throws -> UInt32 {
      try client.read(region: region, offset: offset, count: 4).word
    }
    func write(_ region: Int, _ offset: UInt64, _ value: UInt32) throws {
      try client.write(region: region, offset: offset, value.bytes)
    }
    func boot() throws {
      try client.reset()
      try write(7, 4, 6)
    }
  }

  @Test(
    "a host that connects first is answered when the board has started; both then work together")
  func together() throws {
    let link = ServedLink()
    try link.serve { server in
      let socket = server.sockets[1]
      let later = Later { try ServedHost(socket) }
      let board = try ServedBoard(server)
      try board.start()
      let host = try later.get()
      defer { withExtendedLifetime(host) {} }
      #expect(try host.read(7, 0) == 0x5678_1234)
      try host.boot()
      #expect(try board.serveEvents() == .linkUp)

      // The BAR, a window, DMA.
      try host.write(0, 0x10, 42)
      #expect(try board.memory.load(at: ServedBoard.bar + 0x10, as: UInt32.self) == 42)
      #expect(try host.read(0, 0x10) == 42)
      for (register, value) in [(0x28, 0), (0x2C, 1), (0x30, 0x3000), (0x34, 0)]
        as [(UInt64, UInt32)]
      {
        try board.write(register, value)
      }
      try board.client.write(region: 2, offset: 8, [1, 2, 3, 4], isPosted: true)
      #expect(try board.client.read(region: 2, offset: 8, count: 4) == [1, 2, 3, 4])
      #expect(try host.memory.load(at: 0x3008, as: UInt32.self) == 0x0403_0201)
      #expect(
        try board.transfer(0, local: ServedBoard.bar + 0x10, remote: 0x5000, length: 4) == 2)
      #expect(try host.memory.load(at: 0x5000, as: UInt32.self) == 42)

      // Interrupts.
      let events = try (0..<16).map { _ in try #require(Client.Event()) }
      try host.client.setEvents(events, index: 2)
      let space = try host.client.read(region: 7, offset: 0, count: 256)
      var offset = Int(space[0x34])
      while space[offset] != 0x11 { offset = Int(space[offset + 1]) }
      try host.client.write(region: 7, offset: UInt64(offset + 2), [0x0F, 0x80])
      try board.write(0x24, 2 << 16 | 16)
      #expect(events[15].wait(milliseconds: 10_000))
    }
    #expect(
      link.notices.contains(.hostConnected(function: 0)) && link.notices.contains(.started)
        && link.notices.contains(.up))
  }

  @Test(
    "the reply to a host's reset waits until the board has acknowledged it",
    arguments: EndpointLink.ResetSignal.allCases, [false, true])
  func reset(signal: EndpointLink.ResetSignal, isFunctionLevel: Bool) throws {
    var options = EndpointLink.Options()
    options.resetSignal = signal
    let link = ServedLink()
    try link.serve(options) { server in
      let board = try ServedBoard(server)
      try board.start()
      let host = try ServedHost(server.sockets[1])
      try host.boot()
      #expect(try board.serveEvents() == .linkUp)
      let space = try host.client.read(region: 7, offset: 0, count: 256)
      var offset = Int(space[0x34])
      while space[offset] != 0x10 { offset = Int(space[offset + 1]) }
      let control = UInt64(offset + 8)
      let later = Later {
        if isFunctionLevel {
          try host.client.write(region: 7, offset: control, [0, 0x80])
        } else {
          try host.client.reset()
        }
        return try host.read(7, 4) & 0xFFFF
      }
      switch signal {
      case .hot: #expect(try board.serveEvents() == [.linkDown, .linkUp])
      case .perst:
        #expect(try board.serveEvents() == [.perstAsserted, .perstDeasserted])
        #expect(try board.serveEvents() == .linkUp)
      }
      #expect(try later.get() == 0)
      #expect(link.notices.last == .resetCompleted)
    }
  }

  @Test("the board goes away and comes back under a connected host")
  func boardReturns() throws {
    let link = ServedLink()
    try link.serve { server in
      var board: ServedBoard? = try ServedBoard(server)
      try board?.start()
      let host = try ServedHost(server.sockets[1])
      try host.boot()
      _ = try board?.serveEvents()
      board = nil
      while link.notices.last != .boardLeft(reason: nil) { _ = try host.read(7, 4) }
      #expect(try host.read(7, 0) == .max)
      #expect(try host.read(0, 0) == .max)
      try host.client.reset()
      let next = try ServedBoard(server)
      try next.start()
      #expect(try next.serveEvents() == .linkUp)
      #expect(try host.read(7, 0) == 0x5678_1234)
    }
  }

  @Test("a host that goes away in its reset is a link that goes down; the next one is served")
  func hostReturns() throws {
    let link = ServedLink()
    try link.serve { server in
      let board = try ServedBoard(server)
      try board.start()
      do {
        let host = try ServedHost(server.sockets[1])
        defer { withExtendedLifetime(host) {} }
        try host.boot()
        #expect(try board.serveEvents() == .linkUp)
        try host.client.post(.reset, [])
        #expect(try board.serveEvents() == [.linkDown, .linkUp])
      }
      #expect(try board.serveEvents() == .linkDown)
      let next = try ServedHost(server.sockets[1])
      defer { withExtendedLifetime(next) {} }
      try next.boot()
      #expect(try board.serveEvents() == .linkUp)
    }
  }

  @Test("two functions at their own sockets reach their own hosts")
  func twoFunctions() throws {
    var options = EndpointLink.Options()
    options.functions = 2
    try ServedLink().serve(options, hosts: 2) { server in
      let board = try ServedBoard(server)
      try board.start(functions: 2)
      let hosts = try server.sockets.dropFirst().map { try ServedHost($0) }
      defer { withExtendedLifetime(hosts) {} }
      for host in hosts { try host.boot() }
      #expect(try board.serveEvents() == .linkUp)
      for (number, host) in hosts.enumerated() {
        let function = UInt32(number)
        try host.write(0, 0, function + 1)
        #expect(
          try board.transfer(
            0, local: ServedBoard.bar + 0x4000 * UInt64(function), remote: 0x100, length: 4,
            function: function) == 2)
        #expect(try host.memory.load(at: 0x100, as: UInt32.self) == function + 1)
      }
    }
  }

  @Test(
    "a thousand random messages from each side change nothing for the next pair",
    arguments: 1...UInt64(4))
  func random(seed: UInt64) throws {
    try ServedLink().serve { server in
      var random = SplitMix64(seed: seed)
      do {
        let board = try ServedBoard(server)
        try board.start()
        let host = try ServedHost(server.sockets[1])
        try host.boot()
        for _ in 0..<1000 {
          for client in [board.client, host.client] {
            let message = randomMessage(&random)
            try? client.channel.send(message)
          }
        }
      }
      let board = try ServedBoard(server)
      try board.start()
      let host = try ServedHost(server.sockets[1])
      defer { withExtendedLifetime(host) {} }
      try host.boot()
      #expect(try board.serveEvents() == .linkUp)
      try host.write(0, 4, 7)
      #expect(try board.memory.load(at: ServedBoard.bar + 4, as: UInt32.self) == 7)
    }
  }

  /// A message that is almost right, without a reply.
  private func randomMessage(_ random: inout SplitMix64) -> [UInt8] {
    func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    func word() -> UInt32 {
      pick([
        0, 1, 2, 4, 7, 8, 16, 20, 32, 0x18, 0x20, 0x24, 0x28, 0x30, 0x3C, 0x1000, 0x10_0000,
        0x0002_0001, .max, UInt32.random(in: 0 ... .max, using: &random),
      ])
    }
    let command = pick([1, 2, 3, 4, 5, 7, 8, 9, 9, 10, 10, 10, 10, 13, 15, 77] as [UInt16])
    var body: [UInt8] = []
    if command == 9 || command == 10 {
      body += pick([word(), UInt32.random(in: 0..<16, using: &random) * 4]).bytes
      body +=
        UInt32(0).bytes + pick([0, 0, 2, 4, 7, word()]).bytes + pick([1, 2, 4, 4, 8, word()]).bytes
    }
    for _ in 0..<Int.random(in: 0..<10, using: &random) { body += word().bytes }
    var bytes: [UInt8] = []
    let size = Int.random(in: 0..<500, using: &random) == 0 ? word() : UInt32(16 + body.count)
    bytes += [UInt8(truncatingIfNeeded: random.next()), 0, UInt8(command), 0]
    return bytes + size.bytes + UInt32(1 << 4).bytes + UInt32(0).bytes + body
  }
}

extension UInt32 {
  fileprivate var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

extension [UInt8] {
  fileprivate var word: UInt32 { reversed().reduce(0) { $0 << 8 | UInt32($1) } }
}
