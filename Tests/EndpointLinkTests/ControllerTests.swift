// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI
import Testing

@Suite("endpoint-link.md, 1 to 3, 5: the board's device") struct ControllerTests {
  @Test("the device has the identity, BARs and vectors of the interface")
  func identity() throws {
    let board = try Board(isSetUp: false)
    let space = board.device.configuration
    #expect(space.read(offset: 0, width: .doubleword) == 0x7E9C_1B36)
    #expect(space.read(offset: 8, width: .doubleword) == 0x0680_0001)
    #expect(space.bars[0]?.size == 4096 && space.bars[0]?.is64Bit == false)
    #expect(space.bars[2]?.size == 16 << 20 && space.bars[2]?.is64Bit == true)
    #expect(space.bars[4]?.size == 4096 && space.bars[4]?.is64Bit == false)
    let msix = try #require(space.find(.msix))
    #expect(space.read(offset: msix + 2, width: .word) == 1)
    #expect(space.read(offset: msix + 4, width: .doubleword) == 4)
    #expect(space.read(offset: msix + 8, width: .doubleword) == 0x804)
  }

  @Test(
    "the features state the functions, and the limit of windows if BAR 2 has room for more",
    arguments: [
      (1, 16, 0x0000_0107), (64, 16, 0x0000_4007), (2, 4096, 0x1000_0207),
    ] as [(Int, UInt64, UInt32)])
  func features(functions: Int, mebibytes: UInt64, expected: UInt32) throws {
    var options = EndpointLink.Options()
    options.functions = functions
    options.windowSize = mebibytes << 20
    let board = try Board(options)
    #expect(board.read(0) == 0x4B4C_5045)
    #expect(board.read(4) == 1)
    #expect(board.read(8) == expected)
    #expect(board.read(0x40) == 0)
  }

  @Test("without memory space, registers read ones and ignore writes")
  func memorySpace() throws {
    let board = try Board(isSetUp: false)
    #expect(board.read(0) == .max)
    board.share(Board.page)
    board.enable()
    #expect(board.read(0) == 0x4B4C_5045)
    #expect(try board.setHeader() == 14)
  }

  @Test("a 64-bit register can be written with one access of 8 bytes")
  func wideWrite() throws {
    let board = try Board()
    board.share(0)
    board.device.writeBytes(0, 0x18, [0, 0, 0x10, 0, 0, 0, 0, 0])
    #expect(try board.setHeader() == 0)
  }

  @Test(
    "registers take aligned accesses of 4 bytes; others read ones",
    arguments: [(0, 1), (0, 2), (0, 8), (2, 4), (0, 64), (0xFFC, 16)] as [(UInt64, Int)])
  func widths(offset: UInt64, count: Int) throws {
    let board = try Board()
    #expect(board.device.bytes(0, offset, count) == [UInt8](repeating: 0xFF, count: count))
  }

  @Test(
    "a shared page outside of the memory fails an operation and nothing else",
    arguments: [
      0, Board.page + 8, 0x8000_0000, UInt64.max & ~0xFFF,
      Board.memory + UInt64(Board.memoryCount),
    ])
  func wildPage(address: UInt64) throws {
    let board = try Board()
    board.share(address)
    #expect(try board.setHeader() == 14)
    #expect(try board.transfer(.toHost, local: 0, remote: 0, length: 4) == 1)
    board.share(Board.page)
    #expect(try board.setHeader() == 0)
  }

  @Test("a device that is not a bus master does not access memory")
  func busMaster() throws {
    let board = try Board()
    board.device.writeConfiguration(offset: 4, width: .word, value: 0x0002)
    #expect(try board.setHeader() == 14)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var operation: UInt32
    var arguments: [UInt32] = []
    var address: UInt64 = Board.bar
    var size: UInt64 = 0x1000
    var function: UInt32 = 0
    var result: UInt32
    var testDescription: String { name }
  }

  @Test(
    "a mailbox operation with a bad argument has its errno and no effect",
    arguments: [
      Row(name: "an unknown operation", operation: 0, result: 95),
      Row(name: "an operation after the last", operation: 9, result: 95),
      Row(name: "a function beyond the features", operation: 1, function: 1, result: 19),
      Row(name: "a wild function", operation: 8, function: .max, result: 19),
      Row(name: "interrupt pin 5", operation: 1, arguments: [0, 0, 0, 0, 5], result: 22),
      Row(name: "a wild interrupt pin", operation: 1, arguments: [0, 0, 0, 0, .max], result: 22),
      Row(name: "BAR 6", operation: 2, arguments: [6], result: 22),
      Row(name: "a 64-bit BAR 5", operation: 2, arguments: [5, 4], result: 22),
      Row(name: "an I/O BAR", operation: 2, arguments: [0, 1], result: 22),
      Row(name: "unknown flags", operation: 2, arguments: [0, 0x100], result: 22),
      Row(name: "a BAR of 8 bytes", operation: 2, size: 8, result: 22),
      Row(name: "a BAR of no power of two", operation: 2, size: 0x1800, result: 22),
      Row(name: "a BAR without a size", operation: 2, size: 0, result: 22),
      Row(name: "a 32-bit BAR of 4 GiB", operation: 2, size: 1 << 32, result: 22),
      Row(
        name: "a BAR beyond the address space", operation: 2, arguments: [0, 4], address: .max - 15,
        size: 32, result: 22),
      Row(name: "the upper half of a 64-bit BAR", operation: 2, arguments: [3], result: 22),
      Row(name: "a 64-bit BAR over another", operation: 2, arguments: [1, 4], result: 22),
      Row(name: "clearing BAR 6", operation: 3, arguments: [6], result: 22),
      Row(name: "no MSI vector", operation: 4, arguments: [0], result: 22),
      Row(name: "3 MSI vectors", operation: 4, arguments: [3], result: 22),
      Row(name: "64 MSI vectors", operation: 4, arguments: [64], result: 22),
      Row(name: "no MSI-X vector", operation: 5, arguments: [0], result: 22),
      Row(name: "2049 MSI-X vectors", operation: 5, arguments: [2049], result: 22),
      Row(name: "an MSI-X table in BAR 6", operation: 5, arguments: [1, 6], result: 22),
      Row(name: "an MSI-X table at 4", operation: 5, arguments: [1, 0, 4], result: 22),
      Row(name: "an MSI-X table at the end", operation: 5, arguments: [1, 0, ~7], result: 22),
    ])
  func badArguments(row: Row) throws {
    let board = try Board()
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR(2) == 0)
    #expect(
      try board.run(
        row.operation, row.function, row.arguments, address: row.address, size: row.size)
        == row.result)
    #expect(try board.start() == 0)
    let host = try Host(board)
    #expect(host.read(0) == 0x5678_1234)
    #expect(host.function.configuration.bars.map(\.key) == [2])
    #expect(host.function.configuration.find(.msi) == nil)
    #expect(host.function.configuration.find(.msix) == nil)
  }

  @Test(
    "an MSI-X table that is not in its BAR fails the start",
    arguments: [
      (16, 0, 0x4000, 22), (2048, 0, 0, 22), (16, 1, 0, 22), (16, 0, 0x3F00, 22),
      (16, 0, 0x3EF8, 0),
    ] as [(UInt32, UInt32, UInt32, UInt32)])
  func tablePlace(vectors: UInt32, bar: UInt32, offset: UInt32, result: UInt32) throws {
    let board = try Board()
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR() == 0)
    #expect(try board.run(5, 0, [vectors, bar, offset]) == 0)
    #expect(try board.start() == result)
    #expect(board.link.isStarted == (result == 0))
  }

  @Test("a started controller refuses what a host would notice, and takes the rest")
  func started() throws {
    let board = try Board()
    try board.startAll()
    #expect(try board.start() == 16)
    #expect(try board.run(1, 0, [1, 2, 3, 4, 1]) == 16)
    #expect(try board.setBAR(size: 0x8000) == 16)
    #expect(try board.setBAR(2) == 16)
    #expect(try board.run(4, 0, [4]) == 16)
    #expect(try board.run(5, 0, [8, 0, 0x2000]) == 16)
    // The same again, and other memory.
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR(at: Board.highMemory) == 0)
    #expect(try board.run(4, 0, [8]) == 0)
    #expect(try board.run(5, 0, [16, 0, 0x2000]) == 0)
    let host = try Host(board)
    host.boot()
    host.write(0, 0, 42)
    #expect(try board.memory.load(at: Board.highMemory, as: UInt32.self) == 42)
  }

  @Test("a reset of the board forgets all that it has programmed")
  func boardReset() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    board.map(page: 0, pages: 1, to: 0)
    board.device.reset(.conventional)
    #expect(!board.link.isStarted && !board.link.isUp)
    #expect(host.read(0) == .max)
    board.enable()
    #expect(board.events() == [])
    #expect(try board.setHeader() == 14)
    board.share(Board.page)
    #expect(try board.start() == 0)
    #expect(!board.link.isReady(0))
    #expect(board.device.word(2, 0) == .max)
  }
}
