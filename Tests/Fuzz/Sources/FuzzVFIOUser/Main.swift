// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ControllerEmulation
import Foundation
import Glibc
import HostDriver
import ServedHost

/// Hostile clients at a vfio-user server and the controller behind it, in one process.
@main struct FuzzVFIOUser: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Attack the vfio-user server with mutated sessions.",
    discussion: """
      The seed determines the messages. The controller runs in real time on a separate thread.
      Between attacks a regular host probes the controller and verifies data; descriptors and mappings are counted each time.
      """,
    subcommands: [Attack.self, Record.self], defaultSubcommand: Attack.self)
}

extension Behaviour: @retroactive ExpressibleByArgument {}

struct Attack: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Attack.")

  @Option(help: "The number of messages for each behaviour.") var messages = 100_000
  @Option(help: "The number of clients that connect and disconnect, for each behaviour.")
  var connects = 0
  @Option(help: "The seed of the random numbers.") var seed: UInt64 = 1
  @Option(help: "Only this behaviour.") var behaviour: Behaviour?
  @Option(help: "The directory of the recorded sessions.") var corpus = "Corpus"
  @Option(help: "The number of messages between regular hosts.") var every = 10_000
  @Option(help: "The number of the first session, to repeat a finding.") var first = 0

  func validate() throws {
    guard messages >= 0, connects >= 0, every > 0, first >= 0 else {
      throw ValidationError("Counts are positive.")
    }
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let sessions = try RecordedSession.all(in: corpus)
    guard !sessions.isEmpty else { throw ValidationError("There is no session in \(corpus).") }
    for behaviour in self.behaviour.map({ [$0] }) ?? Behaviour.allCases {
      let machine = try FuzzedMachine(behaviour)
      var campaign = try Campaign(machine, behaviour, Mutator(sessions, seed: seed))
      do {
        try campaign.attack(messages: messages, first: first, honestEvery: every)
        try campaign.connect(times: connects, seed: seed)
      } catch let finding as Finding {
        throw Finding(description: "\(behaviour.rawValue), seed \(seed): \(finding)")
      }
      print("\(behaviour.rawValue), seed \(seed): \(campaign.summary)")
      fflush(nil)
    }
  }
}

struct Record: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record sessions for the corpus.",
    discussion: """
      Without --server, the in-process host is recorded with each behaviour. With it, another client (QEMU, for example) connects
      to --socket and is forwarded to the server.
      """)

  @Option(help: "The directory for the sessions.") var corpus = "Corpus"
  @Option(help: "The socket of a running server.") var server: String?
  @Option(help: "The socket for the client.") var socket: String?
  @Option(help: "The session's name.") var name = "guest"

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    if let server, let socket {
      let recorder = try Recorder(at: socket, to: server)
      try recorder.run()
      return try save(name, recorder)
    }
    for behaviour in Behaviour.allCases {
      let machine = try FuzzedMachine(behaviour)
      for way in [ServedGuest.Way.shared, .both] {
        let path = machine.socket + ".record"
        let recorder = try Recorder(at: path, to: machine.socket)
        let ended = DispatchSemaphore(value: 0)
        nonisolated(unsafe) let running = recorder
        Thread {
          try? running.run()
          ended.signal()
        }.start()
        do {
          let guest = try ServedGuest(path, ServedMachine.model(behaviour), way)
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
        ended.wait()
        try save("\(behaviour.rawValue)-\(way)", recorder)
      }
    }
  }

  private func save(_ name: String, _ recorder: Recorder) throws {
    let file = "\(corpus)/\(name).session"
    try Data(RecordedSession(name: name, messages: recorder.messages).text.utf8).write(
      to: URL(fileURLWithPath: file))
    print("\(file): \(recorder.messages.count) messages")
  }
}
