// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import Numbers
import Synchronization

/// Sessions of hostile clients at one target, and what shows that it has taken no harm.
struct Campaign {
  private let target: any FuzzTarget
  private var mutator: Mutator
  private let before: Holdings

  private var clients = 0
  private var sessions = 0
  private var sent = 0
  private var asked = 0
  private var honest = 0
  private var residentAtFirst = 0
  private let begin = Date()

  init(_ target: any FuzzTarget, _ mutator: Mutator) throws {
    (self.target, self.mutator) = (target, mutator)
    // The first honest clients make what is made once.
    clients = try target.checkHonest()
    before = try Self.holdings(after: target, clients)
    try checkHealth()
  }

  private static func holdings(after target: any FuzzTarget, _ clients: Int) throws -> Holdings {
    guard target.isIdle(after: clients) else {
      throw Finding(description: "the server is still busy with a client that left 30 s ago")
    }
    return Holdings()
  }

  /// - Parameter first: the number of the first session.
  mutating func attack(messages: Int, first: Int, honestEvery interval: Int) throws {
    sessions = first
    var due = interval
    while sent < messages {
      CrashReport.session.store(sessions, ordering: .relaxed)
      let (manner, steps) = mutator.session(sessions)
      do {
        let adversary = try Adversary(at: target.socket(for: sessions), manner)
        clients += 1
        defer {
          sent += adversary.sent
          asked += adversary.asked
        }
        try adversary.run(steps)
      } catch let wrong as Adversary.Wrong {
        throw Finding(description: "session \(sessions), \(manner): \(wrong)")
      }
      sessions += 1
      if sent >= due {
        try checkHealth()
        due = sent + interval
      }
    }
    try checkHealth()
  }

  /// Clients that leave at every point of the first messages.
  mutating func connect(times: Int, seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let version = Head(id: 1, command: 1, size: 23).bytes + [0, 0, 0, 0, 0x7b, 0x7d, 0]
    var map = Head(id: 2, command: 2, size: 48, flags: 0x10).bytes
    for word in [32, 3] as [UInt32] { map.add(word) }
    for wide in [0, 0, 1 << 20] as [UInt64] { map.add(wide) }
    for index in 0..<times {
      let number = epfnvme_unix_connect(target.socket(for: index))
      guard number >= 0 else {
        throw Finding(description: "connection \(index + 1) is refused: errno \(-number)")
      }
      clients += 1
      let wire = Wire(Descriptor(number))
      let bytes = version + map
      let cut = Int.random(in: 0...bytes.count, using: &random)
      do {
        _ = try wire.send(bytes[..<min(cut, version.count)], [])
        if cut > version.count { _ = try wire.send(bytes[version.count..<cut], [.memory(1 << 20)]) }
      } catch is Wire.Closed {}
      // The server's queue of clients holds some; more would wait in connect.
      guard target.isIdle(after: clients - 64) else {
        throw Finding(description: "the server is stuck at connection \(index + 1)")
      }
    }
    try checkHealth()
  }

  /// Honest clients work, and nothing is left of the others.
  private mutating func checkHealth() throws {
    let place = "after session \(sessions), \(sent) messages"
    do { clients += try target.checkHonest() } catch {
      throw Finding(description: "\(place): the honest clients fail: \(error)")
    }
    honest += 1
    let now = try Self.holdings(after: target, clients)
    guard now == before else {
      throw Finding(description: "\(place): \(now), before: \(before)")
    }
    if residentAtFirst == 0 { residentAtFirst = Holdings.resident }
    try target.resume()
  }

  var summary: String {
    let seconds = Date().timeIntervalSince(begin)
    return """
      \(sent) messages in \(sessions) sessions, \(clients) clients, \(asked) requests of the server answered somehow, \
      \(target.summary), honest clients served \(honest) times; \
      \(before) before and after; resident \(residentAtFirst >> 20) MiB, then \(Holdings.resident >> 20) MiB; \
      \(Int(seconds)) s
      """
  }
}
