// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC

/// Messages in both directions over one stream socket, with the descriptors that travel with them.
///
/// Belongs to one thread. Reassembles whole messages from any fragmentation of the stream.
final class Channel {
  /// The reason for the end of the stream.
  enum Failure: Error, Hashable {
    /// The peer has disconnected.
    case closed
    /// The stream cannot be followed any more.
    case outOfStep(String)
    case system(errno: CInt)
    /// The peer does not read, or does not reply.
    case unresponsive
    /// The peer replied to a request with an error; the stream continues.
    case refusedByClient
    /// The server was asked to stop.
    case stopped
  }

  let socket: OpenDescriptor
  /// The polled descriptors: the socket, and the stop descriptor. (Stored, so that waiting does not allocate.)
  private var waited: [pollfd]
  /// The longest message that is accepted, bytes.
  private let limit: Int
  private let waitsToSend: Bool

  private var buffer: [UInt8]
  /// The range of unparsed bytes.
  private var start = 0
  private var end = 0
  /// The number of bytes of the stream before `start`.
  private var position = 0
  /// Descriptors with the end position in the stream of the bytes that they arrived with. A fragment ends after bytes with descriptors,
  /// which are at the start of a message, so they belong to the message of the fragment's last byte.
  private var arrived: [(end: Int, descriptors: [OpenDescriptor])] = []
  /// Room for the descriptors that arrive at once.
  private var numbers = [CInt](repeating: 0, count: Int(EPFNVME_DESCRIPTORS))
  /// The message that is sent; empty when it is.
  private var outgoing: [UInt8] = []
  /// The number of its bytes that have been sent, and the descriptors that travel with the first.
  private var sent = 0
  private var travelling: [OpenDescriptor] = []
  /// The memory of earlier bodies, so that messages do not allocate.
  private var spares: [[UInt8]] = []

  /// - Parameters:
  ///   - stop: becomes readable to stop; nil if there is none.
  ///   - waitsToSend: whether sending waits for the peer to make room; otherwise ``flush()`` sends the rest of a message.
  init(_ socket: OpenDescriptor, stop: CInt?, limit: Int, waitsToSend: Bool = true) {
    self.socket = socket
    self.waitsToSend = waitsToSend
    waited = [socket.number, stop].compactMap { number in
      number.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    }
    self.limit = limit
    buffer = [UInt8](repeating: 0, count: 1 << 16)
  }

  // MARK: Receiving

  /// The next whole message that has arrived; nil if there is none.
  func next() throws(Failure) -> Message? {
    guard end - start >= MessageHeader.byteCount else { return nil }
    let header = MessageHeader(wholeIn: WireBytes(buffer), at: start)
    let size = Int(header.size)
    guard size >= MessageHeader.byteCount, size <= limit else {
      throw .outOfStep("a message of \(size) bytes")
    }
    guard end - start >= size else {
      if size > buffer.count {
        buffer.append(contentsOf: repeatElement(0, count: size - buffer.count))
      }
      return nil
    }
    var body = takeBody()
    body.append(contentsOf: buffer[start + MessageHeader.byteCount..<start + size])
    start += size
    position += size
    var descriptors: [OpenDescriptor] = []
    while let first = arrived.first, first.end <= position {
      descriptors += first.descriptors
      arrived.removeFirst()
    }
    return Message(header: header, body: WireBytes(body), descriptors: descriptors)
  }

  /// Whether there was no room for more at the last receipt.
  var isFull: Bool { end == buffer.count }

  /// Receives available bytes, without waiting.
  /// - Returns: whether there was anything.
  func receive() throws(Failure) -> Bool {
    moveUnparsed()
    // The buffer has grown for a message that did not fit.
    guard end < buffer.count else { return false }
    var count: CInt = 0
    let received = unsafe buffer.withUnsafeMutableBytes { bytes in
      unsafe epfnvme_receive(
        socket.number, bytes.baseAddress.map { unsafe $0 + end }, bytes.count - end, &numbers,
        &count)
    }
    let descriptors = numbers[..<Int(count)].map(OpenDescriptor.init)
    if received == -Int64(EAGAIN) { return false }
    guard received >= 0 else {
      throw received == -Int64(ECONNRESET) ? .closed : .system(errno: CInt(-received))
    }
    guard received > 0 else { throw .closed }
    end += Int(received)
    if !descriptors.isEmpty {
      guard arrived.count < 4 else { throw .outOfStep("descriptors without messages") }
      arrived.append((position + end - start, descriptors))
    }
    return true
  }

  /// Moves the unparsed bytes to the start of the buffer, in place.
  private func moveUnparsed() {
    guard start > 0 else { return }
    if start < end {
      unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[0..<end - start])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      }
    }
    (start, end) = (0, end - start)
  }

  // MARK: Bodies

  /// An empty body, with the memory of an earlier one.
  func takeBody() -> [UInt8] {
    guard var body = spares.popLast() else { return [] }
    body.removeAll(keepingCapacity: true)
    return body
  }

  /// Keeps the memory of a body for the next ones, unless it is much. Another reference to the body keeps its contents.
  func giveBack(_ body: [UInt8]) {
    guard spares.count < 4, (1...1 << 16).contains(body.capacity) else { return }
    spares.append(body)
  }

  // MARK: Sending

  /// - Precondition: not ``isSending``.
  func send(
    _ header: MessageHeader, body: [UInt8] = [], descriptors: [OpenDescriptor] = []
  ) throws(Failure) {
    // The rest of a message to a client that has failed is dropped.
    outgoing.removeAll(keepingCapacity: true)
    header.append(to: &outgoing)
    outgoing += body
    (sent, travelling) = (0, descriptors)
    while try !flush(), waitsToSend { try waitForRoom() }
  }

  /// Whether a message is sent in part only.
  var isSending: Bool { !outgoing.isEmpty }

  /// Sends more of the message, without waiting.
  /// - Returns: whether all of it is sent.
  func flush() throws(Failure) -> Bool {
    while sent < outgoing.count {
      let count = try push(outgoing, from: sent, travelling)
      guard count > 0 else { return false }
      sent += count
      travelling = []
    }
    outgoing.removeAll(keepingCapacity: outgoing.capacity <= 1 << 17)
    return true
  }

  /// Sends bytes as they are, with descriptors beside the first; waits for the peer to make room.
  func send(_ bytes: [UInt8], _ descriptors: [OpenDescriptor] = []) throws(Failure) {
    var sent = 0
    while sent < bytes.count {
      let count = try push(bytes, from: sent, sent == 0 ? descriptors : [])
      if count == 0 { try waitForRoom() }
      sent += count
    }
  }

  /// - Returns: the number of bytes that there was room for.
  private func push(
    _ bytes: [UInt8], from start: Int, _ descriptors: [OpenDescriptor]
  ) throws(Failure) -> Int {
    let numbers = descriptors.map(\.number)
    let status = unsafe bytes.withUnsafeBytes { buffer in
      unsafe epfnvme_send(
        socket.number, buffer.baseAddress.map { unsafe $0 + start }, buffer.count - start, numbers,
        CInt(numbers.count))
    }
    if status == -Int64(EAGAIN) { return 0 }
    guard status >= 0 else {
      throw [EPIPE, ECONNRESET].contains(CInt(-status)) ? .closed : .system(errno: CInt(-status))
    }
    return Int(status)
  }

  private func waitForRoom() throws(Failure) {
    guard try wait(POLLOUT, nanoseconds: Self.patience) else { throw .unresponsive }
  }

  /// The limit for a peer to read or reply: the limit of QEMU is 5 s.
  static let patience: UInt64 = 10_000_000_000

  // MARK: Waiting

  /// Waits until something arrives.
  /// - Parameter nanoseconds: the timeout; nil means forever.
  /// - Returns: whether data has arrived, or the peer has disconnected.
  func waitForArrival(nanoseconds: UInt64?) throws(Failure) -> Bool {
    try wait(POLLIN, nanoseconds: nanoseconds)
  }

  private func wait(_ events: CInt, nanoseconds: UInt64?) throws(Failure) -> Bool {
    waited[0].events = Int16(events)
    let (count, limit) = (UInt32(waited.count), nanoseconds.map { Int64(clamping: $0) } ?? -1)
    let status = unsafe epfnvme_poll(&waited, count, limit)
    guard status >= 0 else { throw .system(errno: -status) }
    if waited.count > 1, waited[1].revents != 0 { throw .stopped }
    return waited[0].revents != 0
  }
}
