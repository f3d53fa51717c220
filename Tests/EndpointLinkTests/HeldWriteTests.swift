// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import Foundation
import PCI
import ServedHost
import Testing
import VFIOUser

@Suite("endpoint-link.md, 6: a write before an interrupt by the line") struct HeldWriteTests {
  static let address: UInt64 = 0x3000

  /// A board and a host that takes the line later, with the first page of BAR 2 led to it; another function beside it.
  private func pair() throws -> (Board, Host) {
    var options = EndpointLink.Options()
    options.functions = 2
    let board = try Board(options)
    try board.startAll()
    let host = try Host(board)
    host.boot()
    board.serveEvents()
    host.takesLineLater = true
    board.map(page: 0, pages: 1, to: Self.address)
    board.map(page: 1, pages: 1, to: 0x8000)
    return (board, host)
  }

  private func word(_ host: Host) throws -> UInt32 {
    try host.memory.load(at: Self.address, as: UInt32.self)
  }

  @Test("it is seen when the host's machine has taken the interrupt; later accesses wait")
  func interrupted() throws {
    let (board, host) = try pair()
    board.device.write(2, 4, 1)
    board.device.write(2, 0, 2)
    // Only the last write waits.
    #expect(try host.memory.load(at: Self.address + 4, as: UInt32.self) == 1)
    #expect(try word(host) == 0)
    #expect(!board.device.isPaused)
    board.raise(0, 1)
    #expect(host.takeInterrupts() == [1001, 1000])
    board.link.settleHold()
    #expect(try word(host) == 0)
    #expect(board.device.isPaused)
    host.isLinePending = false
    board.link.settleHold()
    #expect(try word(host) == 2)
    #expect(!board.device.isPaused)
    #expect(board.link.hold == nil)
  }

  @Test(
    "it is seen before the next thing that the board does",
    arguments: ["write", "read", "unmap", "table", "message", "other function", "configuration"])
  func followed(by access: String) throws {
    let (board, host) = try pair()
    board.device.write(2, 0, 7)
    switch access {
    case "write": board.device.write(2, 0x1000, 1)
    case "read": _ = board.device.word(2, 0x1000)
    case "unmap": board.unmap(page: 0)
    case "table": _ = board.device.word(4, 0)
    case "message": board.raise(2, 1)
    case "other function": board.raise(0, 1, function: 1)
    default: board.device.writeConfiguration(offset: 0x3C, width: .byte, value: 1)
    }
    #expect(try word(host) == 7)
    #expect(host.takeInterrupts() == [])
  }

  @Test("DMA finds it done")
  func transfer() throws {
    let (board, _) = try pair()
    board.device.write(2, 0, 7)
    #expect(
      try board.transfer(.fromHost, local: Board.highMemory, remote: Self.address, length: 4) == 2)
    #expect(try board.memory.load(at: Board.highMemory, as: UInt32.self) == 7)
  }

  @Test(
    "it is seen before anything changes at the host",
    arguments: [
      "read", "MSI-X", "bus mastering", "reset", "function-level reset", "disconnect", "stop",
    ])
  func change(_ change: String) throws {
    let (board, host) = try pair()
    board.device.write(2, 0, 7)
    switch change {
    case "read": _ = host.word(0, 0)
    case "MSI-X": host.control(.msix, 0x8000)
    case "bus mastering": host.writeCommand(0x0002)
    case "reset": host.function.reset(.conventional)
    case "function-level reset": host.resetFunction()
    case "disconnect": host.disconnect()
    default: #expect(try board.stop() == 0)
    }
    #expect(try word(host) == 7)
    #expect(board.link.hold == nil)
  }

  @Test(
    "it does not wait for a host that has messages, takes the line at once, or has disabled it",
    arguments: ["MSI", "MSI-X", "at once", "disabled"])
  func immediate(host kind: String) throws {
    let (board, host) = try pair()
    switch kind {
    case "MSI": host.control(.msi, 1)
    case "MSI-X": host.control(.msix, 0x8000)
    case "at once": host.takesLineLater = false
    default: host.writeCommand(0x0406)
    }
    board.device.write(2, 0, 7)
    #expect(try word(host) == 7)
  }

  @Test("a write of more than eight bytes does not wait")
  func long() throws {
    let (board, host) = try pair()
    board.device.writeBytes(2, 0, [UInt8](repeating: 1, count: 12))
    #expect(try word(host) == 0x0101_0101)
  }

  @Test("an interrupt without a held write delays nothing")
  func alone() throws {
    let (board, _) = try pair()
    board.raise(0, 1)
    #expect(!board.device.isPaused)
    #expect(board.link.hold == nil)
  }

  @Test("without an interrupt it is seen at the limit; the next one waits again")
  func withoutInterrupt() throws {
    let (board, host) = try pair()
    board.device.write(2, 0, 7)
    board.link.abandonHold()
    #expect(try word(host) == 7)
    board.device.write(2, 0, 8)
    #expect(try word(host) == 7)
  }

  @Test("a host's machine that does not take the interrupt is not waited for again until it has")
  func slowMachine() throws {
    let (board, host) = try pair()
    board.device.write(2, 0, 7)
    board.raise(0, 1)
    board.link.abandonHold()
    #expect(try word(host) == 7)
    board.device.write(2, 0, 8)
    #expect(try word(host) == 8)
    host.isLinePending = false
    board.device.write(2, 0, 9)
    #expect(try word(host) == 8)
    board.raise(0, 1)
    #expect(board.device.isPaused)
  }
}

@Suite("endpoint-link.md, 6: a write before an interrupt by the line, at sockets", .serialized)
struct ServedLineTests {
  static let address: UInt64 = 0x3000

  /// Serves a board and a host with an event for the line.
  private func serve(
    _ limits: LinkServer.Limits, _ body: (ServedBoard, LinkedHost) throws -> Void
  ) throws {
    try LinkServerTests.ServedLink().serve(limits: limits) { server in
      let board = try ServedBoard(server.socket)
      try board.start()
      let host = try LinkedHost(server.sockets[1])
      try host.boot()
      _ = try board.serveEvents()
      try host.enableInterrupts(0, vectors: 1)
      try board.map(page: 0, pages: 1, to: Self.address)
      try body(board, host)
    }
  }

  private func complete(_ board: ServedBoard, _ value: UInt32) throws {
    try board.client.write(region: 2, offset: 0, value.littleEndianBytes, isPosted: true)
    try board.raise(0, 1)
  }

  private func word(_ host: LinkedHost) throws -> UInt32 {
    try host.memory.load(at: Self.address, as: UInt32.self)
  }

  /// Limits that are not exceeded.
  private static let endless = {
    var limits = LinkServer.Limits()
    limits.interrupt = .seconds(3600)
    limits.line = .seconds(3600)
    return limits
  }()

  @Test("the machine reads the event of the line before the host sees the write")
  func eventFirst() throws {
    try serve(Self.endless) { board, host in
      for value in 1...3 as ClosedRange<UInt32> {
        try complete(board, value)
        #expect(host.awaitInterrupt(vector: 0))
        #expect(try word(host) == value - 1)
        #expect(host.takeInterrupt(vector: 0))
        // The reply comes when the link has gone on.
        #expect(try board.read(0x00) == 0x4B4C_5045)
        #expect(try word(host) == value)
        try host.client.unmaskLine()
      }
    }
  }

  @Test("a write is not seen while the machine has yet to end an earlier interrupt")
  func unmask() throws {
    try serve(Self.endless) { board, host in
      try complete(board, 1)
      #expect(host.takeInterrupt(vector: 0))
      #expect(try board.read(0x00) == 0x4B4C_5045)
      try complete(board, 2)
      // The link has taken both when it replies.
      _ = try host.read(7, 0)
      #expect(try word(host) == 1)
      try host.client.unmaskLine()
      #expect(host.awaitInterrupt(vector: 0))
      #expect(try word(host) == 1)
      #expect(host.takeInterrupt(vector: 0))
      #expect(try board.read(0x00) == 0x4B4C_5045)
      #expect(try word(host) == 2)
    }
  }

  @Test(
    "a write is seen at the limits: without an interrupt, and when the machine does not take it",
    arguments: [false, true])
  func limits(isRaised: Bool) throws {
    var limits = Self.endless
    if isRaised { limits.line = .zero } else { limits.interrupt = .zero }
    try serve(limits) { board, host in
      if isRaised {
        try complete(board, 5)
      } else {
        try board.client.write(region: 2, offset: 0, [5, 0, 0, 0], isPosted: true)
      }
      let end = Date() + 10
      while try word(host) != 5, Date() < end {}
      #expect(try word(host) == 5)
    }
  }
}
