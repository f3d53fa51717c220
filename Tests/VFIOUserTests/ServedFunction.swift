// SPDX-License-Identifier: Apache-2.0
import CLinux
import Foundation
import Glibc
import PCI
import Testing

@testable import VFIOUser

private final class Silent: ServerObserver {
  func clientConnected() {}
  func clientLeft(_ reason: String?) {}
  func worked() {}
  var nanosecondsToReport: UInt64? { nil }
}

/// Lets a closure at any function behind a socket.
/// - Parameters:
///   - make: makes the function in the server's thread; it is given the host's memory as the server reaches it.
///   - memory: the client's.
func serveFunction(
  _ make: @escaping @Sendable (HostMemory) -> any Function, memory: HostMemory = HostMemory(),
  _ body: (Client) throws -> Void
) throws {
  let directory = "/tmp/epfnvme-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
  try #require(mkdir(directory, 0o700) == 0)
  defer { rmdir(directory) }
  let stop = OpenDescriptor(epfnvme_event_descriptor())
  let (ready, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
  let path = directory + "/socket"
  let thread = Thread {
    let listener = try? Listener(path: path)
    ready.signal()
    if let listener {
      let reached = HostMemory()
      Server(make(reached), memory: reached, at: listener)
        .run(until: stop.number, observer: Silent())
    }
    ended.signal()
  }
  thread.start()
  ready.wait()
  defer {
    stop.signal()
    ended.wait()
  }
  try body(try Client(connectingTo: path, memory: memory))
}
