// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ControllerEmulation
import Foundation
import HostDriver
import LibC
import ServedHost

struct Record: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record sessions for the corpus.",
    discussion: """
      Without --server, the in-process host is recorded with each behaviour, and a board and a host at a link. With it, another \
      client (QEMU, for example) connects to --socket and is forwarded to the server.
      """)

  @Option(help: "The directory for the sessions.") var corpus = "Corpus"
  @Option(help: "The socket of a running server.") var server: String?
  @Option(help: "The socket for the client.") var socket: String?
  @Option(help: "The session's name.") var name = "guest"

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    if let server, let socket {
      let recorder = try Recorder(at: socket, to: server, QueueFollower())
      try recorder.run()
      return try save("server/\(name)", recorder)
    }
    try recordHosts()
    try recordPairs()
  }

  private func recordHosts() throws {
    for behaviour in Behaviour.allCases {
      let machine = try FuzzedMachine(behaviour)
      for way in [ServedGuest.Way.shared, .both] {
        let recording = try Recording(of: machine.socket, QueueFollower())
        do {
          let guest = try ServedGuest(recording.socket, ServedMachine.model(behaviour), way)
          let found = try guest.host.probe()
          for namespace in found.namespaces {
            _ = try guest.host.verify(namespace, transfers: 6, depth: 3)
          }
          guest.function.reset(.conventional)
          _ = try guest.host.probe()
          try guest.host.shutDown()
          try guest.client.unmap(
            at: 0, count: UInt64(way == .both ? 1 << 18 : ServedGuest.memoryCount))
        }
        try save("server/\(behaviour.rawValue)-\(way)", recording.finish())
      }
    }
  }

  /// Boards with functions, and the host of the first: by MSI-X, by MSI, and by the line.
  private func recordPairs() throws {
    for (kind, name) in ["line", "msi", "msix"].enumerated() {
      let link = try FuzzedLink(.board, kind == 1 ? .perst : .hot)
      let recordings = try (
        board: Recording(of: link.sockets[0], SharedPageFollower()),
        host: Recording(of: link.sockets[1], NoFollower())
      )
      do {
        let board = try ServedBoard(recordings.board.socket)
        var program = ServedBoard.Program()
        if kind < 2 { program.msixVectors = 0 }
        if kind < 1 { program.msiVectors = 0 }
        program.hasSmallBARs = kind != 1
        try board.start(functions: UInt32(link.sockets.count - 1), program: program)
        let host = try LinkedHost(recordings.host.socket)
        for bar in 0..<6 as Range<UInt64> {
          try host.write(7, 0x10 + 4 * bar, .max)
          _ = try host.read(7, 0x10 + 4 * bar)
        }
        let pair = HonestPair(board: board, host: host, kind: kind)
        try pair.check()
        for _ in 0..<2 { try pair.use() }
        try host.client.removeEvents(index: kind)
        try host.client.unmap(at: 0, count: UInt64(LinkedHost.memoryCount))
        try board.stop()
      }
      try save("board/\(name)", recordings.board.finish())
      try save("host/\(name)", recordings.host.finish())
    }
  }

  private func save(_ name: String, _ recorder: Recorder) throws {
    let file = "\(corpus)/\(name).session"
    try Data(RecordedSession(name: name, messages: recorder.messages).text.utf8).write(
      to: URL(fileURLWithPath: file))
    print("\(file): \(recorder.messages.count) messages")
  }
}

/// A recorder that runs on its own thread.
private struct Recording {
  let socket: String
  private let recorder: Recorder
  private let thread: Companion

  init(of server: String, _ follower: any MemoryFollower) throws {
    socket = server + ".record"
    nonisolated(unsafe) let recorder = try Recorder(at: socket, to: server, follower)
    self.recorder = recorder
    thread = Companion { _ in try recorder.run() }
  }

  /// Waits for the client to leave.
  func finish() throws -> Recorder {
    try thread.join()
    return recorder
  }
}
