// SPDX-License-Identifier: Apache-2.0
import AllocationCount
import EndpointLink
import ServedHost

/// A link at sockets, with a board and a host as their clients.
final class ServedPair {
  private let server: RunningServer
  private let board: ServedBoard
  private let host: LinkedHost

  init() throws {
    server = try RunningServer(sockets: 2) { listeners, stop in
      count_allocations_of_this_thread()
      LinkServer(EndpointLink(), board: listeners[0], hosts: [listeners[1]])
        .run(until: stop) { _ in }
    }
    board = try ServedBoard(server.socket)
    try board.start()
    host = try LinkedHost(server.sockets[1])
    try host.boot()
    try host.enableInterrupts(2, vectors: 16)
    _ = try board.serveEvents()
    try board.map(page: 0, pages: 1, to: 0x4000)
    try host.write(0, 0x10, 1)
  }

  /// Waits until the server has done all that was posted.
  func settle() throws {
    _ = try board.read(0x40)
    _ = try host.read(0, 0)
  }

  var operations: [LinkOperations.Operation] {
    [
      .init(name: "socket: BAR write") { [host] in try host.write(0, 0x10, 1) },
      .init(name: "socket: BAR write, posted") { [host] in
        try host.client.write(region: 0, offset: 0x10, [1, 0, 0, 0], isPosted: true)
      },
      .init(name: "socket: BAR read") { [host] in
        guard try host.read(0, 0x10) == 1 else {
          throw LinkOperations.Failure(description: "a BAR reads another value")
        }
      },
      .init(name: "socket: window write, posted") { [board] in
        try board.client.write(region: 2, offset: 0x20, [2, 0, 0, 0], isPosted: true)
      },
      .init(name: "socket: DMA to host") { [self] in try transfer(0) },
      .init(name: "socket: DMA from host") { [self] in try transfer(1) },
    ]
  }

  /// 4 KiB by the channel, its interrupt, and one at the host.
  private func transfer(_ channel: UInt32) throws {
    let status = try board.transfer(
      channel, local: ServedBoard.memory + 0x4_0000, remote: 0x8000, length: 4096)
    try board.raise(2, 1)
    guard status == 2, host.takeInterrupt(vector: 0) else {
      throw LinkOperations.Failure(description: "a transfer has status \(status), or no interrupt")
    }
  }
}
