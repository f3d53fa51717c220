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
    let body = DMAMap(address: address, count: count, offset: offset, access: access).bytes()
    try request(.mapDMA, body, descriptors: descriptors)
  }

  public func unmap(at address: UInt64, count: UInt64) throws(Failure) {
    try request(.unmapDMA, DMAUnmap(address: address, count: count).bytes())
  }

  // MARK: Registers

  /// Region 7 is the configuration space, 0 to 5 are BARs.
  public func read(region: Int, offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
    let access = RegionAccess(region: region, offset: offset, count: count)
    let answer = try request(.readRegion, access.bytes())
    guard answer.count == RegionAccess.byteCount + count else {
      throw Failure(request: "readRegion", errno: nil, message: "\(answer.count) bytes")
    }
    return Array(answer[RegionAccess.byteCount...])
  }

  /// - Parameter isPosted: there is no reply; for BARs only.
  public func write(
    region: Int, offset: UInt64, _ data: [UInt8], isPosted: Bool = false
  ) throws(Failure) {
    let access = RegionAccess(region: region, offset: offset, count: data.count)
    let body = access.bytes(reserving: data.count) + data
    if isPosted { try post(.writeRegion, body) } else { try request(.writeRegion, body) }
  }

  /// Maps the parts of a BAR that are memory; nil if there are none.
  public func map(region: Int) throws(Failure) -> MappedRegion? {
    func failure(_ message: String) -> Failure {
      Failure(request: "regionInfo", errno: nil, message: message)
    }
    // Room for all capabilities.
    let body = RegionInfo(argumentSize: 4096, index: UInt32(region)).bytes()
    let answer = try exchange(.regionInfo, body)
    guard let info = try? RegionInfo(answer.body) else {
      throw failure("\(answer.body.count) bytes")
    }
    guard info.flags.contains(.map) else { return nil }
    guard let file = answer.descriptors.first, info.offset == 0 else { throw failure("no file") }
    var areas = [0..<info.size]
    if info.flags.contains(.capabilities) {
      // A chain of one: the areas.
      guard info.capabilityOffset == RegionInfo.byteCount,
        let sparse = SparseAreas(answer.body, at: RegionInfo.byteCount, limit: 64)
      else { throw failure("an unknown capability") }
      areas = []
      for area in sparse.areas {
        guard area.offset <= info.size, area.size <= info.size - area.offset else {
          throw failure("areas beyond the BAR")
        }
        areas.append(area.offset..<area.offset + area.size)
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
      guard unsafe LibC.read(descriptor.number, &count, 8) == 8 else { return 0 }
      // The line fills it.
      return count == OpenDescriptor.fullEvent ? 1 : count
    }
  }

  /// - Parameter index: 0 the line, 1 MSI, 2 MSI-X.
  public func setEvents(
    _ events: [Event], index: Int, start: Int = 0, count: Int? = nil
  ) throws(Failure) {
    try setInterrupts(
      .trigger, .events, index: index, start: start, count: count ?? events.count,
      events.map(\.descriptor))
  }

  public func removeEvents(index: Int) throws(Failure) {
    try setInterrupts(.trigger, .none, index: index, start: 0, count: 0)
  }

  /// Ends the hold of the line after a signal.
  public func unmaskLine() throws(Failure) {
    try setInterrupts(.unmask, .none, index: InterruptKind.line.rawValue, start: 0, count: 1)
  }

  func setInterrupts(
    _ action: InterruptSetting.Action, _ data: InterruptSetting.Data, index: Int, start: Int,
    count: Int, _ descriptors: [OpenDescriptor] = [], flags: [UInt8] = []
  ) throws(Failure) {
    let setting = InterruptSetting(
      action, data, index: index, start: start, count: count, following: flags.count)
    try request(
      .setInterrupts, setting.bytes(reserving: flags.count) + flags, descriptors: descriptors)
  }
}
