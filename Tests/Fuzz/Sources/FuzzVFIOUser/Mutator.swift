// SPDX-License-Identifier: Apache-2.0
import Numbers

/// The next action of a hostile client.
enum Step {
  case message(Shaped)
  /// Bytes change in its memory.
  case memory(address: UInt64, [UInt8])
  /// A file that it has passed is cut short under the server.
  case cutFile
  /// It goes without a word.
  case leave

  /// A message and the ways in which it is not as it should be.
  struct Shaped {
    var message: RecordedMessage
    /// The size in its header; nil for the right one.
    var size: UInt32?
    /// Where the stream is cut into pieces.
    var cuts: [Int] = []
    /// The client goes after so many of its bytes.
    var end: Int?
    /// Memory is described without its descriptor.
    var isRemote = false
  }
}

/// Makes what a hostile client does out of recorded sessions: fields at and around their limits, another order, messages left out, repeated,
/// cut, lengthened and taken from elsewhere, with descriptors that are missing, too many or of another kind.
struct Mutator {
  private let corpus: [RecordedSession]
  let grammar: Grammar
  private let seed: UInt64
  var random: SplitMix64

  init(_ corpus: [RecordedSession], _ grammar: Grammar, seed: UInt64) {
    (self.corpus, self.grammar, self.seed) = (corpus, grammar, seed)
    random = SplitMix64(seed: seed)
  }

  /// The properties in which sessions differ.
  struct Manner {
    /// It waits for answers.
    var isPatient: Bool
    /// It then waits for the controller, too.
    var awaitsWork: Bool
    /// It waits for answers before its memory changes.
    var storesInOrder: Bool
    /// It reads only when it can send no more.
    var readsLate: Bool
    /// All memory by messages.
    var isRemote: Bool
    /// Messages about memory as older clients lay them out.
    var isNarrow: Bool
    /// The number of wrong replies to a thousand requests of the server.
    var badAnswers: Int
    /// The number of changed messages in a thousand.
    var changes: Int
    /// For its answers, which come when they are asked for.
    var answerSeed: UInt64
  }

  /// - Parameter number: the same session for the same number and seed.
  mutating func session(_ number: Int) -> (Manner, [Step]) {
    var mixer = SplitMix64(seed: seed)
    random = SplitMix64(seed: mixer.next() &+ UInt64(number))
    let manner = Manner(
      isPatient: chance(600), awaitsWork: grammar.worksLater, storesInOrder: chance(800),
      readsLate: chance(100),
      isRemote: chance(grammar.reachesMemoryByMessages ? 350 : 30), isNarrow: chance(300),
      badAnswers: pick([0, 0, 20, 200]), changes: pick([5, 20, 60, 60, 200, 500]),
      answerSeed: random.next())
    var messages = pick(corpus).messages
    // Most sessions start with the version, and many are honest for a while: the target is then in a state that few others reach.
    let honest = chance(600) ? Int.random(in: 1..<messages.count, using: &random) : 1
    for _ in 0..<pick([0, 0, 1, 2, 4, 8]) { rearrange(&messages, from: honest) }
    var steps: [Step] = []
    for (index, message) in messages.enumerated() {
      var message = message
      var manner = manner
      if index < honest, honest > 1 { manner.changes = 0 }
      if chance(manner.changes) { change(&message) }
      if message.command == RecordedMessage.memory {
        steps.append(.memory(address: message.body.wide(at: 0), Array(message.body.dropFirst(8))))
      } else {
        steps.append(.message(shape(message, manner)))
      }
      if chance(manner.changes / 2) { steps.append(.message(shape(invented(), manner))) }
      if grammar.hasOperations, chance(index < honest ? 10 : 200) {
        let (memory, messages) = boardOperation()
        if let memory { steps.append(.memory(address: memory.address, memory.bytes)) }
        for message in messages { steps.append(.message(shape(message, manner))) }
      }
      if chance(manner.changes / 16) { steps.append(.cutFile) }
      if chance(1) { steps.append(.leave) }
    }
    return (manner, steps)
  }

  // MARK: Order

  /// - Parameter first: the first message that may move.
  private mutating func rearrange(_ messages: inout [RecordedMessage], from first: Int) {
    guard messages.count > first + 8 else { return }
    let start = Int.random(in: first..<messages.count, using: &random)
    let count = Int.random(in: 1...min(16, messages.count - start), using: &random)
    let target = Int.random(in: first...max(first, messages.count - count), using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: messages.removeSubrange(start..<start + count)
    case 1: messages.insert(contentsOf: messages[start..<start + count], at: target)
    case 2:
      let moved = Array(messages[start..<start + count])
      messages.removeSubrange(start..<start + count)
      messages.insert(contentsOf: moved, at: min(target, messages.count))
    case 3:
      let other = pick(corpus).messages
      let first = Int.random(in: 0..<other.count, using: &random)
      messages.insert(contentsOf: other[first..<min(first + 24, other.count)], at: target)
    case 4: messages[start..<start + count].reverse()
    default: messages.removeSubrange(max(start, messages.count / 2)...)
    }
  }

  // MARK: Messages

  /// A message as it goes over the wire.
  private mutating func shape(_ message: RecordedMessage, _ manner: Manner) -> Step.Shaped {
    var shaped = Step.Shaped(message: message, isRemote: manner.isRemote)
    let bytes = Head.byteCount + message.body.count
    if chance(manner.changes / 50) {
      shaped.size = pick([
        0, 15, 16, UInt32(bytes) - 1, UInt32(bytes) + 1, UInt32(bytes) + 16, 1 << 20,
        (1 << 20) + 4097, .max, UInt32.random(in: 0 ... .max, using: &random),
      ])
    }
    if chance(manner.changes / 4) {
      shaped.cuts = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        Int.random(in: 1..<bytes, using: &random)
      }.sorted()
    }
    if chance(manner.changes / 50) { shaped.end = Int.random(in: 0..<bytes, using: &random) }
    return shaped
  }

  /// Where the integers of a message's body are.
  /// - Source: vfio-user protocol.
  private static let fields: [UInt16: [Grammar.Field]] = [
    1: [(0, 2), (2, 2)],
    2: [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8)],
    3: [(0, 4), (4, 4), (8, 8), (16, 8)],
    4: [(0, 4), (4, 4), (8, 4), (12, 4)],
    5: [(0, 4), (4, 4), (8, 4), (12, 4), (16, 8), (24, 8)],
    7: [(0, 4), (4, 4), (8, 4), (12, 4)],
    8: [(0, 4), (4, 4), (8, 4), (12, 4), (16, 4)],
    9: [(0, 8), (8, 4), (12, 4)],
    10: [(0, 8), (8, 4), (12, 4), (16, 4), (20, 4)],
    15: [(0, 8), (8, 8), (16, 4), (20, 4), (24, 8), (32, 8), (40, 4), (44, 4)],
  ]

  private mutating func change(_ message: inout RecordedMessage) {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<11: changeField(&message)
    case 11:
      guard !message.body.isEmpty else { return }
      let index = Int.random(in: 0..<message.body.count, using: &random)
      message.body[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 12:
      message.body.removeLast(Int.random(in: 0...message.body.count, using: &random))
    case 13:
      let count = pick([1, 4, 16, 64, 4096, 1 << 17])
      message.body += [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: count)
    case 14: message.descriptors = []
    case 15:
      message.descriptors += (0..<pick([1, 1, 2, 8, 9, 31])).map { _ in passed() }
    case 16: message.descriptors = message.descriptors.map { _ in passed() }
    case 17: message.flags = pick([0, 0x10, 1, 2, 0x21, 0x31, 0x20, .max])
    case 18:
      if message.command != RecordedMessage.memory {
        message.command = UInt16.random(in: 1..<20, using: &random)
      }
    default:
      guard message.command == 1 else { return changeField(&message) }
      let texts = [
        "", "{", "[]", "null", "{\"capabilities\":{\"max_data_xfer_size\":1e99}}",
        "{\"capabilities\":{\"max_data_xfer_size\":4096}}",
        "{\"capabilities\":{\"max_data_xfer_size\":-1}}", "{\"capabilities\":[]}",
        "{\"capabilities\":{\"max_data_xfer_size\":99999999999999999999}}",
        String(repeating: "[", count: 4000), "{\"\\ud800\":1}", "\u{0}{}",
      ]
      message.body = [0, 0, 0, 0] + Array(pick(texts).utf8) + [0]
    }
  }

  private mutating func passed() -> RecordedMessage.Passed {
    pick([.memory(16 << 20), .memory(4096), .memory(0), .event, .other])
  }

  private mutating func changeField(_ message: inout RecordedMessage) {
    // Doorbell Buffer Config, which no recorded host sends: a submission entry with two pages.
    if message.command == RecordedMessage.memory, message.body.count == 8 + 64, chance(20) {
      message.body[8] = 0x7c
      message.body.put(address() & ~0xfff, at: 8 + 24, width: 8)
      message.body.put(address() & ~0xfff, at: 8 + 32, width: 8)
      return
    }
    let fields =
      message.command == RecordedMessage.memory
      ? grammar.memoryFields[message.body.count] : Self.fields[message.command]
    guard let field = fields?.randomElement(using: &random) else { return }
    let before = message.body.wide(at: field.offset)
    let value: UInt64
    if chance(300) {
      value = pick([
        before &+ 1, before &- 1, before << 1, before >> 1, before ^ 4096, before &+ 4096, ~before,
        before &+ 4,
      ])
    } else {
      value = field.width == 8 ? address() : UInt64(word())
    }
    message.body.put(value, at: field.offset, width: field.width)
  }

  mutating func word() -> UInt32 {
    chance(50) ? UInt32.random(in: 0 ... .max, using: &random) : pick(grammar.words)
  }

  /// Around the ends of the memory, of pages and of all addresses.
  mutating func address() -> UInt64 {
    let memory = grammar.memory
    let inside = UInt64.random(in: memory, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: return pick(grammar.registers)
    case 1: return pick(grammar.edges)
    case 2: return UInt64(word())
    case 3: return inside
    case 4: return inside & ~4095
    default:
      return pick([
        memory.upperBound &- 64, memory.upperBound, UInt64.random(in: 0 ... .max, using: &random),
      ])
    }
  }

  /// A message that no recorded client has sent.
  private mutating func invented() -> RecordedMessage {
    var message = RecordedMessage(
      command: pick([2, 2, 3, 3, 8, 9, 10, 10, 10, 13, 15, 6, 11, 12, 14, 16, 77] as [UInt16]),
      flags: pick([0, 0, 0, 0x10]))
    func add(_ words: [UInt32]) { for word in words { message.body.add(word) } }
    switch message.command {
    case 2:
      add([32, pick([1, 2, 3, 3, 3])])
      message.body.add(pick([0, 0, address() & ~4095]) as UInt64)
      message.body.add(
        pick([grammar.memory.lowerBound, grammar.memory.upperBound, address() & ~4095]) as UInt64)
      message.body.add(pick([4096, 1 << 20, 16 << 20, address() & ~4095]) as UInt64)
      if chance(500) { message.descriptors = [.memory(pick([4096, 1 << 20, 16 << 20]))] }
    case 3:
      // All of it, or what a guest's RAM is.
      let isAll = chance(300)
      add([24, isAll ? 2 : 0])
      let start = grammar.memory.lowerBound
      message.body.add(isAll ? 0 : pick([start, 16 << 20, address() & ~4095]) as UInt64)
      message.body.add(isAll ? 0 : pick([16 << 20, 4096, 1 << 20]) as UInt64)
    case 8:
      let vectors: UInt32 = pick([0, 1, 1, 8, 32])
      add([
        20, pick([0x24, 0x24, 0x21, 0x22, 0x11, 0x09]), pick([0, 1, 2, 2, 3, 4]),
        pick([0, 0, 1, 31]), vectors,
      ])
      if chance(500) {
        message.descriptors = (0..<Int(min(vectors, 16))).map { _ in chance(950) ? .event : .other }
      }
    case 9, 10, 15:
      if message.command == 15 { message.body.add(pick([1, 1, 2, 200, .max]) as UInt64) }
      let region = pick(grammar.regions)
      message.body.add(
        chance(800)
          ? pick(grammar.registers)
          : pick([UInt64.random(in: 0..<0x1100, using: &random), address()]) as UInt64)
      add([region, pick([1, 2, 4, 4, 4, 8, 64, 4096, 1 << 20])])
      if message.command != 9 { add([word(), word()]) }
      if chance(30) { message.body += [UInt8](repeating: 0x5a, count: 4096) }
    case 11, 12:
      message.body.add(address())
      add([word(), 0, word()])
    default: add((0..<Int.random(in: 0..<12, using: &random)).map { _ in word() })
    }
    return message
  }

  // MARK: Chance

  mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  /// True so often of a thousand times.
  mutating func chance(_ rate: Int) -> Bool {
    Int.random(in: 0..<1000, using: &random) < rate
  }
}
