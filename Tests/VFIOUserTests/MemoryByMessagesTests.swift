// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC
import PCI
import Testing

@testable import VFIOUser

/// The requests to a client whose memory cannot be mapped.
@Suite struct MemoryByMessagesTests {
  private static let count = (1 << 20) + 4

  /// A write to BAR 0 copies the host's first bytes to 2 MiB.
  private final class Copier: Function {
    weak var host: (any HostInterface)?
    private(set) var configuration = ConfigurationSpace.plain(bar: 4096)
    private let memory: HostMemory
    private let done: OpenDescriptor

    /// - Parameter done: signalled after the copy, and also when there is none.
    init(_ memory: HostMemory, done: OpenDescriptor) { (self.memory, self.done) = (memory, done) }

    func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
      _ = configuration.write(offset: offset, width: width, value: value)
    }
    func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
      for index in buffer.indices { buffer[index] = 0 }
    }
    func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
      defer { done.signal() }
      var bytes = [UInt8](repeating: 0, count: MemoryByMessagesTests.count)
      do {
        try unsafe bytes.withUnsafeMutableBytes { try unsafe memory.read(at: 0, into: $0) }
        try unsafe bytes.withUnsafeBytes { try unsafe memory.write(at: 2 << 20, from: $0) }
      } catch {
        Issue.record("\(error)")
      }
    }
    func reset(_ kind: ResetKind) {}
  }

  // QEMU sends with one nonblocking call and drops the rest: bytes that its socket does not accept never arrive.
  @Test("more than 64 KiB is never read at once, whatever the client offers")
  func largeReads() throws {
    let shared = try #require(SharedMemory(count: 4 << 20))
    for index in 0..<Self.count { shared.bytes[index] = UInt8(truncatingIfNeeded: index % 251) }
    let memory = HostMemory()
    try unsafe memory.add(at: 0, backing: shared.bytes)
    let done = OpenDescriptor(epfnvme_event_descriptor())
    try serveFunction({ Copier($0, done: done) }, memory: memory) { client in
      try client.mapRemote(at: 0, count: 4 << 20)
      var (reads, written): ([Int], Int) = ([], 0)
      client.onMemoryRequest = { isWrite, _, count in
        if isWrite { written += count } else { reads.append(count) }
      }
      try client.write(region: 0, offset: 0, [1, 0, 0, 0])
      var copies: UInt64 = 0
      while unsafe read(done.number, &copies, 8) < 0 {
        try client.waitForServer(milliseconds: 100)
      }
      #expect(written == Self.count)
      // A read of four bytes, once, shows the layout of the client's replies.
      #expect(reads.reduce(0, +) - Self.count <= 4)
      #expect(reads.max() == 1 << 16)
    }
    let isSame = (0..<Self.count).allSatisfy { shared.bytes[(2 << 20) + $0] == shared.bytes[$0] }
    #expect(isSame, "the copy differs")
  }
}
