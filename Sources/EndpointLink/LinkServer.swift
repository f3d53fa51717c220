// SPDX-License-Identifier: Apache-2.0
public import VFIOUser

/// Serves a link: the board's device at one socket, and each function at its own, on one thread.
///
/// A host that connects before the board has started its function waits for that, without a reply.
/// - Source: endpoint-link.md, 8.
public final class LinkServer {
  private let link: EndpointLink
  private let group: ServerGroup
  private let limits: Limits

  /// The time-outs of the link for either side.
  public struct Limits: Sendable {
    /// For the board to acknowledge a reset of the host: QEMU waits 5 s for the reply.
    public var reset = Duration.seconds(4)
    /// For the interrupt that follows a write of the board, with INTx.
    public var interrupt = Duration.milliseconds(1)
    /// For the host's machine to take that interrupt.
    public var line = Duration.milliseconds(100)

    public init() {}
  }

  /// - Parameter hosts: the sockets of functions 0 and on; functions without a socket have no host.
  public init(
    _ link: EndpointLink, board: Listener, hosts: [Listener], limits: Limits = Limits()
  ) {
    self.link = link
    self.limits = limits
    let functions = zip(link.functions, hosts).map { function, listener in
      ServerGroup.Member(function, memory: function.memory, at: listener)
    }
    group = ServerGroup(
      [ServerGroup.Member(link.controller, memory: link.boardMemory, at: board)] + functions)
  }

  /// Serves until a descriptor becomes readable.
  /// - Parameter report: called for every change of the link and of its clients.
  public func run(until stop: CInt, report: @escaping (LinkNotice) -> Void) {
    link.onNotice = report
    group.run(until: stop, observer: Observer(link, limits, report))
    link.onNotice = nil
  }

  private final class Observer: ServerGroupObserver {
    private let link: EndpointLink
    private let limits: Limits
    private let report: (LinkNotice) -> Void
    private var reset = Deadline()
    private var hold = Deadline()

    init(_ link: EndpointLink, _ limits: Limits, _ report: @escaping (LinkNotice) -> Void) {
      self.link = link
      self.limits = limits
      self.report = report
    }

    func isReady(_ member: Int) -> Bool { member == 0 || link.isReady(member - 1) }

    func clientConnected(_ member: Int) {
      report(member == 0 ? .boardConnected : .hostConnected(function: member - 1))
    }

    func clientLeft(_ member: Int, _ reason: String?) {
      report(
        member == 0 ? .boardLeft(reason: reason) : .hostLeft(function: member - 1, reason: reason))
    }

    func worked() {
      link.settleHold()
      let resetLimit = link.isResetPending ? limits.reset : nil
      if reset.isOver(link.resetCount, within: resetLimit) { link.abandonReset() }
      let holdLimit = link.hold.map { $0.isRaised ? limits.line : limits.interrupt }
      if hold.isOver(link.hold?.number ?? 0, within: holdLimit) { link.abandonHold() }
    }

    var nanosecondsToReport: UInt64? {
      guard let first = reset.instant ?? hold.instant else { return nil }
      let instant = min(first, hold.instant ?? first)
      let left = max(.zero, instant - .now).components
      return UInt64(left.seconds) * 1_000_000_000 + UInt64(left.attoseconds / 1_000_000_000)
    }
  }

  /// When something that waits has waited too long.
  private struct Deadline {
    /// Nil while nothing waits.
    private(set) var instant: ContinuousClock.Instant?
    private var number = 0

    /// - Parameters:
    ///   - number: another number is another wait.
    ///   - limit: from the first call on; nil while nothing waits.
    mutating func isOver(_ number: Int, within limit: Duration?) -> Bool {
      guard let limit else {
        instant = nil
        return false
      }
      guard let instant, number == self.number else {
        (self.instant, self.number) = (.now + limit, number)
        return false
      }
      return instant <= .now
    }
  }
}
