// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Foundation
internal import LibC
public import PCI
public import VFIOUser

/// A function behind a socket, on a separate thread, as long as this object exists.
public final class RunningServer {
  public let socket: String
  private let directory: PrivateDirectory
  private let stop: CInt
  private let ended = DispatchSemaphore(value: 0)

  /// - Parameter make: makes the function and its observer, in the server's thread; it is given the host's memory as the server reaches it.
  public init(
    _ make: @escaping @Sendable (HostMemory) -> (any Function, any ServerObserver)
  ) throws {
    directory = try PrivateDirectory()
    socket = directory.path + "/socket"
    stop = epfnvme_event_descriptor()
    let (path, stop, ended) = (socket, stop, ended)
    let ready = DispatchSemaphore(value: 0)
    let thread = Thread {
      let memory = HostMemory()
      let (function, observer) = make(memory)
      if let listener = try? Listener(path: path) {
        ready.signal()
        Server(function, memory: memory, at: listener).run(until: stop, observer: observer)
      } else {
        ready.signal()
      }
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
