// SPDX-License-Identifier: Apache-2.0
import PCI
import ServedHost
import VFIOUser

private final class Silent: ServerObserver {
  func clientConnected() {}
  func clientLeft(_ reason: String?) {}
  func worked() {}
  var nanosecondsToReport: UInt64? { nil }
}

/// Gives a closure access to any function behind a socket.
/// - Parameters:
///   - make: makes the function in the server's thread; it is given the host's memory as the server reaches it.
///   - memory: the client's.
func serveFunction(
  _ make: @escaping @Sendable (HostMemory) -> any Function, memory: HostMemory = HostMemory(),
  _ body: (Client) throws -> Void
) throws {
  let server = try RunningServer { (make($0), Silent()) }
  defer { server.end() }
  try body(try Client(connectingTo: server.socket, memory: memory))
}

extension ConfigurationSpace {
  /// Of a function that is no NVMe controller, with BAR 0 of so many bytes.
  static func plain(bar size: UInt64) -> ConfigurationSpace {
    ConfigurationSpace(
      header: Header(
        vendorID: 0x1234, deviceID: 0x5678, revisionID: 0, classCode: 0x05_8000,
        subsystemVendorID: 0, subsystemID: 0, interruptPin: .none),
      bars: [0: BAR(size: size)])
  }
}
