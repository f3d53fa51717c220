// SPDX-License-Identifier: Apache-2.0
import NVMe
import Testing

/// Entries of queues, descriptors of data, doorbells.
@Suite("Entries")
struct EntryTests {
  @Test("a submission entry has its fields at the offsets of the specification")
  func submission() {
    let entry = SubmissionEntry(
      opcode: 0x02, id: 0xbeef, namespaceID: 7, prp1: 0x1_0000_2000, prp2: 0x2_0000_3000,
      words: [0x89ab_cdef, 0x0123_4567, 0x8000_00ff])
    #expect(entry.dwords[0] == 0xbeef_0002)
    #expect(entry.dwords[1] == 7)
    #expect([6, 7, 8, 9].map { entry.dwords[$0] } == [0x2000, 1, 0x3000, 2])
    #expect(entry.nvmOpcode == .read)
    #expect(entry.id == 0xbeef)
    #expect(entry.firstBlock == 0x0123_4567_89ab_cdef)
    #expect(entry.blockCount == 256)
    #expect(!entry.isFused && !entry.usesSGL)
  }

  @Test("FUSE and PSDT are bits 9:8 and 15:14 of the first dword")
  func flags() {
    var entry = SubmissionEntry()
    entry.dwords[0] = 0x0000_0100
    #expect(entry.isFused && !entry.usesSGL)
    entry.dwords[0] = 0x0000_4000
    #expect(!entry.isFused && entry.usesSGL)
  }

  @Test("a completion entry round-trips through its 16 bytes")
  func completion() {
    let entry = CompletionEntry(
      result: 0x1122_3344_5566_7788, submissionHead: 9, submissionQueueID: 3, commandID: 0xcafe,
      status: .invalidField, phase: true)
    var bytes = [UInt8](repeating: 0, count: 16)
    do {
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      entry.store(into: &raw)
    }
    #expect(
      bytes == [
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 9, 0, 3, 0, 0xfe, 0xca, 0x05, 0x80,
      ])
    #expect(CompletionEntry(bytes.span.bytes) == entry)
    #expect(entry.status == .invalidField && entry.phase)
  }

  @Test("an SGL descriptor has its type in the last byte's high half")
  func descriptor() {
    let block = SGLDescriptor(.dataBlock, address: 0x1000, length: 512)
    #expect((block.low, block.high) == (0x1000, 512))
    let last = SGLDescriptor(.lastSegment, address: 0x2000, length: 48)
    #expect(last.high >> 56 == 0x30)
    #expect((last.type, last.subtype, last.length) == (.lastSegment, .address, 48))
    let keyed = SGLDescriptor(keyed: .transport, address: 1, length: 0xabcdef, key: 0x1234_5678)
    #expect((keyed.length, keyed.key) == (0xabcdef, 0x1234_5678))
    #expect(block.key == nil)
  }

  @Test("a PRP knows its page", arguments: [(UInt64(0x1200), UInt64(0x200)), (0x1fff, 0xfff)])
  func prp(address: UInt64, offset: UInt64) {
    let prp = PRP(rawValue: address)
    #expect(prp.offset(pageSize: 4096) == offset)
    #expect(prp.count(of: 8192, pageSize: 4096) == 4096 - offset)
    #expect(prp.listCapacity(pageSize: 4096) == (4096 - offset) / 8)
  }

  /// - Source: NVM Express over PCIe Transport 1.1, 3.1.2.
  static let doorbells: [(UInt64, UInt8, DoorbellIndex?)] = [
    (0xffc, 0, nil), (0x1000, 0, DoorbellIndex(.submissionTail, queue: 0)),
    (0x1004, 0, DoorbellIndex(.completionHead, queue: 0)),
    (0x1008, 0, DoorbellIndex(.submissionTail, queue: 1)), (0x1006, 0, nil),
    (0x1010, 1, DoorbellIndex(.submissionTail, queue: 1)), (0x1004, 1, nil),
  ]

  @Test("a doorbell's offset depends on the stride", arguments: doorbells)
  func doorbell(offset: UInt64, stride: UInt8, index: DoorbellIndex?) {
    #expect(DoorbellIndex(offset: offset, stride: stride) == index)
    if let index { #expect(index.offset(stride: stride) == offset) }
  }
}
