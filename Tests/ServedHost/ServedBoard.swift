// SPDX-License-Identifier: Apache-2.0
public import PCI
public import VFIOUser

/// A board behind the socket of an endpoint link: RAM, a shared page, event counters. It uses the device as the kernel module does.
/// - Source: endpoint-link.md.
public final class ServedBoard {
  /// Something that the link has not done for it.
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
  }

  /// What a function of ``start(functions:program:)`` has.
  public struct Program: Sendable {
    public var msiVectors: UInt32 = 8
    public var msixVectors: UInt32 = 16
    /// Whether there are BARs 2 and 3 with 4 KiB, and BAR 4 with 16 bytes, besides BAR 0.
    public var hasSmallBARs = false
    public init() {}
  }

  /// The start of its RAM, and of the shared page.
  public static let memory: UInt64 = 0x10_0000
  public static let memoryCount = 1 << 20
  /// Where the memory behind BAR 0 of the first function is; 16 KiB a function.
  public static let bar = memory + 0x1_0000
  public static let barCount: UInt64 = 0x4000
  /// The bus address of BAR 2.
  public static let window: UInt64 = 0x20_0000_0000

  public let client: Client
  public let memory = HostMemory()
  private let shared: SharedMemory
  /// The device's vectors: events, and ends of transfers.
  private let events: [Client.Event]

  /// Connects, resets and enables the device, and gives it the shared page.
  public init(_ socket: String) throws {
    guard let shared = SharedMemory(count: Self.memoryCount) else {
      throw ServedGuest.NoMemory()
    }
    self.shared = shared
    try unsafe memory.add(at: Self.memory, backing: shared.bytes)
    client = try Client(connectingTo: socket, memory: memory)
    try client.map(shared, at: Self.memory)
    events = (0..<2).compactMap { _ in Client.Event() }
    guard events.count == 2 else { throw ServedGuest.NoMemory() }
    try client.reset()
    try client.setEvents(events, index: 2)
    for (offset, word) in [(0x18, UInt32(truncatingIfNeeded: Self.window)), (0x1C, 0x20)]
      as [(UInt64, UInt32)]
    {
      try client.write(region: 7, offset: offset, word.littleEndianBytes)
    }
    try client.write(region: 7, offset: 0x04, [6, 0])
    guard let msix = try client.capability(0x11) else { throw Failure("no MSI-X") }
    try client.write(region: 7, offset: msix + 2, [0x01, 0x80])
    try write64(0x18, Self.memory)
  }

  // MARK: Registers

  public func read(_ register: UInt64) throws -> UInt32 {
    try client.read(region: 0, offset: register, count: 4).word
  }

  public func write(_ register: UInt64, _ value: UInt32) throws {
    try client.write(
      region: 0, offset: register, value.littleEndianBytes, isPosted: true)
  }

  private func write64(_ register: UInt64, _ value: UInt64) throws {
    try write(register, UInt32(truncatingIfNeeded: value))
    try write(register + 4, UInt32(value >> 32))
  }

  // MARK: The mailbox

  /// Runs a mailbox operation.
  /// - Throws: ``Failure`` if its result is not 0.
  public func run(
    _ operation: UInt32, _ arguments: [UInt32] = [], function: UInt32 = 0, address: UInt64 = 0,
    size: UInt64 = 0
  ) throws {
    try memory.store(operation, at: Self.memory + 0x100)
    try memory.store(function, at: Self.memory + 0x104)
    for (index, argument) in arguments.enumerated() {
      try memory.store(argument, at: Self.memory + 0x108 + 4 * UInt64(index))
    }
    try memory.store(address, at: Self.memory + 0x120)
    try memory.store(size, at: Self.memory + 0x128)
    try write(0x20, 0)
    let result = try read(0x14)
    guard result == 0 else { throw Failure("operation \(operation): errno \(result)") }
  }

  /// Programs functions, each with a header and a BAR 0 of 16 KiB, and starts the controller.
  public func start(functions: UInt32 = 1, program: Program = Program()) throws {
    for function in 0..<functions {
      try run(1, [0x5678_1234, 0x0108_0200, 0, 0, 1], function: function)
      try run(
        2, [0, 4], function: function, address: Self.bar + Self.barCount * UInt64(function),
        size: Self.barCount)
      if program.hasSmallBARs {
        let start = Self.bar + 0x1_0000 + 0x2010 * UInt64(function)
        for (index, flags, offset, size) in [
          (2, 0, 0, 4096), (3, 8, 4096, 4096), (4, 12, 8192, 16),
        ]
          as [(UInt32, UInt32, UInt64, UInt64)]
        {
          try run(2, [index, flags], function: function, address: start + offset, size: size)
        }
      }
      if program.msiVectors > 0 { try run(4, [program.msiVectors], function: function) }
      if program.msixVectors > 0 {
        try run(5, [program.msixVectors, 0, 0x2000], function: function)
      }
    }
    try run(6)
  }

  public func stop() throws { try run(7) }

  // MARK: Events and interrupts

  /// Waits for events, and acknowledges them.
  /// - Returns: the value of EVENTS; 0 if there were none in that time.
  public func serveEvents(milliseconds: CInt = 10_000) throws -> UInt32 {
    guard events[0].wait(milliseconds: milliseconds) else { return 0 }
    _ = events[0].take()
    let events = try read(0x0C)
    try write(0x10, events)
    return events
  }

  /// - Parameters:
  ///   - kind: 0 INTx, 1 MSI, 2 MSI-X.
  ///   - number: from 1 on.
  public func raise(_ kind: UInt32, _ number: UInt32, function: UInt32 = 0) throws {
    try write(0x24, function << 24 | kind << 16 | number)
  }

  // MARK: Windows and DMA

  /// - Parameter address: a multiple of 4 KiB.
  public func map(page: UInt32, pages: UInt32, to address: UInt64, function: UInt32 = 0) throws {
    try write64(0x28, UInt64(function << 24 | pages) << 32 | UInt64(page))
    try write64(0x30, address)
  }

  public func unmap(page: UInt32) throws { try write(0x38, page) }

  /// Runs a transfer, and waits for its interrupt.
  /// - Parameter channel: 0 to the host, 1 from it, 2 from memory to memory.
  /// - Returns: the descriptor's status.
  /// - Throws: ``Failure`` without an interrupt in 10 s.
  public func transfer(
    _ channel: UInt32, local: UInt64, remote: UInt64, length: UInt32, function: UInt32 = 0
  ) throws -> UInt32 {
    let base = Self.memory + 0x200 + 64 * UInt64(channel)
    for (offset, value) in [(0, local), (8, remote)] as [(UInt64, UInt64)] {
      try memory.store(value, at: base + offset)
    }
    for (offset, value) in [(16, length), (20, function), (24, 1), (28, 1)]
      as [(UInt64, UInt32)]
    {
      try memory.store(value, at: base + offset)
    }
    try write(0x3C, channel)
    guard events[1].wait(milliseconds: 10_000) else {
      throw Failure("no interrupt of DMA channel \(channel)")
    }
    _ = events[1].take()
    return try memory.load(at: base + 28, as: UInt32.self)
  }
}

extension Client {
  /// The offset of a capability, found by walking the chain; nil if there is none.
  public func capability(_ id: UInt8) throws -> UInt64? {
    let space = try read(region: 7, offset: 0, count: 256)
    var offset = Int(space[0x34])
    for _ in 0..<48 where (0x40..<0xFF).contains(offset) {
      if space[offset] == id { return UInt64(offset) }
      offset = Int(space[offset + 1])
    }
    return nil
  }
}

extension UInt32 {
  public var littleEndianBytes: [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * UInt32($0))) }
  }
}

extension [UInt8] {
  /// The little-endian integer of up to 4 bytes.
  var word: UInt32 { reversed().reduce(0) { $0 << 8 | UInt32($1) } }
}
