// SPDX-License-Identifier: Apache-2.0
package import ControllerEmulation
internal import HostDriver
internal import NVMe
package import PCI

/// A host for tables of single steps: registers by their offsets, commands by their dwords, and each effect of an access. It shares the
/// queues in memory with the hosts of `HostDriver`, and drives a controller without its PCI function.
package final class Host {
  package let device: any Device
  package var memory: HostMemory { device.memory }
  package private(set) var log: [String] = []
  package private(set) var interrupts: [UInt16] = []
  package private(set) var diagnoses: [Diagnosis] = []

  private var pairs: [Int: QueuePair] = [:]
  private var nextID: UInt16 = 1
  private var nextPage: UInt64 = 0x10_0000

  package static let adminDepth: UInt32 = 32

  package init(_ device: any Device) { self.device = device }

  /// In front of the emulation.
  package convenience init(_ model: ControllerModel, memoryBytes: Int = 8 << 20) {
    self.init(EmulatedDevice(model, memoryBytes: memoryBytes))
  }

  /// The emulated controller.
  /// - Precondition: the device is one.
  package var controller: any EmulatedController {
    guard let emulated = device as? EmulatedDevice else {
      preconditionFailure("the device is real")
    }
    return emulated.controller
  }

  package struct Completion: Equatable {
    package var result: UInt64
    package var status: UInt16
    package var submissionHead: UInt16
    package var queue: UInt16
  }

  // MARK: Time and effects

  package func drain() {
    let events = device.takeEvents()
    log += events.log
    interrupts += events.interrupts
    diagnoses += events.diagnoses
  }

  package func forgetInterrupts() { _ = takeInterrupts() }

  /// The vectors of the interrupts since the last call.
  package func takeInterrupts() -> [UInt16] {
    drain()
    defer { interrupts = [] }
    return interrupts
  }

  /// Advances time by milliseconds.
  package func pass(_ milliseconds: UInt64) { pass(nanoseconds: milliseconds * 1_000_000) }

  package func pass(nanoseconds: UInt64) {
    device.pass(nanoseconds: nanoseconds)
    drain()
  }

  // MARK: Registers

  package func write(_ offset: Int, _ value: UInt32) {
    device.write(offset, value)
    drain()
  }

  package func read(_ offset: Int) -> UInt32 { device.read(offset) }
  package var status: UInt32 { read(0x1c) }
  package var capabilities: UInt64 { UInt64(read(0)) | UInt64(read(4)) << 32 }

  /// Memory that nothing else uses, zeroed: entries of an earlier host are not valid for this one.
  package func page(_ count: UInt64 = 1) -> UInt64 {
    let page = nextPage
    nextPage += 4096 * count
    let zeroes = [UInt8](repeating: 0, count: Int(4096 * count))
    unsafe zeroes.withUnsafeBytes { try? unsafe memory.write(at: page, from: $0) }
    return page
  }

  /// Link, admin queue, CC, and the wait for RDY.
  package func enable(configuration: UInt32 = 0x0046_0001) {
    device.linkUp()
    let pair = QueuePair(submissions: page(), completions: page(), depth: Self.adminDepth)
    pairs = [0: pair]
    write(0x24, (Self.adminDepth - 1) << 16 | (Self.adminDepth - 1))
    write(0x28, UInt32(truncatingIfNeeded: pair.submissions))
    write(0x2c, UInt32(pair.submissions >> 32))
    write(0x30, UInt32(truncatingIfNeeded: pair.completions))
    write(0x34, UInt32(pair.completions >> 32))
    write(0x14, configuration)
    device.pass(nanoseconds: 12_000_000) { self.status & 3 != 0 }
    drain()
  }

  // MARK: Commands

  package struct Entry {
    package var opcode: UInt8
    package var flags: UInt8
    package var namespace: UInt32
    package var prp1: UInt64
    package var prp2: UInt64
    package var words: [UInt32]

    package init(
      opcode: UInt8, flags: UInt8 = 0, namespace: UInt32 = 0, prp1: UInt64 = 0, prp2: UInt64 = 0,
      words: [UInt32] = []
    ) {
      self.opcode = opcode
      self.flags = flags
      self.namespace = namespace
      self.prp1 = prp1
      self.prp2 = prp2
      self.words = words
    }

    /// The entry in a submission queue, without an identifier.
    var command: SubmissionEntry {
      var command = SubmissionEntry(
        opcode: opcode, id: 0, namespaceID: namespace, prp1: prp1, prp2: prp2, words: words)
      command.dwords[0] |= UInt32(flags) << 8
      return command
    }
  }

  /// Puts a command into a queue and rings.
  /// - Returns: its id.
  @discardableResult
  package func submit(_ entry: Entry, to queue: Int = 0) -> UInt16 {
    let id = submitSilently(entry, to: queue)
    ring(queue)
    return id
  }

  /// Puts a command into a queue.
  @discardableResult
  package func submitSilently(_ entry: Entry, to queue: Int) -> UInt16 {
    guard pairs[queue] != nil else { return 0 }
    var command = entry.command
    command.id = nextID
    nextID &+= 1
    // Some tests have queues where no memory is.
    try? pairs[queue]?.put(command, in: memory)
    return command.id
  }

  /// Tells the controller where a queue ends.
  package func ring(_ queue: Int) {
    if let pair = pairs[queue] { write(0x1000 + 8 * queue, pair.tail) }
  }

  /// The next completion of a queue; nil when there is none within the device's patience.
  package func reap(_ queue: Int = 0) -> (id: UInt16, Completion)? {
    guard pairs[queue] != nil else { return nil }
    let patience = device.patience
    for _ in 0..<patience.pauses {
      if let completion = completed(queue) { return completion }
      pass(nanoseconds: patience.nanoseconds)
    }
    return nil
  }

  /// The next completion of a queue; nil when there is none yet.
  package func completed(_ queue: Int) -> (id: UInt16, Completion)? {
    guard var pair = pairs[queue], let entry = try? pair.take(from: memory) else { return nil }
    pairs[queue] = pair
    write(0x1004 + 8 * queue, pair.head)
    return (
      entry.commandID,
      Completion(
        result: entry.result, status: entry.status.rawValue, submissionHead: entry.submissionHead,
        queue: entry.submissionQueueID)
    )
  }

  /// One command from beginning to end; nil when it never completes.
  package func run(_ entry: Entry, on queue: Int = 0) -> Completion? {
    let id = submit(entry, to: queue)
    guard let (found, completion) = reap(queue), found == id else { return nil }
    return completion
  }

  package func status(of entry: Entry, on queue: Int = 0) -> UInt16? {
    run(entry, on: queue)?.status
  }

  /// Creates an I/O completion queue and remembers it.
  /// - Returns: the status.
  package func createCompletionQueue(
    _ id: Int, depth: UInt32 = 64, vector: UInt32? = nil, flags: UInt32 = 3
  ) -> UInt16? {
    let address = page()
    let status = status(
      of: Entry(
        opcode: 5, prp1: address,
        words: [(depth &- 1) << 16 | UInt32(id), (vector ?? UInt32(id)) << 16 | flags]))
    if status == 0 {
      pairs[id] = QueuePair(submissions: 0, completions: address, depth: 0, completionDepth: depth)
    }
    return status
  }

  /// Creates an I/O submission queue, whose completions are looked for in the queue with the same id.
  /// - Returns: the status.
  package func createSubmissionQueue(
    _ id: Int, on completionQueue: Int, depth: UInt32 = 64, flags: UInt32 = 1
  ) -> UInt16? {
    let address = page()
    let status = status(
      of: Entry(
        opcode: 1, prp1: address,
        words: [(depth &- 1) << 16 | UInt32(id), UInt32(completionQueue) << 16 | flags]))
    if status == 0 {
      pairs[id, default: QueuePair(submissions: 0, completions: 0, depth: 0)].submissions = address
      pairs[id]?.depth = depth
    }
    return status
  }

  /// Makes an I/O queue pair with equal ids.
  package func makeQueues(_ id: Int = 1, depth: UInt32 = 64, interrupts: Bool = true) -> Bool {
    let pair = QueuePair(submissions: page(1), completions: page(1), depth: depth)
    let size = (depth - 1) << 16 | UInt32(id)
    let vector = UInt32(id) << 16 | (interrupts ? 2 : 0) | 1
    guard
      status(of: Entry(opcode: 5, prp1: pair.completions, words: [size, vector])) == 0,
      status(of: Entry(opcode: 1, prp1: pair.submissions, words: [size, UInt32(id) << 16 | 1])) == 0
    else { return false }
    pairs[id] = pair
    return true
  }

  package func identify(_ structure: UInt32, namespace: UInt32 = 0, set: UInt32 = 0) -> (
    UInt16?, [UInt8]
  ) {
    let page = page()
    let status = status(
      of: Entry(opcode: 6, namespace: namespace, prp1: page, words: [structure, set << 24]))
    return (status, bytes(at: page, 4096))
  }

  /// Reads a log page of a number of bytes.
  package func logPage(
    _ page: UInt8, bytes count: UInt32, namespace: UInt32 = 0, flags: UInt32 = 0,
    words: [UInt32] = [0]
  ) -> (UInt16?, [UInt8]) {
    let address = self.page(3)
    let first = (count / 4 - 1) << 16 | flags | UInt32(page)
    let status = status(
      of: Entry(
        opcode: 2, namespace: namespace, prp1: address, prp2: address + 4096,
        words: [first] + words))
    return (status, bytes(at: address, Int(count)))
  }

  /// Where a queue's entries are in memory.
  package func submissions(of queue: Int) -> UInt64? { pairs[queue]?.submissions }

  /// Where a queue's completions are in memory.
  package func completions(of queue: Int) -> UInt64 { pairs[queue]?.completions ?? 0 }

  package func bytes(at address: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { (try? memory.load(at: address + UInt64($0), as: UInt8.self)) ?? 0 }
  }

  package func fill(_ address: UInt64, _ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { try? unsafe memory.write(at: address, from: $0) }
  }
}

/// The setup of nvmet_pci_epf.md, 24: 64 MiB in blocks of 512 bytes, eight MSI-X vectors, four I/O queues.
package func documentedModel(_ behaviour: Behaviour) -> ControllerModel {
  var model = ControllerModel(behaviour)
  model.vendorID = 0x1b96
  model.subsystemVendorID = 0x1b97
  model.serial = "0123456789"
  model.modelNumber = "Linux-pci-epf"
  model.firmware = "7.2.13"
  model.nqn = "nq"
  model.interrupts = .msix(vectors: 8)
  model.ioQueues = 4
  model.targetIOQueues = 4
  model.namespaces = [
    Namespace(
      id: 1, backend: .memory(MemoryStore(count: 64 << 20)), uuid: [UInt8](0..<16).map { $0 + 1 })
  ]
  return model
}
