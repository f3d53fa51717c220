// SPDX-License-Identifier: Apache-2.0
import CLinux
import LibC
import PCI
import Testing

@testable import VFIOUser

/// Parts of a BAR that a client maps: a function that is no NVMe controller, a scratch pad with one page of memory.
@Suite struct MappedRegionTests {
  /// BAR 0: registers that count their writes, and a page at 4096 that is memory.
  private final class ScratchPad: MappedFunction {
    weak var host: (any HostInterface)?
    private(set) var configuration = ConfigurationSpace.plain(bar: 16384)
    private var writes: UInt8 = 0
    private let memory: OpenDescriptor

    init(_ memory: OpenDescriptor) { self.memory = memory }

    func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
      _ = configuration.write(offset: offset, width: width, value: value)
    }
    func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
      for index in buffer.indices { buffer[index] = writes }
    }
    func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) { writes += 1 }
    func reset(_ kind: ResetKind) { writes = 0 }
    func mappedAreas(ofBAR bar: Int) -> MappedAreas? {
      bar == 0 ? MappedAreas(areas: [4096..<8192], descriptor: memory.number) : nil
    }
  }

  /// Gives a closure access to a scratch pad behind a socket.
  private func serve(_ body: (Client, _ memory: CInt) throws -> Void) throws {
    let memory = OpenDescriptor(epfnvme_memory_descriptor("pad", 16384))
    try serveFunction({ _ in ScratchPad(memory) }) { client in try body(client, memory.number) }
  }

  @Test(
    "a client with too little room gets the required size, and no partial chain"
  )
  func truncated() throws {
    try serve { client, _ in
      let answer = WireBytes(
        try client.request(.regionInfo, RawClient.words(32, 0, 0, 0, 0, 0, 0, 0)))
      #expect(answer.count == 32)
      #expect(answer.integer(at: 0) as UInt32 == 64)
      // Read, write and map; no capabilities.
      #expect(answer.integer(at: 4) as UInt32 == 0b0111)
      #expect(answer.integer(at: 12) as UInt32 == 0)
    }
  }

  @Test("the complete reply has the mappable parts")
  func areas() throws {
    try serve { client, _ in
      let answer = WireBytes(
        try client.request(.regionInfo, RawClient.words(64, 0, 0, 0, 0, 0, 0, 0)))
      try #require(answer.count == 64)
      #expect(answer.integer(at: 4) as UInt32 == 0b1111)
      #expect(answer.integer(at: 12) as UInt32 == 32)
      #expect(answer.integer(at: 16) as UInt64 == 16384)
      // Sparse areas, version 1, the last capability; one area.
      #expect(answer.integer(at: 32) as UInt16 == 1 && answer.integer(at: 34) as UInt16 == 1)
      #expect(answer.integer(at: 36) as UInt32 == 0)
      #expect(answer.integer(at: 40) as UInt32 == 1)
      #expect(answer.integer(at: 48) as UInt64 == 4096 && answer.integer(at: 56) as UInt64 == 4096)
    }
  }

  @Test(
    "the truncated and the complete reply have the file, which is the function's memory",
    arguments: [32, 64] as [UInt32])
  func file(_ room: UInt32) throws {
    try serve { client, memory in
      try client.channel.send(
        MessageHeader(request: .regionInfo, id: 1, bodyCount: 32),
        body: RawClient.words(room, 0, 0, 0, 0, 0, 0, 0))
      var answer: Message?
      while answer == nil {
        _ = try client.channel.waitForArrival(nanoseconds: Channel.patience)
        try #require(try client.channel.receive())
        answer = try client.channel.next()
      }
      let descriptor = try #require(answer?.descriptors.first)
      #expect(pwrite(descriptor.number, "bell", 4, 4096) == 4)
      var bytes = [UInt8](repeating: 0, count: 4)
      #expect(pread(memory, &bytes, 4, 4096) == 4)
      #expect(String(decoding: bytes, as: UTF8.self) == "bell")
    }
  }

  @Test("accesses outside of the memory are passed to the function")
  func registers() throws {
    try serve { client, _ in
      try client.write(region: 0, offset: 0, [1, 2, 3, 4])
      try client.write(region: 0, offset: 8, [1, 2, 3, 4], isPosted: true)
      #expect(try client.read(region: 0, offset: 4, count: 4) == [2, 2, 2, 2])
      #expect(try client.read(region: 7, offset: 0, count: 4) == [0x34, 0x12, 0x78, 0x56])
      try client.reset()
      #expect(try client.read(region: 0, offset: 4, count: 1) == [0])
    }
  }
}
