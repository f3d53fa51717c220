// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// A client at a socket that sends the records of an input, and answers the server's requests.
final class FuzzClient {
  /// Forms of a record: descriptors that go with the message, a size that is not the body's, no reply wanted.
  static let passesMemory: UInt8 = 1
  static let passesEvent: UInt8 = 2
  private static let hasWildSize: UInt8 = 4
  private static let wantsNoReply: UInt8 = 8

  private static let memoryCount: UInt64 = 1 << 20
  private let socket: CInt
  private let memory = unsafe epfnvme_memory_descriptor("fuzz", FuzzClient.memoryCount)
  private let event = epfnvme_event_descriptor()
  private var isClosed = false
  /// Whether the server can no longer tell where a message begins.
  private var isOutOfStep = false
  private var arrived: [UInt8] = []
  private var lastReply: UInt16?
  /// The guest address of the first byte of the memory that was passed last.
  private var base: UInt64 = 0
  private var nextID: UInt16 = 1

  init(_ path: String) throws(FuzzViolation) {
    socket = unsafe epfnvme_unix_connect(path)
    guard socket >= 0 else { throw FuzzViolation("cannot connect: errno \(-socket)") }
  }

  deinit {
    for descriptor in [socket, memory, event] { close(descriptor) }
  }

  /// Sends the next record.
  func send(_ input: inout FuzzInput) {
    let command = input.byte()
    let forms = input.byte()
    let body = input.bytes(Int(input.integer(UInt16.self)))
    if command == 0 { return fill(body) }
    var size = UInt32(16 + body.count)
    if forms & Self.hasWildSize != 0 {
      size = size &+ (UInt32(forms >> 4) &- 8) &* 0x0111_1111
      isOutOfStep = true
    }
    if command == 2, forms & Self.passesMemory != 0, body.count >= 24 {
      base = Self.word(body, 16) | Self.word(body, 20) << 32
    }
    var descriptors: [CInt] = []
    if forms & Self.passesMemory != 0 { descriptors.append(memory) }
    if forms & Self.passesEvent != 0 { descriptors.append(event) }
    send(
      UInt16(command), body, size: size, flags: forms & Self.wantsNoReply == 0 ? 0 : 0x10,
      descriptors)
  }

  /// The bytes of a record that are in the memory instead of a message.
  private func fill(_ body: [UInt8]) {
    guard body.count > 8 else { return }
    let address = Self.word(body, 0) | Self.word(body, 4) << 32
    let offset = address &- base
    guard offset < Self.memoryCount - UInt64(body.count) else { return }
    unsafe body.withUnsafeBytes {
      _ = unsafe pwrite(memory, $0.baseAddress.map { unsafe $0 + 8 }, body.count - 8, off_t(offset))
    }
  }

  private func send(
    _ command: UInt16, _ body: [UInt8], size: UInt32, flags: UInt32, _ descriptors: [CInt] = []
  ) {
    var bytes: [UInt8] = []
    bytes.add(nextID)
    bytes.add(command)
    bytes.add(size)
    bytes.add(flags)
    bytes.add(UInt32(0))
    nextID = nextID == 0x7fff ? 1 : nextID + 1
    send(bytes + body, descriptors)
  }

  private func send(_ bytes: [UInt8], _ descriptors: [CInt]) {
    var rest = bytes[...]
    var numbers = descriptors
    var attempts = 0
    while !rest.isEmpty, !isClosed {
      let sent = unsafe rest.withUnsafeBytes {
        unsafe epfnvme_send(socket, $0.baseAddress, $0.count, numbers, CInt(numbers.count))
      }
      if sent > 0 {
        rest = rest.dropFirst(Int(sent))
        numbers = []
      } else if sent == -Int64(EAGAIN), attempts < 1000 {
        attempts += 1
        answer()
        wait(POLLOUT, milliseconds: 1)
      } else {
        isClosed = true
      }
    }
  }

  /// Receives what has arrived, and replies to requests of the server.
  func answer() {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var numbers = [CInt](repeating: 0, count: Int(EPFNVME_DESCRIPTORS))
    while !isClosed {
      var count: CInt = 0
      let received = unsafe buffer.withUnsafeMutableBytes {
        unsafe epfnvme_receive(socket, $0.baseAddress, $0.count, &numbers, &count)
      }
      for number in numbers[..<Int(count)] { close(number) }
      if received == -Int64(EAGAIN) { break }
      guard received > 0 else {
        isClosed = true
        break
      }
      arrived += buffer[..<Int(received)]
    }
    while arrived.count >= 16 {
      let size = Int(Self.word(arrived, 4))
      guard size >= 16, arrived.count >= size else { return }
      reply(to: Array(arrived[..<size]))
      arrived.removeFirst(size)
    }
  }

  private func reply(to message: [UInt8]) {
    let id = UInt16(truncatingIfNeeded: Self.word(message, 0))
    let command = UInt16(truncatingIfNeeded: Self.word(message, 0) >> 16)
    guard Self.word(message, 8) & 0xf == 0 else {
      lastReply = id
      return
    }
    guard message.count >= 32, command == 11 || command == 12 else { return }
    // Address and count come back, and the bytes that were asked for.
    var body = Array(message[16..<32])
    if command == 11 {
      body += [UInt8](repeating: 0, count: Int(min(Self.word(message, 24), 1 << 20)))
    }
    var bytes: [UInt8] = []
    bytes.add(id)
    bytes.add(command)
    bytes.add(UInt32(16 + body.count))
    bytes.add(UInt32(1))
    bytes.add(UInt32(0))
    send(bytes + body, [])
  }

  /// Waits until the server has processed everything, as far as that can be known.
  func finish() {
    guard !isClosed, !isOutOfStep else { return }
    let last = nextID
    send(4, [32, 0, 0, 0] + [UInt8](repeating: 0, count: 12), size: 32, flags: 0)
    _ = Self.waitUntil(milliseconds: 50) {
      wait(POLLIN, milliseconds: 1)
      answer()
      return isClosed || lastReply == last
    }
  }

  private func wait(_ events: CInt, milliseconds: Int64) {
    var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
    _ = unsafe epfnvme_poll(&descriptor, 1, milliseconds * 1_000_000)
  }

  /// Waits for a condition.
  /// - Returns: false if it does not come true.
  static func waitUntil(milliseconds: Int, _ condition: () -> Bool) -> Bool {
    let limit = ContinuousClock.now + .milliseconds(milliseconds)
    while !condition() {
      guard .now < limit else { return false }
      usleep(20)
    }
    return true
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    (0..<4).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
  }
}
