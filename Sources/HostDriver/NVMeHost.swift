// SPDX-License-Identifier: Apache-2.0
internal import Numbers
public import NVMe
public import PCI

/// The operations that all hosts share: registers, queue pairs in memory, commands from submission to completion.
///
/// Accesses the device through its PCI function only. Deterministic: it polls memory and advances time with its clock.
public class NVMeHost: HostInterface {
  public let memory: HostMemory
  let function: any Function
  let clock: any HostClock
  var queues: [QueuePair] = []
  private var nextPage: UInt64
  private var identifier: UInt16 = 0
  /// Interrupts by vector.
  public private(set) var interrupts: [Int: Int] = [:]

  /// - Parameter memory: at least 4 MiB from address 0; the host uses it from 64 KiB on.
  public init(_ function: any Function, memory: HostMemory, clock: any HostClock) {
    self.function = function
    self.memory = memory
    self.clock = clock
    nextPage = 0x1_0000
    function.host = self
  }

  public func interrupt(vector: Int) { interrupts[vector, default: 0] += 1 }
  public func intx(asserted: Bool) { if asserted { interrupts[0, default: 0] += 1 } }

  // MARK: Registers

  /// The value of a register: 32 or 64 bits.
  public func value(of register: Register) -> UInt64 {
    register.byteCount == 8 ? read64(register) : UInt64(read(register))
  }

  func read(_ register: Register) -> UInt32 { read(at: register.offset) }
  func write(_ register: Register, _ value: UInt32) { write(at: register.offset, value) }

  func read(at offset: Int) -> UInt32 {
    var value: UInt32 = 0
    unsafe withUnsafeMutableBytes(of: &value) {
      unsafe function.readBAR(0, offset: UInt64(offset), into: $0)
    }
    return UInt32(littleEndian: value)
  }

  func write(at offset: Int, _ value: UInt32) {
    unsafe withUnsafeBytes(of: value.littleEndian) {
      unsafe function.writeBAR(0, offset: UInt64(offset), from: $0)
    }
  }

  func read64(_ register: Register) -> UInt64 {
    UInt64(read(register)) | UInt64(read(at: register.offset + 4)) << 32
  }

  func write64(_ register: Register, _ value: UInt64) {
    write(register, UInt32(truncatingIfNeeded: value))
    write(at: register.offset + 4, UInt32(value >> 32))
  }

  /// Unused pages, zeroed: entries of an earlier host are not valid for this one.
  func page(_ count: UInt64 = 1) -> UInt64 {
    defer { nextPage += 4096 * count }
    let zeroes = [UInt8](repeating: 0, count: 4096)
    for index in 0..<count { try? put(zeroes, at: nextPage + 4096 * index) }
    return nextPage
  }

  /// The address of BAR 0, with memory and bus master enabled.
  func enableFunction() throws(HostError) {
    function.writeConfiguration(offset: 0x10, width: .doubleword, value: 0xfe00_0000)
    function.writeConfiguration(offset: 0x14, width: .doubleword, value: 0)
    function.writeConfiguration(offset: 0x04, width: .word, value: 0x0006)
    guard read(.status) != .max else {
      throw HostError(step: "CSTS", message: "the device is gone")
    }
  }

  /// MSI-X, else MSI.
  /// - Parameter address: of the messages; each host on a machine has its own, that of the processor which takes them.
  /// - Returns: how many vectors there are; 1 with neither.
  @discardableResult
  func enableInterrupts(at address: UInt32 = 0xfee0_0000) -> Int {
    var offset = Int(function.configuration.read(offset: 0x34, width: .byte))
    while offset != 0 {
      let id = function.configuration.read(offset: offset, width: .byte)
      if id == 0x11 {
        let control = function.configuration.read(offset: offset + 2, width: .word)
        let place = function.configuration.read(offset: offset + 4, width: .doubleword)
        for vector in 0...Int(control & 0x7ff) {
          let entry = Int(place & ~7) + 16 * vector
          write(at: entry, address)
          write(at: entry + 4, 0)
          write(at: entry + 8, UInt32(vector))
          write(at: entry + 12, 0)
        }
        function.writeConfiguration(offset: offset + 2, width: .word, value: control | 0x8000)
        return Int(control & 0x7ff) + 1
      }
      if id == 0x05 {
        let control = function.configuration.read(offset: offset + 2, width: .word)
        function.writeConfiguration(offset: offset + 4, width: .doubleword, value: address)
        // As many vectors as it offers.
        function.writeConfiguration(
          offset: offset + 2, width: .word,
          value: control & ~0x70 | (control >> 1 & 7) << 4 | 1)
        return 1 << Int(control >> 1 & 7)
      }
      offset = Int(function.configuration.read(offset: offset + 1, width: .byte))
    }
    return 1
  }

  /// Whether the host stops waiting for RDY when CSTS.CFS is set.
  var endsWaitAtFatal: Bool { true }

  /// The words for a controller that did not become ready.
  func notReady(_ step: String, after milliseconds: UInt64, status: UInt32) -> String {
    "device not ready after \(milliseconds) ms, CSTS=\(hexadecimal(status))"
  }

  /// The words for a command without a completion.
  func timedOut(_ queue: Int, after milliseconds: UInt64) -> String {
    "a command did not complete within \(milliseconds / 1000) s"
  }

  func wait(for ready: UInt32, _ limit: UInt64, _ step: String) throws(HostError) {
    var waited: UInt64 = 0
    while read(.status) & 1 != ready {
      let status = read(.status)
      if status & 2 != 0, endsWaitAtFatal {
        throw HostError(
          step: step, message: "fatal controller status, CSTS=\(hexadecimal(status))")
      }
      guard waited < limit else {
        throw HostError(step: step, message: notReady(step, after: limit, status: status))
      }
      clock.wait(milliseconds: 1)
      waited += 1
    }
  }

  // MARK: Commands

  /// A command on the admin queue: namespace, data pointers, dwords from 10 on.
  public func execute(
    _ opcode: AdminOpcode, namespace: UInt32 = 0, prp1: UInt64 = 0, prp2: UInt64 = 0,
    words: [UInt32] = []
  ) throws(HostError) -> CompletionEntry {
    try execute(
      SubmissionEntry(
        opcode: opcode.rawValue, id: 0, namespaceID: namespace, prp1: prp1, prp2: prp2,
        words: words), on: 0)
  }

  /// A command on an I/O queue.
  public func execute(
    _ opcode: NVMOpcode, namespace: UInt32, prp1: UInt64 = 0, prp2: UInt64 = 0,
    words: [UInt32] = [], on queue: Int
  ) throws(HostError) -> CompletionEntry {
    try execute(
      SubmissionEntry(
        opcode: opcode.rawValue, id: 0, namespaceID: namespace, prp1: prp1, prp2: prp2,
        words: words), on: queue)
  }

  func execute(
    _ command: SubmissionEntry, on queue: Int
  ) throws(HostError) -> CompletionEntry {
    let id = try submit(command, to: queue)
    ring(queue)
    let completion = try reap(queue)
    guard completion.commandID == id else {
      throw HostError(
        step: "queue \(queue)",
        message: "invalid id \(completion.commandID) completed, expected \(id)")
    }
    return completion
  }

  /// Puts a command into a queue, with a unique identifier.
  func submit(_ command: SubmissionEntry, to queue: Int) throws(HostError) -> UInt16 {
    identifier &+= 1
    var entry = command
    entry.id = identifier
    do { try queues[queue].put(entry, in: memory) } catch { throw Self.memoryError(error) }
    return identifier
  }

  func ring(_ queue: Int) { write(at: Register.doorbells + 8 * queue, queues[queue].tail) }

  /// The next completion of a queue.
  /// - Parameter milliseconds: the timeout; by default a minute, as the kernel's for admin commands.
  func reap(
    _ queue: Int, milliseconds: UInt64 = 60_000
  ) throws(HostError) -> CompletionEntry {
    for waited in 0... {
      if let entry = try takeCompletion(queue) {
        write(at: Register.doorbells + 4 + 8 * queue, queues[queue].head)
        return entry
      }
      if waited >= milliseconds { break }
      clock.wait(milliseconds: 1)
    }
    throw HostError(step: "queue \(queue)", message: timedOut(queue, after: milliseconds))
  }

  private func takeCompletion(_ queue: Int) throws(HostError) -> CompletionEntry? {
    do { return try queues[queue].take(from: memory) } catch { throw Self.memoryError(error) }
  }

  private static func memoryError(_ error: HostMemoryError) -> HostError {
    HostError(step: "memory", message: "\(error)")
  }

  func store<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at address: UInt64
  ) throws(HostError) {
    do { try memory.store(value, at: address) } catch { throw Self.memoryError(error) }
  }

  func load<T: FixedWidthInteger & BitwiseCopyable>(
    at address: UInt64, as type: T.Type
  ) throws(HostError) -> T {
    do { return try memory.load(at: address, as: type) } catch { throw Self.memoryError(error) }
  }

  func bytes(at address: UInt64, _ count: Int) throws(HostError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let isThere = unsafe bytes.withUnsafeMutableBytes {
      (try? unsafe memory.read(at: address, into: $0)) != nil
    }
    guard isThere else { throw Self.noMemory(address, count) }
    return bytes
  }

  func put(_ bytes: [UInt8], at address: UInt64) throws(HostError) {
    let isThere = unsafe bytes.withUnsafeBytes {
      (try? unsafe memory.write(at: address, from: $0)) != nil
    }
    guard isThere else { throw Self.noMemory(address, bytes.count) }
  }

  static func noMemory(_ address: UInt64, _ count: Int) -> HostError {
    HostError(
      step: "memory", message: "no \(count) bytes at \(hexadecimal(address))")
  }

  func check(_ completion: CompletionEntry, _ step: String) throws(HostError) {
    guard completion.status.isSuccess else {
      throw HostError(step: step, message: "\(completion.status)")
    }
  }

  /// Identify: the 4096 bytes of a data structure.
  public func identify(
    _ structure: IdentifyStructure, _ namespace: UInt32 = 0
  ) throws(HostError) -> [UInt8] {
    let page = page()
    try check(
      execute(
        .identify, namespace: namespace, prp1: page, words: [UInt32(structure.rawValue), 0]),
      "\(structure)")
    return try bytes(at: page, 4096)
  }

  /// A data structure of Identify.
  func identify<Data: DataStructure>(
    _ structure: IdentifyStructure, _ namespace: UInt32 = 0, as type: Data.Type
  ) throws(HostError) -> Data {
    guard let data = try Data(bytes: identify(structure, namespace)) else {
      throw HostError(step: "\(structure)", message: "too few bytes")
    }
    return data
  }

  static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
    (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
  }
}
