// SPDX-License-Identifier: Apache-2.0
import PCI
import Numbers
import Testing

@Suite("Host memory: regions and bounds") struct HostMemoryTests {
  /// Three regions that touch, a gap, a read-only and a write-only one, and one at the end of all addresses.
  private static let layout: [(address: UInt64, count: Int, access: HostMemory.Access)] = [
    (0x1100, 0x100, [.read, .write]), (0x1000, 0x100, [.read, .write]),
    (0x1200, 0x1, [.read, .write]), (0x1240, 0x40, .read), (0x1280, 0x40, .write),
    (.max - 0xFF, 0x100, [.read, .write]),
  ]

  private func memory() throws -> HostMemory {
    let memory = HostMemory()
    for region in Self.layout {
      try memory.add(at: region.address, count: region.count, access: region.access)
    }
    return memory
  }

  @Test(
    "mapped memory is accessible, and an access to unmapped memory is refused completely",
    arguments: [
      (0x1000, 1, nil), (0x10FF, 2, nil), (0x1000, 0x201, nil), (0x1200, 1, nil),
      (0x0FFF, 2, .notReadable), (0x1000, 0x202, .notReadable), (0x1201, 1, .notReadable),
      (0x1240, 0x40, nil), (0x1240, 0x41, .notReadable), (0x1280, 1, .notReadable),
      (.max, 1, nil), (.max - 0xFF, 0x100, nil), (.max, 2, .notReadable),
      (.max - 0xFF, 0x101, .notReadable), (.max - 0x100, 2, .notReadable), (0, 1, .notReadable),
      (0x5000, 0, nil), (.max, 0, nil),
    ] as [(UInt64, Int, HostMemoryError.Cause?)])
  func reads(address: UInt64, count: Int, cause: HostMemoryError.Cause?) throws {
    let memory = try memory()
    var bytes = [UInt8](repeating: 0xA5, count: count)
    var thrown: HostMemoryError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(HostMemoryError) { try memory.read(at: address, into: buffer) } catch {
        thrown = error
      }
    }
    #expect(
      thrown == cause.map { HostMemoryError(address: address, count: count, cause: $0) })
    #expect(bytes.allSatisfy { $0 == (cause == nil ? 0 : 0xA5) })
  }

  @Test(
    "a write that cannot complete changes nothing",
    arguments: [
      (0x1000, 0x202), (0x11FF, 3), (0x1240, 1), (0x127F, 2), (.max, 2), (0x12BF, 2),
    ] as [(UInt64, Int)])
  func refusedWrites(address: UInt64, count: Int) throws {
    let memory = try memory()
    let error = #expect(throws: HostMemoryError.self) {
      try [UInt8](repeating: 0xFF, count: count).withUnsafeBytes {
        try memory.write(at: address, from: $0)
      }
    }
    #expect(error == HostMemoryError(address: address, count: count, cause: .notWritable))
    for region in Self.layout where region.access.contains(.read) {
      let isZero = memory.withBytes(at: region.address, count: region.count) { bytes in
        bytes.byteOffsets.allSatisfy { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == 0 }
      }
      #expect(isZero == true)
    }
  }

  @Test("integers are little-endian, in one region or across two")
  func integers() throws {
    let memory = try memory()
    for address: UInt64 in [0x1008, 0x1003, 0x10FD, .max - 7] {
      try memory.store(0x0123_4567_89AB_CDEF as UInt64, at: address)
      #expect(try memory.load(at: address, as: UInt64.self) == 0x0123_4567_89AB_CDEF)
      #expect(try memory.load(at: address, as: UInt32.self) == 0x89AB_CDEF)
      #expect(try memory.load(at: address + 7, as: UInt8.self) == 0x01)
      try memory.store(0xFEDC as UInt16, at: address + 1)
      #expect(try memory.load(at: address, as: UInt64.self) == 0x0123_4567_89FE_DCEF)
    }
    #expect(throws: HostMemoryError(address: .max - 6, count: 8, cause: .notReadable)) {
      try memory.load(at: .max - 6, as: UInt64.self)
    }
    #expect(throws: HostMemoryError(address: 0x11FE, count: 4, cause: .notWritable)) {
      try memory.store(0 as UInt32, at: 0x11FE)
    }
  }

  @Test(
    "bytes are accessed in place if one region has all of them",
    arguments: [
      (0x1000, 0x100, true, true), (0x10FF, 2, false, false), (0x1240, 0x40, true, false),
      (0x1280, 0x40, false, false), (0x3000, 1, false, false), (.max, 1, true, true),
      (.max, 2, false, false), (0x1000, 0, false, false), (0x1000, -1, false, false),
    ] as [(UInt64, Int, Bool, Bool)])
  func inPlace(address: UInt64, count: Int, readable: Bool, writable: Bool) throws {
    let memory = try memory()
    let read = memory.withBytes(at: address, count: count) { $0.byteCount }
    #expect(read == (readable ? count : nil))
    let written = memory.withMutableBytes(at: address, count: count) { bytes in
      bytes.storeBytes(of: 0x5A, toByteOffset: 0, as: UInt8.self)
      return bytes.byteCount
    }
    #expect(written == (writable ? count : nil))
    if writable { #expect(try memory.load(at: address, as: UInt8.self) == 0x5A) }
  }

  @Test(
    "invalid regions are refused",
    arguments: [
      (0x10FF, 1, .overlapsRegion), (0x0F00, 0x101, .overlapsRegion),
      (0x0F00, 0x1000, .overlapsRegion), (0x1201, 0x40, .overlapsRegion),
      (.max, 1, .overlapsRegion),
      (.max, 2, .beyondAddressSpace), (0x3000, 0, .emptyRegion), (0x3000, -1, .emptyRegion),
    ] as [(UInt64, Int, HostMemoryError.Cause)])
  func refusedRegions(address: UInt64, count: Int, cause: HostMemoryError.Cause) throws {
    let memory = try memory()
    #expect(throws: HostMemoryError(address: address, count: count, cause: cause)) {
      try memory.add(at: address, count: count)
    }
  }

  @Test("a region is removed by its exact range")
  func removal() throws {
    let memory = try memory()
    try memory.store(1 as UInt8, at: 0x1180)
    for (address, count) in [
      (0x1100, 0xFF), (0x1101, 0xFF), (0x1000, 0x200), (0x9000, 1), (0x1100, 0),
    ]
      as [(UInt64, Int)]
    {
      #expect(throws: HostMemoryError(address: address, count: count, cause: .noSuchRegion)) {
        try memory.remove(at: address, count: count)
      }
    }
    try memory.remove(at: 0x1100, count: 0x100)
    #expect(throws: HostMemoryError.self) { try memory.load(at: 0x1180, as: UInt8.self) }
    #expect(try memory.load(at: 0x10FF, as: UInt8.self) == 0)
    try memory.add(at: 0x1100, count: 0x100)
    #expect(try memory.load(at: 0x1180, as: UInt8.self) == 0)
  }

  @Test("borrowed memory belongs to the caller, before and after")
  func lent() throws {
    var bytes: [UInt8] = Array(0..<64)
    try bytes.withUnsafeMutableBytes { buffer in
      let memory = HostMemory()
      try memory.add(at: 0x8000, backing: buffer)
      #expect(try memory.load(at: 0x8004, as: UInt32.self) == 0x0706_0504)
      try memory.store(0xFFFF as UInt16, at: 0x803E)
      try memory.remove(at: 0x8000, count: 64)
    }
    #expect(bytes.suffix(3) == [61, 0xFF, 0xFF])
  }

  @Test("random accesses match an array of bytes", arguments: [1, 2, 3, 4] as [UInt64])
  func model(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let memory = HostMemory()
    let base: UInt64 = 0x1_0000_0000
    var model = [UInt8?](repeating: nil, count: 1024)
    var start = 0
    while start < model.count {
      let end = min(start + Int.random(in: 1...200, using: &generator), model.count)
      if Int.random(in: 0..<4, using: &generator) > 0 {
        try memory.add(at: base + UInt64(start), count: end - start)
        for index in start..<end { model[index] = 0 }
      }
      start = end
    }
    for _ in 0..<5000 {
      let offset = Int.random(in: -16..<1040, using: &generator)
      let count = Int.random(in: 0..<300, using: &generator)
      let range = offset..<offset + count
      let isMapped = range.allSatisfy { model.indices.contains($0) && model[$0] != nil }
      let address = UInt64(Int(base) + offset)
      var bytes = range.map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
      if Bool.random(using: &generator) {
        let isDone = bytes.withUnsafeBytes { buffer in
          (try? memory.write(at: address, from: buffer)) != nil
        }
        #expect(isDone == isMapped)
        guard isDone else { continue }
        for (index, byte) in zip(range, bytes) { model[index] = byte }
      } else {
        let before = bytes
        let isDone = bytes.withUnsafeMutableBytes { buffer in
          (try? memory.read(at: address, into: buffer)) != nil
        }
        #expect(isDone == isMapped)
        #expect(bytes == (isDone ? range.compactMap { model[$0] } : before))
      }
    }
  }

  @Test("a copy crosses regions on both sides, and changes nothing if it does not fit")
  func copies() throws {
    let (source, target) = (try memory(), HostMemory())
    try target.add(at: 0, count: 0x80)
    try target.add(at: 0x80, count: 0x200)
    for index in 0..<0x201 as Range<UInt64> {
      try source.store(UInt8(truncatingIfNeeded: index &* 3), at: 0x1000 + index)
    }
    try source.copy(from: 0x1000, count: 0x201, to: target, at: 0x10)
    for index in 0..<0x201 as Range<UInt64> {
      #expect(
        try target.load(at: 0x10 + index, as: UInt8.self) == UInt8(truncatingIfNeeded: index &* 3))
    }
    try source.copy(from: 0, count: 0, to: target, at: .max)
    for (from, count, to) in [(0x1200, 2, 0), (0x1000, 0x81, 0x200), (0x1000, 2, .max)]
      as [(UInt64, Int, UInt64)]
    {
      #expect(throws: HostMemoryError.self) {
        try source.copy(from: from, count: count, to: target, at: to)
      }
    }
    #expect(try target.load(at: 0, as: UInt64.self) == 0)
    // Bytes that are elsewhere.
    try source.addRemote(at: 0x8000, count: 0x100)
    #expect(throws: HostMemoryError.self) {
      try source.copy(from: 0x8000, count: 4, to: target, at: 0)
    }
  }

  @Test("memory with a size starts at 0, and an error says what and where")
  func message() throws {
    let memory = HostMemory(count: 4096)
    #expect(try memory.load(at: 4088, as: UInt64.self) == 0)
    let error = #expect(throws: HostMemoryError.self) {
      try memory.load(at: 4092, as: UInt64.self)
    }
    #expect(
      error?.description
        == "cannot read 8 bytes of host memory at 0xffc: not all of it is mapped for reading")
  }
}
