// SPDX-License-Identifier: Apache-2.0
import LibC
import Testing

@testable import VFIOUser

@Suite struct ChannelTests {
  /// Two ends of a stream.
  private func pair() throws -> (Channel, Channel) {
    var numbers: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &numbers) == 0)
    func channel(_ number: CInt) -> Channel {
      Channel(OpenDescriptor(number), stop: nil, limit: 1 << 17)
    }
    return (channel(numbers[0]), channel(numbers[1]))
  }

  private func receive(_ channel: Channel) throws -> Message {
    while true {
      if let message = try channel.next() { return message }
      _ = try channel.receive()
    }
  }

  @Test("a body that was given back and is still kept has its bytes after later messages")
  func keptBody() throws {
    let (sender, receiver) = try pair()
    var kept: [[UInt8]] = []
    for byte in 1...8 as ClosedRange<UInt8> {
      let body = [UInt8](repeating: byte, count: 100)
      try sender.send(
        MessageHeader(request: .writeRegion, id: 1, bodyCount: body.count), body: body)
      let message = try receive(receiver)
      kept.append(message.body.bytes)
      receiver.giveBack(message.body.bytes)
    }
    #expect(kept == (1...8).map { [UInt8](repeating: $0, count: 100) })
  }

  @Test("messages of any length, cut anywhere, arrive whole and in order", arguments: [1, 7, 5000])
  func pieces(length: Int) throws {
    let (sender, receiver) = try pair()
    var stream: [UInt8] = []
    let bodies = [0, 1, 17, 4096, 70_000, 3].map { count in
      (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    }
    for body in bodies {
      MessageHeader(request: .readRegion, id: 1, bodyCount: body.count).append(to: &stream)
      stream += body
    }
    var arrived: [[UInt8]] = []
    func take() throws {
      _ = try receiver.receive()
      while let message = try receiver.next() {
        arrived.append(message.body.bytes)
        receiver.giveBack(message.body.bytes)
      }
    }
    for start in stride(from: 0, to: stream.count, by: length) {
      try sender.send(Array(stream[start..<min(start + length, stream.count)]))
      try take()
    }
    while arrived.count < bodies.count { try take() }
    for (arrived, body) in zip(arrived, bodies) { #expect(arrived.elementsEqual(body)) }
  }
}
