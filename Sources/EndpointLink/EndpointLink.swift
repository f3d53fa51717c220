// SPDX-License-Identifier: Apache-2.0
public import PCI

/// A PCIe link in software: an endpoint controller towards a board, and the functions that the board programs towards a host.
///
/// Belongs to one thread, has no clock and never waits. Nothing that either side writes traps, or takes unlimited work.
/// - Source: endpoint-link.md.
public final class EndpointLink {
  /// The events with which the board is told of a reset by the host.
  public enum ResetSignal: String, CaseIterable, Sendable {
    /// The link goes down and comes up.
    case hot
    /// PERST# is asserted and deasserted; then the link comes up.
    case perst
  }

  public struct Options: Sendable {
    /// 1 to 64.
    public var functions = 1
    /// The size of the window into host memory, bytes; a power of two from 4 KiB to 4 GiB.
    public var windowSize: UInt64 = 16 << 20
    public var resetSignal = ResetSignal.hot

    public init() {}
  }

  public let options: Options
  /// The memory of the board.
  public let boardMemory: HostMemory
  /// The board's device.
  public let controller: EndpointControllerFunction
  /// The host's functions, by number.
  public let functions: [LinkedFunction]
  /// Called for every change of the link.
  public var onNotice: ((LinkNotice) -> Void)?

  public private(set) var isStarted = false
  /// Whether the controller is started and a host is there.
  public private(set) var isUp = false
  /// Whether the host of the first function is there.
  private var isHostThere = false
  /// The bus address of the shared page; nil without one.
  private var sharedPage: UInt64?

  /// Events that the board has not read.
  private var unread: LinkEvents = []
  /// Events that the board has read and not acknowledged.
  private var unacknowledged: LinkEvents = []
  private var pendingReset: PendingReset?

  private struct PendingReset {
    /// The events that the board has yet to acknowledge.
    var awaited: LinkEvents
    /// Whether the link comes up after that.
    var isLinkUpNext: Bool
  }

  /// - Precondition: the options are in their ranges.
  public init(_ options: Options = Options()) {
    precondition((1...64).contains(options.functions), "a link has 1 to 64 functions")
    precondition(
      options.windowSize.nonzeroBitCount == 1
        && (BoardDevice.pageSize...1 << 32).contains(options.windowSize),
      "a window is a power of two from 4 KiB to 4 GiB")
    self.options = options
    let memory = HostMemory()
    boardMemory = memory
    functions = (0..<options.functions).map { LinkedFunction(number: $0, boardMemory: memory) }
    controller = EndpointControllerFunction(
      memory: memory, functions: functions, windowSize: options.windowSize)
    controller.link = self
    for function in functions { function.link = self }
  }

  /// Whether a reset of the host waits for the board.
  public var isResetPending: Bool { pendingReset != nil }

  /// The number of resets that have waited for the board.
  public private(set) var resetCount = 0

  /// Whether the host of a function can be served: there is something to see.
  public func isReady(_ function: Int) -> Bool {
    isStarted && functions[function].shown != nil
  }

  // MARK: Writes that wait for their interrupt

  /// A write of the board that its host does not see yet.
  public struct Hold: Hashable, Sendable {
    /// Another number is another hold.
    public var number: Int
    /// Whether the host's machine has yet to take the interrupt; otherwise it has not been raised.
    public var isRaised: Bool
  }

  /// The current one; nil without one.
  public var hold: Hold? {
    controller.heldWrite.map { Hold(number: controller.holdCount, isRaised: $0.isRaised) }
  }

  /// Ends the hold, if the host's machine has taken the interrupt.
  public func settleHold() { controller.settleWrite() }

  /// Ends the hold: there is no interrupt, or the host's machine does not take it.
  public func abandonHold() { controller.abandonWrite() }

  // MARK: Events

  private func signal(_ events: LinkEvents) {
    // Events that are set together happened in the order of their bits.
    if events.contains(.linkDown) { unread.remove(.linkUp) }
    if events.contains(.perstAsserted) { unread.subtract([.linkUp, .perstDeasserted]) }
    unread.formUnion(events)
    controller.raise(BoardDevice.eventVector)
  }

  /// Returns pending events and clears them.
  func takeEvents() -> LinkEvents {
    let events = unread
    unacknowledged.formUnion(events)
    unread = []
    return events
  }

  /// The board has dealt with events that it read.
  func acknowledge(_ events: LinkEvents) {
    let done = events.intersection(unacknowledged)
    unacknowledged.subtract(done)
    // An event that has happened again since then is not dealt with.
    pendingReset?.awaited.subtract(done.subtracting(unread))
    guard let reset = pendingReset, reset.awaited.isEmpty else { return }
    guard reset.isLinkUpNext else { return finishReset(.resetCompleted) }
    showPrograms()
    pendingReset = PendingReset(awaited: .linkUp, isLinkUpNext: false)
    setUp(true)
  }

  /// Ends the wait for the board after a reset of the host: it did not acknowledge it in time.
  public func abandonReset() {
    guard let reset = pendingReset else { return }
    finishReset(.resetTimedOut)
    if reset.isLinkUpNext { setUp(isStarted && isHostThere) }
  }

  private func finishReset(_ notice: LinkNotice) {
    pendingReset = nil
    showPrograms()
    onNotice?(notice)
  }

  /// Shows the host the functions that the board has programmed again during a reset.
  private func showPrograms() {
    guard isStarted else { return }
    for function in functions where function.program != function.shown { try? function.show() }
  }

  private func setUp(_ isUp: Bool) {
    guard isUp != self.isUp else { return }
    self.isUp = isUp
    for function in functions { function.updateState() }
    signal(isUp ? .linkUp : .linkDown)
    onNotice?(isUp ? .up : .down)
  }

  // MARK: The host

  /// The host of a function has accessed it.
  func hostArrived(_ function: LinkedFunction) {
    guard function.number == 0, !isHostThere, function.host != nil else { return }
    isHostThere = true
    if isStarted { setUp(true) }
  }

  /// The host of a function has disconnected.
  func hostLeft(_ function: LinkedFunction) {
    guard function.number == 0, isHostThere else { return }
    isHostThere = false
    pendingReset = nil
    showPrograms()
    setUp(false)
  }

  /// The host has reset a function.
  func hostReset(_ function: LinkedFunction, _ kind: ResetKind) {
    let isFirst = function.number == 0 && !isHostThere
    let isSignalled = function.number == 0 && isStarted && isUp && !isFirst
    onNotice?(.reset(function: function.number, isSignalled ? options.resetSignal : nil))
    if isFirst { return hostArrived(function) }
    guard isSignalled else { return }
    resetCount += 1
    switch options.resetSignal {
    case .hot:
      pendingReset = PendingReset(awaited: [.linkDown, .linkUp], isLinkUpNext: false)
      signal([.linkDown, .linkUp])
    case .perst:
      pendingReset = PendingReset(
        awaited: [.perstAsserted, .perstDeasserted], isLinkUpNext: true)
      isUp = false
      for function in functions { function.updateState() }
      signal([.perstAsserted, .perstDeasserted])
    }
  }

  /// Whether accesses of a function's host wait for the board.
  func isPaused(_ function: LinkedFunction) -> Bool { function.number == 0 && isResetPending }

  // MARK: The board

  /// Forgets all that the board has programmed.
  func boardReset() {
    let wasUsed = isStarted || sharedPage != nil
    let wasUp = isUp
    (sharedPage, unread, unacknowledged) = (nil, [], [])
    pendingReset = nil
    (isStarted, isUp) = (false, false)
    for function in functions { function.remove() }
    if wasUsed { onNotice?(.boardReset) }
    if wasUp { onNotice?(.down) }
  }

  /// - Parameter page: the bus address of the shared page; 0 takes it back.
  func share(_ page: UInt64) {
    sharedPage = page != 0 && page % BoardDevice.pageSize == 0 ? page : nil
    publishAll()
  }

  /// The bus address of a place in the shared page; nil if the board's device may not access it.
  func shared(_ offset: UInt64) -> UInt64? {
    controller.isBusMaster ? sharedPage.map { $0 + offset } : nil
  }

  func publishAll() {
    for function in functions { publish(function) }
  }

  /// Tells the board about the host's configuration of a function.
  func publish(_ function: LinkedFunction) {
    guard let address = shared(SharedPage.hostState + 4 * UInt64(function.number)) else { return }
    try? boardMemory.store(function.state.rawValue, at: address)
  }

  /// Runs the operation in the mailbox.
  func runMailbox() throws(MailboxError) {
    guard let page = shared(0) else { throw .noSharedPage }
    let request = try MailboxRequest(in: boardMemory, at: page)
    guard let operation = MailboxOperation(rawValue: request.operation) else {
      throw .unknownOperation
    }
    switch operation {
    case .start: return try start()
    case .stop: return stop()
    case .setHeader, .setBAR, .clearBAR, .setMSI, .setMSIX, .remove: break
    }
    guard request.function < functions.count else { throw .noSuchFunction }
    let function = functions[Int(request.function)]
    if operation == .remove {
      function.remove()
      return controller.removeWindows(of: function.number)
    }
    try function.change(isFree: !isStarted || isResetPending) {
      (program) throws(MailboxError) in
      switch operation {
      case .setHeader: try program.setHeader(request)
      case .setBAR: try program.setBAR(request)
      case .clearBAR: try program.clearBAR(request)
      case .setMSI: try program.setMSI(request)
      case .setMSIX: try program.setMSIX(request)
      case .start, .stop, .remove: break
      }
    }
  }

  private func start() throws(MailboxError) {
    guard !isStarted else { throw .busy }
    for function in functions { try function.check() }
    isStarted = true
    for function in functions { try function.show() }
    onNotice?(.started)
    if isHostThere { setUp(true) }
  }

  private func stop() {
    guard isStarted else { return }
    isStarted = false
    pendingReset = nil
    for function in functions { function.hide() }
    onNotice?(.stopped)
    setUp(false)
  }
}
