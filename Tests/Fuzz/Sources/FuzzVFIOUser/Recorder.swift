// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import LibC

/// A proxy between a client and a server, which records the client's messages with their descriptors, and what the server finds in the
/// client's memory when a register is written.
final class Recorder {
  private let listener: Descriptor
  private let path: String
  private let server: String
  private(set) var messages: [RecordedMessage] = []

  private struct Map {
    var address: UInt64
    var count: UInt64
    var offset: UInt64
    var memory: Descriptor
  }
  private var maps: [Map] = []
  private var follower: any MemoryFollower

  /// More of a message is not kept: what a client reads and writes matters little.
  private static let limit = 4096

  /// - Parameter follower: knows what is in the client's memory.
  init(at path: String, to server: String, _ follower: any MemoryFollower) throws {
    (self.path, self.server, self.follower) = (path, server, follower)
    let number = epfnvme_unix_bind(path)
    guard number >= 0, epfnvme_unix_listen(number) == 0 else { throw POSIXError(.EADDRINUSE) }
    listener = Descriptor(number)
  }

  deinit { unlink(path) }

  /// Takes one client, until it or the server leaves.
  func run() throws {
    _ = Wire(listener).wait(POLLIN, milliseconds: 600_000)
    let accepted = epfnvme_unix_accept(listener.number)
    guard accepted >= 0 else { throw POSIXError(.ETIMEDOUT) }
    let client = Wire(Descriptor(accepted))
    let number = epfnvme_unix_connect(server)
    guard number >= 0 else { throw POSIXError(.ECONNREFUSED) }
    let served = Wire(Descriptor(number))
    var passed: [Descriptor] = []
    do {
      while true {
        let ready = client.wait(POLLIN, milliseconds: 600_000, also: [served.socket])
        if ready[0] {
          let (bytes, descriptors) = try client.receive()
          client.take(bytes)
          passed += descriptors
          while let (head, body) = client.next() {
            // A client sends descriptors with a message's first byte, and one such message at a time.
            record(head, body, passed)
            passed = []
          }
          try forward(bytes, descriptors, to: served)
        }
        if ready[1] {
          let (bytes, descriptors) = try served.receive()
          try forward(bytes, descriptors, to: client)
        }
      }
    } catch is Wire.Closed {}
  }

  private func forward(_ bytes: [UInt8], _ descriptors: [Descriptor], to wire: Wire) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = try wire.send(rest, rest.count == bytes.count ? descriptors : [])
      rest = rest.dropFirst(sent)
      if sent == 0 { _ = wire.wait(POLLOUT, milliseconds: 1000) }
    }
  }

  private func record(_ head: Head, _ body: [UInt8], _ descriptors: [Descriptor]) {
    // Its replies are generated again from its memory.
    guard !head.isReply else { return }
    follow(head, body, descriptors)
    messages.append(
      RecordedMessage(
        command: head.command, flags: head.flags, body: Array(body.prefix(Self.limit)),
        descriptors: descriptors.map(Self.kind)))
  }

  private static func kind(_ descriptor: Descriptor) -> RecordedMessage.Passed {
    var facts = stat()
    guard fstat(descriptor.number, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      let link = try? FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/self/fd/\(descriptor.number)")
      return link?.contains("eventfd") == true ? .event : .other
    }
    return .memory(UInt64(facts.st_size))
  }

  // MARK: Memory

  private func follow(_ head: Head, _ body: [UInt8], _ descriptors: [Descriptor]) {
    if head.command == 2, let memory = descriptors.first {
      maps.append(
        Map(
          address: body.wide(at: 16), count: body.wide(at: 24), offset: body.wide(at: 8),
          memory: memory))
    }
    guard head.command == 10, body.word(at: 8) == 0, body.count > 16 else { return }
    follower.follow(offset: Int(body.wide(at: 0)), Array(body[16...])) { address, count in
      guard let bytes = bytes(at: address, count) else { return nil }
      var body: [UInt8] = []
      body.add(address)
      messages.append(RecordedMessage(command: RecordedMessage.memory, body: body + bytes))
      return bytes
    }
  }

  private func bytes(at address: UInt64, _ count: Int) -> [UInt8]? {
    guard
      let map = maps.first(where: {
        address >= $0.address && address - $0.address <= $0.count - UInt64(count)
      })
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: count)
    let place = off_t(map.offset + address - map.address)
    return pread(map.memory.number, &bytes, count, place) == count ? bytes : nil
  }
}
