// SPDX-License-Identifier: Apache-2.0
internal import ControllerEmulation
internal import EndpointLink
internal import PCI
internal import ServedHost
internal import Synchronization
internal import VFIOUser

/// Messages of clients at the sockets of a controller, and of an endpoint link. Each input is one session.
///
/// A record of an input: the client (a byte), the command (a byte), forms (a byte), the size of the body (16 bits), the body.
enum SessionFuzzing {
  private static let mostRecords = 64

  static func server(_ bytes: [UInt8]) throws {
    let machine = try controllers.get()[Int(bytes.first ?? 0) % Behaviour.allCases.count]
    try run(bytes, machine.server.sockets) { machine.gone.value }
  }

  static func link(_ bytes: [UInt8]) throws {
    let link = try links.get()[Int(bytes.first ?? 0) % EndpointLink.ResetSignal.allCases.count]
    try run(bytes, link.server.sockets) { link.gone.value }
  }

  private static func run(_ bytes: [UInt8], _ sockets: [String], gone: () -> Int) throws {
    let before = gone()
    var input = FuzzInput(Array(bytes.dropFirst()))
    var clients: [Int: FuzzClient] = [:]
    for _ in 0..<mostRecords where !input.isEmpty {
      let place = Int(input.byte()) % sockets.count
      if clients[place] == nil { clients[place] = try FuzzClient(sockets[place]) }
      clients[place]?.send(&input)
      for client in clients.values { client.answer() }
    }
    for client in clients.values { client.finish() }
    let count = clients.count
    clients = [:]
    try FuzzViolation.unless(
      FuzzClient.waitUntil(milliseconds: 30_000) { gone() >= before + count },
      "the server is still busy with a client that left 30 s ago")
  }

  // MARK: Targets

  // Unchecked: its server, which is not Sendable, is only kept.
  private struct Served: @unchecked Sendable {
    var server: RunningServer
    var gone: Count
  }

  private final class Observer: ServerObserver {
    let function: NVMeFunction
    let gone: Count
    init(_ function: NVMeFunction, _ gone: Count) { (self.function, self.gone) = (function, gone) }
    func clientConnected() { function.linkUp() }
    func clientLeft(_ reason: String?) {
      function.linkDown()
      worked()
      gone.add()
    }
    func worked() {
      _ = function.takeEvents()
      _ = function.takeKernelLog()
    }
    var nanosecondsToReport: UInt64? { nil }
  }

  private static let controllers = Result { () throws -> [Served] in
    try Behaviour.allCases.map { behaviour in
      let gone = Count()
      let server = try RunningServer { memory in
        var model = ServedMachine.model(behaviour)
        model.offersDoorbellBuffers = behaviour == .reference
        let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff, tableKeeper: .monitor)
        function.runInRealTime()
        return (function, Observer(function, gone))
      }
      return Served(server: server, gone: gone)
    }
  }

  /// The board's socket, and those of two functions.
  private static let links = Result { () throws -> [Served] in
    try EndpointLink.ResetSignal.allCases.map { signal in
      let gone = Count()
      let server = try RunningServer(sockets: 3) { listeners, stop in
        var options = EndpointLink.Options()
        options.functions = 2
        options.resetSignal = signal
        let link = EndpointLink(options)
        LinkServer(link, board: listeners[0], hosts: Array(listeners.dropFirst())).run(until: stop)
        {
          switch $0 {
          case .boardLeft, .hostLeft: gone.add()
          default: break
          }
        }
      }
      return Served(server: server, gone: gone)
    }
  }

  // MARK: Seeds

  private static func record(
    _ client: UInt8, _ command: UInt8, _ body: [UInt8] = [], forms: UInt8 = 0
  ) -> [UInt8] {
    var bytes = [client, command, forms]
    bytes.add(UInt16(body.count))
    return bytes + body
  }

  private static func version(_ client: UInt8) -> [UInt8] {
    record(client, 1, [0, 0, 1, 0] + Array(#"{"capabilities":{"max_msg_fds":8}}"#.utf8) + [0])
  }

  private static func map(_ client: UInt8, _ address: UInt64, _ count: UInt64) -> [UInt8] {
    var body: [UInt8] = []
    for word in [32, 3] as [UInt32] { body.add(word) }
    for wide in [0, address, count] { body.add(wide) }
    return record(client, 2, body, forms: FuzzClient.passesMemory)
  }

  private static func write(
    _ client: UInt8, _ region: UInt32, _ offset: UInt64, _ bytes: [UInt8]
  ) -> [UInt8] {
    var body: [UInt8] = []
    body.add(offset)
    body.add(region)
    body.add(UInt32(bytes.count))
    return record(client, 10, body + bytes)
  }

  private static func read(
    _ client: UInt8, _ region: UInt32, _ offset: UInt64, _ count: UInt32
  ) -> [UInt8] {
    var body: [UInt8] = []
    body.add(offset)
    body.add(region)
    body.add(count)
    return record(client, 9, body)
  }

  private static func words(_ words: UInt32...) -> [UInt8] {
    words.reduce(into: []) { $0.add($1) }
  }

  /// The memory of a client, from an address on.
  private static func fill(_ client: UInt8, _ address: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    var body: [UInt8] = []
    body.add(address)
    return record(client, 0, body + bytes)
  }

  static let serverSeeds: [[UInt8]] =
    Behaviour.allCases.indices.map { behaviour in
      [UInt8(behaviour)] + version(0) + map(0, 0, 1 << 20)
        + record(0, 4, words(32, 0, 0, 0))
        + record(0, 5, words(48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        + record(0, 7, words(16, 0, 2, 0))
        + record(0, 8, words(20, 0x24, 2, 0, 1), forms: FuzzClient.passesEvent)
        + write(0, 7, 4, [6, 0]) + read(0, 7, 0, 64) + read(0, 0, 0, 8)
        + write(0, 0, 0x24, words(0x001f_001f)) + write(0, 0, 0x28, words(0x1000, 0))
        + write(0, 0, 0x30, words(0x2000, 0)) + write(0, 0, 0x14, words(0x0046_0001))
        + read(0, 0, 0x1c, 4)
        + fill(0, 0x1000, words(6, 0, 0, 0, 0, 0, 0x3000, 0, 0, 0, 1, 0, 0, 0, 0, 0))
        + write(0, 0, 0x1000, words(1)) + read(0, 0, 0x1c, 4) + write(0, 0, 0x1004, words(1))
        + record(0, 15, words(1, 0, 0x1000, 0, 0, 4, 2)) + record(0, 16, words(16, 0x10000, 0, 0))
        + record(0, 3, words(24, 0, 0, 0, 1 << 20, 0)) + record(0, 13)
    } + [
      [0] + version(0) + record(0, 2, words(32, 3, 0, 0, 0, 0, 1 << 20, 0))
        + write(0, 7, 4, [6, 0])
        + write(0, 0, 0x24, words(0x001f_001f, 0x1000, 0, 0x2000, 0))
        + write(0, 0, 0x14, words(0x0046_0001)) + write(0, 0, 0x1000, words(1))
    ]

  static let linkSeeds: [[UInt8]] = EndpointLink.ResetSignal.allCases.indices.map { signal in
    let memory: UInt64 = 0x10_0000
    func mailbox(_ words: [UInt32]) -> [UInt8] {
      var bytes: [UInt8] = []
      for word in words { bytes.add(word) }
      return fill(0, memory + 0x100, bytes) + write(0, 0, 0x20, Self.words(0)) + read(0, 0, 0x14, 4)
    }
    let board =
      version(0) + map(0, memory, 1 << 20) + write(0, 7, 4, [6, 0])
      + record(0, 8, words(20, 0x24, 2, 0, 1), forms: FuzzClient.passesEvent)
      + write(0, 0, 0x18, words(UInt32(memory), 0))
      + mailbox([1, 0, 0x5678_1234, 0x0108_0200, 0, 0, 1])
      + mailbox([2, 0, 0, 4, 0, 0, 0, 0, UInt32(memory) + 0x1_0000, 0, 0x4000, 0])
      + mailbox([5, 0, 16, 0, 0x2000]) + mailbox([6, 0])
    let host =
      version(1) + map(1, 0, 1 << 20) + record(1, 13) + write(1, 7, 4, [6, 0])
      + read(1, 0, 0, 4) + write(1, 0, 0x14, words(1))
    let transfer =
      read(0, 0, 0x0c, 4) + write(0, 0, 0x10, words(0xff))
      + write(0, 0, 0x28, words(0, 1, 0, 0)) + write(0, 0, 0x24, words(0x0002_0001))
      + fill(0, memory + 0x200, words(UInt32(memory) + 0x2000, 0, 0x1000, 0, 64, 0, 1, 1))
      + write(0, 0, 0x3c, words(0))
    return [UInt8(signal)] + board + host + transfer
  }
}

/// A number that several threads count.
private final class Count: Sendable {
  private let number = Atomic<Int>(0)
  func add() { number.add(1, ordering: .sequentiallyConsistent) }
  var value: Int { number.load(ordering: .sequentiallyConsistent) }
}
