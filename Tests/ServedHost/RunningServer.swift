// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Foundation
internal import LibC
public import PCI
public import VFIOUser

/// A server on a separate thread, as long as this object exists.
public final class RunningServer {
  public let sockets: [String]
  public var socket: String { sockets[0] }
  private let directory: PrivateDirectory
  private let stop: CInt
  private let ended = DispatchSemaphore(value: 0)

  /// Serves a function.
  /// - Parameter make: makes the function and its observer, in the server's thread; it is given the host's memory as the server reaches it.
  public convenience init(
    _ make: @escaping @Sendable (HostMemory) -> (any Function, any ServerObserver)
  ) throws {
    try self.init(sockets: 1) { listeners, stop in
      let memory = HostMemory()
      let (function, observer) = make(memory)
      Server(function, memory: memory, at: listeners[0]).run(until: stop, observer: observer)
    }
  }

  /// - Parameter run: serves at listening sockets until a descriptor becomes readable.
  public init(
    sockets count: Int, _ run: @escaping @Sendable ([Listener], CInt) -> Void
  ) throws {
    let directory = try PrivateDirectory()
    self.directory = directory
    let paths = (0..<count).map { "\(directory.path)/socket\($0)" }
    sockets = paths
    stop = epfnvme_event_descriptor()
    let (stop, ended) = (stop, ended)
    let ready = DispatchSemaphore(value: 0)
    let thread = Thread {
      let listeners = paths.compactMap { try? Listener(path: $0) }
      ready.signal()
      if listeners.count == paths.count { run(listeners, stop) }
      ended.signal()
    }
    // The minimum of a separate process.
    thread.stackSize = 8 << 20
    thread.start()
    ready.wait()
  }

  /// Ends the server, and waits for that.
  public func end() {
    var one: UInt64 = 1
    _ = unsafe write(stop, &one, 8)
    ended.wait()
    ended.signal()
  }

  deinit {
    end()
    close(stop)
  }
}
