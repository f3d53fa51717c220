// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
public import PCI

/// The requests of a host, one method each.
extension Client {
  // MARK: Memory

  /// Lets the server map memory.
  /// - Parameter offset: where the piece begins in the memory.
  public func map(
    _ shared: SharedMemory, at address: UInt64, offset: UInt64 = 0, count: Int? = nil,
    access: HostMemory.Access = [.read, .write]
  ) throws(Failure) {
    try mapDMA(
      address, UInt64(count ?? shared.count), offset: offset, access, [shared.descriptor])
  }

  /// Tells the server of memory that it can reach by messages alone.
  public func mapRemote(
    at address: UInt64, count: UInt64, access: HostMemory.Access = [.read, .write]
  ) throws(Failure) {
    try mapDMA(address, count, offset: 0, access, [])
  }

  private func mapDMA(
    _ address: UInt64, _ count: UInt64, offset: UInt64, _ access: HostMemory.Access,
    _ descriptors: [OpenDescriptor]
  ) throws(Failure) {
    var body: [UInt8] = []
    body.append(littleEndian: UInt32(32))
    body.append(littleEndian: UInt32(access.rawValue))
    body.append(littleEndian: offset)
    body.append(littleEndian: address)
    body.append(littleEndian: count)
    try request(.mapDMA, body, descriptors: descriptors)
  }

  public func unmap(at address: UInt64, count: UInt64) throws(Failure) {
    var body: [UInt8] = []
    body.append(littleEndian: UInt32(24))
    body.append(littleEndian: UInt32(0))
    body.append(littleEndian: address)
    body.append(littleEndian: count)
    try request(.unmapDMA, body)
  }

  // MARK: Registers

  /// Region 7 is the configuration space, 0 to 5 are BARs.
  public func read(region: Int, offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
    let answer = try request(.readRegion, Self.head(region, offset, count))
    guard answer.count == 16 + count else {
      throw Failure(request: "readRegion", errno: nil, message: "\(answer.count) bytes")
    }
    return Array(answer[16...])
  }

  /// - Parameter isPosted: nothing is heard of it; for BARs only.
  public func write(
    region: Int, offset: UInt64, _ data: [UInt8], isPosted: Bool = false
  ) throws(Failure) {
    let body = Self.head(region, offset, data.count) + data
    if isPosted { try post(.writeRegion, body) } else { try request(.writeRegion, body) }
  }

  private static func head(_ region: Int, _ offset: UInt64, _ count: Int) -> [UInt8] {
    var head: [UInt8] = []
    head.append(littleEndian: offset)
    head.append(littleEndian: UInt32(region))
    head.append(littleEndian: UInt32(count))
    return head
  }

  public func reset() throws(Failure) { try request(.reset) }

  // MARK: Interrupts

  /// An event counter for one vector.
  public final class Event {
    let descriptor: OpenDescriptor

    /// - Returns: nil when there is no descriptor left.
    public init?() {
      let number = epfnvme_event_descriptor()
      guard number >= 0 else { return nil }
      descriptor = OpenDescriptor(number)
    }

    /// How often it was signalled since the last time.
    public func take() -> UInt64 {
      var count: UInt64 = 0
      return unsafe Glibc.read(descriptor.number, &count, 8) == 8 ? count : 0
    }
  }

  /// - Parameter index: 0 the line, 1 MSI, 2 MSI-X.
  public func setEvents(
    _ events: [Event], index: Int, start: Int = 0, count: Int? = nil
  ) throws(Failure) {
    try setInterrupts(
      flags: 0x24, index: index, start: start, count: count ?? events.count,
      events.map(\.descriptor))
  }

  public func removeEvents(index: Int) throws(Failure) {
    try setInterrupts(flags: 0x21, index: index, start: 0, count: 0)
  }

  /// Ends the hold of the line after a signal.
  public func unmaskLine() throws(Failure) {
    try setInterrupts(flags: 0x11, index: 0, start: 0, count: 1)
  }

  func setInterrupts(
    flags: UInt32, index: Int, start: Int, count: Int, _ descriptors: [OpenDescriptor] = [],
    data: [UInt8] = []
  ) throws(Failure) {
    var body: [UInt8] = []
    for word in [UInt32(20 + data.count), flags, UInt32(index), UInt32(start), UInt32(count)] {
      body.append(littleEndian: word)
    }
    try request(.setInterrupts, body + data, descriptors: descriptors)
  }
}
