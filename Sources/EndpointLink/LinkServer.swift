// SPDX-License-Identifier: Apache-2.0
public import VFIOUser

/// Serves a link: the board's device at one socket, and each function at its own, on one thread.
///
/// A host that connects before the board has started its function waits for that, without a reply.
/// - Source: endpoint-link.md, 8.
public final class LinkServer {
  private let link: EndpointLink
  private let group: ServerGroup

  /// The limit for the board to acknowledge a reset of the host: QEMU waits 5 s for the reply.
  public static let resetLimit = Duration.seconds(4)

  /// - Parameter hosts: the sockets of functions 0 and on; functions without a socket have no host.
  public init(_ link: EndpointLink, board: Listener, hosts: [Listener]) {
    self.link = link
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
    group.run(until: stop, observer: Observer(link, report))
    link.onNotice = nil
  }

  private final class Observer: ServerGroupObserver {
    private let link: EndpointLink
    private let report: (LinkNotice) -> Void
    private var resetDeadline: ContinuousClock.Instant?
    private var resetCount = 0

    init(_ link: EndpointLink, _ report: @escaping (LinkNotice) -> Void) {
      self.link = link
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
      guard link.isResetPending else {
        resetDeadline = nil
        return
      }
      guard let deadline = resetDeadline, resetCount == link.resetCount else {
        (resetDeadline, resetCount) = (.now + LinkServer.resetLimit, link.resetCount)
        return
      }
      if deadline <= .now { link.abandonReset() }
    }

    var nanosecondsToReport: UInt64? {
      guard let resetDeadline else { return nil }
      let left = max(.zero, resetDeadline - .now).components
      return UInt64(left.seconds) * 1_000_000_000 + UInt64(left.attoseconds / 1_000_000_000)
    }
  }
}
