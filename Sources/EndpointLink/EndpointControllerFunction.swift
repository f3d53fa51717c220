// SPDX-License-Identifier: Apache-2.0
public import PCI

/// The endpoint controller, a PCI device of the board.
///
/// BAR 0 has registers, BAR 2 is the window into host memory, BAR 4 has the MSI-X table.
/// - Source: endpoint-link.md, 1 and 2.
public final class EndpointControllerFunction: PausingFunction {
  let memory: HostMemory
  let functions: [LinkedFunction]
  weak var link: EndpointLink?

  public private(set) var configuration: ConfigurationSpace
  private var vectors: InterruptVectors
  private(set) var windows: LinkWindows
  /// Whether the device may access the board's memory.
  private(set) var isBusMaster = false
  private var isMemoryEnabled = false
  /// The board's bus addresses of BAR 2.
  private(set) var windowAddresses: Range<UInt64> = 0..<0
  public private(set) var counters = ControllerCounters()

  /// The result of the last mailbox operation: 0 or an errno.
  private var result: UInt32 = 0
  /// The low words of 64-bit registers, which act with their high words.
  private var low = (shared: UInt32(0), window: UInt32(0), map: UInt32(0))
  private var selection: (page: UInt32, pages: UInt32, function: Int)?
  /// The board's last write to the host, while it waits for the interrupt that tells of it.
  var heldWrite: HeldWrite?
  /// Counts the states of ``heldWrite``.
  var holdCount = 0

  public weak var host: (any HostInterface)? {
    didSet { if host == nil { forget() } }
  }

  init(memory: HostMemory, functions: [LinkedFunction], windowSize: UInt64) {
    self.memory = memory
    self.functions = functions
    windows = LinkWindows(size: windowSize)
    let small = BAR(size: BoardDevice.smallBARSize, is64Bit: false)
    configuration = ConfigurationSpace(
      header: Header(
        vendorID: BoardDevice.vendorID, deviceID: BoardDevice.deviceID,
        revisionID: BoardDevice.interfaceVersion, classCode: BoardDevice.classCode,
        subsystemVendorID: BoardDevice.vendorID, subsystemID: BoardDevice.deviceID,
        interruptPin: .none),
      bars: [
        BoardDevice.registerBAR: small, BoardDevice.windowBAR: BAR(size: windowSize),
        BoardDevice.tableBAR: small,
      ],
      capabilities: [
        .powerManagement(PowerManagement()),
        .msix(
          MSIX(
            vectors: BoardDevice.vectors, table: .init(bar: BoardDevice.tableBAR, offset: 0),
            pendingBits: .init(
              bar: BoardDevice.tableBAR, offset: UInt32(BoardDevice.pendingBitsOffset)))),
        .pciExpress(PCIExpress()),
      ])
    vectors = InterruptVectors(for: configuration, tableKeeper: .monitor)
  }

  // MARK: Configuration

  public func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
    releaseWrite()
    let change = configuration.write(offset: offset, width: width, value: value)
    guard !change.isEmpty else { return }
    if change.contains(.functionLevelReset) { return reset(.functionLevel) }
    update()
  }

  public func reset(_ kind: ResetKind) {
    configuration.reset(kind)
    vectors.reset(to: configuration) { [host] in Self.deliver($0, to: host) }
    update()
    forget()
  }

  private func update() {
    vectors.update(from: configuration) { [host] in Self.deliver($0, to: host) }
    let isAwake = configuration.powerState == .d0
    isMemoryEnabled = isAwake && configuration.command.contains(.memorySpace)
    let first = configuration.address(ofBAR: BoardDevice.windowBAR) ?? 0
    let (end, isBeyond) = first.addingReportingOverflow(windows.size)
    windowAddresses = isMemoryEnabled && !isBeyond ? first..<end : 0..<0
    let wasBusMaster = isBusMaster
    isBusMaster = isAwake && configuration.command.contains(.busMaster)
    if isBusMaster, !wasBusMaster { link?.publishAll() }
  }

  /// Forgets all that the board has written.
  private func forget() {
    releaseWrite()
    windows.removeAll()
    (result, low, selection) = (0, (0, 0, 0), nil)
    link?.boardReset()
  }

  // MARK: Interrupts

  func raise(_ vector: Int) { Self.deliver(vectors.raise(vector), to: host) }

  private static func deliver(_ action: InterruptVectors.Action, to host: (any HostInterface)?) {
    if case .message(let vector, _, _) = action { host?.interrupt(vector: vector) }
  }

  // MARK: BARs

  public func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    guard isMemoryEnabled else { return unsafe buffer.fillWithOnes() }
    releaseWrite()
    switch bar {
    case BoardDevice.registerBAR: unsafe readRegisters(offset, into: buffer)
    case BoardDevice.windowBAR: unsafe readWindows(offset, into: buffer)
    case BoardDevice.tableBAR where offset < BoardDevice.pendingBitsOffset:
      unsafe vectors.readTable(at: Int(offset), into: buffer)
    case BoardDevice.tableBAR where offset < BoardDevice.smallBARSize:
      unsafe vectors.readPendingBits(
        at: Int(offset - BoardDevice.pendingBitsOffset), into: buffer)
    default: unsafe buffer.fillWithOnes()
    }
  }

  public func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    guard isMemoryEnabled else { return }
    switch bar {
    case BoardDevice.registerBAR:
      // Two words are two writes, the low one first.
      guard offset % 4 == 0, buffer.count == 4 || buffer.count == 8 else { return }
      for start in stride(from: 0, to: buffer.count, by: 4) {
        let word = unsafe buffer.loadUnaligned(fromByteOffset: start, as: UInt32.self)
        write(UInt32(littleEndian: word), to: offset &+ UInt64(start))
      }
    case BoardDevice.windowBAR: unsafe writeWindows(offset, from: buffer)
    case BoardDevice.tableBAR where offset < BoardDevice.pendingBitsOffset:
      releaseWrite()
      unsafe vectors.writeTable(at: Int(offset), from: buffer) { [host] in
        Self.deliver($0, to: host)
      }
    default: break
    }
  }

  // MARK: Registers

  private func readRegisters(_ offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    guard offset % 4 == 0, buffer.count == 4 else { return unsafe buffer.fillWithOnes() }
    unsafe buffer.storeBytes(of: value(of: offset).littleEndian, as: UInt32.self)
  }

  private func value(of register: UInt64) -> UInt32 {
    switch register {
    case LinkRegister.magic: BoardDevice.magic
    case LinkRegister.version: UInt32(BoardDevice.interfaceVersion)
    case LinkRegister.features: features
    case LinkRegister.events: link?.takeEvents().rawValue ?? 0
    case LinkRegister.result: result
    default: 0
    }
  }

  private var features: UInt32 {
    let isLimited = windows.size / BoardDevice.pageSize > UInt64(BoardDevice.maximumWindows)
    let limit = isLimited ? UInt32(BoardDevice.maximumWindows) : 0
    // MSI-X, MSI and INTx.
    return 0b111 | UInt32(functions.count) << 8 | limit << 16
  }

  private func write(_ value: UInt32, to register: UInt64) {
    if register != LinkRegister.interrupt { releaseWrite() }
    switch register {
    case LinkRegister.acknowledge: link?.acknowledge(LinkEvents(rawValue: value))
    case LinkRegister.shared: low.shared = value
    case LinkRegister.shared + 4: link?.share(UInt64(value) << 32 | UInt64(low.shared))
    case LinkRegister.mailbox: runMailbox()
    case LinkRegister.interrupt: raiseAtHost(value)
    case LinkRegister.window: low.window = value
    case LinkRegister.window + 4:
      selection = (page: low.window, pages: value & 0xFF_FFFF, function: Int(value >> 24))
    case LinkRegister.map: low.map = value
    case LinkRegister.map + 4: map(to: UInt64(value) << 32 | UInt64(low.map))
    case LinkRegister.unmap: windows.unmap(firstPage: value)
    case LinkRegister.transfer: transfer(onChannel: value)
    default: break
    }
  }

  private func runMailbox() {
    do throws(MailboxError) {
      try link?.runMailbox()
      result = 0
    } catch { result = error.rawValue }
  }

  private func raiseAtHost(_ value: UInt32) {
    let function = Int(value >> 24)
    guard functions.indices.contains(function),
      let kind = InterruptType(rawValue: value >> 16 & 0xFF)
    else { return releaseWrite() }
    // The write is seen before a message, and not before the line has risen.
    if kind != .intx || function != heldWrite?.function { releaseWrite() }
    functions[function].raise(kind, number: Int(value & 0xFFFF))
    lineRaised()
  }

  private func map(to address: UInt64) {
    guard let selection, functions.indices.contains(selection.function) else { return }
    let isMapped = windows.map(
      firstPage: selection.page, pages: selection.pages, function: selection.function, to: address)
    if !isMapped { counters.refusedWindows += 1 }
    self.selection = nil
  }

  func removeWindows(of function: Int) { windows.removeAll(of: function) }

  // MARK: The window

  private func readWindows(_ start: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    counters.windowReads += 1
    forEachWindow(start, buffer.count) { memory, address, part in
      let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[part])
      guard let memory else { return unsafe part.fillWithOnes() }
      unsafe memory.readAccess(at: address, into: part)
    }
  }

  private func writeWindows(_ start: UInt64, from buffer: UnsafeRawBufferPointer) {
    counters.windowWrites += 1
    releaseWrite()
    if unsafe holdWrite(start, from: buffer) { return }
    forEachWindow(start, buffer.count) { memory, address, part in
      unsafe memory?.writeAccess(
        at: address, from: UnsafeRawBufferPointer(rebasing: buffer[part]))
    }
  }

  /// Calls a closure with each part of an access to BAR 2: the host's memory and its address, or nil where the access leads nowhere.
  private func forEachWindow(
    _ start: UInt64, _ count: Int, _ body: (HostMemory?, UInt64, Range<Int>) -> Void
  ) {
    var done = 0
    while done < count {
      let offset = start &+ UInt64(done)
      let left = UInt64(count - done)
      guard offset < windows.size else { return body(nil, 0, done..<count) }
      if let window = windows.window(at: offset) {
        let part = Int(min(left, window.offsets.upperBound - offset))
        let function = functions[window.function]
        body(
          function.canReachHost ? function.memory : nil,
          window.address + (offset - window.offsets.lowerBound), done..<done + part)
        done += part
      } else {
        let part = Int(min(left, windows.nextWindow(after: offset) - offset))
        guard part > 0 else { return body(nil, 0, done..<count) }
        body(nil, 0, done..<done + part)
        done += part
      }
    }
  }

  // MARK: Transfers

  private func transfer(onChannel number: UInt32) {
    guard let channel = TransferChannel(number: number),
      let base = link?.shared(SharedPage.transfers + SharedPage.transferStride * UInt64(number)),
      let transfer = Transfer(in: memory, at: base)
    else { return }
    let isDone = run(transfer, channel)
    counters.add(transfer, channel, isDone: isDone)
    Transfer.publish(isDone: isDone, in: memory, at: base)
    if transfer.interrupts { raise(BoardDevice.transferVector) }
  }
}

/// Counts since the link was created.
public struct ControllerCounters: Hashable, Sendable {
  public var windowReads = 0
  public var windowWrites = 0
  /// Windows that could not be mapped.
  public var refusedWindows = 0
  public var transfers = 0
  public var failedTransfers = 0
  public var bytesToHost: UInt64 = 0
  public var bytesFromHost: UInt64 = 0

  mutating func add(_ transfer: Transfer, _ channel: TransferChannel, isDone: Bool) {
    transfers += 1
    switch channel {
    case _ where !isDone: failedTransfers += 1
    case .toHost: bytesToHost += UInt64(transfer.length)
    case .fromHost: bytesFromHost += UInt64(transfer.length)
    case .memoryToMemory: break
    }
  }
}
