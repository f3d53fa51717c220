// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ControllerEmulation
import EndpointLink
import Foundation
import LibC

/// Hostile clients at a vfio-user server and the controller or the endpoint link behind it, in one process.
@main struct FuzzVFIOUser: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Attack the vfio-user server with mutated sessions.",
    discussion: """
      The seed determines the messages. The server runs on a separate thread. What is attacked is a controller's socket, or one side \
      of an endpoint link while the other side has an honest client. Between attacks honest clients use all of it; descriptors, \
      mappings and threads are counted each time.
      """,
    subcommands: [Attack.self, Record.self], defaultSubcommand: Attack.self)
}

extension Behaviour: @retroactive ExpressibleByArgument {}

/// The sockets that are attacked.
enum Side: String, CaseIterable, ExpressibleByArgument {
  /// A controller's.
  case server
  /// A link's, by a board or by a host.
  case board, host
}

struct Attack: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Attack.")

  @Option(
    help:
      "The number of messages for each behaviour of the controller, and for each side of the link.")
  var messages = 100_000
  @Option(help: "The number of clients that connect and disconnect, for each target.")
  var connects = 0
  @Option(help: "The seed of the random numbers.") var seed: UInt64 = 1
  @Option(
    help: "Only the sockets of a controller (server), or those of one side of a link (board, host)."
  )
  var side: Side?
  @Option(help: "Only this behaviour of the controller.") var behaviour: Behaviour?
  @Option(help: "Only links that signal a host's reset in this way (hot, perst).")
  var reset: EndpointLink.ResetSignal?
  @Option(help: "The directory of the recorded sessions.") var corpus = "Corpus"
  @Option(help: "The number of messages between honest clients.") var every = 10_000
  @Option(help: "The number of the first session, to repeat a finding.") var first = 0

  func validate() throws {
    guard messages >= 0, connects >= 0, every > 0, first >= 0 else {
      throw ValidationError("Counts are positive.")
    }
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    CrashReport.install()
    for side in self.side.map({ [$0] }) ?? Side.allCases {
      switch side {
      case .server: try attackControllers()
      case .board: try attackLinks(.board, .board)
      case .host: try attackLinks(.host, .host)
      }
    }
  }

  private func attackControllers() throws {
    for behaviour in self.behaviour.map({ [$0] }) ?? Behaviour.allCases {
      try attack(
        "--side server --behaviour \(behaviour.rawValue)", messages, .controller, "server"
      ) { try FuzzedMachine(behaviour) }
    }
  }

  private func attackLinks(_ side: FuzzedLink.Side, _ grammar: Grammar) throws {
    let resets = reset.map { [$0] } ?? EndpointLink.ResetSignal.allCases
    for reset in resets {
      try attack(
        "--side \(side.rawValue) --reset \(reset.rawValue)", messages / resets.count, grammar,
        side.rawValue
      ) { try FuzzedLink(side, reset) }
    }
  }

  /// - Parameters:
  ///   - name: the options that select the target.
  ///   - folder: of the corpus.
  private func attack(
    _ name: String, _ messages: Int, _ grammar: Grammar, _ folder: String,
    _ make: () throws -> any FuzzTarget
  ) throws {
    let sessions = try RecordedSession.all(in: "\(corpus)/\(folder)")
    guard !sessions.isEmpty else {
      throw ValidationError("There is no session in \(corpus)/\(folder).")
    }
    // A trap says only its session.
    FileHandle.standardError.write(Data("\(name) --seed \(seed)\n".utf8))
    do {
      var campaign = try Campaign(make(), Mutator(sessions, grammar, seed: seed))
      try campaign.attack(messages: messages, first: first, honestEvery: every)
      try campaign.connect(times: connects, seed: seed)
      print("\(name) --seed \(seed): \(campaign.summary)")
      fflush(nil)
    } catch let finding as Finding {
      throw Finding(description: "\(name) --seed \(seed): \(finding)")
    }
  }
}

extension EndpointLink.ResetSignal: @retroactive ExpressibleByArgument {}
