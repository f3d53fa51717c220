// SPDX-License-Identifier: Apache-2.0
import CLinux
import ControllerEmulation
import LibC
import PCI
import ServedHost
import Testing

@testable import VFIOUser

/// The protocol, request by request, with clients that keep to it and clients that don't.
@Suite struct ProtocolTests {
  private typealias Raw = RawClient

  static func descriptor() throws -> OpenDescriptor {
    OpenDescriptor(try #require(open("/dev/null", O_RDWR | O_CLOEXEC) as CInt?))
  }

  static func memory(_ count: UInt64) -> OpenDescriptor {
    OpenDescriptor(epfnvme_memory_descriptor("test", count))
  }

  static func event() -> OpenDescriptor { OpenDescriptor(epfnvme_event_descriptor()) }

  // MARK: Version

  @Test(
    "a version is agreed on",
    arguments: [
      ("", 4), ("{}\0", 7), (#"{"capabilities":{"surprise":[1,{"a":null}]}}"# + "\0", 45),
      (#"{"capabilities":{"max_data_xfer_size":4096}}"# + "\0" + "", 49),
    ] as [(String, Int)])
  func version(_ text: String, _ longest: Int) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw(machine)
    try client.send(1, [0, 0, 1, 0] + Array(text.utf8))
    let answer = try #require(try client.receive())
    #expect(!answer.header.isError)
    // Clients have room for as much as they sent.
    #expect(answer.body.count <= longest)
    #expect(Array(answer.body.bytes.prefix(4)) == [0, 0, 0, 0])
    #expect(answer.body.count == 4 || answer.body.bytes.last == 0)
    #expect(try client.ask(1, [0, 0, 0, 0]) == .refused(EINVAL), "a second time")
  }

  @Test("QEMU's offer gets all of the server's limits")
  func offer() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw(machine)
    let text =
      #"{"capabilities":{"pgsizes":4096,"max_msg_fds":16,"max_dma_maps":65535,"#
      + #""max_data_xfer_size":1048576,"migration":{"max_bitmap_size":268435456,"pgsize":4096},"#
      + #""write_multiple":true}}"#
    try client.send(1, [0, 0, 0, 0] + Array(text.utf8) + [0])
    let answer = try #require(try client.receive())
    #expect(
      String(decoding: answer.body.bytes.dropFirst(4).dropLast(), as: UTF8.self)
        == #"{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576,"pgsizes":4096,"max_dma_maps":4096}}"#
    )
  }

  @Test(
    "an invalid version is refused",
    arguments: [
      [], [0, 0, 0], [1, 0, 0, 0], Array("\0\0\0\0{}".utf8), Array("\0\0\0\0[]\0".utf8),
      Array("\0\0\0\0\0".utf8), Array("\0\0\0\0{\"capabilities\":3}\0".utf8),
      Array("\0\0\0\0{\"capabilities\":{\"max_data_xfer_size\":1}}\0".utf8),
    ] as [[UInt8]])
  func noVersion(_ body: [UInt8]) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw(machine)
    #expect(try client.ask(1, body) == .refused(EINVAL))
    #expect(try client.ask(1, [0, 0, 0, 0]) == .done(4), "the stream continues")
  }

  @Test(
    "requests before the version are refused", arguments: [2, 3, 4, 5, 7, 8, 9, 10, 13] as [UInt16])
  func early(_ command: UInt16) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw(machine)
    #expect(try client.ask(command, [UInt8](repeating: 0, count: 64)) == .refused(EINVAL))
  }

  // MARK: Stream

  @Test(
    "an invalid message size ends the connection", arguments: [0, 15, 1 << 21, .max] as [UInt32])
  func badSize(_ size: UInt32) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    try client.send(4, [UInt8](repeating: 0, count: 16), size: size)
    #expect(try client.receive() == nil)
    _ = try Raw.negotiated(machine)
    machine.end()
    #expect(machine.events.all[1].hasPrefix("left: it violated the protocol"))
  }

  @Test("a client that sends byte by byte is served")
  func byteByByte() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    var bytes: [UInt8] = []
    MessageHeader(request: .mapDMA, id: 7, bodyCount: 32).append(to: &bytes)
    bytes += Raw.map(0, 4096)
    try client.channel.send([bytes[0]], [Self.memory(4096)])
    for byte in bytes.dropFirst() { try client.channel.send([byte]) }
    let answer = try #require(try client.receive())
    #expect(!answer.header.isError)
  }

  @Test("many requests in one write get one reply each")
  func manyAtOnce() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    var bytes: [UInt8] = []
    for id in 0..<200 {
      MessageHeader(request: .readRegion, id: UInt16(id), bodyCount: 16).append(to: &bytes)
      bytes += Raw.access(0, 8, 4)
    }
    try client.channel.send(bytes)
    for id in 0..<200 {
      let answer = try #require(try client.receive())
      #expect(answer.header.id == UInt16(id) && answer.body.count == 20)
    }
  }

  @Test("a request without a reply gets none, not even a refusal")
  func noReply() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    for command in 0...20 as ClosedRange<UInt16> where command != 13 {
      try client.send(command, [UInt8](repeating: 0xff, count: 40), id: 99, flags: 1 << 4)
    }
    #expect(try client.ask(4, Raw.words(16, 0, 0, 0)) == .done(16))
  }

  @Test("an unknown request is refused", arguments: [0, 14, 17, 18, 99, .max] as [UInt16])
  func unknown(_ command: UInt16) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    #expect(try client.ask(command) == .refused(ENOSYS))
  }

  @Test(
    "unsupported requests are refused",
    arguments: [(6, ENOTSUP), (11, EINVAL), (12, EINVAL), (16, ENOTTY)] as [(UInt16, CInt)])
  func notOffered(_ command: UInt16, _ errno: CInt) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    #expect(try client.ask(command, [UInt8](repeating: 0, count: 40)) == .refused(errno))
  }

  @Test(
    "a request that is too short is refused",
    arguments: [(2, 31), (3, 23), (4, 15), (5, 31), (7, 15), (8, 19), (9, 15), (10, 15), (15, 7)]
      as [(UInt16, Int)])
  func short(_ command: UInt16, _ count: Int) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    #expect(try client.ask(command, [UInt8](repeating: 64, count: count)) == .refused(EINVAL))
  }

  @Test("unexpected descriptors are closed, and the request is refused")
  func unwantedDescriptors() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    let reading = OpenDescriptor(ends[0])
    #expect(
      try client.ask(4, Raw.words(16, 0, 0, 0), descriptors: [OpenDescriptor(ends[1])])
        == .refused(EINVAL))
    // The end of the pipe shows that its other side is closed.
    var byte: UInt8 = 0
    #expect(LibC.read(reading.number, &byte, 1) == 0)
  }

  // MARK: Memory

  @Test(
    "an invalid mapping is refused",
    arguments: [
      ("empty", RawClient.map(0, 0), EINVAL), ("unaligned", RawClient.map(0x800, 4096), EINVAL),
      ("odd length", RawClient.map(0, 4097), EINVAL),
      ("odd offset", RawClient.map(0, 4096, offset: 1), EINVAL),
      ("beyond the address space", RawClient.map(.max - 4095, 8192), EINVAL),
      ("no access", RawClient.map(0, 4096, flags: 0), EINVAL),
      ("unknown flags", RawClient.map(0, 4096, flags: 0x13), EINVAL),
      ("small argsz", RawClient.map(0, 4096, size: 16), EINVAL),
      ("the same again", RawClient.map(0x10000, 0x4000), EEXIST),
      ("overlap", RawClient.map(0x13000, 0x4000), EEXIST),
      ("around", RawClient.map(0xf000, 0x8000), EEXIST),
    ] as [(String, [UInt8], CInt)])
  func badMap(_ name: String, _ body: [UInt8], _ errno: CInt) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    let memory = Self.memory(1 << 20)
    #expect(try client.ask(2, Raw.map(0x10000, 0x4000), descriptors: [memory]) == .done(0))
    #expect(
      try client.ask(2, body, descriptors: [memory]) == .refused(errno), "\(name), by descriptor")
    #expect(try client.ask(2, body) == .refused(errno), "\(name), by messages")
  }

  @Test("a file that is too short, or none, is not mapped")
  func badFile() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    let memory = Self.memory(8192)
    #expect(
      try client.ask(2, Raw.map(0, 12288), descriptors: [memory]) == .refused(EINVAL))
    #expect(
      try client.ask(2, Raw.map(0, 4096, offset: 8192), descriptors: [memory]) == .refused(EINVAL))
    #expect(
      try client.ask(2, Raw.map(0, 4096), descriptors: [Self.descriptor()]) == .refused(EINVAL))
    #expect(
      try client.ask(2, Raw.map(0, 4096), descriptors: [memory, memory]) == .refused(EINVAL))
    #expect(try client.ask(2, Raw.map(0, 8192), descriptors: [memory]) == .done(0))
  }

  @Test("mappings are removed completely, or all at once")
  func unmap() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    for address in [0, 0x10000, 0x20000] as [UInt64] {
      #expect(try client.ask(2, Raw.map(address, 0x4000)) == .done(0))
    }
    #expect(try client.ask(3, Raw.unmap(0x50000, 0x4000)) == .refused(ENOENT))
    #expect(try client.ask(3, Raw.unmap(0, 0x1000)) == .refused(EINVAL))
    #expect(try client.ask(3, Raw.unmap(0, 0x4000, flags: 1)) == .refused(ENOTSUP))
    #expect(try client.ask(3, Raw.unmap(0, 0x4000, flags: 2)) == .refused(EINVAL))
    #expect(try client.ask(3, Raw.unmap(0, 0x4000)) == .done(24))
    #expect(try client.ask(3, Raw.unmap(0, 0x4000)) == .refused(ENOENT))
    #expect(try client.ask(3, Raw.unmap(0, 0, flags: 2)) == .done(24))
    #expect(try client.ask(3, Raw.unmap(0x10000, 0x4000)) == .refused(ENOENT))
    #expect(try client.ask(2, Raw.map(0x10000, 0x10000)) == .done(0))
  }

  @Test("a file that is truncated while the controller uses it reads zero")
  func truncated() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    let memory = Self.memory(1 << 20)
    #expect(try client.ask(2, Raw.map(0, 1 << 20), descriptors: [memory]) == .done(0))
    try #require(ftruncate(memory.number, 0) == 0)
    // Enable with queues there, and ring the bell.
    func write(_ offset: UInt64, _ value: UInt32) throws {
      #expect(
        try client.ask(10, Raw.access(0, offset, 4) + Raw.words(value)) == .done(16))
    }
    #expect(try client.ask(10, Raw.access(7, 4, 2) + [6, 0]) == .done(16))
    try write(0x24, 0x001f_001f)
    try write(0x28, 0x1000)
    try write(0x30, 0x2000)
    try write(0x14, 0x0046_0001)
    try write(0x1000, 1)
    #expect(try client.ask(9, Raw.access(0, 0x1c, 4)) == .done(20))
    machine.end()
    #expect(machine.events.all == ["connected", "gone"])
  }

  // MARK: Device

  @Test(
    "a region's description is limited to the available room",
    arguments: [
      (0, 16, nil), (0, 32, 3), (0, 40, 3), (0, 64, 3), (6, 32, 0), (7, 32, 3), (8, 32, 0),
      (9, 32, nil), (.max, 32, nil),
    ] as [(UInt32, UInt32, UInt32?)])
  func regionInfo(_ index: UInt32, _ room: UInt32, _ flags: UInt32?) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    try client.send(5, Raw.words(room, 0, index, 0, 0, 0, 0, 0))
    let answer = try #require(try client.receive())
    guard let flags else { return #expect(answer.header.error == UInt32(EINVAL)) }
    #expect(answer.body.count == 32)
    #expect(answer.body.integer(at: 4) as UInt32 == flags)
    let size: UInt64 = answer.body.integer(at: 16)
    #expect(size == (flags == 0 ? 0 : index == 7 ? 4096 : 8192))
  }

  @Test(
    "each kind of interrupt has its number",
    arguments: [(0, 1, 7), (1, 0, 1), (2, 32, 1), (3, 1, 1), (4, 1, 1)]
      as [(UInt32, UInt32, UInt32)])
  func interruptInfo(_ index: UInt32, _ count: UInt32, _ flags: UInt32) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    try client.send(7, Raw.words(16, 0, index, 0))
    let answer = try #require(try client.receive())
    #expect(answer.body.bytes == Raw.words(16, flags, index, count))
    #expect(try client.ask(7, Raw.words(16, 0, 5, 0)) == .refused(EINVAL))
  }

  @Test(
    "an invalid access is refused, and changes nothing",
    arguments: [
      (0, 0, 0), (0, 0, 3), (0, 8192, 4), (0, 8190, 4), (0, 2, 4), (0, .max, 4), (0, 0, 1 << 31),
      (1, 0, 4), (6, 0, 4), (7, 4096, 1), (7, 4094, 4), (8, 0, 4), (9, 0, 4), (.max, 0, 4),
    ] as [(UInt32, UInt64, UInt32)])
  func badAccess(_ region: UInt32, _ offset: UInt64, _ count: UInt32) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    #expect(try client.ask(9, Raw.access(region, offset, count)) == .refused(EINVAL))
    #expect(
      try client.ask(10, Raw.access(region, offset, count) + [1, 2, 3, 4]) == .refused(EINVAL))
    // A write with less data than it says.
    #expect(try client.ask(10, Raw.access(0, 0x14, 8) + [1, 0, 0, 0]) == .refused(EINVAL))
    #expect(try client.ask(9, Raw.access(7, 0, 1024)) == .done(16 + 1024))
    #expect(try client.ask(9, Raw.access(0, 0, 8)) == .done(24))
  }

  // MARK: Interrupts

  @Test(
    "event counters are set one by one, replaced and dropped",
    arguments: [
      ("none", 0x24, 2, 0, 1, 0, nil), ("one", 0x24, 2, 31, 1, 1, nil),
      ("all", 0x24, 2, 0, 8, 8, nil),
      ("fewer than vectors", 0x24, 2, 0, 8, 2, nil),
      ("more than vectors", 0x24, 2, 0, 1, 2, EINVAL),
      ("beyond the last", 0x24, 2, 31, 2, 2, EINVAL),
      ("far beyond", 0x24, 2, .max, .max, 0, EINVAL),
      ("no vectors", 0x24, 2, 0, 0, 0, EINVAL), ("drop", 0x21, 2, 0, 0, 0, nil),
      ("fire", 0x21, 2, 0, 4, 0, nil), ("no such kind", 0x24, 5, 0, 1, 0, EINVAL),
      ("two actions", 0x34, 2, 0, 1, 0, EINVAL), ("two kinds of data", 0x27, 2, 0, 1, 0, EINVAL),
      ("mask MSI-X", 0x09, 2, 0, 1, 0, EINVAL), ("unmask the line", 0x11, 0, 0, 1, 0, nil),
      ("unknown flags", 0x64, 2, 0, 1, 0, EINVAL), ("no MSI here", 0x24, 1, 0, 1, 1, EINVAL),
      ("error", 0x24, 3, 0, 1, 1, nil),
    ] as [(String, UInt32, UInt32, UInt32, UInt32, Int, CInt?)])
  func setInterrupts(
    _ name: String, _ flags: UInt32, _ index: UInt32, _ start: UInt32, _ count: UInt32,
    _ descriptors: Int, _ errno: CInt?
  ) throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    let outcome = try client.ask(
      8, Raw.words(20, flags, index, start, count),
      descriptors: (0..<descriptors).map { _ in Self.event() })
    #expect(outcome == errno.map { .refused($0) } ?? .done(0))
  }

  @Test("only event counters are accepted")
  func noEvents() throws {
    let machine = try ServedMachine(.reference)
    let client = try Raw.negotiated(machine)
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (OpenDescriptor(ends[0]), OpenDescriptor(ends[1]))
    #expect(
      try client.ask(8, Raw.words(20, 0x24, 2, 0, 1), descriptors: [writing]) == .refused(EINVAL))
    #expect(reading.number >= 0)
  }

  @Test("a client can fire vectors itself, by number and by flags")
  func loopBack() throws {
    let machine = try ServedMachine(.reference)
    let client = try Client(connectingTo: machine.socket, memory: HostMemory())
    let events = (0..<4).compactMap { _ in Client.Event() }
    try client.setEvents(events, index: 2)
    try client.setInterrupts(.trigger, .none, index: 2, start: 1, count: 2)
    #expect(events.map { $0.take() } == [0, 1, 1, 0])
    try client.setInterrupts(.trigger, .flags, index: 2, start: 0, count: 4, flags: [1, 0, 0, 1])
    #expect(events.map { $0.take() } == [1, 0, 0, 1])
    try client.removeEvents(index: 2)
    try client.setInterrupts(.trigger, .none, index: 2, start: 0, count: 4)
    #expect(events.map { $0.take() } == [0, 0, 0, 0])
  }
}
