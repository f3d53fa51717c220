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
      limits: LinkServer.Limits = .init(),
      report: @escaping @Sendable (LinkNotice) -> Void = { _ in },
      _ body: (RunningServer) throws -> Void
    ) throws {
      let server = try RunningServer(sockets: 1 + hosts) { [self] listeners, stop in
        LinkServer(
          EndpointLink(options), board: listeners[0], hosts: Array(listeners.dropFirst()),
          limits: limits
        ).run(until: stop) { notice in
          report(notice)
          self.entries.withLock { $0.append(notice) }
        }
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

  @Test(
    "a host that connects first is answered when the board has started; both then work together")
  func together() throws {
    let link = ServedLink()
    try link.serve { server in
      let socket = server.sockets[1]
      let later = Later { try LinkedHost(socket) }
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try later.get()
      defer { withExtendedLifetime(host) {} }
      #expect(try host.read(7, 0) == 0x5678_1234)
      try host.boot()
      #expect(try board.takeEvents() == .linkUp)

      // The BAR, a window, DMA.
      try host.write(0, 0x10, 42)
      #expect(try board.memory.load(at: ServedBoard.bar + 0x10, as: UInt32.self) == 42)
      #expect(try host.read(0, 0x10) == 42)
      try board.map(page: 0, pages: 1, to: 0x3000)
      try board.client.write(region: 2, offset: 8, [1, 2, 3, 4], isPosted: true)
      #expect(try board.client.read(region: 2, offset: 8, count: 4) == [1, 2, 3, 4])
      #expect(try host.memory.load(at: 0x3008, as: UInt32.self) == 0x0403_0201)
      #expect(
        try board.transfer(0, local: ServedBoard.bar + 0x10, remote: 0x5000, length: 4) == 2)
      #expect(try host.memory.load(at: 0x5000, as: UInt32.self) == 42)

      // Interrupts.
      try host.enableInterrupts(2, vectors: 16)
      try board.raise(2, 16)
      #expect(host.takeInterrupt(vector: 15))
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
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try LinkedHost(server.sockets[1])
      try host.boot()
      #expect(try board.takeEvents() == .linkUp)
      let control = try #require(try host.client.capability(0x10)) + 8
      let later = Later {
        if isFunctionLevel {
          try host.client.write(region: 7, offset: control, [0, 0x80])
        } else {
          try host.client.reset()
        }
        return try host.read(7, 4) & 0xFFFF
      }
      switch signal {
      case .hot: #expect(try board.takeEvents() == [.linkDown, .linkUp])
      case .perst:
        #expect(try board.takeEvents() == [.perstAsserted, .perstDeasserted])
        #expect(try board.takeEvents() == .linkUp)
      }
      #expect(try later.get() == 0)
      #expect(link.notices.last == .resetCompleted)
    }
  }

  @Test("writes that follow a reset in the same message wait for the board, too")
  func writesAfterReset() throws {
    try ServedLink().serve { server in
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try LinkedHost(server.sockets[1])
      try host.boot()
      #expect(try board.takeEvents() == .linkUp)
      func state() throws -> HostState {
        HostState(rawValue: try board.memory.load(at: ServedBoard.memory, as: UInt32.self))
      }
      #expect(try state().isSuperset(of: [.memorySpace, .busMaster]))
      let control = try #require(try host.client.capability(0x10)) + 8
      var body = RegionWrites(count: 2).bytes()
      for (offset, value) in [(control, 0x8000), (4, 6)] as [(UInt64, UInt32)] {
        body += RegionAccess(region: 7, offset: offset, count: 2).bytes()
        body += value.littleEndianBytes + [0, 0, 0, 0]
      }
      let later = Later { [body] in _ = try host.client.request(.writeRegions, body) }
      var events: UInt32 = 0
      while events == 0 { events = try board.read(0x0C) }
      #expect(try state().isDisjoint(with: [.memorySpace, .busMaster]))
      try board.write(0x10, events)
      try later.get()
      #expect(try state().isSuperset(of: [.memorySpace, .busMaster]))
    }
  }

  @Test("the board goes away and comes back under a connected host")
  func boardReturns() throws {
    let link = ServedLink()
    try link.serve { server in
      var board: ServedBoard? = try ServedBoard(server.socket)
      try board?.start()
      let host = try LinkedHost(server.sockets[1])
      try host.boot()
      _ = try board?.takeEvents()
      board = nil
      while link.notices.last != .boardLeft(reason: nil) { _ = try host.read(7, 4) }
      #expect(try host.read(7, 0) == .max)
      #expect(try host.read(0, 0) == .max)
      try host.client.reset()
      let next = try ServedBoard(server.socket)
      try next.start()
      #expect(try next.takeEvents() == .linkUp)
      #expect(try host.read(7, 0) == 0x5678_1234)
    }
  }

  @Test("a host that goes away in its reset is a link that goes down; the next one is served")
  func hostReturns() throws {
    let link = ServedLink()
    try link.serve { server in
      let board = try ServedBoard(server.socket)
      try board.start()
      do {
        let host = try LinkedHost(server.sockets[1])
        defer { withExtendedLifetime(host) {} }
        try host.boot()
        #expect(try board.takeEvents() == .linkUp)
        try host.client.post(.reset, [])
        #expect(try board.takeEvents() == [.linkDown, .linkUp])
      }
      #expect(try board.takeEvents() == .linkDown)
      let next = try LinkedHost(server.sockets[1])
      defer { withExtendedLifetime(next) {} }
      try next.boot()
      #expect(try board.takeEvents() == .linkUp)
    }
  }

  @Test("two functions at their own sockets reach their own hosts")
  func twoFunctions() throws {
    var options = EndpointLink.Options()
    options.functions = 2
    try ServedLink().serve(options, hosts: 2) { server in
      let board = try ServedBoard(server.socket)
      try board.start(functions: 2)
      let hosts = try server.sockets.dropFirst().map { try LinkedHost($0) }
      defer { withExtendedLifetime(hosts) {} }
      for host in hosts { try host.boot() }
      #expect(try board.takeEvents() == .linkUp)
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

  @Test("a host that does not read its replies does not delay others, and has them when it does")
  func unreadReplies() throws {
    var options = EndpointLink.Options()
    options.functions = 2
    try ServedLink().serve(options, hosts: 2) { server in
      let board = try ServedBoard(server.socket)
      try board.start(functions: 2)
      let hosts = try server.sockets.dropFirst().map { try LinkedHost($0) }
      for host in hosts { try host.boot() }
      let channel = hosts[0].client.channel
      // More than the socket has room for.
      let body = RegionAccess(region: 0, offset: 0, count: 0x4000).bytes()
      let ids = Array(0..<200 as Range<UInt16>)
      for id in ids {
        try channel.send(
          MessageHeader(request: .readRegion, id: id, bodyCount: body.count), body: body)
      }
      for value in 1...50 as ClosedRange<UInt32> {
        try hosts[1].write(0, 0, value)
        #expect(try board.read(0) == 0x4B4C_5045)
      }
      var replied: [UInt16] = []
      while replied.count < ids.count {
        if let reply = try channel.next() {
          #expect(reply.body.count == body.count + 0x4000)
          replied.append(reply.header.id)
        } else if try !channel.receive() {
          try #require(try channel.waitForArrival(nanoseconds: Channel.patience))
        }
      }
      #expect(replied == ids)
    }
  }

  @Test("when the end of a client is reported, its connection is closed")
  func closedAtReport() throws {
    final class Connection: Sendable {
      let number = Atomic<CInt>(-1)
      let isClosed = Atomic<Bool>(false)
    }
    let connection = Connection()
    let link = ServedLink()
    let report: @Sendable (LinkNotice) -> Void = { notice in
      guard notice.isEnd, case let number = connection.number.load(ordering: .acquiring),
        number >= 0
      else { return }
      var byte: UInt8 = 0
      let isClosed = recv(number, &byte, 1, CInt(MSG_DONTWAIT)) == 0
      connection.isClosed.store(isClosed, ordering: .releasing)
    }
    try link.serve(report: report) { server in
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try LinkedHost(server.sockets[1])
      connection.number.store(host.client.channel.socket.number, ordering: .releasing)
      // A message of no bytes.
      try host.client.channel.send([UInt8](repeating: 0, count: 16))
      while !link.notices.contains(where: \.isEnd) { sched_yield() }
      connection.number.store(-1, ordering: .releasing)
      let isClosed = connection.isClosed.load(ordering: .acquiring)
      #expect(isClosed)
    }
  }

  @Test("a host that maps as many pieces as it may leaves the board its memory")
  func manyMaps() throws {
    try ServedLink().serve { server in
      let socket = server.socket
      var board: ServedBoard? = try ServedBoard(socket)
      try board?.start()
      let host = try LinkedHost(server.sockets[1])
      let page = try #require(SharedMemory(count: 4096))
      let refused = (1...8192).first { number in
        (try? host.client.map(page, at: 1 << 32 + UInt64(number) * 4096)) == nil
      }
      #expect(refused == 4096)
      board = nil
      board = try ServedBoard(socket)
      try board?.start()
    }
  }

  @Test(
    "a thousand random messages from each side change nothing for the next pair",
    arguments: 1...UInt64(4))
  func random(seed: UInt64) throws {
    let link = ServedLink()
    try link.serve { server in
      var random = SplitMix64(seed: seed)
      do {
        let board = try ServedBoard(server.socket)
        try board.start()
        let host = try LinkedHost(server.sockets[1])
        try host.boot()
        for _ in 0..<1000 {
          for client in [board.client, host.client] {
            let message = randomMessage(&random)
            try? client.channel.send(message)
          }
        }
      }
      // What they have sent is processed until the end.
      while link.notices.count(where: \.isEnd) < 2 { sched_yield() }
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try LinkedHost(server.sockets[1])
      defer { withExtendedLifetime(host) {} }
      try host.boot()
      #expect(try board.takeEvents() == .linkUp)
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
      body += pick([word(), UInt32.random(in: 0..<16, using: &random) * 4]).littleEndianBytes
      body +=
        UInt32(0).littleEndianBytes + pick([0, 0, 2, 4, 7, word()]).littleEndianBytes
        + pick([1, 2, 4, 4, 8, word()]).littleEndianBytes
    }
    for _ in 0..<Int.random(in: 0..<10, using: &random) { body += word().littleEndianBytes }
    var bytes: [UInt8] = []
    let size = Int.random(in: 0..<500, using: &random) == 0 ? word() : UInt32(16 + body.count)
    bytes += [UInt8(truncatingIfNeeded: random.next()), 0, UInt8(command), 0]
    return bytes + size.littleEndianBytes + UInt32(1 << 4).littleEndianBytes
      + UInt32(0).littleEndianBytes + body
  }
}

extension LinkNotice {
  /// Whether it is the end of a client.
  fileprivate var isEnd: Bool {
    switch self {
    case .boardLeft, .hostLeft: true
    default: false
    }
  }
}

extension ServedBoard {
  /// Waits for events, and acknowledges them.
  fileprivate func takeEvents() throws -> LinkEvents { LinkEvents(rawValue: try serveEvents()) }
}
