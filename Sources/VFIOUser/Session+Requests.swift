// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import PCI

/// The client's requests, one method each.
extension Session {
  // MARK: Memory

  func mapDMA(_ message: Message) throws(Refusal) -> Answer {
    let request = try DMAMap(message.body)
    // The supported uses of a descriptor do not matter; it is always mapped.
    guard request.argumentSize >= DMAMap.byteCount, !request.hasUnknownFlags,
      message.descriptors.count <= 1
    else { throw Refusal(EINVAL) }
    try maps.add(request, descriptor: message.descriptors.first)
    return Answer()
  }

  func unmapDMA(_ body: WireBytes) throws(Refusal) -> Answer {
    let request = try DMAUnmap(body)
    guard request.argumentSize >= DMAUnmap.byteCount else { throw Refusal(EINVAL) }
    switch request.flags {
    case []: try maps.remove(at: request.address, count: request.count)
    case .all:
      guard request.address == 0, request.count == 0 else { throw Refusal(EINVAL) }
      maps.removeAll()
    // Pages that the function has written are not recorded.
    default: throw Refusal(request.flags == .dirtyPages ? ENOTSUP : EINVAL)
    }
    if !isWorking { maps.releaseRetired() }
    return Answer(body: request.bytes())
  }

  // MARK: The device

  func deviceInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    guard try DeviceInfo(body).argumentSize >= DeviceInfo.byteCount else { throw Refusal(EINVAL) }
    let info = DeviceInfo(
      flags: [.supportsReset, .isPCI], regions: RegionIndex.count,
      interruptKinds: InterruptKind.allCases.count)
    return Answer(body: info.bytes())
  }

  private func size(ofRegion index: Int) -> UInt64 {
    if index == RegionIndex.configuration { return UInt64(ConfigurationSpace.byteCount) }
    return configuration.bars[index]?.size ?? 0
  }

  func regionInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    let request = try RegionInfo(body)
    guard request.argumentSize >= RegionInfo.byteCount, request.index < RegionIndex.count else {
      throw Refusal(EINVAL)
    }
    let index = Int(request.index)
    let size = size(ofRegion: index)
    let areas = (function as? any MappedFunction)?.mappedAreas(ofBAR: index)
    let mapped = size > 0 ? areas : nil
    let capability = mapped.map { SparseAreas($0.areas) }
    var info = RegionInfo(
      argumentSize: RegionInfo.byteCount + (capability?.byteCount ?? 0), index: request.index)
    info.size = size
    if size > 0 { info.flags = [.read, .write] }
    if mapped != nil { info.flags.insert(.map) }
    // A partial chain is omitted: the client requests it again with more room.
    let isWhole = request.argumentSize >= info.argumentSize
    if capability != nil, isWhole {
      info.flags.insert(.capabilities)
      info.capabilityOffset = UInt32(RegionInfo.byteCount)
    }
    var answer = info.bytes()
    if isWhole { capability?.append(to: &answer) }
    let descriptor = mapped.flatMap { OpenDescriptor(duplicating: $0.descriptor) }
    return Answer(body: answer, descriptors: descriptor.map { [$0] } ?? [])
  }

  // MARK: Interrupts

  func interruptInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    let request = try InterruptInfo(body)
    guard request.argumentSize >= InterruptInfo.byteCount,
      let kind = InterruptKind(rawValue: Int(request.index))
    else { throw Refusal(EINVAL) }
    let info = InterruptInfo(kind, flags: events.flags(of: kind), count: events.count(of: kind))
    return Answer(body: info.bytes())
  }

  func setInterrupts(_ message: Message) throws(Refusal) -> Answer {
    let request = try InterruptSetting(message.body)
    guard request.argumentSize >= InterruptSetting.byteCount, !request.hasUnknownFlags,
      let data = request.data, let action = request.action,
      let kind = InterruptKind(rawValue: Int(request.index))
    else { throw Refusal(EINVAL) }
    try events.set(
      .init(
        data: data, action: action, kind: kind, vectors: request.vectors,
        flags: Array(message.body.bytes.dropFirst(InterruptSetting.byteCount)),
        descriptors: message.descriptors))
    return Answer()
  }

  // MARK: Regions

  /// The configuration space as the guest has left it.
  private var configuration: ConfigurationSpace {
    if answersFromSnapshot, let snapshot { snapshot.configuration } else { function.configuration }
  }

  /// Checks that an access lies in its region, and is aligned.
  private func check(_ access: RegionAccess) throws(Refusal) {
    guard access.region < RegionIndex.count else { throw Refusal(EINVAL) }
    let size = size(ofRegion: Int(access.region))
    let (offset, count) = (access.offset, access.count)
    guard count > 0, count <= transferLimit, count <= 2 || count % 4 == 0, offset < size,
      UInt64(count) <= size - offset, offset % UInt64(min(count, 4)) == 0
    else { throw Refusal(EINVAL) }
  }

  func readRegion(_ body: WireBytes) throws(Refusal) -> Answer {
    let access = try RegionAccess(body)
    try check(access)
    let (region, count) = (Int(access.region), Int(access.count))
    var answer = reply(to: access)
    if region == RegionIndex.configuration {
      let configuration = configuration
      for index in 0..<count {
        let byte = configuration.read(offset: Int(access.offset) + index, width: .byte)
        answer.append(UInt8(truncatingIfNeeded: byte))
      }
    } else if answersFromSnapshot, let snapshot {
      answer += snapshot.read(bar: region, offset: access.offset, count: count)
    } else {
      answer.append(contentsOf: repeatElement(0, count: count))
      unsafe answer.withUnsafeMutableBytes { bytes in
        unsafe function.readBAR(
          region, offset: access.offset,
          into: UnsafeMutableRawBufferPointer(rebasing: bytes[RegionAccess.byteCount...]))
      }
    }
    return Answer(body: answer)
  }

  func writeRegion(_ body: WireBytes) throws(Refusal) -> Answer {
    let access = try RegionAccess(body)
    try check(access)
    let write = try write(access, body, dataAt: RegionAccess.byteCount)
    return Answer(body: reply(to: access), access: write)
  }

  /// The start of a reply, in memory that is used again.
  private func reply(to access: RegionAccess) -> [UInt8] {
    var body = channel.takeBody()
    access.append(to: &body)
    return body
  }

  /// Several writes.
  func writeRegions(_ body: WireBytes) throws(Refusal) -> Answer {
    let request = try RegionWrites(body)
    guard request.count <= RegionWrites.limit else { throw Refusal(EINVAL) }
    let count = Int(request.count)
    try body.require(RegionWrites.offset(ofWrite: count))
    var accesses: [DeferredAccess] = []
    for index in 0..<count {
      let start = RegionWrites.offset(ofWrite: index)
      let access = try RegionAccess(body, at: start)
      try check(access)
      guard access.count <= RegionWrites.dataByteCount else { throw Refusal(EINVAL) }
      accesses.append(try write(access, body, dataAt: start + RegionAccess.byteCount))
    }
    return Answer(body: request.bytes(), access: .all(accesses))
  }

  /// The write of an access, with the data that its message carries.
  private func write(
    _ access: RegionAccess, _ body: WireBytes, dataAt start: Int
  ) throws(Refusal) -> DeferredAccess {
    let end = start + Int(access.count)
    try body.require(end)
    let data = body.bytes[start..<end]
    guard access.region == RegionIndex.configuration else {
      return .bar(Int(access.region), offset: access.offset, data)
    }
    guard let width = ConfigurationSpace.Width(rawValue: data.count) else { throw Refusal(EINVAL) }
    var value: UInt32 = 0
    for byte in data.reversed() { value = value << 8 | UInt32(byte) }
    return .configuration(offset: Int(access.offset), width, value)
  }
}
