// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC
import Numbers

/// A hostile client during one session. It checks the server, too: whole requests are answered once each, in their order.
final class Adversary {
  /// The server has not done what it must do even for this client.
  struct Wrong: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }

  private let wire: Wire
  private let manner: Mutator.Manner
  private var random: SplitMix64
  /// It is unknown how the server splits the stream into messages.
  private var isOutOfStep = false
  private var lastID: UInt16 = 0
  private var awaited: [(id: UInt16, command: UInt16)] = []
  private(set) var sent = 0
  /// Requests of the server.
  private(set) var asked = 0
  private(set) var answered = 0

  /// Its memory by addresses, where it has not announced another file.
  private let memory = Descriptor.memory(16 << 20)
  /// The files that it has announced last.
  private var maps: [(address: UInt64, count: UInt64, offset: UInt64, file: Descriptor)] = []
  private var passedFiles: [Descriptor] = []
  private let event = Descriptor.event()
  /// Answers that come later than they should.
  private var late: [[UInt8]] = []
  private var isSilent = false
  /// The server may leave it.
  private var hasAnsweredBadly = false
  // Messages that became due while another one was partly sent.
  private var isSending = false
  private var outbox: [[UInt8]] = []
  private var lastAnswer: [UInt8] = []

  init(at socket: String, _ manner: Mutator.Manner) throws {
    let number = epfnvme_unix_connect(socket)
    guard number >= 0 else { throw Wrong("cannot connect: errno \(-number)") }
    wire = Wire(Descriptor(number))
    self.manner = manner
    random = SplitMix64(seed: manner.answerSeed)
  }

  func run(_ steps: [Step]) throws {
    do {
      for step in steps {
        switch step {
        case .memory(let address, let bytes):
          if manner.storesInOrder, !manner.readsLate, !isOutOfStep {
            try awaitAnswers(milliseconds: 20)
          }
          store(bytes, at: address)
        case .cutFile: if let file = passedFiles.last { ftruncate(file.number, 0) }
        case .leave: return
        case .message(let shaped): try send(shaped)
        }
      }
      if !isOutOfStep { try finish() }
    } catch is Wire.Closed {
      // Only a client that cannot be followed is left.
      let hasAnsweredLate = manner.readsLate && asked > 0
      guard isOutOfStep || hasAnsweredBadly || hasAnsweredLate else {
        throw Wrong("the server has left a client that was in step")
      }
    }
  }

  // MARK: Requests

  private func send(_ shaped: Step.Shaped) throws {
    let message = shaped.message
    lastID &+= 1
    let size = Head.byteCount + message.body.count
    let head = Head(
      id: lastID, command: message.command, size: shaped.size ?? UInt32(size), flags: message.flags)
    if head.size != size || size > 1 << 20 || message.descriptors.count > 31 { isOutOfStep = true }
    if !head.isReply, head.flags & 0x10 == 0 { awaited.append((lastID, message.command)) }
    let bytes = head.bytes + message.body
    let descriptors =
      shaped.isRemote && message.command == 2 ? [] : message.descriptors.map(descriptor)
    let end = min(shaped.end ?? bytes.count, bytes.count)
    note(message, descriptors)
    isSending = true
    var start = 0
    for cut in shaped.cuts + [end] where cut > start && cut <= end {
      try push(bytes[start..<cut], start == 0 ? descriptors : [])
      start = cut
    }
    isSending = false
    sent += 1
    if end < bytes.count {
      isOutOfStep = true
      throw Wire.Closed()
    }
    try flush()
    if manner.readsLate { return }
    try takeAll()
    while !late.isEmpty, chance(300) { try post(late.removeFirst()) }
    guard manner.isPatient, !isOutOfStep else { return }
    try awaitAnswers(milliseconds: 20)
    try settle(message)
  }

  /// After a doorbell and a change of the configuration, the controller gets time for its work.
  private func settle(_ message: RecordedMessage) throws {
    guard manner.awaitsWork, message.command == 10, message.body.word(at: 8) == 0 else { return }
    let offset = message.body.wide(at: 0)
    guard offset == 0x14 || offset >= 0x1000 && offset % 8 == 0, chance(500) else { return }
    for _ in 0..<8 {
      // An interrupt, or a request about memory.
      let ready = wire.wait(POLLIN, milliseconds: 1, also: [event])
      if ready[0] { try takeAll() }
      var count: UInt64 = 0
      if ready[1], read(event.number, &count, 8) == 8 { return }
    }
  }

  /// A last request, answered: the server has taken all that came before it.
  private func finish() throws {
    while !late.isEmpty { try post(late.removeFirst()) }
    // The version may still be missing: then this is refused, which is an answer, too.
    lastID &+= 1
    awaited.append((lastID, 4))
    try post(
      Head(id: lastID, command: 4, size: 32).bytes + [UInt8](repeating: 16, count: 16))
    try awaitAnswers(milliseconds: 20_000)
    guard awaited.isEmpty else {
      throw Wrong("no answer to request \(awaited[0].command) within 20 s")
    }
  }

  private func awaitAnswers(milliseconds: Int64) throws {
    var limit = milliseconds
    while !awaited.isEmpty, limit > 0 {
      if !wire.wait(POLLIN, milliseconds: min(limit, 10))[0] { limit -= 10 }
      try takeAll()
    }
  }

  /// Sends a whole message, now or behind the one that is on its way.
  private func post(_ bytes: [UInt8]) throws {
    outbox.append(bytes)
    if !isSending { try flush() }
  }

  private func flush() throws {
    isSending = true
    while !outbox.isEmpty { try push(outbox.removeFirst()[...], []) }
    isSending = false
  }

  private func push(_ bytes: ArraySlice<UInt8>, _ descriptors: [Descriptor]) throws {
    var rest = bytes
    var descriptors = descriptors
    while !rest.isEmpty {
      let count = try wire.send(rest, descriptors)
      if count > 0 {
        rest = rest.dropFirst(count)
        descriptors = []
      } else {
        // Both directions may be full: receiving makes room.
        _ = wire.wait(POLLIN | POLLOUT, milliseconds: 1000)
        try takeAll()
      }
    }
  }

  private func descriptor(_ kind: RecordedMessage.Passed) -> Descriptor {
    switch kind {
    case .event: return event
    case .memory(16 << 20):
      passedFiles.append(memory)
      return memory
    case .memory(let size):
      let file = Descriptor.memory(size)
      passedFiles.append(file)
      return file
    case .other:
      // A device, a directory, a file that may only be read.
      let path = ["/dev/null", "/", "/proc/self/exe"].randomElement(using: &random) ?? "/"
      return Descriptor(open(path, O_RDONLY | O_CLOEXEC))
    }
  }

  // MARK: What the server sends

  private func takeAll() throws {
    while true {
      let (bytes, _) = try wire.receive()
      if bytes.isEmpty { return }
      wire.take(bytes)
      while let (head, body) = wire.next() {
        if head.isReply { try check(head, body) } else { try answer(head, body) }
      }
    }
  }

  private func check(_ head: Head, _ body: [UInt8]) throws {
    guard !isOutOfStep else { return }
    guard let first = awaited.first else { throw Wrong("an answer without a request") }
    awaited.removeFirst()
    guard head.id == first.id, head.command == first.command else {
      throw Wrong("request \(first.command) is answered by \(head.command)")
    }
    let isRefusal = head.flags & 0x20 != 0
    guard isRefusal == (head.error != 0), !isRefusal || body.isEmpty else {
      throw Wrong("an answer to \(first.command) with errno \(head.error), \(body.count) bytes")
    }
  }

  private func answer(_ head: Head, _ body: [UInt8]) throws {
    asked += 1
    let isWrite = head.command == 12
    guard head.command == 11 || isWrite, body.count >= 12 else {
      throw Wrong("the server asks for \(head.command) with \(body.count) bytes")
    }
    let address = body.wide(at: 0)
    let count = Int(body.word(at: 8))
    guard count <= 1 << 20 else { throw Wrong("the server asks for \(count) bytes") }
    let dataStart = manner.isNarrow ? 12 : 16
    var answer = Array(body.prefix(dataStart))
    if isWrite {
      store(Array(body.dropFirst(dataStart)), at: address)
    } else {
      if answer.count < dataStart {
        answer += [UInt8](repeating: 0, count: dataStart - answer.count)
      }
      var bytes = [UInt8](repeating: 0, count: count)
      if address < 16 << 20 { _ = pread(memory.number, &bytes, count, off_t(address)) }
      answer += bytes
    }
    var reply = Head(
      id: head.id, command: head.command, size: UInt32(Head.byteCount + answer.count), flags: 1)
    guard chance(manner.badAnswers) else {
      guard !isSilent else { return }
      answered += 1
      lastAnswer = reply.bytes + answer
      return try post(lastAnswer)
    }
    hasAnsweredBadly = true
    switch Int.random(in: 0..<10, using: &random) {
    case 0:
      reply.flags |= 0x20
      reply.error = UInt32([1, 14, 22, 4095].randomElement(using: &random) ?? 1)
      if chance(500) { answer = [] }
    case 1: reply.id &+= 1
    case 2: reply.command = [9, 11, 12, 77].randomElement(using: &random) ?? 9
    case 3: answer.removeLast(Int.random(in: 0...answer.count, using: &random))
    case 4:
      answer += [UInt8](
        repeating: 0xa5, count: [1, 4, 16, 4096].randomElement(using: &random) ?? 1)
    case 5:
      for _ in 0..<8 where !answer.isEmpty {
        answer[Int.random(in: 0..<answer.count, using: &random)] = .random(
          in: 0...255, using: &random)
      }
    case 6:
      // An earlier one in its place, then the right one.
      if !lastAnswer.isEmpty { try post(lastAnswer) }
    case 7:
      late.append(reply.bytes + answer)
      return
    case 8:
      // Never, and a reset that ends the wait.
      lastID &+= 1
      awaited.append((lastID, 13))
      return try post(Head(id: lastID, command: 13, size: 16).bytes)
    default:
      // Not to this one, nor to the rest.
      isSilent = true
      return
    }
    reply.size = UInt32(Head.byteCount + answer.count)
    lastAnswer = reply.bytes + answer
    try post(lastAnswer)
  }

  /// Remembers where a file is announced.
  private func note(_ message: RecordedMessage, _ descriptors: [Descriptor]) {
    guard message.command == 2, let file = descriptors.first, file !== event else { return }
    let body = message.body
    maps.append((body.wide(at: 16), body.wide(at: 24), body.wide(at: 8), file))
    if maps.count > 16 { maps.removeFirst() }
  }

  private func store(_ bytes: [UInt8], at address: UInt64) {
    let map = maps.last {
      address >= $0.address && address - $0.address < $0.count
        && $0.count - (address - $0.address) >= bytes.count
    }
    if let map {
      let place = off_t(truncatingIfNeeded: map.offset &+ (address - map.address))
      _ = pwrite(map.file.number, bytes, bytes.count, place)
      return
    }
    guard address < 16 << 20, bytes.count <= 16 << 20 - Int(address) else { return }
    _ = pwrite(memory.number, bytes, bytes.count, off_t(address))
  }

  private func chance(_ rate: Int) -> Bool {
    rate > 0 && Int.random(in: 0..<1000, using: &random) < rate
  }
}
