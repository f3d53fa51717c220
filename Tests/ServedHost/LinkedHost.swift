// SPDX-License-Identifier: Apache-2.0
public import PCI
public import VFIOUser

/// A host behind the socket of a function of an endpoint link, with 1 MiB of memory from 0 on.
///
/// Belongs to one thread at a time: while it waits for the board, another one is the board.
public final class LinkedHost: @unchecked Sendable {
  public static let memoryCount = 1 << 20

  public let client: Client
  public let memory = HostMemory()
  private let shared: SharedMemory
  private var events: [Client.Event] = []

  /// Connects; waits for the board to start the function.
  public init(_ socket: String) throws {
    guard let shared = SharedMemory(count: Self.memoryCount) else {
      throw ServedGuest.NoMemory()
    }
    self.shared = shared
    try unsafe memory.add(at: 0, backing: shared.bytes)
    client = try Client(connectingTo: socket, memory: memory)
    try client.map(shared, at: 0)
  }

  /// - Parameter region: 7 for the configuration space, 0 to 5 for a BAR.
  public func read(_ region: Int, _ offset: UInt64) throws -> UInt32 {
    try client.read(region: region, offset: offset, count: 4).word
  }

  public func write(_ region: Int, _ offset: UInt64, _ value: UInt32) throws {
    try client.write(region: region, offset: offset, value.littleEndianBytes)
  }

  /// Resets the function, as firmware does, and enables memory space and bus mastering.
  public func boot() throws {
    try client.reset()
    try write(7, 4, 6)
  }

  /// Enables MSI (1) or MSI-X (2) with vectors.
  /// - Parameter kind: 0 does nothing but take the line.
  public func enableInterrupts(_ kind: Int, vectors: Int) throws {
    events = (0..<vectors).compactMap { _ in Client.Event() }
    guard events.count == vectors else { throw ServedGuest.NoMemory() }
    try client.setEvents(events, index: kind)
    guard kind > 0, let base = try client.capability(kind == 2 ? 0x11 : 0x05) else { return }
    let control: [UInt8] =
      kind == 2 ? [0, 0x80] : [UInt8(vectors.trailingZeroBitCount) << 4 | 1, 0]
    try client.write(region: 7, offset: base + 2, control)
  }

  /// Waits for an interrupt.
  /// - Returns: whether there was one in 10 s.
  public func awaitInterrupt(vector: Int) -> Bool {
    events[vector].wait(milliseconds: 10_000)
  }

  /// Waits for an interrupt, and takes it.
  /// - Returns: whether there was one in 10 s.
  public func takeInterrupt(vector: Int) -> Bool {
    awaitInterrupt(vector: vector) && events[vector].take() > 0
  }
}
