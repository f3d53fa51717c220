// SPDX-License-Identifier: Apache-2.0
internal import Numbers
internal import NVMe
internal import PCI

/// A host that follows the driver of Linux 7.2: the order of its register accesses, admin commands and queue setup.
///
/// Accesses the device through its PCI function only. Deterministic: it polls memory and advances time with its clock.
/// - Source: `drivers/nvme/host/{pci,core}.c`.
public final class LinuxHost: NVMeHost {
  private var isReady = false
  /// Whether its probe has succeeded.
  private var isLive = false
  /// The machine of the host, with its other controllers; by default one without others.
  public var machine = LinuxMachine()
  /// The number of its controller, while the machine has it.
  private var instance: Int?

  // MARK: Messages

  override var endsWaitAtFatal: Bool { false }

  override func notReady(_ step: String, after milliseconds: UInt64, status: UInt32) -> String {
    "Device not ready; aborting \(step), CSTS=\(hexadecimal(status))"
  }

  /// After the second time-out: the first one of an I/O command aborts it.
  override func timedOut(_ queue: Int, after milliseconds: UInt64) -> String {
    let (id, opcode) = queues[queue].latest
    let command = "I/O tag \(id & 0xfff) (\(hexadecimalDigits(id, count: 4)))"
    guard isLive else { return "\(command) QID \(queue) timeout, disable controller" }
    let name = queue == 0 ? "Admin Cmd" : "I/O Cmd"
    return
      "\(command) opcode \(hexadecimal(opcode)) (\(name)) QID \(queue) timeout, reset controller"
  }

  // MARK: Probe

  /// From finding the function to its namespaces.
  ///
  /// A failure is in the machine's log, in the kernel's words.
  public func probe() throws(HostError) -> ProbeResult {
    if let instance { machine.remove(instance) }
    let instance = machine.begin()
    self.instance = instance
    isLive = false
    do throws(HostError) {
      let result = try probe(as: instance)
      isLive = true
      return result
    } catch {
      machine.fail(instance, error)
      self.instance = nil
      throw error
    }
  }

  private func probe(as instance: Int) throws(HostError) -> ProbeResult {
    let identity = function.configuration.read(offset: 0, width: .doubleword)
    guard identity != .max else { throw HostError(step: "PCI", message: "no response") }
    let classCode = function.configuration.read(offset: 0x08, width: .doubleword) >> 8
    guard classCode == 0x01_0802 else {
      throw HostError(
        step: "PCI", message: "class \(hexadecimalDigits(classCode)) is not an NVMe controller")
    }
    try enableFunction()
    enableInterrupts()
    let capabilities = ControllerCapabilities(rawValue: read64(.capabilities))
    try enable(capabilities)
    let version = Version(rawValue: read(.version))
    let controller = try identify(.controller, as: IdentifyController.self)
    try machine.add(controller, identity: identity, as: instance)
    // Other drivers also read it: a controller without the page refuses.
    _ = try? logPage(.commandEffects, count: 4096)
    _ = try? logPage(.health, count: 512)
    let granted = try setQueueCount(4)
    // After a refused queue the driver continues with the existing ones.
    for id in 1..<granted + 1 { guard try makeQueue(id, capabilities) else { break } }
    try requestEvents(controller)
    let namespaces = try scan(instance)
    return ProbeResult(
      name: LinuxMachine.name(instance), vendorID: UInt16(truncatingIfNeeded: identity),
      deviceID: UInt16(identity >> 16),
      capabilities: capabilities, version: version, identifyController: controller,
      ioQueues: queues.count - 1, namespaces: namespaces)
  }

  /// Steps 7 to 16 of the probe.
  private func enable(_ capabilities: ControllerCapabilities) throws(HostError) {
    // Whole seconds.
    let limit = (UInt64(capabilities[.timeout]) + 1) / 2 * 1000
    write(.configuration, read(.configuration) & ~1)
    try wait(for: 0, limit, "reset")
    let pair = QueuePair(submissions: page(), completions: page(), depth: 32)
    queues = [pair]
    write(.adminQueueAttributes, 0x001f_001f)
    write64(.adminSubmissionQueue, pair.submissions)
    write64(.adminCompletionQueue, pair.completions)
    guard capabilities[.minimumPageSize] == 0 else {
      throw HostError(
        step: "CAP",
        message:
          "Minimum device page size \(4096 << UInt64(capabilities[.minimumPageSize])) too large for host (4096)"
      )
    }
    let settings: UInt32 = 0x0046_0000 | (capabilities[.supportsIOCommandSets] ? 0x60 : 0)
    write(.configuration, settings)
    write(.configuration, settings | 1)
    try wait(for: 1, limit, "initialisation")
    isReady = true
  }

  // MARK: Admin commands

  private func logPage(_ id: LogPageID, count: Int) throws(HostError) -> [UInt8] {
    let page = page()
    let request = LogPageRequest(id, byteCount: count)
    try check(
      execute(.getLogPage, namespace: .max, prp1: page, words: request.words),
      "Get Log Page: \(id)")
    return try bytes(at: page, count)
  }

  private func setQueueCount(_ wanted: Int) throws(HostError) -> Int {
    var request = NumberOfQueues()
    request[.submissionQueues] = UInt16(wanted - 1)
    request[.completionQueues] = UInt16(wanted - 1)
    let completion = try execute(
      .setFeatures, words: [UInt32(FeatureID.numberOfQueues.rawValue), request.rawValue])
    guard completion.status.isSuccess else { return 0 }
    return min(wanted, NumberOfQueues(rawValue: completion.dw0).pairs)
  }

  /// - Returns: whether the controller created it.
  private func makeQueue(_ id: Int, _ capabilities: ControllerCapabilities) throws(HostError)
    -> Bool
  {
    let depth = min(UInt32(capabilities[.maximumQueueEntries]) + 1, 1024)
    let pair = QueuePair(
      submissions: page(UInt64(depth) * 64 / 4096 + 1),
      completions: page(UInt64(depth) * 16 / 4096 + 1), depth: depth)
    let completions = CompletionQueueRequest(
      id: id, size: depth - 1, address: pair.completions, raisesInterrupts: true,
      vector: UInt16(id))
    guard try execute(completions.command, on: 0).status.isSuccess else { return false }
    let submissions = SubmissionQueueRequest(
      id: id, size: depth - 1, address: pair.submissions, completionQueue: id)
    let submission = try execute(submissions.command, on: 0)
    guard submission.status.isSuccess else {
      try check(execute(.deleteIOCompletionQueue, words: [UInt32(id)]), "Delete CQ \(id)")
      return false
    }
    queues.append(pair)
    return true
  }

  private func requestEvents(_ controller: IdentifyController) throws(HostError) {
    let wanted = controller[.asyncEvents] & 0x8000_0b00
    guard wanted != 0 else { return }
    _ = try execute(
      .setFeatures, words: [UInt32(FeatureID.asyncEventConfiguration.rawValue), wanted])
    // Outstanding until an event occurs.
    _ = try submit(
      SubmissionEntry(opcode: AdminOpcode.asyncEventRequest.rawValue, id: 0), to: 0)
    ring(0)
  }

  private func scan(_ instance: Int) throws(HostError) -> [ProbeResult.FoundNamespace] {
    let list = try identify(.activeNamespaces)
    var found: [ProbeResult.FoundNamespace] = []
    for index in 0..<1024 {
      let id = Self.number(list, 4 * index, 4)
      guard id != 0 else { break }
      let descriptors = NamespaceDescriptor.decode(
        try identify(.namespaceDescriptors, UInt32(id)))
      let data = try identify(
        .namespace, UInt32(id), as: IdentifyNamespace.self)
      let blocks = data[.size]
      guard blocks > 0 else { continue }
      let shift = data[format: data.formatInUse].blockShift
      guard (9...16).contains(shift) else {
        throw HostError(step: "namespace \(id)", message: "invalid LBA data size \(shift)")
      }
      let disk = machine.add(
        UInt32(id), LinuxMachine.Identifiers(descriptors, data),
        isShared: data[.sharing] & 1 != 0, of: instance)
      guard let disk else { continue }
      found.append(
        .init(
          id: UInt32(id), disk: disk, identify: data, blocks: blocks, blockSize: 1 << Int(shift)))
    }
    return found
  }

  // MARK: I/O

  /// Writes a pattern over the queues in turn, reads it back through others and compares.
  /// - Parameters:
  ///   - transfers: of 4 KiB each, spread over the namespace.
  ///   - depth: how many of them are on their way at a time, over all queues.
  /// - Returns: the bytes that were written and found again.
  public func verify(
    _ namespace: ProbeResult.FoundNamespace, transfers: Int, depth: Int = 32
  ) throws(HostError) -> Int {
    let count = queues.count - 1
    guard count > 0 else { throw HostError(step: "I/O", message: "there is no I/O queue") }
    let blocks = UInt64(4096 / namespace.blockSize)
    let places = namespace.blocks / blocks
    guard places > 0 else { throw HostError(step: "I/O", message: "less than 4 KiB") }
    let step = max(places / UInt64(max(transfers, 1)), 1)
    let firsts = (0..<min(UInt64(transfers), places)).map { $0 * step * blocks }
    let room = (queues.map { Int($0.depth) }.min() ?? 2) - 1
    let depth = max(1, min(depth, room))
    // Not at the start of a page, so that both PRPs are used.
    let buffers = (0..<depth).map { _ in page(2) + 512 }
    for isWrite in [true, false] {
      var start = 0
      while start < firsts.count {
        let batch = firsts[start..<min(start + depth, firsts.count)]
        try move(batch, isWrite: isWrite, namespace, buffers)
        start += depth
      }
    }
    try check(execute(.flush, namespace: namespace.id, on: 1), "flush")
    return 4096 * firsts.count
  }

  /// One batch: all submitted, one doorbell a queue, all reaped.
  private func move(
    _ batch: ArraySlice<UInt64>, isWrite: Bool, _ namespace: ProbeResult.FoundNamespace,
    _ buffers: [UInt64]
  ) throws(HostError) {
    let count = queues.count - 1
    var outstanding = [[UInt16: UInt64]](repeating: [:], count: queues.count)
    for (index, first) in batch.enumerated() {
      let data =
        isWrite ? Self.pattern(namespace.id, first) : [UInt8](repeating: 0, count: 4096)
      try put(data, at: buffers[index])
      // Data written by one queue is read by another.
      let queue = 1 + (index + (isWrite ? 0 : 1)) % count
      let id = try submit(
        isWrite ? .write : .read, first, UInt64(4096), namespace, buffers[index], queue)
      outstanding[queue][id] = first
    }
    for queue in outstanding.indices where !outstanding[queue].isEmpty { ring(queue) }
    for queue in outstanding.indices {
      while !outstanding[queue].isEmpty {
        let completion = try reap(queue)
        guard let first = outstanding[queue].removeValue(forKey: completion.commandID) else {
          throw HostError(
            step: "queue \(queue)", message: "invalid id \(completion.commandID) completed")
        }
        try check(completion, "\(isWrite ? "write" : "read") at block \(first)")
      }
    }
    if isWrite { return }
    for (index, first) in batch.enumerated() {
      guard try bytes(at: buffers[index], 4096) == Self.pattern(namespace.id, first) else {
        throw HostError(step: "read at block \(first)", message: "other data than was written")
      }
    }
  }

  private func submit(
    _ opcode: NVMOpcode, _ first: UInt64, _ count: UInt64, _ namespace: ProbeResult.FoundNamespace,
    _ buffer: UInt64, _ queue: Int
  ) throws(HostError) -> UInt16 {
    let blocks = count / UInt64(namespace.blockSize)
    let words = SubmissionEntry.words(firstBlock: first, count: blocks)
    return try submit(
      SubmissionEntry(
        opcode: opcode.rawValue, id: 0, namespaceID: namespace.id, prp1: buffer,
        prp2: (buffer & ~4095) + 4096, words: words), to: queue)
  }

  /// Writes 4 KiB from a logical block on, and flushes.
  /// - Throws: ``HostError`` with the status, if the controller refuses.
  public func write(
    _ bytes: [UInt8], to namespace: ProbeResult.FoundNamespace, firstBlock: UInt64
  ) throws(HostError) {
    precondition(bytes.count == 4096, "a transfer here is 4 KiB")
    let buffer = page(2)
    try put(bytes, at: buffer)
    try transfer(.write, namespace, firstBlock, buffer)
    try check(execute(.flush, namespace: namespace.id, on: 1), "flush")
  }

  /// Reads 4 KiB from a logical block on.
  /// - Throws: ``HostError`` with the status, if the controller refuses.
  public func read(
    _ namespace: ProbeResult.FoundNamespace, firstBlock: UInt64
  ) throws(HostError) -> [UInt8] {
    let buffer = page(2)
    try transfer(.read, namespace, firstBlock, buffer)
    return try bytes(at: buffer, 4096)
  }

  private func transfer(
    _ opcode: NVMOpcode, _ namespace: ProbeResult.FoundNamespace, _ first: UInt64, _ buffer: UInt64
  ) throws(HostError) {
    guard queues.count > 1 else { throw HostError(step: "I/O", message: "there is no I/O queue") }
    let id = try submit(opcode, first, 4096, namespace, buffer, 1)
    ring(1)
    let completion = try reap(1)
    guard completion.commandID == id else {
      throw HostError(
        step: "queue 1",
        message: "invalid id \(completion.commandID) completed, expected \(id)")
    }
    try check(completion, "\(opcode == .write ? "write" : "read") at block \(first)")
  }

  private static func pattern(_ namespace: UInt32, _ block: UInt64) -> [UInt8] {
    var numbers = XorShift64(seed: UInt64(namespace) << 40 ^ block &* 0x9e37_79b9_7f4a_7c15 | 1)
    return numbers.bytes(4096)
  }

  // MARK: The end

  /// An orderly shutdown: queues deleted from the last to the first, then CC.SHN.
  public func shutDown() throws(HostError) {
    guard isReady else { return }
    for id in (1..<max(queues.count, 1)).reversed() {
      try check(execute(.deleteIOSubmissionQueue, words: [UInt32(id)]), "Delete SQ \(id)")
    }
    for id in (1..<max(queues.count, 1)).reversed() {
      try check(execute(.deleteIOCompletionQueue, words: [UInt32(id)]), "Delete CQ \(id)")
    }
    write(.configuration, read(.configuration) & ~0xc000 | 0x4000)
    for _ in 0..<5000 where read(.status) & 0xc != 8 { clock.wait(milliseconds: 1) }
    guard read(.status) & 0xc == 8 else {
      throw HostError(
        step: "shutdown", message: notReady("shutdown", after: 5000, status: read(.status)))
    }
    function.writeConfiguration(offset: 0x04, width: .word, value: 0)
    isReady = false
    if let instance { machine.remove(instance) }
    instance = nil
  }
}
