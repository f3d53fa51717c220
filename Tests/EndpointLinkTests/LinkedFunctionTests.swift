// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI
import Testing

@Suite("endpoint-link.md, 7: the function that the host sees") struct LinkedFunctionTests {
  @Test("a host sees the header, BARs and capabilities that the board has programmed")
  func configuration() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    #expect(host.read(0) == 0x5678_1234)
    #expect(host.read(8) == 0x0108_0221)
    #expect(host.read(0x0C, .byte) == 16)
    #expect(host.read(0x2C) == 0x2222_1111)
    #expect(host.read(0x3D, .byte) == 1)
    #expect(host.function.configuration.bars == [0: BAR(size: 0x4000)])
    let msi = try #require(host.function.configuration.find(.msi))
    #expect(host.read(msi + 2, .word) == 0x0086)
    let msix = try #require(host.function.configuration.find(.msix))
    #expect(host.read(msix + 2, .word) == 15)
    #expect(host.read(msix + 4) == 0x2000)
    #expect(host.read(msix + 8) == 0x2100)
    #expect(host.function.configuration.find(.pciExpress) != nil)
    #expect(host.function.configuration.find(.powerManagement) != nil)
  }

  struct Shape: Sendable {
    var flags: UInt32
    var size: UInt64
    var index: UInt32 = 0
  }

  @Test(
    "a BAR has the size, width and kind that the board has set",
    arguments: [
      Shape(flags: 0, size: 16), Shape(flags: 8, size: 4096, index: 5),
      Shape(flags: 0, size: 1 << 31), Shape(flags: 4, size: 1 << 40, index: 4),
      Shape(flags: 12, size: 1 << 20, index: 1), Shape(flags: 4, size: 1 << 63),
    ])
  func shapes(shape: Shape) throws {
    let board = try Board()
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR(shape.index, flags: shape.flags, at: 0, size: shape.size) == 0)
    #expect(try board.start() == 0)
    let host = try Host(board)
    let bar = try #require(host.function.configuration.bars[Int(shape.index)])
    #expect(bar.size == shape.size)
    #expect(bar.is64Bit == (shape.flags & 4 != 0))
    #expect(bar.isPrefetchable == (shape.flags & 8 != 0))
  }

  @Test(
    "an access of any width to a BAR is one to the board's memory", arguments: [1, 2, 4, 8, 24])
  func widths(count: Int) throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    let bytes = (0..<count).map { UInt8($0 + 1) }
    host.function.writeBytes(0, 0x40, bytes)
    #expect(try board.memory.bytes(at: Board.bar + 0x40, count) == bytes)
    try board.memory.write(bytes.reversed(), at: Board.bar + 0x80)
    #expect(host.function.bytes(0, 0x80, count) == bytes.reversed())
  }

  @Test(
    "an access beyond a BAR, or to no BAR, reads ones and writes nothing",
    arguments: [
      (0, 0x4000), (0, 0x3FFE), (0, .max), (0, .max - 1), (1, 0), (2, 0), (6, 0), (-1, 0),
    ] as [(Int, UInt64)])
  func outside(bar: Int, offset: UInt64) throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    host.write(bar, offset, 0)
    #expect(host.word(bar, offset) == .max)
  }

  @Test(
    "a BAR that points at no memory reads ones and takes writes",
    arguments: [0, 0x8000_0000, UInt64.max - 0x3FFF, Board.memory + (1 << 20) - 0x3FFE])
  func wildBAR(address: UInt64) throws {
    let board = try Board()
    #expect(try board.setHeader() == 0)
    #expect(try board.setBAR(at: address) == 0)
    #expect(try board.start() == 0)
    let host = try Host(board)
    host.boot()
    host.write(0, 0x3FFC, 1)
    #expect(host.word(0, 0x3FFC) == .max)
    host.function.writeBytes(0, 0x3FF0, [UInt8](repeating: 1, count: 16))
    #expect(host.function.bytes(0, 0x3FF0, 16) == [UInt8](repeating: 0xFF, count: 16))
  }

  @Test("without memory space, in D3hot and after the board has cleared it, a BAR reads ones")
  func disabledBAR() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    #expect(host.word(0, 0) == 0)
    host.writeCommand(0x0004)
    #expect(host.word(0, 0) == .max)
    host.enable()
    let power = try #require(host.function.configuration.find(.powerManagement))
    host.function.writeConfiguration(offset: power + 4, width: .word, value: 3)
    #expect(host.word(0, 0) == .max)
    #expect(try board.hostState().isDisjoint(with: [.busMaster, .memorySpace]))
    host.function.writeConfiguration(offset: power + 4, width: .word, value: 0)
    #expect(host.word(0, 0) == 0)
    #expect(try board.run(3, 0, [0]) == 0)
    #expect(host.word(0, 0) == .max)
    #expect(try board.setBAR() == 0)
    #expect(host.word(0, 0) == 0)
  }

  // MARK: Interrupts

  @Test("a function raises the interrupts of the mechanism that the host has enabled, and no other")
  func interrupts() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    board.raise(0, 99)
    #expect(host.takeInterrupts() == [1001, 1000])
    board.raise(1, 1)
    board.raise(2, 1)
    #expect(host.takeInterrupts() == [])

    host.control(.msi, 0x0021)
    for number in [1, 4, 5] as [UInt32] { board.raise(1, number) }
    board.raise(2, 1)
    board.raise(0, 0)
    #expect(host.takeInterrupts() == [0, 3])

    host.control(.msi, 0)
    host.control(.msix, 0x8000)
    for number in [1, 16] as [UInt32] { board.raise(2, number) }
    board.raise(1, 1)
    board.raise(0, 0)
    #expect(host.takeInterrupts() == [0, 15])
    #expect(host.function.counters.interrupts == 5)
    #expect(host.function.counters.droppedInterrupts == 7)
  }

  @Test(
    "an interrupt with a wild number, kind or function is dropped",
    arguments: [
      0x0002_0000, 0x0002_0011, 0x0002_FFFF, 0x0003_0001, 0x00FF_0001, 0x0102_0001, 0xFF02_0001,
    ] as [UInt32])
  func wildInterrupt(value: UInt32) throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    host.control(.msix, 0x8000)
    board.write(0x24, value)
    #expect(host.takeInterrupts() == [])
  }

  @Test("no interrupt leaves a function that may not send it")
  func heldInterrupts() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    host.writeCommand(0x0406)
    board.raise(0, 0)
    host.control(.msix, 0x8000)
    host.writeCommand(0x0002)
    board.raise(2, 1)
    host.enable()
    #expect(host.takeInterrupts() == [])
    // The mask of the function keeps it pending.
    host.control(.msix, 0xC000)
    board.raise(2, 2)
    #expect(host.takeInterrupts() == [])
    host.control(.msix, 0x8000)
    #expect(host.takeInterrupts() == [1])
  }

  @Test("a function without a pin raises no INTx")
  func noPin() throws {
    let board = try Board()
    #expect(try board.run(1, 0, [1, 0, 0, 0, 0]) == 0)
    #expect(try board.start() == 0)
    let host = try Host(board)
    host.boot()
    board.raise(0, 0)
    #expect(host.takeInterrupts() == [])
    #expect(try !board.hostState().contains(.intxNotDisabled))
  }

  @Test("the MSI-X table is memory of the board; its masks are the monitor's to apply")
  func table() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    host.boot()
    host.control(.msix, 0x8000)
    host.write(0, 0x200C, 1)
    #expect(try board.memory.load(at: Board.bar + 0x200C, as: UInt32.self) == 1)
    board.raise(2, 1)
    #expect(host.takeInterrupts() == [0])
  }

  @Test("the board reads the host's configuration of a function in the shared page")
  func state() throws {
    let board = try Board()
    try board.startAll()
    let host = try Host(board)
    #expect(try board.hostState() == .intxNotDisabled)
    host.boot()
    let enabled: HostState = [.linkUp, .busMaster, .memorySpace]
    #expect(try board.hostState() == enabled.union(.intxNotDisabled))
    host.writeCommand(0x0406)
    host.control(.msi, 0x0021)
    #expect(
      try board.hostState()
        == enabled.union([.msiEnabled, HostState(rawValue: 2 << 8)]))
    host.control(.msi, 0)
    host.control(.msix, 0xC000)
    #expect(try board.hostState() == enabled.union([.msixEnabled, .msixMasked]))
    // Another page has it at once.
    board.share(Board.memory + 0x2000)
    #expect(
      try board.memory.load(at: Board.memory + 0x2000, as: UInt32.self)
        == enabled.union([.msixEnabled, .msixMasked]).rawValue)
  }

  @Test("two functions have their own configuration, BAR, interrupts and memory")
  func twoFunctions() throws {
    var options = EndpointLink.Options()
    options.functions = 2
    let board = try Board(options)
    try board.startAll()
    let (first, second) = (try Host(board), try Host(board, function: 1))
    first.boot()
    second.boot()
    first.control(.msix, 0x8000)
    second.control(.msi, 0x0001)
    board.raise(2, 3, function: 0)
    board.raise(1, 1, function: 1)
    board.raise(2, 3, function: 1)
    #expect(first.takeInterrupts() == [2])
    #expect(second.takeInterrupts() == [0])
    first.write(0, 8, 1)
    second.write(0, 8, 2)
    #expect(try board.memory.load(at: Board.bar + 8, as: UInt32.self) == 1)
    #expect(try board.memory.load(at: Board.bar + 0x4008, as: UInt32.self) == 2)
    #expect(try board.hostState(1).contains(.msiEnabled))
    #expect(
      try board.transfer(.toHost, local: Board.bar + 8, remote: 0x100, length: 4, function: 1)
        == 2)
    #expect(try second.memory.load(at: 0x100, as: UInt32.self) == 1)
    #expect(try first.memory.load(at: 0x100, as: UInt32.self) == 0)
  }
}
