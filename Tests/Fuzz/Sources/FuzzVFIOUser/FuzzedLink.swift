// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import ServedHost
import Synchronization
import VFIOUser

/// A link at sockets, of which one side is attacked while the other side has honest clients.
final class FuzzedLink: FuzzTarget {
  enum Side: String { case board, host }

  private static let functions = 2

  private let side: Side
  private let figures = Figures()
  private let server: RunningServer
  /// Of the board, and of each function.
  var sockets: [String] { server.sockets }
  private var companion: Companion?
  /// Connections to the side that is not attacked.
  private var others = 0
  private var checks = 0

  private final class Figures: Sendable {
    let goneBoards = Atomic<Int>(0)
    let goneHosts = Atomic<Int>(0)
    /// Clients that could not be followed.
    let left = Atomic<Int>(0)
    let resets = Atomic<Int>(0)
    let timeouts = Atomic<Int>(0)
    let starts = Atomic<Int>(0)
    let transfers = Atomic<Int>(0)

    func note(_ notice: LinkNotice, _ link: EndpointLink) {
      func count(_ figure: borrowing Atomic<Int>) {
        figure.add(1, ordering: .sequentiallyConsistent)
      }
      switch notice {
      case .started: count(starts)
      case .resetCompleted: count(resets)
      case .resetTimedOut: count(timeouts)
      case .boardLeft(let reason):
        if reason != nil { count(left) }
        transfers.store(link.controller.counters.transfers, ordering: .sequentiallyConsistent)
        count(goneBoards)
      case .hostLeft(_, let reason):
        if reason != nil { count(left) }
        count(goneHosts)
      case .stopped, .boardReset, .up, .down, .reset, .boardConnected, .hostConnected: break
      }
    }
  }

  init(_ side: Side, _ signal: EndpointLink.ResetSignal) throws {
    self.side = side
    server = try RunningServer(sockets: 1 + Self.functions) { [figures] listeners, stop in
      var options = EndpointLink.Options()
      options.functions = Self.functions
      options.resetSignal = signal
      let link = EndpointLink(options)
      LinkServer(link, board: listeners[0], hosts: Array(listeners.dropFirst()))
        .run(until: stop) { figures.note($0, link) }
    }
  }

  deinit {
    companion?.askToEnd()
    // Clients that wait for the link are disconnected.
    server.end()
    try? companion?.join()
  }

  // MARK: The target

  func socket(for client: Int) -> String {
    switch side {
    case .board: server.sockets[0]
    // One of four attacks the second function.
    case .host: server.sockets[client % 4 == 3 ? 2 : 1]
    }
  }

  var goneClients: Int { gone(side) }

  private func gone(_ side: Side) -> Int {
    switch side {
    case .board: figures.goneBoards.load(ordering: .sequentiallyConsistent)
    case .host: figures.goneHosts.load(ordering: .sequentiallyConsistent)
    }
  }

  func checkHonest() throws -> Int {
    var clients = try endCompanion()
    try HonestPair.checkAll(server.sockets)
    checks += 1
    switch side {
    case .board:
      clients += 1
      others += Self.functions
    case .host:
      clients += Self.functions
      others += 1
    }
    guard isTrueSoon({ gone(side == .board ? .host : .board) >= others }) else {
      throw Finding(description: "the link is still busy with an honest client that left 30 s ago")
    }
    return clients
  }

  /// - Returns: how many boards were needed for that at the socket of hostile ones.
  private func endCompanion() throws -> Int {
    guard let companion else { return 0 }
    self.companion = nil
    companion.askToEnd()
    var boards = 0
    if side == .board {
      // The host may wait for its function.
      let board = try ServedBoard(server.sockets[0])
      boards = 1
      try board.start(functions: UInt32(Self.functions))
      while !companion.hasEnded { _ = try board.serveEvents(milliseconds: 5) }
    }
    defer { others += companion.connections.load(ordering: .sequentiallyConsistent) }
    try companion.join()
    return boards
  }

  func resume() {
    let sockets = server.sockets
    switch side {
    // One of four times, hostile boards have no host.
    case .board where checks % 4 == 0: companion = nil
    case .board: companion = Companion { try HonestHost.run(sockets[1], $0) }
    case .host:
      companion = Companion { try HonestBoard.run(sockets[0], Self.functions, $0) }
    }
  }

  var summary: String {
    func load(_ figure: borrowing Atomic<Int>) -> Int {
      figure.load(ordering: .sequentiallyConsistent)
    }
    return """
      \(load(figures.left)) clients left, \(load(figures.starts)) starts, \(load(figures.resets)) resets of hosts and \
      \(load(figures.timeouts)) that were not acknowledged, \(load(figures.transfers)) transfers
      """
  }
}
