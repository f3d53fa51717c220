// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC
import PCI
import ServedHost
import Testing

@testable import VFIOUser

/// A client that sends what it likes.
final class RawClient {
  let channel: Channel

  init(_ machine: ServedMachine) throws {
    let number = epfnvme_unix_connect(machine.socket)
    try #require(number >= 0)
    channel = Channel(OpenDescriptor(number), stop: nil, limit: 4 << 20)
  }

  /// Connects and agrees on the version.
  static func negotiated(_ machine: ServedMachine) throws -> RawClient {
    let client = try RawClient(machine)
    try #require(try client.ask(1, [0, 0, 0, 0] + Array("{}".utf8) + [0]) == .done(6 + 1))
    return client
  }

  /// The outcome of a request: the number of bytes of the body, or an errno.
  enum Outcome: Equatable { case done(Int), refused(CInt), closed }

  func send(
    _ command: UInt16, _ body: [UInt8] = [], id: UInt16 = 7, flags: UInt32 = 0, size: UInt32? = nil,
    descriptors: [OpenDescriptor] = []
  ) throws {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: id)
    bytes.append(littleEndian: command)
    bytes.append(littleEndian: size ?? UInt32(16 + body.count))
    bytes.append(littleEndian: flags)
    bytes.append(littleEndian: UInt32(0))
    try channel.send(bytes + body, descriptors)
  }

  /// The next message; nil when the server has closed.
  func receive() throws -> Message? {
    do throws(Channel.Failure) {
      while true {
        if let message = try channel.next() { return message }
        if try channel.receive() { continue }
        guard try channel.waitForArrival(nanoseconds: Channel.patience) else {
          throw .unresponsive
        }
      }
    } catch {
      guard error == .closed else { throw error }
      return nil
    }
  }

  func ask(
    _ command: UInt16, _ body: [UInt8] = [], descriptors: [OpenDescriptor] = []
  ) throws -> Outcome {
    try send(command, body, descriptors: descriptors)
    guard let answer = try receive() else { return .closed }
    #expect(answer.header.id == 7 && answer.header.command == command && answer.header.isReply)
    guard answer.header.isError else { return .done(answer.body.count) }
    #expect(answer.body.count == 0)
    return .refused(CInt(answer.header.error))
  }

  // MARK: Bodies

  static func words(_ words: UInt32...) -> [UInt8] {
    var bytes: [UInt8] = []
    for word in words { bytes.append(littleEndian: word) }
    return bytes
  }

  static func map(
    _ address: UInt64, _ count: UInt64, offset: UInt64 = 0, flags: UInt32 = 3, size: UInt32 = 32
  ) -> [UInt8] {
    var bytes = words(size, flags)
    for value in [offset, address, count] { bytes.append(littleEndian: value) }
    return bytes
  }

  static func unmap(_ address: UInt64, _ count: UInt64, flags: UInt32 = 0) -> [UInt8] {
    var bytes = words(24, flags)
    for value in [address, count] { bytes.append(littleEndian: value) }
    return bytes
  }

  static func access(_ region: UInt32, _ offset: UInt64, _ count: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: offset)
    return bytes + words(region, count)
  }
}
