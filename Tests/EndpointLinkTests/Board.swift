// SPDX-License-Identifier: Apache-2.0
import EndpointLink
import PCI

/// A board in process: it uses the controller's registers as the kernel module does.
final class Board: HostInterface {
  /// Its RAM: low, and above 4 GiB.
  static let memory: UInt64 = 0x10_0000
  static let highMemory: UInt64 = 0x1_0000_0000
  static let memoryCount = 1 << 20
  static let page: UInt64 = memory
  static let window: UInt64 = 0x20_0000_0000
  /// The memory behind BAR 0 of the first function.
  static let bar: UInt64 = memory + 0x10000

  let link: EndpointLink
  var interrupts: [Int] = []
  var memory: HostMemory { link.boardMemory }
  var device: EndpointControllerFunction { link.controller }

  /// - Parameter isSetUp: whether the device is enabled and has a shared page.
  init(_ options: EndpointLink.Options = .init(), isSetUp: Bool = true) throws {
    link = EndpointLink(options)
    try memory.add(at: Self.memory, count: Self.memoryCount)
    try memory.add(at: Self.highMemory, count: Self.memoryCount)
    device.host = self
    guard isSetUp else { return }
    enable()
    share(Self.page)
  }

  /// Places BAR 2, enables memory space, bus mastering and MSI-X.
  func enable() {
    device.writeConfiguration(
      offset: 0x18, width: .doubleword, value: UInt32(truncatingIfNeeded: Self.window))
    device.writeConfiguration(
      offset: 0x1C, width: .doubleword, value: UInt32(Self.window >> 32))
    device.writeConfiguration(offset: 0x04, width: .word, value: 0x0006)
    guard let msix = device.configuration.find(.msix) else { return }
    device.writeConfiguration(offset: msix + 2, width: .word, value: 0x8000)
  }

  func interrupt(vector: Int) { interrupts.append(vector) }
  func intx(asserted: Bool) {}

  func takeInterrupts() -> [Int] {
    defer { interrupts = [] }
    return interrupts
  }

  // MARK: Registers

  func read(_ register: UInt64) -> UInt32 { device.word(0, register) }
  func write(_ register: UInt64, _ value: UInt32) { device.write(0, register, value) }
  func write64(_ register: UInt64, _ value: UInt64) {
    write(register, UInt32(truncatingIfNeeded: value))
    write(register + 4, UInt32(value >> 32))
  }

  func share(_ address: UInt64) { write64(0x18, address) }

  /// Runs a mailbox operation.
  /// - Returns: its result.
  func run(
    _ operation: UInt32, _ function: UInt32 = 0, _ arguments: [UInt32] = [], address: UInt64 = 0,
    size: UInt64 = 0
  ) throws -> UInt32 {
    try memory.store(operation, at: Self.page + 0x100)
    try memory.store(function, at: Self.page + 0x104)
    for index in 0..<6 {
      try memory.store(
        index < arguments.count ? arguments[index] : 0, at: Self.page + 0x108 + 4 * UInt64(index))
    }
    try memory.store(address, at: Self.page + 0x120)
    try memory.store(size, at: Self.page + 0x128)
    write(0x20, 1)
    return read(0x14)
  }

  static let header: [UInt32] = [0x5678_1234, 0x0108_0221, 16, 0x2222_1111, 1]

  func setHeader(_ function: UInt32 = 0) throws -> UInt32 { try run(1, function, Self.header) }

  func setBAR(
    _ index: UInt32 = 0, flags: UInt32 = 4, at address: UInt64 = Board.bar, size: UInt64 = 0x4000,
    function: UInt32 = 0
  ) throws -> UInt32 {
    try run(2, function, [index, flags], address: address, size: size)
  }

  func start() throws -> UInt32 { try run(6) }
  func stop() throws -> UInt32 { try run(7) }

  /// Programs functions with a header, a BAR of 16 KiB, 8 MSI and 16 MSI-X vectors, and starts.
  func startAll() throws {
    for function in 0..<UInt32(link.functions.count) {
      let bar = Self.bar + 0x4000 * UInt64(function)
      let results = [
        try setHeader(function), try setBAR(at: bar, function: function),
        try run(4, function, [8]), try run(5, function, [16, 0, 0x2000]),
      ]
      guard results == [0, 0, 0, 0] else { throw Failure(results: results) }
    }
    let result = try start()
    guard result == 0 else { throw Failure(results: [result]) }
  }

  struct Failure: Error { var results: [UInt32] }

  // MARK: Events

  func events() -> LinkEvents { LinkEvents(rawValue: read(0x0C)) }
  func acknowledge(_ events: LinkEvents) { write(0x10, events.rawValue) }

  /// Reads events and acknowledges them at once.
  @discardableResult func serveEvents() -> LinkEvents {
    let events = events()
    acknowledge(events)
    return events
  }

  func hostState(_ function: Int = 0) throws -> HostState {
    HostState(rawValue: try memory.load(at: Self.page + 4 * UInt64(function), as: UInt32.self))
  }

  /// - Parameter kind: 0 INTx, 1 MSI, 2 MSI-X.
  func raise(_ kind: UInt32, _ number: UInt32, function: UInt32 = 0) {
    write(0x24, function << 24 | kind << 16 | number)
  }

  // MARK: Windows and DMA

  func map(page: UInt32, pages: UInt32, to address: UInt64, function: UInt32 = 0) {
    write64(0x28, UInt64(function << 24 | pages) << 32 | UInt64(page))
    write64(0x30, address)
  }

  func unmap(page: UInt32) { write(0x38, page) }

  enum Channel: UInt32 {
    case toHost, fromHost, memoryToMemory
    /// The second pair, and the last channel.
    case secondToHost, secondFromHost
    case last = 55
  }

  /// Runs a transfer.
  /// - Returns: the descriptor's status.
  func transfer(
    _ channel: Channel, local: UInt64, remote: UInt64, length: UInt32, function: UInt32 = 0,
    interrupts: Bool = false
  ) throws -> UInt32 {
    let base = Self.page + 0x200 + 64 * UInt64(channel.rawValue)
    try memory.store(local, at: base)
    try memory.store(remote, at: base + 8)
    try memory.store(length, at: base + 16)
    try memory.store(function, at: base + 20)
    try memory.store(UInt32(interrupts ? 1 : 0), at: base + 24)
    try memory.store(UInt32(1), at: base + 28)
    write(0x3C, channel.rawValue)
    return try memory.load(at: base + 28, as: UInt32.self)
  }
}
