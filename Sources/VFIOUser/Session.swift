// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import PCI

/// The session of one client with a function: requests, replies, and the function's access to the guest.
///
/// Belongs to one thread. A write to a BAR may make the function access guest memory by messages. The client replies to them under the lock
/// of its machine, which a processor of the guest also holds while it waits for a register. Therefore the reply to a write is sent before
/// the write is executed. Requests that arrive while the function waits for the guest are answered immediately, from a snapshot of the
/// registers, and executed afterwards.
final class Session: HostInterface, DMAClientSession {
  let memory: HostMemory
  let function: any Function
  /// The same function, if it does work in real time.
  private let paced: (any RealTimeFunction)?
  /// The same function, if it can complete accesses later.
  private let pausing: (any PausingFunction)?
  let channel: Channel
  let maps: GuestMaps
  /// Access to the memory that is not mapped.
  private let remote: DMAClient
  var events: InterruptEvents
  private var isNegotiated = false
  /// The most data that one message may carry either way, bytes.
  private(set) var transferLimit = TransferLimit.data {
    didSet { remote.transferLimit = transferLimit }
  }
  /// Waiting also checks for a stop request.
  private var stepsWithoutWait = 0
  /// A function that works continuously polls memory; the socket is polled less often.
  private var stepsWithoutReceive = 0

  // Work of the function, and requests that arrived meanwhile.
  private(set) var isWorking = false
  /// Nil if the function does not reach the guest's memory by messages.
  private(set) var snapshot: RegisterSnapshot?
  /// Whether the guest reads the snapshot.
  private(set) var answersFromSnapshot = false
  private var deferred: [DeferredAccess] = []
  /// Their memory usage, which is limited because a client that does not reply could send them without end.
  private var deferredWeight = 0
  private static let deferredLimit = 1 << 20

  /// The reply to an access that the function has not completed.
  private var heldReply: (MessageHeader, Answer)?
  private var wasPaused = false
  /// The number of accesses that have been executed.
  private var accessCount = 0
  /// The accesses of the same message that follow the one for which the session pauses.
  private var remaining: [DeferredAccess] = []

  /// The reason why the guest's memory is no longer accessible.
  private var failure: Channel.Failure?
  /// The function must not access the guest's memory: the client waits for a reply, or requested a reset.
  private var isCutOff = false

  /// - Parameters:
  ///   - reachesMemoryByMessages: whether the function can access memory that is not mapped. It then waits for the client, which
  ///     reads its registers from a snapshot.
  ///   - clients: how many clients the process may serve at a time.
  init(
    _ function: any Function, memory: HostMemory, channel: Channel,
    reachesMemoryByMessages: Bool = true, clients: Int = 1
  ) {
    self.function = function
    paced = function as? any RealTimeFunction
    pausing = function as? any PausingFunction
    self.memory = memory
    self.channel = channel
    maps = GuestMaps(memory, limit: GuestMaps.limit(among: clients))
    remote = DMAClient(channel)
    events = InterruptEvents(for: function.configuration)
    if reachesMemoryByMessages {
      snapshot = RegisterSnapshot(of: function)
      remote.session = self
      memory.remote = remote
    }
    function.host = self
  }

  /// The function forgets the guest; its memory and event counters are released.
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

  /// Processes requests that have arrived, but not without end, and does not wait.
  /// - Returns: whether there may be more.
  /// - Throws: if the client has disconnected, or violates the protocol.
  func advance() throws(Channel.Failure) -> Bool {
    guard !isPaused else { return false }
    wasPaused = false
    if !remaining.isEmpty {
      let accesses = remaining
      remaining = []
      perform(.all(accesses))
      if isPaused { return false }
    }
    if let reply = heldReply {
      heldReply = nil
      try send(reply)
    }
    // A message can have many accesses.
    let limit = accessCount + 64
    var hasReceived = false
    for _ in 0..<64 where accessCount < limit {
      if channel.isSending, try !channel.flush() { return false }
      guard let message = try channel.next() else {
        // The part that had room has arrived; the rest is reported by the next wait, which most messages need anyway.
        if hasReceived, !channel.isFull { return false }
        guard try channel.receive() else { return false }
        hasReceived = true
        continue
      }
      try take(message)
      try finishDeferred()
      if isPaused { return false }
    }
    return true
  }

  /// Whether the client has to read before more is processed.
  var isSending: Bool { channel.isSending }

  /// Whether the function has not completed an access: nothing is processed.
  var isPaused: Bool {
    guard let pausing, pausing.isPaused else { return false }
    wasPaused = true
    return true
  }

  /// Whether the function has completed the access for which the session paused.
  var canResume: Bool { wasPaused && !isPaused }

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
    if maps.remoteCount > 0, snapshot != nil {
      snapshot?.take(of: function)
      answersFromSnapshot = true
    }
    isWorking = true
    body()
    isWorking = false
    answersFromSnapshot = false
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
      // Requests that do not wait for the guest are complete before the reply.
      let mayWait = answer.access?.mayReachMemory != false && snapshot != nil
      let isDoneFirst = !isWorking && !mayWait
      if isDoneFirst, let access = answer.access { perform(access) }
      if message.header.wantsNoReply {
        channel.giveBack(answer.body)
      } else {
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
    if isPaused {
      heldReply = reply
    } else if let reply {
      try send(reply)
    }
    if let later { postpone(later) }
    channel.giveBack(message.body.bytes)
  }

  private func send(_ reply: (MessageHeader, Answer)) throws(Channel.Failure) {
    try channel.send(reply.0, body: reply.1.body, descriptors: reply.1.descriptors)
    channel.giveBack(reply.1.body)
  }

  /// Executes a request and returns its reply.
  struct Answer {
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
    transferLimit = min(offer.maximumTransfer, TransferLimit.data)
    isNegotiated = true
    return VersionOffer.answer(fitting: body.count, maps: maps.limit)
  }

  // MARK: The function's interrupts

  func interrupt(vector: Int) { events.signal(vector: vector) }

  func intx(asserted: Bool) { events.setLine(asserted: asserted) }

  var takesLineLater: Bool { events.hasLineEvent }
  var isLinePending: Bool { events.isLinePending }

  // MARK: The client's memory by messages

  var canRequestMemory: Bool {
    // Without a snapshot, requests that arrive meanwhile could not be answered.
    !isCutOff && failure == nil && (!isWorking || answersFromSnapshot)
  }

  func serve(_ message: Message) throws(Channel.Failure) {
    try take(message)
    if let failure { throw failure }
    // A reset has arrived.
    if isCutOff { throw .refusedByClient }
  }

  func fail(with failure: Channel.Failure) { self.failure = failure }

  // MARK: Accesses that have been answered

  /// Executes an access, or queues it until the function is free.
  private func postpone(_ access: DeferredAccess) {
    guard isWorking else { return perform(access) }
    deferredWeight += access.weight
    guard deferredWeight <= Self.deferredLimit else {
      failure = failure ?? .outOfStep("it sends requests but never replies")
      return
    }
    deferred.append(access.compact)
    note(access)
  }

  /// The immediate effect of a queued access.
  private func note(_ access: DeferredAccess) {
    switch access {
    case .configuration(let offset, let width, let value):
      if answersFromSnapshot {
        _ = snapshot?.configuration.write(offset: offset, width: width, value: value)
      }
    // The current work of the function is obsolete.
    case .reset: isCutOff = true
    case .bar: break
    case .all(let accesses): for access in accesses { note(access) }
    }
  }

  private func perform(_ access: DeferredAccess) {
    accessCount += 1
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
      for (index, access) in accesses.enumerated() {
        perform(access)
        if isPaused {
          remaining = accesses[(index + 1)...].map(\.compact)
          return
        }
      }
    }
  }
}
