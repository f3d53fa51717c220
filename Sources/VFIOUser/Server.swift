// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
public import PCI

/// The events of a running server. Called on its thread.
public protocol ServerObserver: AnyObject {
  /// A client has connected: for the function, a host has been switched on. The observer brings the function's link up.
  func clientConnected()

  /// The client has disconnected, or was disconnected because of an error. The observer takes the link down.
  /// - Parameter reason: nil if the client disconnected.
  func clientLeft(_ reason: String?)

  /// The server has done something.
  func worked()

  /// Nanoseconds until the next call of ``worked()`` without an event; nil for never.
  var nanosecondsToReport: UInt64? { get }
}

/// Serves a function to one vfio-user client after the other: QEMU's `vfio-user-pci`, for example.
///
/// Runs on one thread, which owns the function and its memory meanwhile.
/// - Source: QEMU `docs/interop/vfio-user.rst`.
public final class Server {
  private let function: any Function
  private let memory: HostMemory
  private let listener: Listener
  private var acceptor: Acceptor

  /// - Parameter memory: the host memory of the function, without regions.
  public convenience init(_ function: any Function, memory: HostMemory, at listener: Listener) {
    self.init(function, memory: memory, at: listener, Acceptor())
  }

  init(
    _ function: any Function, memory: HostMemory, at listener: Listener, _ acceptor: Acceptor
  ) {
    self.acceptor = acceptor
    self.function = function
    self.memory = memory
    self.listener = listener
  }

  /// Serves until a descriptor becomes readable.
  public func run(until stop: CInt, observer: any ServerObserver) {
    while true {
      let pause = acceptor.takePause()
      let wait = min(observer.nanosecondsToReport ?? .max, pause ?? .max)
      let ready = waitToRead(
        [stop] + (pause == nil ? [listener.descriptor.number] : []),
        nanoseconds: wait == .max ? nil : wait)
      if let ready, ready[0] { return }
      if pause == nil, let connection = acceptor.accept(listener.descriptor) {
        let end = serve(connection, until: stop, observer)
        // All that the client had is closed by now.
        observer.clientLeft(end.reason)
        if end == .stopped { return }
      }
      observer.worked()
    }
  }

  /// Serves one client.
  /// - Returns: why it ended.
  private func serve(
    _ connection: OpenDescriptor, until stop: CInt, _ observer: any ServerObserver
  ) -> Channel.Failure {
    let channel = Channel(connection, stop: stop, limit: TransferLimit.message)
    let session = Session(function, memory: memory, channel: channel)
    observer.clientConnected()
    do throws(Channel.Failure) {
      while true {
        try session.step(limit: observer.nanosecondsToReport)
        observer.worked()
      }
    } catch {
      session.end()
      return error
    }
  }
}

extension Channel.Failure {
  /// Nil without an error.
  var reason: String? {
    switch self {
    case .closed, .stopped: nil
    case .outOfStep(let what): "it violated the protocol: \(what)"
    case .system(let errno): unsafe String(cString: strerror(errno))
    case .unresponsive: "it does not reply"
    case .refusedByClient: "it refused a request"
    }
  }
}

/// Waits for descriptors.
/// - Returns: which of them are ready, or have failed; nil when the machine has no memory for the wait.
private func waitToRead(_ wanted: [CInt], nanoseconds: UInt64?) -> [Bool]? {
  var descriptors = wanted.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  let limit = nanoseconds.map { Int64(clamping: $0) } ?? -1
  let status = unsafe epfnvme_poll(&descriptors, UInt32(descriptors.count), limit)
  guard status >= 0 else { return nil }
  return descriptors.map { $0.revents != 0 }
}
