// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
public import PCI

/// The events of a running group of servers, by the number of the member. Called on its thread.
public protocol ServerGroupObserver: AnyObject {
  /// Whether a client of a member can be served now. If not, its connection waits, without a reply.
  func isReady(_ member: Int) -> Bool

  /// A client has connected.
  func clientConnected(_ member: Int)

  /// The client has disconnected, or was disconnected because of an error.
  /// - Parameter reason: nil if the client disconnected.
  func clientLeft(_ member: Int, _ reason: String?)

  /// The servers have done something.
  func worked()

  /// Nanoseconds until the next call of ``worked()`` without an event; nil for never.
  var nanosecondsToReport: UInt64? { get }
}

/// Serves several functions on one thread, each to one vfio-user client after the other.
///
/// Never waits for one client alone: one that does not read its replies gets no more of them. The functions reach only memory that is mapped, and have no work in real time. A client of a
/// ``PausingFunction`` waits while an access is not complete.
public final class ServerGroup {
  public struct Member {
    public var function: any Function
    /// The memory of the function's host, without regions.
    public var memory: HostMemory
    public var listener: Listener

    public init(_ function: any Function, memory: HostMemory, at listener: Listener) {
      self.function = function
      self.memory = memory
      self.listener = listener
    }
  }

  private enum Client {
    case none
    /// The connection of a client that is not served yet.
    case waiting(OpenDescriptor)
    case served(Session, OpenDescriptor)
  }

  private struct Place {
    var member: Member
    var client = Client.none
    /// Whether requests may be left that have arrived.
    var hasMore = false
  }

  private var places: [Place]
  /// The stop descriptor, the socket of each member, and the event of its line that is awaited. (Stored, so that waiting does not allocate.)
  private var polled: [pollfd]
  private var acceptor: Acceptor

  public convenience init(_ members: [Member]) { self.init(members, Acceptor()) }

  init(_ members: [Member], _ acceptor: Acceptor) {
    self.acceptor = acceptor
    places = members.map { Place(member: $0) }
    polled = (0...2 * members.count).map { _ in pollfd(fd: -1, events: Int16(POLLIN), revents: 0) }
  }

  /// Serves until a descriptor becomes readable.
  public func run(until stop: CInt, observer: any ServerGroupObserver) {
    defer { for index in places.indices { end(index, nil, observer) } }
    polled[0].fd = stop
    while true {
      let pause = acceptor.takePause()
      let isIdle = prepareWait(observer, accepts: pause == nil)
      let wait = min(observer.nanosecondsToReport ?? .max, pause ?? .max)
      let limit: Int64 = !isIdle ? 0 : wait == .max ? -1 : Int64(clamping: wait)
      guard unsafe epfnvme_poll(&polled, UInt32(polled.count), limit) >= 0 else {
        // The machine has no memory for the wait.
        sched_yield()
        continue
      }
      if polled[0].revents != 0 { return }
      for index in places.indices { step(index, until: stop, observer) }
      observer.worked()
    }
  }

  /// Selects the descriptors to wait for.
  /// - Parameter accepts: whether clients can connect.
  /// - Returns: whether there is nothing to do before one of them is ready.
  private func prepareWait(_ observer: any ServerGroupObserver, accepts: Bool) -> Bool {
    var isIdle = true
    for (index, place) in places.enumerated() {
      var events = CInt(POLLIN)
      var awaited: OpenDescriptor?
      switch place.client {
      case .none:
        polled[index + 1].fd = accepts ? place.member.listener.descriptor.number : -1
      case .waiting(let connection):
        polled[index + 1].fd = connection.number
        // The end of the connection is always reported.
        events = 0
        if observer.isReady(index) { isIdle = false }
      case .served(let session, let connection):
        polled[index + 1].fd = connection.number
        if session.isPaused {
          events = 0
        } else if session.isSending {
          events = POLLOUT
        } else if place.hasMore || session.canResume {
          isIdle = false
        }
        awaited = session.events.unreadLineEvent
      }
      polled[index + 1].events = Int16(events)
      polled[index + 1 + places.count].fd = awaited?.number ?? -1
      polled[index + 1 + places.count].events = Int16(POLLOUT)
    }
    return isIdle
  }

  /// Serves a place whose descriptor may be ready.
  private func step(_ index: Int, until stop: CInt, _ observer: any ServerGroupObserver) {
    if let ending = advance(index, until: stop, observer) { end(index, ending.reason, observer) }
  }

  /// The end of a client.
  private struct Ending {
    /// Nil if the client disconnected.
    var reason: String?
  }

  /// - Returns: nil while there is no client, or it goes on.
  private func advance(
    _ index: Int, until stop: CInt, _ observer: any ServerGroupObserver
  ) -> Ending? {
    let ready = CInt(polled[index + 1].revents)
    let hasEnded = ready & (POLLHUP | POLLERR) != 0 && ready & POLLIN == 0
    switch places[index].client {
    case .none:
      guard ready != 0 else { return nil }
      guard let connection = acceptor.accept(places[index].member.listener.descriptor) else {
        return nil
      }
      places[index].client = .waiting(connection)
      observer.clientConnected(index)
      serveWaiting(index, until: stop, observer)
    case .waiting:
      if hasEnded { return Ending() }
      serveWaiting(index, until: stop, observer)
    case .served(let session, _):
      if session.isPaused { return hasEnded ? Ending() : nil }
      guard ready != 0 || places[index].hasMore || session.canResume else { return nil }
      do throws(Channel.Failure) { places[index].hasMore = try session.advance() } catch {
        return Ending(reason: error.reason)
      }
    }
    return nil
  }

  /// Begins to serve a client that has waited, if possible.
  private func serveWaiting(
    _ index: Int, until stop: CInt, _ observer: any ServerGroupObserver
  ) {
    guard case .waiting(let connection) = places[index].client, observer.isReady(index) else {
      return
    }
    let channel = Channel(
      connection, stop: stop, limit: TransferLimit.message, waitsToSend: false)
    let member = places[index].member
    let session = Session(
      member.function, memory: member.memory, channel: channel, reachesMemoryByMessages: false,
      clients: places.count)
    places[index].client = .served(session, connection)
    places[index].hasMore = true
  }

  private func end(_ index: Int, _ reason: String?, _ observer: any ServerGroupObserver) {
    guard release(index) else { return }
    // All that the client had is closed by now.
    observer.clientLeft(index, reason)
  }

  /// - Returns: whether there was a client.
  private func release(_ index: Int) -> Bool {
    switch places[index].client {
    case .none: return false
    case .waiting: break
    case .served(let session, _):
      // The reset at the end is none of the host's.
      session.function.host = nil
      session.end()
    }
    places[index].client = .none
    places[index].hasMore = false
    return true
  }
}
