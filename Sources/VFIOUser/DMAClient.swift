// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import PCI

/// The session of which ``DMAClient`` is a part.
protocol DMAClientSession: AnyObject {
  /// Whether the function may access the guest's memory, and requests that arrive meanwhile can be answered.
  var canRequestMemory: Bool { get }

  /// Processes a message that arrived while the function waits for the client's reply.
  /// - Throws: ``Channel/Failure/refusedByClient`` if the reply is no longer needed.
  func serve(_ message: Message) throws(Channel.Failure)

  /// The client can no longer be served.
  func fail(with failure: Channel.Failure)
}

/// Access to memory that the client did not pass as a descriptor, by requests to the client (DMA_READ, DMA_WRITE).
///
/// While it waits for a reply, requests of the client are served.
/// - Source: vfio-user protocol, "VFIO_USER_DMA_READ" (vfio-user.md, 4.10, 9).
final class DMAClient: RemoteMemory {
  private let channel: Channel
  weak var session: (any DMAClientSession)?
  /// The most data that one message may carry either way, bytes.
  var transferLimit = TransferLimit.data
  private var lastID: UInt16 = 0
  /// Nil until the client's first reply shows it.
  private var format: DMAFormat?

  init(_ channel: Channel) { self.channel = channel }

  func read(
    at address: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HostMemoryError) {
    var done = 0
    while done < buffer.count {
      let count = min(buffer.count - done, transferLimit, TransferLimit.reply)
      let bytes = try requestRead(address + UInt64(done), count)
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
        .copyBytes(from: bytes)
      done += count
    }
  }

  func write(at address: UInt64, from buffer: UnsafeRawBufferPointer) throws(HostMemoryError) {
    // The client's reply to a read shows the layout of its writes.
    if format == nil { _ = try requestRead(address & ~3, 4) }
    var done = 0
    while done < buffer.count {
      let count = min(buffer.count - done, transferLimit)
      let transfer = DMATransfer(address: address + UInt64(done), count: count)
      var body = transfer.bytes(format ?? .wide, reserving: count)
      unsafe body.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[done..<done + count]))
      _ = try request(.writeDMA, body, address: address, count: buffer.count)
      done += count
    }
  }

  private func requestRead(
    _ address: UInt64, _ count: Int
  ) throws(HostMemoryError) -> ArraySlice<UInt8> {
    // A client of the narrow layout uses the low half of the count.
    let body = DMATransfer(address: address, count: count).bytes(.wide)
    let answer = try request(.readDMA, body, address: address, count: count)
    guard let format = DMAFormat(replyOf: answer.count, to: count) else {
      throw HostMemoryError(address: address, count: count, cause: .unanswered)
    }
    self.format = format
    return answer[format.byteCount...]
  }

  /// Sends a request to the client, and serves the client until it replies.
  private func request(
    _ command: Command, _ body: [UInt8], address: UInt64, count: Int
  ) throws(HostMemoryError) -> [UInt8] {
    let refused = HostMemoryError(address: address, count: count, cause: .unanswered)
    guard let session, session.canRequestMemory else { throw refused }
    lastID &+= 1
    do throws(Channel.Failure) {
      try channel.send(
        MessageHeader(request: command, id: lastID, bodyCount: body.count), body: body)
      guard let answer = try awaitReply(to: command, session) else { throw .unresponsive }
      return answer
    } catch {
      // A refused request ends only this request; a protocol violation ends the session.
      if error != .refusedByClient { session.fail(with: error) }
      throw refused
    }
  }

  /// - Returns: nil on a timeout of the client.
  private func awaitReply(
    to command: Command, _ session: any DMAClientSession
  ) throws(Channel.Failure) -> [UInt8]? {
    let limit = ContinuousClock.now + .nanoseconds(Channel.patience)
    var served = 0
    while true {
      while let message = try channel.next() {
        if message.header.isReply {
          guard message.header.id == lastID, message.header.command == command.rawValue else {
            continue
          }
          guard !message.header.isError else { throw .refusedByClient }
          return message.body.bytes
        }
        try session.serve(message)
        served += 1
        // Waiting also checks for a stop request, which a client that sends requests without end must not prevent.
        if served % 256 == 0 { _ = try channel.waitForArrival(nanoseconds: 0) }
      }
      guard ContinuousClock.now < limit else { return nil }
      if try channel.receive() { continue }
      guard try channel.waitForArrival(nanoseconds: Channel.patience) else { return nil }
    }
  }
}
