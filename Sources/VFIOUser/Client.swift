// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
public import PCI

/// The machine's side of the protocol, as much of it as a host in process needs: registers, memory, interrupts, reset.
///
/// Belongs to one thread. Memory that is not shared is accessed by the server's messages, to which this side replies in
/// ``waitForServer(milliseconds:)``; not while it waits for a register, as in QEMU, which then holds its lock.
public final class Client {
  /// A failure of the server.
  public struct Failure: Error, Hashable, Sendable {
    public var request: String
    /// Nil if the server has disconnected, or the reply is malformed.
    public var errno: CInt?
    public var message: String
  }

  /// The layout of the server's requests about memory.
  public enum MemoryMessages: Sendable {
    /// As the protocol's text has it, and QEMU 11.
    case wide
    /// As QEMU 10.1 and 10.2 have it.
    case narrow
  }

  let channel: Channel
  private let format: DMAFormat
  private var lastID: UInt16 = 0x7fff
  private var waiting: [Message] = []
  /// The memory that the server may access.
  public let memory: HostMemory
  /// Called for every reply of this side to a request about memory.
  public var onMemoryRequest: ((_ isWrite: Bool, _ address: UInt64, _ count: Int) -> Void)?

  /// Connects, and agrees on the version.
  /// - Parameter memory: the memory of ``mapRemote(at:count:access:)`` and of the server's requests.
  public init(
    connectingTo path: String, memory: HostMemory, messages: MemoryMessages = .wide
  ) throws(Failure) {
    let number = unsafe epfnvme_unix_connect(path)
    guard number >= 0 else {
      throw Failure(
        request: "connect", errno: -number, message: unsafe String(cString: strerror(-number)))
    }
    channel = Channel(OpenDescriptor(number), stop: nil, limit: TransferLimit.message)
    self.memory = memory
    format = messages == .wide ? .wide : .narrow
    _ = try request(.version, VersionOffer.request())
  }

  // MARK: Requests

  /// Sends a request and waits for the body of its reply.
  @discardableResult
  func request(
    _ command: Command, _ body: [UInt8] = [], descriptors: [OpenDescriptor] = []
  ) throws(Failure) -> [UInt8] {
    try exchange(command, body, descriptors: descriptors).body.bytes
  }

  /// Sends a request and waits for its reply.
  func exchange(
    _ command: Command, _ body: [UInt8], descriptors: [OpenDescriptor] = []
  ) throws(Failure) -> Message {
    lastID &+= 1
    let answer: Message?
    do throws(Channel.Failure) {
      try channel.send(
        MessageHeader(request: command, id: lastID, bodyCount: body.count), body: body,
        descriptors: descriptors)
      answer = try awaitAnswer()
    } catch { throw Failure(request: "\(command)", errno: nil, message: "\(error)") }
    guard let answer else {
      throw Failure(request: "\(command)", errno: ETIMEDOUT, message: "the server does not reply")
    }
    guard !answer.header.isError else {
      let errno = CInt(bitPattern: answer.header.error)
      throw Failure(
        request: "\(command)", errno: errno, message: unsafe String(cString: strerror(errno)))
    }
    return answer
  }

  /// The reply to the last request; requests of the server are queued.
  private func awaitAnswer() throws(Channel.Failure) -> Message? {
    while true {
      while let message = try channel.next() {
        if !message.header.isReply {
          waiting.append(message)
        } else if message.header.id == lastID {
          return message
        }
      }
      if try !channel.receive(), try !channel.waitForArrival(nanoseconds: Channel.patience) {
        return nil
      }
    }
  }

  /// Sends a request without a reply.
  func post(_ command: Command, _ body: [UInt8]) throws(Failure) {
    lastID &+= 1
    do throws(Channel.Failure) {
      try channel.send(
        MessageHeader(request: command, id: lastID, bodyCount: body.count, wantsNoReply: true),
        body: body)
    } catch { throw Failure(request: "\(command)", errno: nil, message: "\(error)") }
  }

  // MARK: The server's requests

  /// Replies to the server's requests about memory.
  /// - Parameter milliseconds: how long to wait for a request.
  public func waitForServer(milliseconds: UInt64) throws(Failure) {
    do throws(Channel.Failure) {
      if waiting.isEmpty {
        _ = try channel.waitForArrival(nanoseconds: milliseconds * 1_000_000)
        _ = try channel.receive()
        while let message = try channel.next() {
          if !message.header.isReply { waiting.append(message) }
        }
      }
      while !waiting.isEmpty { try answer(waiting.removeFirst()) }
    } catch { throw Failure(request: "answer", errno: nil, message: "\(error)") }
  }

  private func answer(_ message: Message) throws(Channel.Failure) {
    func refuse(_ errno: CInt) throws(Channel.Failure) {
      try channel.send(MessageHeader(replyTo: message.header, bodyCount: 0, errno: errno))
    }
    let isWrite = message.command == .writeDMA
    guard message.command == .readDMA || isWrite else { return try refuse(ENOSYS) }
    // Either layout of a read begins with the narrow one.
    let layout = isWrite ? format : .narrow
    guard let transfer = DMATransfer(message.body, layout) else { return try refuse(EINVAL) }
    let (address, count) = (transfer.address, Int(transfer.count))
    let head = layout.byteCount
    guard count <= TransferLimit.data, !isWrite || message.body.count >= head + count else {
      return try refuse(EINVAL)
    }
    onMemoryRequest?(isWrite, address, count)
    var body = Array(message.body.bytes.prefix(format.byteCount))
    let isDone: Void?
    if isWrite {
      isDone = unsafe message.body.bytes[head..<head + count].withUnsafeBytes { bytes in
        try? unsafe memory.write(at: address, from: bytes)
      }
    } else {
      body += [UInt8](repeating: 0, count: count)
      isDone = unsafe body.withUnsafeMutableBytes { bytes in
        try? unsafe memory.read(
          at: address, into: UnsafeMutableRawBufferPointer(rebasing: bytes[format.byteCount...]))
      }
    }
    guard isDone != nil else { return try refuse(EFAULT) }
    try channel.send(
      MessageHeader(replyTo: message.header, bodyCount: body.count), body: body)
  }
}
