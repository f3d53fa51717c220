// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI
import Testing

@Suite("endpoint-link.md, 6: windows and DMA") struct TransferTests {
  private func pair(_ options: EndpointLink.Options = .init()) throws -> (Board, Host) {
    let board = try Board(options)
    try board.startAll()
    let host = try Host(board)
    host.boot()
    board.serveEvents()
    _ = board.takeInterrupts()
    return (board, host)
  }

  private static let data = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }

  // MARK: Windows

  @Test("a window leads to host memory, in both directions and any width", arguments: [1, 2, 4, 8])
  func window(count: Int) throws {
    let (board, host) = try pair()
    board.map(page: 3, pages: 2, to: 1 << 32)
    let bytes = Array(Self.data[..<count])
    board.device.writeBytes(2, 0x3040, bytes)
    #expect(try host.memory.bytes(at: 1 << 32 + 0x40, count) == bytes)
    try host.memory.write(bytes, at: 1 << 32 + 0x1100)
    #expect(board.device.bytes(2, 0x4100, count) == bytes)
    board.unmap(page: 3)
    #expect(board.device.bytes(2, 0x4100, count) == [UInt8](repeating: 0xFF, count: count))
  }

  @Test("an access across windows and gaps has each byte from its place, and ones in the gaps")
  func across() throws {
    let (board, host) = try pair()
    board.map(page: 1, pages: 1, to: 0x5000)
    board.map(page: 2, pages: 1, to: 0x9000)
    try host.memory.write([1, 2], at: 0x5000)
    try host.memory.write([3, 4], at: 0x5FFE)
    try host.memory.write([5, 6], at: 0x9000)
    #expect(board.device.bytes(2, 0xFFE, 4) == [0xFF, 0xFF, 1, 2])
    #expect(board.device.bytes(2, 0x1FFE, 4) == [3, 4, 5, 6])
    board.device.writeBytes(2, 0x2FFE, [7, 8, 9, 9])
    #expect(try host.memory.bytes(at: 0x9FFE, 4) == [7, 8, 0, 0])
    #expect(board.device.bytes(2, (16 << 20) - 2, 4) == [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(board.device.bytes(2, .max - 1, 4) == [0xFF, 0xFF, 0xFF, 0xFF])
  }

  struct Map: Sendable {
    var page: UInt32
    var pages: UInt32
    var address: UInt64 = 0
    var function: UInt32 = 0
  }

  @Test(
    "a window that overlaps, or does not fit, is not mapped",
    arguments: [
      Map(page: 4, pages: 1), Map(page: 5, pages: 1), Map(page: 3, pages: 2),
      Map(page: 0, pages: 0xFF_FFFF), Map(page: 0, pages: 0), Map(page: 4096, pages: 1),
      Map(page: .max, pages: 1), Map(page: 4095, pages: 2), Map(page: 0, pages: 1, address: 8),
      Map(page: 0, pages: 2, address: .max - 0xFFF), Map(page: 0, pages: 1, function: 1),
      Map(page: 0, pages: 1, function: 255),
    ])
  func refused(map: Map) throws {
    let (board, host) = try pair()
    board.map(page: 4, pages: 2, to: 0x5000)
    try host.memory.write([1, 2, 3, 4], at: 0x6000)
    board.map(page: map.page, pages: map.pages, to: map.address, function: map.function)
    #expect(board.device.word(2, 0) == .max)
    #expect(board.device.word(2, 0x3000) == .max)
    #expect(board.device.bytes(2, 0x5000, 4) == [1, 2, 3, 4])
    #expect(board.device.word(2, 0x6000) == .max)
  }

  @Test(
    "a window leads nowhere while the host has not enabled bus mastering, or maps no memory there")
  func deadWindow() throws {
    let (board, host) = try pair()
    board.map(page: 0, pages: 1, to: 0)
    board.map(page: 1, pages: 1, to: 0x8000_0000)
    #expect(board.device.word(2, 0) == 0)
    #expect(board.device.word(2, 0x1000) == .max)
    board.device.write(2, 0x1000, 1)
    host.writeCommand(0x0002)
    board.device.write(2, 0, 1)
    #expect(board.device.word(2, 0) == .max)
    host.enable()
    #expect(board.device.word(2, 0) == 0)
    host.disconnect()
    #expect(board.device.word(2, 0) == .max)
  }

  @Test("every page of BAR 2 can have its window, and no more than 4096 exist")
  func manyWindows() throws {
    var options = EndpointLink.Options()
    options.windowSize = 32 << 20
    let (board, host) = try pair(options)
    for page in (0..<UInt32(4097)).reversed() { board.map(page: page, pages: 1, to: 0x1000) }
    host.memory.storeTest(42, at: 0x1000)
    #expect(board.device.word(2, 1 << 12) == 42)
    #expect(board.device.word(2, 4096 << 12) == 42)
    #expect(board.device.word(2, 0) == .max)
    #expect(board.device.counters.refusedWindows == 1)
  }

  // MARK: DMA

  @Test("DMA copies to the host and from it, and interrupts if asked", arguments: [false, true])
  func both(interrupts: Bool) throws {
    let (board, host) = try pair()
    let length = UInt32(Self.data.count)
    try board.memory.write(Self.data, at: Board.highMemory + 3)
    #expect(
      try board.transfer(
        .toHost, local: Board.highMemory + 3, remote: 1 << 32 + 5, length: length,
        interrupts: interrupts) == 2)
    #expect(try host.memory.bytes(at: 1 << 32 + 5, Self.data.count) == Self.data)
    #expect(
      try board.transfer(
        .fromHost, local: Board.memory + 0x4000, remote: 1 << 32 + 5, length: length,
        interrupts: interrupts) == 2)
    #expect(try board.memory.bytes(at: Board.memory + 0x4000, Self.data.count) == Self.data)
    #expect(board.takeInterrupts() == (interrupts ? [1, 1] : []))
    #expect(board.device.counters.bytesToHost == UInt64(length))
    #expect(board.device.counters.bytesFromHost == UInt64(length))
  }

  @Test("each channel has a descriptor, and pairs of them the same direction")
  func channels() throws {
    let (board, host) = try pair()
    try board.memory.write(Self.data, at: Board.highMemory)
    let length = UInt32(Self.data.count)
    let channels: [Board.Channel] = [.toHost, .secondToHost, .last]
    for (index, channel) in channels.enumerated() {
      let remote = UInt64(index + 1) << 16
      #expect(
        try board.transfer(channel, local: Board.highMemory, remote: remote, length: length) == 2)
      #expect(try host.memory.bytes(at: remote, Self.data.count) == Self.data)
    }
    #expect(
      try board.transfer(
        .secondFromHost, local: Board.memory + 0x8000, remote: 1 << 16, length: length) == 2)
    #expect(try board.memory.bytes(at: Board.memory + 0x8000, Self.data.count) == Self.data)
  }

  @Test("DMA from memory to memory stays in the board")
  func memoryToMemory() throws {
    let (board, host) = try pair()
    host.disconnect()
    try board.memory.write(Self.data, at: Board.memory + 0x8000)
    #expect(
      try board.transfer(
        .memoryToMemory, local: Board.highMemory, remote: Board.memory + 0x8000,
        length: UInt32(Self.data.count)) == 2)
    #expect(try board.memory.bytes(at: Board.highMemory, Self.data.count) == Self.data)
  }

  @Test("DMA from memory to memory reaches the host through windows, on both ends and across them")
  func throughWindows() throws {
    let (board, host) = try pair()
    board.map(page: 0, pages: 1, to: 0x4_0000)
    board.map(page: 1, pages: 2, to: 0x5_0000)
    board.map(page: 8, pages: 3, to: 0x8_0000)
    try board.memory.write(Self.data, at: Board.highMemory)
    let length = UInt32(Self.data.count)
    #expect(
      try board.transfer(
        .memoryToMemory, local: Board.window, remote: Board.highMemory, length: length) == 2)
    #expect(try host.memory.bytes(at: 0x4_0000, 4096) == Array(Self.data[..<4096]))
    #expect(
      try host.memory.bytes(at: 0x5_0000, Self.data.count - 4096) == Array(Self.data[4096...]))
    #expect(
      try board.transfer(
        .memoryToMemory, local: Board.window + 0x8000, remote: Board.window, length: length) == 2)
    #expect(try host.memory.bytes(at: 0x8_0000, Self.data.count) == Self.data)
    #expect(
      try board.transfer(
        .memoryToMemory, local: Board.memory + 0x8000, remote: Board.window + 0x8000,
        length: length) == 2)
    #expect(try board.memory.bytes(at: Board.memory + 0x8000, Self.data.count) == Self.data)
    // Beyond the last window.
    #expect(
      try board.transfer(
        .memoryToMemory, local: Board.memory + 0x8000, remote: Board.window + 0xA000,
        length: 0x1001) == 3)
  }

  struct Bad: Sendable {
    var channel = Board.Channel.toHost
    var local: UInt64 = Board.memory
    var remote: UInt64 = 0
    var length: UInt32 = 64
    var function: UInt32 = 0
  }

  @Test(
    "a transfer that cannot be done fails",
    arguments: [
      Bad(remote: 0x8000_0000), Bad(channel: .fromHost, remote: 0x8000_0000),
      Bad(local: 0x8000_0000), Bad(channel: .fromHost, local: 0x8000_0000),
      Bad(channel: .memoryToMemory, remote: 0x8000_0000), Bad(remote: .max), Bad(local: .max),
      Bad(remote: .max - 63), Bad(local: .max - 63), Bad(remote: (1 << 20) - 32),
      Bad(length: .max), Bad(length: (16 << 20) + 1), Bad(length: 16 << 20), Bad(function: 1),
      Bad(function: .max), Bad(local: Board.window), Bad(local: Board.window + (16 << 20) - 1),
    ])
  func failed(bad: Bad) throws {
    let (board, _) = try pair()
    #expect(
      try board.transfer(
        bad.channel, local: bad.local, remote: bad.remote, length: bad.length,
        function: bad.function, interrupts: true) == 3)
    #expect(board.takeInterrupts() == [1])
    #expect(board.device.counters.failedTransfers == 1)
  }

  @Test("a transfer of nothing is done; a channel that does not exist does nothing")
  func nothing() throws {
    let (board, _) = try pair()
    #expect(try board.transfer(.toHost, local: 0, remote: 0, length: 0) == 2)
    for channel in [56, 64, UInt32.max] { board.write(0x3C, channel) }
    #expect(board.device.counters.transfers == 1)
  }

  @Test("DMA needs a link, and a host that has enabled bus mastering")
  func noHost() throws {
    let (board, host) = try pair()
    func status() throws -> UInt32 {
      try board.transfer(.toHost, local: Board.memory, remote: 0, length: 4)
    }
    #expect(try status() == 2)
    host.writeCommand(0x0002)
    #expect(try status() == 3)
    host.enable()
    #expect(try board.stop() == 0)
    #expect(try status() == 3)
  }
}

extension HostMemory {
  fileprivate func storeTest(_ value: UInt32, at address: UInt64) {
    try? store(value, at: address)
  }
}
