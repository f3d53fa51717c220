// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI
import Testing

@Suite("endpoint-link.md, 4: link state and resets") struct LinkStateTests {
  /// A board and a host with the link up, and its event served.
  private func pair(
    _ reset: EndpointLink.ResetSignal = .hot
  ) throws -> (board: Board, host: Host) {
    var options = EndpointLink.Options()
    options.resetSignal = reset
    let board = try Board(options)
    try board.startAll()
    let host = try Host(board)
    host.boot()
    #expect(board.serveEvents() == .linkUp)
    #expect(board.takeInterrupts() == [0])
    return (board, host)
  }

  @Test("the link comes up with the later of the board's start and the host's first reset")
  func up() throws {
    let board = try Board()
    let host = try Host(board)
    host.function.reset(.conventional)
    #expect(!board.link.isUp && !host.function.isPaused)
    try board.startAll()
    #expect(board.link.isUp)
    #expect(board.takeInterrupts() == [0])
    #expect(board.serveEvents() == .linkUp)
    #expect(board.events() == [])
  }

  @Test(
    "a host that enables the function without a reset brings the link up; one that reads does not")
  func upWithoutReset() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    #expect(host.read(0) == 0x5678_1234)
    #expect(host.word(0, 0) == .max)
    host.function.writeConfiguration(offset: 0x10, width: .doubleword, value: .max)
    #expect(!board.link.isUp)
    host.enable()
    #expect(board.link.isUp)
    #expect(host.word(0, 0) == 0)
  }

  @Test(
    "a reset by the host is a hot reset: link down and up, complete when the board has acknowledged both",
    arguments: [false, true])
  func hotReset(isFunctionLevel: Bool) throws {
    let (board, host) = try pair()
    if isFunctionLevel { host.resetFunction() } else { host.function.reset(.conventional) }
    #expect(host.function.isPaused && board.link.isUp)
    #expect(host.read(4, .word) == 0)
    #expect(board.takeInterrupts() == [0])
    #expect(board.events() == [.linkDown, .linkUp])
    board.acknowledge(.linkDown)
    #expect(host.function.isPaused)
    board.acknowledge(.linkUp)
    #expect(!host.function.isPaused)
    #expect(try board.hostState() == [.linkUp, .intxNotDisabled])
  }

  @Test(
    "a reset by the host as PERST#: assert and deassert, then link up after the board has acknowledged them"
  )
  func perst() throws {
    let (board, host) = try pair(.perst)
    host.function.reset(.conventional)
    #expect(board.events() == [.perstAsserted, .perstDeasserted])
    #expect(!board.link.isUp)
    #expect(try !board.hostState().contains(.linkUp))
    // The driver programs everything again, other BARs too.
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR(at: Board.highMemory, size: 0x8000) == 0)
    board.acknowledge([.perstAsserted, .perstDeasserted])
    #expect(host.function.isPaused)
    #expect(host.function.configuration.bars[0]?.size == 0x8000)
    #expect(board.serveEvents() == .linkUp)
    #expect(!host.function.isPaused && board.link.isUp)
    host.enable()
    host.write(0, 0x4000, 7)
    #expect(try board.memory.load(at: Board.highMemory + 0x4000, as: UInt32.self) == 7)
  }

  @Test(
    "a reset that the board does not acknowledge ends when the wait for it ends",
    arguments: EndpointLink.ResetSignal.allCases)
  func abandoned(reset: EndpointLink.ResetSignal) throws {
    let (board, host) = try pair(reset)
    var notices: [LinkNotice] = []
    board.link.onNotice = { notices.append($0) }
    host.function.reset(.conventional)
    board.link.abandonReset()
    #expect(!host.function.isPaused && board.link.isUp)
    #expect(board.events().contains(.linkUp))
    #expect(notices.contains(.resetTimedOut))
    // The late acknowledgement has no effect.
    board.acknowledge([.linkDown, .linkUp, .perstAsserted, .perstDeasserted])
    #expect(!host.function.isPaused && board.link.isUp)
  }

  @Test("an acknowledgement of an earlier event does not complete a reset")
  func earlyAcknowledgement() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    #expect(board.events() == .linkUp)
    host.function.reset(.conventional)
    board.acknowledge([.linkDown, .linkUp])
    #expect(host.function.isPaused)
    board.serveEvents()
    #expect(!host.function.isPaused)
  }

  @Test("when the host has disconnected, the link is down until the next one")
  func hostLeaves() throws {
    let (board, host) = try pair()
    host.disconnect()
    #expect(!board.link.isUp)
    #expect(board.serveEvents() == .linkDown)
    #expect(try !board.hostState().contains(.linkUp))
    let next = try Host(board)
    next.boot()
    #expect(board.serveEvents() == .linkUp)
  }

  @Test("a host that disconnects and another that connects unnoticed are link down and up")
  func unnoticed() throws {
    let (board, host) = try pair()
    host.disconnect()
    let next = try Host(board)
    next.boot()
    #expect(board.events() == [.linkDown, .linkUp])
    // A last state of down is not read as up.
    let last = try Host(board)
    last.boot()
    last.disconnect()
    #expect(board.events() == .linkDown)
  }

  @Test("a host that disconnects during its reset ends it")
  func hostLeavesInReset() throws {
    let (board, host) = try pair(.perst)
    host.function.reset(.conventional)
    host.disconnect()
    #expect(!board.link.isResetPending)
    board.serveEvents()
    #expect(!board.link.isUp)
  }

  @Test("a stopped controller has no function; a start brings it back, as programmed then")
  func stopAndStart() throws {
    let (board, host) = try pair()
    #expect(try board.stop() == 0)
    #expect(board.serveEvents() == .linkDown)
    #expect(host.read(0) == .max)
    #expect(host.word(0, 0) == .max)
    #expect(try board.hostState() == [])
    host.enable()
    #expect(host.read(4, .word) == 0xFFFF)
    #expect(try board.stop() == 0)
    #expect(try board.setBAR(size: 0x8000) == 0)
    #expect(try board.start() == 0)
    #expect(board.serveEvents() == .linkUp)
    #expect(host.read(4, .word) == 0)
    #expect(host.function.configuration.bars[0]?.size == 0x8000)
  }

  @Test("a stop during a reset ends it")
  func stopInReset() throws {
    let (board, host) = try pair()
    host.function.reset(.conventional)
    #expect(try board.stop() == 0)
    #expect(!host.function.isPaused)
    #expect(board.events() == .linkDown)
  }

  @Test("a function that is removed is gone, with its windows, and back after the next start")
  func remove() throws {
    let (board, host) = try pair()
    board.map(page: 0, pages: 1, to: 0)
    #expect(try board.run(8) == 0)
    #expect(host.read(0) == .max && host.word(0, 0) == .max)
    #expect(try board.transfer(.toHost, local: Board.bar, remote: 0, length: 4) == 3)
    host.boot()
    #expect(board.device.word(2, 0) == .max)
    #expect(try board.stop() == 0)
    try board.startAll()
    #expect(host.read(0) == 0x5678_1234)
  }

  @Test("resets of another function than the first have no events")
  func secondFunction() throws {
    var options = EndpointLink.Options()
    options.functions = 2
    let board = try Board(options)
    try board.startAll()
    let (first, second) = (try Host(board), try Host(board, function: 1))
    second.boot()
    #expect(!board.link.isUp)
    first.boot()
    board.serveEvents()
    second.resetFunction()
    #expect(board.events() == [])
    #expect(!second.function.isPaused)
    #expect(second.read(4, .word) == 0)
    #expect(first.read(4, .word) == 6)
    second.disconnect()
    #expect(board.events() == [] && board.link.isUp)
  }

  @Test("the link reports its changes in their order")
  func notices() throws {
    let board = try Board()
    var notices: [LinkNotice] = []
    board.link.onNotice = { notices.append($0) }
    try board.startAll()
    let host = try Host(board)
    host.boot()
    board.serveEvents()
    host.function.reset(.conventional)
    board.serveEvents()
    #expect(try board.stop() == 0)
    #expect(
      notices == [
        .started, .reset(function: 0, nil), .up, .reset(function: 0, .hot), .resetCompleted,
        .stopped, .down,
      ])
    notices = []
    board.device.reset(.conventional)
    board.device.reset(.conventional)
    #expect(notices == [.boardReset])
  }
}
