// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import PCI
import VFIOUser

/// The reference with a disk of memory, behind a socket, on a thread of its own until the process ends.
final class ServerThread {
  let socket: String
  private let directory: String

  private final class Silent: ServerObserver {
    func clientConnected() {}
    func clientLeft(_ reason: String?) {}
    func worked() {}
    var nanosecondsToReport: UInt64? { nil }
  }

  init() throws {
    directory = "/tmp/epfnvme-bench-\(getpid())"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    socket = directory + "/socket"
    let path = socket
    let ready = DispatchSemaphore(value: 0)
    let thread = Thread {
      var model = ControllerModel(.strict)
      model.mapsDoorbells = true
      model.namespaces = [
        Namespace(id: 1, backend: .memory(MemoryStore(count: PollingHost.diskBytes)))
      ]
      let memory = HostMemory()
      let function = NVMeFunction(model, memory: memory, deviceID: 0x5fff, tableKeeper: .monitor)
      function.linkUp()
      function.runInRealTime()
      guard let listener = try? Listener(path: path) else { fatalError("no socket at \(path)") }
      ready.signal()
      // Nobody writes to the pipe: it runs until the process ends.
      var ends: [CInt] = [-1, -1]
      guard pipe(&ends) == 0 else { fatalError("no pipe") }
      Server(function, memory: memory, at: listener).run(until: ends[0], observer: Silent())
    }
    thread.start()
    ready.wait()
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }
}
