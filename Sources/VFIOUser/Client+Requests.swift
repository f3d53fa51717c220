// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
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

  /// Announces memory to the server that is accessible only by messages.
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

  /// - Parameter isPosted: there is no reply; for BARs only.
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

  /// Maps the parts of a BAR that are memory; nil if there are none.
  public func map(region: Int) throws(Failure) -> MappedRegion? {
    func failure(_ message: String) -> Failure {
      Failure(request: "regionInfo", errno: nil, message: message)
    }
    var body: [UInt8] = []
    for word in [4096, 0, UInt32(region), 0, 0, 0, 0, 0] { body.append(littleEndian: word) }
    let answer = try exchange(.regionInfo, body)
    let info = answer.body
    guard info.count >= 32 else { throw failure("\(info.count) bytes") }
    let (flags, next): (UInt32, UInt32) = (info.integer(at: 4), info.integer(at: 12))
    let (size, start): (UInt64, UInt64) = (info.integer(at: 16), info.integer(at: 24))
    guard flags & 0b100 != 0 else { return nil }
    guard let file = answer.descriptors.first, start == 0 else { throw failure("no file") }
    var areas = [0..<size]
    if flags & 0b1000 != 0 {
      // A chain of one: the areas.
      guard next == 32, info.count >= 48, info.integer(at: 32) as UInt16 == 1,
        case let count = Int(info.integer(at: 40) as UInt32), count <= 64,
        info.count >= 48 + 16 * count
      else { throw failure("an unknown capability") }
      areas = []
      for index in 0..<count {
        let (offset, length): (UInt64, UInt64) = (
          info.integer(at: 48 + 16 * index), info.integer(at: 56 + 16 * index)
        )
        guard offset <= size, length <= size - offset else { throw failure("areas beyond the BAR") }
        areas.append(offset..<offset + length)
      }
    }
    guard let region = MappedRegion(areas, of: file) else { throw failure("it cannot be mapped") }
    return region
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

    /// Waits until it is signalled.
    /// - Returns: false when it was not in that time.
    public func wait(milliseconds: CInt) -> Bool {
      var polled = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
      return unsafe LibC.poll(&polled, 1, milliseconds) == 1
    }

    /// The number of signals since the last call.
    public func take() -> UInt64 {
      var count: UInt64 = 0
      return unsafe LibC.read(descriptor.number, &count, 8) == 8 ? count : 0
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
