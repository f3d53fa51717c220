// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI

/// A link that a board and a host call in process.
final class DirectPair {
  /// Counts interrupts.
  private final class Counter: HostInterface {
    let memory: HostMemory
    private(set) var count = 0
    init(_ memory: HostMemory) { self.memory = memory }
    func interrupt(vector: Int) { count += 1 }
    func intx(asserted: Bool) { count += 1 }
  }

  private let board: Board
  private let host: Host
  private let atBoard: Counter
  private let atHost: Counter

  init() throws {
    board = try Board()
    try board.startAll()
    host = try Host(board)
    host.boot()
    host.control(.msix, 0x8000)
    board.serveEvents()
    atBoard = Counter(board.memory)
    atHost = Counter(host.memory)
    board.device.host = atBoard
    host.function.host = atHost
    board.map(page: 0, pages: 1, to: 0x4000)
    host.write(0, 0x10, 1)
  }

  var operations: [LinkOperations.Operation] {
    [
      .init(name: "direct: BAR write") { [host] in host.write(0, 0x10, 1) },
      .init(name: "direct: BAR read") { [host] in
        guard host.word(0, 0x10) == 1 else {
          throw LinkOperations.Failure(description: "a BAR reads another value")
        }
      },
      .init(name: "direct: window write") { [board] in board.device.write(2, 0x20, 2) },
      .init(name: "direct: window map, write, unmap") { [board] in
        board.map(page: 4, pages: 1, to: 0x8000)
        board.device.write(2, 0x4020, 2)
        board.unmap(page: 4)
      },
      .init(name: "direct: DMA to host") { [self] in try transfer(.toHost) },
      .init(name: "direct: DMA from host") { [self] in try transfer(.fromHost) },
    ]
  }

  /// 4 KiB by the channel, its interrupt, and one at the host.
  private func transfer(_ channel: Board.Channel) throws {
    let before = (atBoard.count, atHost.count)
    let status = try board.transfer(
      channel, local: Board.highMemory, remote: 1 << 32, length: 4096, interrupts: true)
    board.raise(2, 1)
    guard status == 2, atBoard.count == before.0 + 1, atHost.count == before.1 + 1 else {
      throw LinkOperations.Failure(
        description: "a transfer has status \(status), or an interrupt is missing")
    }
  }
}
