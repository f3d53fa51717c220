// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import PCI

/// The session of one client with a function: requests, replies, and the function's access to the guest.
///
/// Belongs to one thread. A write to a BAR may make the function access guest memory by messages. The client replies to them under the lock
/// of its machine, which a processor of the guest also holds while it waits for a register. Therefore the reply to a write is sent before
/// the write is executed. Requests that arrive while the function waits for the guest are answered immediately, from a snapshot of the
/// registers, and executed afterwards.
final class Session: HostInterface, RemoteMemory {
  let memory: HostMemory
  private let function: any Function
  /// The same function, if it does work in real time.
  private let paced: (any RealTimeFunction)?
  private let channel: Channel
  private let maps: GuestMaps
  private var events: InterruptEvents
  private var isNegotiated = false
  /// Waiting also checks for a stop request.
  private var stepsWithoutWait = 0
  /// A function that works continuously polls memory; the socket is polled less often.
  private var stepsWithoutReceive = 0

  // Work of the function, and requests that arrived meanwhile.
  private var isWorking = false
  private var picture: DevicePicture
  /// Whether the guest reads the snapshot.
  private var isPictured = false
  private var deferred: [DeferredAccess] = []
  /// Their memory usage, which is limited because a client that does not reply could send them without end.
  private var deferredWeight = 0
  private static let deferredLimit = 1 << 20

  // Memory by messages.
  private var lastID: UInt16 = 0
  private var format: DMAFormat?
  /// The reason why the guest's memory is no longer accessible.
  private var failure: Channel.Failure?
  /// The function must not access the guest's memory: the client waits for a reply, or requested a reset.
  private var isCutOff = false
  /// The most data that one message may carry either way, bytes.
  private var transferLimit = Session.ownTransferLimit

  static let ownTransferLimit = 1 << 20
  /// The maximum data in one reply of the client, bytes: QEMU (11.1) sends a reply with one nonblocking call, and drops bytes for which its
  /// socket has no room. This size fits into one buffer of the kernel, so it is sent completely or not at all.
  static let answerLimit = 1 << 16
  /// The maximum size of a message: the maximum data and its headers.
  static let messageLimit = ownTransferLimit + 4096

  init(_ function: any Function, memory: HostMemory, channel: Channel) {
    self.function = function
    paced = function as? any RealTimeFunction
    self.memory = memory
    self.channel = channel
    maps = GuestMaps(memory)
    events = InterruptEvents(for: function.configuration)
    picture = DevicePicture(of: function)
    memory.remote = self
    function.host = self
  }

  /// The function forgets the guest, whose memory and event counters go.
  func end() {
    isCutOff = true
    function.reset(.conventional)
    function.host = nil
    memory.remote = nil
    maps.removeAll()
    maps.releaseRetired()
  }

  // MARK: The loop

  /// Processes requests that have arrived and work that is due.
  /// - Parameter limit: nanoseconds to wait for something to arrive.
  /// - Throws: if the client has disconnected, or violates the protocol.
  func step(limit: UInt64?) throws(Channel.Failure) {
    stepsWithoutReceive += 1
    if let paced, paced.nanosecondsToWork == 0 {
      work { paced.catchUp() }
      try finishDeferred()
      if stepsWithoutReceive < 8 { return }
      // With few processors, the client needs this one to continue.
      sched_yield()
    }
    stepsWithoutReceive = 0
    // While the function waited for the guest's memory, something may have arrived already.
    var isAny = try takeAll()
    if !isAny, try channel.receive() { isAny = try takeAll() }
    stepsWithoutWait += 1
    let limit = isAny ? 0 : min(limit ?? .max, paced?.nanosecondsToWork ?? .max)
    guard limit > 0 || stepsWithoutWait >= 32 else { return }
    stepsWithoutWait = 0
    _ = try channel.waitForArrival(nanoseconds: limit == .max ? nil : limit)
  }

  /// Receives requests.
  /// - Returns: whether there was anything.
  @discardableResult
  private func takeAll() throws(Channel.Failure) -> Bool {
    var isAny = false
    while let message = try channel.next() {
      isAny = true
      try take(message)
      try finishDeferred()
    }
    return isAny
  }

  private func finishDeferred() throws(Channel.Failure) {
    if let failure { throw failure }
    while !deferred.isEmpty {
      // More may arrive meanwhile, for the next round.
      let accesses = deferred
      (deferred, deferredWeight) = ([], 0)
      for access in accesses {
        perform(access)
        if let failure { throw failure }
      }
    }
  }

  /// Executes work of the function that may access the guest's memory.
  private func work(_ body: () -> Void) {
    if maps.remoteCount > 0 {
      picture.take(of: function)
      isPictured = true
    }
    isWorking = true
    body()
    isWorking = false
    isPictured = false
    isCutOff = false
    maps.releaseRetired()
  }

  // MARK: Requests

  /// Replies to a message.
  private func take(_ message: Message) throws(Channel.Failure) {
    // A reply that is no longer expected.
    guard !message.header.isReply else { return }
    var reply: (MessageHeader, Answer)?
    var later: DeferredAccess?
    do throws(Refusal) {
      let answer = try self.answer(message)
      // Requests without an effect on the guest are complete before the reply.
      let isDoneFirst = !isWorking && answer.access?.mayReachMemory == false
      if isDoneFirst, let access = answer.access { perform(access) }
      if !message.header.wantsNoReply {
        reply = (
          MessageHeader(
            replyTo: message.header, bodyCount: answer.body.count), answer
        )
      }
      if !isDoneFirst { later = answer.access }
    } catch {
      guard !message.header.wantsNoReply else { return }
      return try channel.send(
        MessageHeader(replyTo: message.header, bodyCount: 0, errno: error.errno))
    }
    if let reply {
      try channel.send(reply.0, body: reply.1.body, descriptors: reply.1.descriptors)
    }
    if let later { postpone(later) }
  }

  /// Executes a request and returns its reply.
  private struct Answer {
    var body: [UInt8] = []
    var descriptors: [OpenDescriptor] = []
    var access: DeferredAccess?
  }

  private func answer(_ message: Message) throws(Refusal) -> Answer {
    guard let command = message.command else { throw Refusal(ENOSYS) }
    guard isNegotiated != (command == .version) else { throw Refusal(EINVAL) }
    // The caller closes unused descriptors.
    let takesDescriptors = command == .mapDMA || command == .setInterrupts
    guard takesDescriptors || message.descriptors.isEmpty else { throw Refusal(EINVAL) }
    switch command {
    case .version: return Answer(body: try negotiate(message.body))
    case .mapDMA: return try mapDMA(message)
    case .unmapDMA: return try unmapDMA(message.body)
    case .deviceInfo: return try deviceInfo(message.body)
    case .regionInfo: return try regionInfo(message.body)
    case .interruptInfo: return try interruptInfo(message.body)
    case .setInterrupts: return try setInterrupts(message)
    case .readRegion: return try readRegion(message.body)
    case .writeRegion: return try writeRegion(message.body)
    case .writeRegions: return try writeRegions(message.body)
    case .reset: return Answer(access: .reset)
    case .feature: throw Refusal(ENOTTY)
    case .regionDescriptors: throw Refusal(ENOTSUP)
    // Only the server sends these requests.
    case .readDMA, .writeDMA: throw Refusal(EINVAL)
    }
  }

  private func negotiate(_ body: WireBytes) throws(Refusal) -> [UInt8] {
    let offer = try VersionOffer(body)
    transferLimit = min(offer.maximumTransfer, Self.ownTransferLimit)
    isNegotiated = true
    return VersionOffer.answer(fitting: body.count)
  }

  // MARK: Memory

  private func mapDMA(_ message: Message) throws(Refusal) -> Answer {
    let body = message.body
    try body.require(32)
    let flags: UInt32 = body.integer(at: 4)
    // Bits 2 and 3 are the supported uses of a descriptor; it is always mapped.
    guard body.integer(at: 0) as UInt32 >= 32, flags & ~0b1111 == 0,
      message.descriptors.count <= 1
    else { throw Refusal(EINVAL) }
    try maps.add(
      .init(
        access: HostMemory.Access(rawValue: UInt8(flags & 0b11)), offset: body.integer(at: 8),
        address: body.integer(at: 16), count: body.integer(at: 24),
        descriptor: message.descriptors.first))
    return Answer()
  }

  private func unmapDMA(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(24)
    let flags: UInt32 = body.integer(at: 4)
    let (address, count): (UInt64, UInt64) = (body.integer(at: 8), body.integer(at: 16))
    guard body.integer(at: 0) as UInt32 >= 24 else { throw Refusal(EINVAL) }
    switch flags {
    case 0: try maps.remove(at: address, count: count)
    case 0b10:
      guard address == 0, count == 0 else { throw Refusal(EINVAL) }
      maps.removeAll()
    // Pages that the function has written are not recorded.
    default: throw Refusal(flags == 1 ? ENOTSUP : EINVAL)
    }
    if !isWorking { maps.releaseRetired() }
    return Answer(body: Array(body.bytes.prefix(24)))
  }

  // MARK: The device

  /// - Source: `include/uapi/linux/vfio_pci.h`: BARs 0 to 5, ROM, configuration space, VGA.
  private static let configurationRegion = 7
  private static let regionCount = 9

  private func deviceInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(16)
    guard body.integer(at: 0) as UInt32 >= 16 else { throw Refusal(EINVAL) }
    var answer: [UInt8] = []
    answer.append(littleEndian: UInt32(16))
    // The device supports reset, and is a PCI device.
    answer.append(littleEndian: UInt32(0b11))
    answer.append(littleEndian: UInt32(Self.regionCount))
    answer.append(littleEndian: UInt32(InterruptEvents.Kind.allCases.count))
    return Answer(body: answer)
  }

  private func size(ofRegion index: Int) -> UInt64 {
    if index == Self.configurationRegion { return UInt64(ConfigurationSpace.byteCount) }
    return configuration.bars[index]?.size ?? 0
  }

  private func regionInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(32)
    let (room, index): (UInt32, UInt32) = (body.integer(at: 0), body.integer(at: 8))
    guard room >= 32, index < Self.regionCount else { throw Refusal(EINVAL) }
    let size = size(ofRegion: Int(index))
    let areas = (function as? any MappedFunction)?.mappedAreas(ofBAR: Int(index))
    let mapped = size > 0 ? areas : nil
    let capability = mapped.map { Self.sparseCapability($0.areas) } ?? []
    let needed = UInt32(32 + capability.count)
    let isWhole = room >= needed
    var flags: UInt32 = size > 0 ? 0b11 : 0
    if mapped != nil { flags |= 0b100 }
    // A partial chain is omitted: the client requests it again with more room.
    if !capability.isEmpty, isWhole { flags |= 0b1000 }
    var answer: [UInt8] = []
    answer.append(littleEndian: needed)
    answer.append(littleEndian: flags)
    answer.append(littleEndian: index)
    answer.append(littleEndian: UInt32(flags & 0b1000 != 0 ? 32 : 0))
    answer.append(littleEndian: size)
    answer.append(littleEndian: UInt64(0))
    if isWhole { answer += capability }
    let descriptor = mapped.flatMap { OpenDescriptor(duplicating: $0.descriptor) }
    return Answer(body: answer, descriptors: descriptor.map { [$0] } ?? [])
  }

  /// - Source: `include/uapi/linux/vfio.h`, `struct vfio_region_info_cap_sparse_mmap`.
  private static func sparseCapability(_ areas: [Range<UInt64>]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt16(1))
    bytes.append(littleEndian: UInt16(1))
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: UInt32(areas.count))
    bytes.append(littleEndian: UInt32(0))
    for area in areas {
      bytes.append(littleEndian: area.lowerBound)
      bytes.append(littleEndian: area.upperBound - area.lowerBound)
    }
    return bytes
  }

  // MARK: Interrupts

  private func interruptInfo(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(16)
    let index: UInt32 = body.integer(at: 8)
    guard body.integer(at: 0) as UInt32 >= 16, let kind = InterruptEvents.Kind(rawValue: Int(index))
    else { throw Refusal(EINVAL) }
    var answer: [UInt8] = []
    answer.append(littleEndian: UInt32(16))
    answer.append(littleEndian: events.flags(of: kind))
    answer.append(littleEndian: index)
    answer.append(littleEndian: UInt32(events.count(of: kind)))
    return Answer(body: answer)
  }

  private func setInterrupts(_ message: Message) throws(Refusal) -> Answer {
    let body = message.body
    try body.require(20)
    let flags: UInt32 = body.integer(at: 4)
    let (start, count): (UInt32, UInt32) = (body.integer(at: 12), body.integer(at: 16))
    let index: UInt32 = body.integer(at: 8)
    guard body.integer(at: 0) as UInt32 >= 20, flags & ~0b111111 == 0,
      let data = InterruptEvents.Request.Data(rawValue: flags & 0b111),
      let action = InterruptEvents.Request.Action(rawValue: flags & 0b111000),
      let kind = InterruptEvents.Kind(rawValue: Int(index))
    else { throw Refusal(EINVAL) }
    try events.set(
      .init(
        data: data, action: action, kind: kind, vectors: Int(start)..<Int(start) + Int(count),
        flags: Array(body.bytes.dropFirst(20)), descriptors: message.descriptors))
    return Answer()
  }

  func interrupt(vector: Int) { events.signal(vector: vector) }

  func intx(asserted: Bool) { events.setLine(asserted: asserted) }

  // MARK: Regions

  /// The configuration space as the guest has left it.
  private var configuration: ConfigurationSpace {
    isPictured ? picture.configuration : function.configuration
  }

  /// A region's part that a body's head names: offset, region, count.
  private func place(
    _ body: WireBytes, at start: Int = 0
  ) throws(Refusal) -> (region: Int, offset: UInt64, count: Int) {
    let offset: UInt64 = body.integer(at: start)
    let (region, count): (UInt32, UInt32) = (
      body.integer(at: start + 8), body.integer(at: start + 12)
    )
    guard region < Self.regionCount else { throw Refusal(EINVAL) }
    let size = size(ofRegion: Int(region))
    guard count > 0, count <= transferLimit, count <= 2 || count % 4 == 0, offset < size,
      UInt64(count) <= size - offset, offset % UInt64(min(count, 4)) == 0
    else { throw Refusal(EINVAL) }
    return (Int(region), offset, Int(count))
  }

  private func readRegion(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(16)
    let (region, offset, count) = try place(body)
    var answer = Array(body.bytes.prefix(16))
    if region == Self.configurationRegion {
      let configuration = configuration
      for index in 0..<count {
        answer.append(
          UInt8(truncatingIfNeeded: configuration.read(offset: Int(offset) + index, width: .byte)))
      }
    } else if isPictured {
      answer += picture.read(bar: region, offset: offset, count: count)
    } else {
      answer += function.bytes(ofBAR: region, offset: offset, count: count)
    }
    return Answer(body: answer)
  }

  private func writeRegion(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(16)
    let (region, offset, count) = try place(body)
    try body.require(16 + count)
    let data = Array(body.bytes[16..<16 + count])
    return Answer(
      body: Array(body.bytes.prefix(16)), access: try write(region, offset, data))
  }

  /// Several writes of up to 8 bytes.
  private func writeRegions(_ body: WireBytes) throws(Refusal) -> Answer {
    try body.require(8)
    let count: UInt64 = body.integer(at: 0)
    guard count <= 200, body.count >= 8 + 24 * Int(count) else { throw Refusal(EINVAL) }
    var accesses: [DeferredAccess] = []
    for index in 0..<Int(count) {
      let start = 8 + 24 * index
      let (region, offset, width) = try place(body, at: start)
      guard width <= 8 else { throw Refusal(EINVAL) }
      accesses.append(
        try write(region, offset, Array(body.bytes[start + 16..<start + 16 + width])))
    }
    return Answer(body: Array(body.bytes.prefix(8)), access: .all(accesses))
  }

  private func write(
    _ region: Int, _ offset: UInt64, _ data: [UInt8]
  ) throws(Refusal) -> DeferredAccess {
    guard region == Self.configurationRegion else {
      return .bar(region, offset: offset, data)
    }
    guard let width = ConfigurationSpace.Width(rawValue: data.count) else { throw Refusal(EINVAL) }
    var value: UInt32 = 0
    for byte in data.reversed() { value = value << 8 | UInt32(byte) }
    return .configuration(offset: Int(offset), width, value)
  }

  // MARK: Accesses that have been answered

  /// Executes an access, or queues it until the function is free.
  private func postpone(_ access: DeferredAccess) {
    guard isWorking else { return perform(access) }
    deferredWeight += access.weight
    guard deferredWeight <= Self.deferredLimit else {
      failure = failure ?? .outOfStep("it sends requests but never replies")
      return
    }
    deferred.append(access)
    note(access)
  }

  /// The immediate effect of a queued access.
  private func note(_ access: DeferredAccess) {
    switch access {
    case .configuration(let offset, let width, let value):
      if isPictured {
        _ = picture.configuration.write(offset: offset, width: width, value: value)
      }
    // The current work of the function is obsolete.
    case .reset: isCutOff = true
    case .bar: break
    case .all(let accesses): for access in accesses { note(access) }
    }
  }

  private func perform(_ access: DeferredAccess) {
    switch access {
    case .bar(let bar, let offset, let data):
      work {
        unsafe data.withUnsafeBytes {
          unsafe function.writeBAR(bar, offset: offset, from: $0)
        }
      }
    case .configuration(let offset, let width, let value):
      // A reset of the function may be among these; it reaches nowhere.
      isCutOff = true
      work { function.writeConfiguration(offset: offset, width: width, value: value) }
    case .reset:
      isCutOff = true
      work { function.reset(.conventional) }
    case .all(let accesses):
      for access in accesses { perform(access) }
    }
  }

  // MARK: Memory by messages

  func read(
    at address: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HostMemoryError) {
    var done = 0
    while done < buffer.count {
      let count = min(buffer.count - done, transferLimit, Self.answerLimit)
      let bytes = try requestRead(address + UInt64(done), count)
      unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
        .copyBytes(from: bytes)
      done += count
    }
  }

  func write(at address: UInt64, from buffer: UnsafeRawBufferPointer) throws(HostMemoryError) {
    // The client's reply to a read shows the layout of its writes.
    if format == nil { _ = try requestRead(address & ~3, 4) }
    var done = 0
    while done < buffer.count {
      let count = min(buffer.count - done, transferLimit)
      var body: [UInt8] = []
      body.append(littleEndian: address + UInt64(done))
      switch format {
      case .narrow: body.append(littleEndian: UInt32(count))
      case .wide, nil: body.append(littleEndian: UInt64(count))
      }
      unsafe body.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[done..<done + count]))
      _ = try request(.writeDMA, body, address: address, count: buffer.count)
      done += count
    }
  }

  private func requestRead(_ address: UInt64, _ count: Int) throws(HostMemoryError) -> ArraySlice<
    UInt8
  > {
    var body: [UInt8] = []
    body.append(littleEndian: address)
    // An older client uses the low half.
    body.append(littleEndian: UInt64(count))
    let answer = try request(.readDMA, body, address: address, count: count)
    guard let format = DMAFormat(replyOf: answer.count, to: count) else {
      throw HostMemoryError(address: address, count: count, cause: .unanswered)
    }
    self.format = format
    return answer[format.headCount...]
  }

  /// Sends a request to the client, and serves the client until it replies.
  private func request(
    _ command: Command, _ body: [UInt8], address: UInt64, count: Int
  ) throws(HostMemoryError) -> [UInt8] {
    let refused = HostMemoryError(address: address, count: count, cause: .unanswered)
    // Without a snapshot, requests that arrive meanwhile could not be answered.
    guard !isCutOff, failure == nil, !isWorking || isPictured else { throw refused }
    lastID &+= 1
    do throws(Channel.Failure) {
      try channel.send(
        MessageHeader(request: command, id: lastID, bodyCount: body.count), body: body)
      guard let answer = try awaitReply(to: command) else { throw .unresponsive }
      return answer
    } catch {
      // A refused request ends only this request; a protocol violation ends the session.
      if error != .refusedByClient { failure = error }
      throw refused
    }
  }

  /// - Returns: nil on a timeout of the client.
  private func awaitReply(to command: Command) throws(Channel.Failure) -> [UInt8]? {
    let limit = ContinuousClock.now + .nanoseconds(Channel.patience)
    var taken = 0
    while true {
      while let message = try channel.next() {
        if message.header.isReply {
          guard message.header.id == lastID, message.header.command == command.rawValue else {
            continue
          }
          guard !message.header.isError else { throw .refusedByClient }
          return message.body.bytes
        }
        try take(message)
        if let failure { throw failure }
        // A reset has arrived: the reply is no longer needed.
        if isCutOff { throw .refusedByClient }
        taken += 1
        // Waiting also checks for a stop request, which a client that sends requests without end must not prevent.
        if taken % 256 == 0 { _ = try channel.waitForArrival(nanoseconds: 0) }
      }
      guard ContinuousClock.now < limit else { return nil }
      if try channel.receive() { continue }
      guard try channel.waitForArrival(nanoseconds: Channel.patience) else { return nil }
    }
  }
}
