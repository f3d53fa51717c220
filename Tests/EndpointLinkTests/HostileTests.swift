// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import Numbers
import PCI
import Testing

@Suite struct HostileTests {
  /// Values at and around the limits of every field.
  private struct Values {
    var random: SplitMix64

    mutating func pick<T>(_ values: [T]) -> T {
      values[Int.random(in: 0..<values.count, using: &random)]
    }

    mutating func word() -> UInt32 {
      pick([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 31, 32, 33, 63, 64, 0x800, 0xFFF, 0x1000, 0x2000,
        0x4000, 0x0002_0001, 0x0001_0001, 0x0100_0001, 0x8000, 1 << 24, .max, .max - 1, 1 << 31,
        UInt32.random(in: 0 ... .max, using: &random),
      ])
    }

    mutating func address() -> UInt64 {
      let base = pick([
        0, Board.memory, Board.memory, Board.bar, Board.highMemory, Board.window,
        Board.window + (16 << 20), 1 << 32, 1 << 63, .max,
      ])
      let offset = pick([
        0, 0, 1, 4, 8, 0xFF8, 0xFFF, 0x1000, 0x2000, UInt64(Board.memoryCount) - 8,
        UInt64(Board.memoryCount), UInt64(word()),
      ])
      return base &+ (Bool.random(using: &random) ? offset : 0 &- offset)
    }

    mutating func count() -> Int { pick([1, 2, 4, 4, 4, 8, 8, 3, 16, 64, 4096]) }

    mutating func bytes() -> [UInt8] {
      let count = count()
      return (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &random) }
    }
  }

  @Test(
    "2000 random actions of board and host trap nothing, and the next honest pair works",
    arguments: 1...UInt64(20))
  func random(seed: UInt64) throws {
    var values = Values(random: SplitMix64(seed: seed))
    var options = EndpointLink.Options()
    options.functions = 2
    options.resetSignal = seed % 2 == 0 ? .hot : .perst
    let board = try Board(options)
    var hosts = [try Host(board), try Host(board, function: 1)]
    for _ in 0..<2000 {
      try boardAction(board, &values)
      let number = values.pick([0, 0, 1])
      hostAction(hosts[number], &values)
      if values.pick(Array(0..<50)) == 0 {
        hosts[number].disconnect()
        hosts[number] = try Host(board, function: number)
      }
      if values.pick(Array(0..<20)) == 0 { board.link.abandonReset() }
    }

    // The next pair.
    for host in hosts { host.disconnect() }
    board.device.reset(.conventional)
    board.enable()
    board.share(Board.page)
    try board.startAll()
    hosts = [try Host(board), try Host(board, function: 1)]
    for host in hosts { host.boot() }
    #expect(board.serveEvents() == .linkUp)
    hosts[0].control(.msix, 0x8000)
    _ = hosts[0].takeInterrupts()
    board.raise(2, 1)
    #expect(hosts[0].takeInterrupts() == [0])
    hosts[0].write(0, 0, 42)
    #expect(
      try board.transfer(.toHost, local: Board.bar, remote: 0x1000, length: 4) == 2)
    #expect(try hosts[0].memory.load(at: 0x1000, as: UInt32.self) == 42)
    hosts[0].function.reset(.conventional)
    while hosts[0].function.isPaused { board.serveEvents() }
    #expect(board.link.isUp)
  }

  private func boardAction(_ board: Board, _ values: inout Values) throws {
    switch Int.random(in: 0..<14, using: &values.random) {
    case 0:
      _ = try? board.run(
        values.pick([1, 1, 2, 2, 2, 3, 4, 5, 8, values.word()]), values.pick([0, 0, 1, 2, .max]),
        (0..<6).map { _ in values.word() }, address: values.address(),
        size: values.pick([16, 4096, 0x4000, 1 << 31, 1 << 63, UInt64(values.word())]))
    case 1: _ = try? board.setHeader(values.pick([0, 1]))
    case 2: _ = try? board.setBAR(at: values.address(), function: values.pick([0, 1]))
    case 3: _ = try? board.run(values.pick([6, 6, 6, 7]))
    case 4: board.share(values.pick([Board.page, Board.page, values.address()]))
    case 5:
      board.map(
        page: values.pick([0, 1, 4095, values.word()]), pages: values.pick([1, 2, values.word()]),
        to: values.address() & ~values.pick([0, 0xFFF]), function: values.pick([0, 1, 2, 255]))
    case 6: board.unmap(page: values.pick([0, 1, values.word()]))
    case 7:
      _ = try? board.transfer(
        values.pick([.toHost, .fromHost, .memoryToMemory]), local: values.address(),
        remote: values.address(), length: values.word(), function: values.pick([0, 1, .max]),
        interrupts: true)
    case 8: board.write(UInt64(values.pick(Array(0..<20))) * 4, values.word())
    case 9:
      board.device.writeBytes(values.pick([0, 2, 4, 5]), values.address(), values.bytes())
    case 10: _ = board.device.bytes(values.pick([0, 2, 4, 5]), values.address(), values.count())
    case 11:
      board.device.writeConfiguration(
        offset: Int.random(in: -8..<4104, using: &values.random),
        width: values.pick([.byte, .word, .doubleword]), value: values.word())
    case 12: board.enable()
    default: board.serveEvents()
    }
    _ = board.takeInterrupts()
  }

  private func hostAction(_ host: Host, _ values: inout Values) {
    let offset = values.pick([0, 4, 8, 0x2000, 0x3FFC, values.address()])
    switch Int.random(in: 0..<8, using: &values.random) {
    case 0: host.boot()
    case 1: host.resetFunction()
    case 2: host.control(values.pick([.msi, .msix]), values.word())
    case 3: host.function.writeBytes(values.pick([0, 1, 5, 6]), offset, values.bytes())
    case 4: _ = host.function.bytes(values.pick([0, 1, 5, 6]), offset, values.count())
    case 5:
      host.function.writeConfiguration(
        offset: Int.random(in: -8..<4104, using: &values.random),
        width: values.pick([.byte, .word, .doubleword]), value: values.word())
    case 6: _ = host.read(Int.random(in: -8..<4104, using: &values.random))
    default: host.enable()
    }
    _ = host.takeInterrupts()
  }
}
