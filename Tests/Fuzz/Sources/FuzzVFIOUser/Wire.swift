// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC

/// An open file that is closed with its last user.
final class Descriptor {
  let number: CInt
  init(_ number: CInt) { self.number = number }
  deinit { close(number) }

  static func memory(_ count: UInt64) -> Descriptor {
    Descriptor(epfnvme_memory_descriptor("fuzz", count))
  }
  static func event() -> Descriptor { Descriptor(epfnvme_event_descriptor()) }
}

/// A message's head, as it is sent.
struct Head {
  var id: UInt16
  var command: UInt16
  var size: UInt32
  var flags: UInt32 = 0
  var error: UInt32 = 0

  static let byteCount = 16

  init(id: UInt16, command: UInt16, size: UInt32, flags: UInt32 = 0, error: UInt32 = 0) {
    (self.id, self.command, self.size, self.flags, self.error) = (id, command, size, flags, error)
  }

  /// - Parameter bytes: at least 16.
  init(_ bytes: [UInt8]) {
    let first = bytes.word(at: 0)
    id = UInt16(truncatingIfNeeded: first)
    command = UInt16(truncatingIfNeeded: first >> 16)
    size = bytes.word(at: 4)
    flags = bytes.word(at: 8)
    error = bytes.word(at: 12)
  }

  var isReply: Bool { flags & 0xf == 1 }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.add(id)
    bytes.add(command)
    for word in [size, flags, error] { bytes.add(word) }
    return bytes
  }
}

/// One side of a stream: bytes and descriptors, and the whole messages among what has arrived.
final class Wire {
  let socket: Descriptor
  private var arrived: [UInt8] = []

  init(_ socket: Descriptor) { self.socket = socket }

  /// The peer has disconnected.
  struct Closed: Error {}

  /// Receives available bytes, without waiting.
  func receive() throws -> (bytes: [UInt8], descriptors: [Descriptor]) {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    var numbers = [CInt](repeating: 0, count: Int(EPFNVME_DESCRIPTORS))
    var count: CInt = 0
    let received = bytes.withUnsafeMutableBytes {
      epfnvme_receive(socket.number, $0.baseAddress, $0.count, &numbers, &count)
    }
    let descriptors = numbers[..<Int(count)].map(Descriptor.init)
    if received == -Int64(EAGAIN) { return ([], []) }
    guard received > 0 else { throw Closed() }
    return (Array(bytes[..<Int(received)]), descriptors)
  }

  /// The next whole message, once its bytes were given to ``take(_:)``.
  func next() -> (head: Head, body: [UInt8])? {
    guard arrived.count >= Head.byteCount else { return nil }
    let head = Head(arrived)
    guard head.size >= Head.byteCount, arrived.count >= Int(head.size) else { return nil }
    let body = Array(arrived[Head.byteCount..<Int(head.size)])
    arrived.removeFirst(Int(head.size))
    return (head, body)
  }

  func take(_ bytes: [UInt8]) { arrived += bytes }

  /// Sends as much as there is room for.
  /// - Returns: how many bytes went.
  func send(_ bytes: ArraySlice<UInt8>, _ descriptors: [Descriptor]) throws -> Int {
    let numbers = descriptors.map(\.number)
    let sent = bytes.withUnsafeBytes {
      epfnvme_send(socket.number, $0.baseAddress, $0.count, numbers, CInt(numbers.count))
    }
    if sent == -Int64(EAGAIN) { return 0 }
    guard sent >= 0 else { throw Closed() }
    return Int(sent)
  }

  func wait(_ events: CInt, milliseconds: Int64, also others: [Descriptor] = []) -> [Bool] {
    var descriptors = [pollfd(fd: socket.number, events: Int16(events), revents: 0)]
    descriptors += others.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
    _ = epfnvme_poll(&descriptors, UInt32(descriptors.count), milliseconds * 1_000_000)
    return descriptors.map { $0.revents != 0 }
  }
}
