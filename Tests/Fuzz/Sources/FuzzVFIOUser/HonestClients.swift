// SPDX-License-Identifier: Apache-2.0
import LibC
import Numbers
import ServedHost
import VFIOUser

/// A host that boots, uses its function's registers, and resets it, again and again, whatever the board is.
enum HonestHost {
  static func run(_ socket: String, _ companion: Companion) throws {
    var random = SplitMix64(seed: 1)
    while !companion.isAskedToEnd {
      companion.connections.add(1, ordering: .sequentiallyConsistent)
      let host: LinkedHost
      // Without a function it is not answered in time.
      do { host = try LinkedHost(socket) } catch let failure as Client.Failure {
        guard failure.errno != nil else { throw failure }
        continue
      }
      for _ in 0..<Int.random(in: 1..<2000, using: &random) where !companion.isAskedToEnd {
        do { try act(host, &random) } catch let failure as Client.Failure {
          // Registers and vectors that this function does not have; but it is answered, and never disconnected.
          guard failure.errno == EINVAL else { throw failure }
        }
      }
    }
  }

  private static func act(_ host: LinkedHost, _ random: inout SplitMix64) throws {
    let offset = 4 * UInt64.random(in: 0..<0x400, using: &random)
    switch Int.random(in: 0..<40, using: &random) {
    case 0: try host.boot()
    case 1: try host.enableInterrupts(2, vectors: 8)
    case 2: try host.enableInterrupts(1, vectors: 4)
    case 3..<20: _ = try host.read(0, offset)
    case 20..<25: _ = try host.read(7, offset)
    case 25: try host.write(7, 4, 6)
    default: try host.write(0, offset, UInt32.random(in: 0 ... .max, using: &random))
    }
  }
}

/// A board that acknowledges all resets, moves data and interrupts its host, again and again, whatever that is.
enum HonestBoard {
  static func run(_ socket: String, _ functions: Int, _ companion: Companion) throws {
    var random = SplitMix64(seed: 1)
    while !companion.isAskedToEnd {
      companion.connections.add(1, ordering: .sequentiallyConsistent)
      let board = try ServedBoard(socket)
      var program = ServedBoard.Program()
      program.hasSmallBARs = Bool.random(using: &random)
      try board.start(functions: UInt32(functions), program: program)
      for _ in 0..<20_000 where !companion.isAskedToEnd {
        // Events first: hosts wait for that.
        if try board.serveEvents(milliseconds: 1) == 0 {
          try act(board, UInt32.random(in: 0..<UInt32(functions), using: &random), &random)
        }
      }
    }
  }

  private static func act(
    _ board: ServedBoard, _ function: UInt32, _ random: inout SplitMix64
  ) throws {
    let remote = UInt64.random(in: 0..<0x11_0000, using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0..<4:
      let status = try board.transfer(
        UInt32.random(in: 0..<2, using: &random), local: ServedBoard.memory + 0x4_0000,
        remote: remote, length: UInt32.random(in: 0..<0x1_0000, using: &random), function: function)
      guard status == 2 || status == 3 else {
        throw Finding(description: "a transfer ended with status \(status)")
      }
    case 4..<8:
      try board.raise(
        UInt32.random(in: 0..<3, using: &random), UInt32.random(in: 1..<18, using: &random),
        function: function)
    case 8: try board.map(page: 1, pages: 2, to: remote & ~0xfff, function: function)
    case 9: try board.unmap(page: 1)
    case 10: try board.client.write(region: 2, offset: 0x1ffc, [1, 2, 3, 4, 5, 6, 7, 8])
    default: _ = try board.client.read(region: 2, offset: 0x1ffc, count: 8)
    }
  }
}
