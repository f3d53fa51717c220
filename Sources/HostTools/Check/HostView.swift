// SPDX-License-Identifier: Apache-2.0
package import NVMe
package import SystemPackage

/// Access to an NVMe controller on the PCI bus without unbinding it from its driver.
///
/// A disk on a real bus is a ``BusDevice``, the prediction for it an ``EmulatedView``: the same questions to both.
package protocol HostView {
  /// The name of the controller in messages: `0000:01:00.0`.
  var name: String { get }
  /// The driver of the function; nil if none is bound.
  var driver: String? { get }
  /// BAR 0 in bytes; nil when there is none.
  var bar0Size: UInt64? { get }
  /// I/O queue pairs that the driver uses; nil when it is not known.
  var ioQueues: Int? { get }
  /// A little-endian number of the configuration space.
  /// - Parameter count: 1, 2 or 4 bytes.
  func configuration(at offset: Int, count: Int) throws(HostViewError) -> UInt32
  /// A register of BAR 0.
  func register(_ register: Register) throws(HostViewError) -> UInt64
  /// The 4096 bytes that Identify returns.
  func identify(_ structure: IdentifyStructure, _ namespace: UInt32) throws(HostViewError)
    -> [UInt8]
}

/// The reason why a value could not be read.
package enum HostViewError: Error, Hashable, Sendable {
  /// The machine does not permit the access: the operation, its path, and a hint.
  case unavailable(attempt: String, path: String, errno: Errno, hint: String)
  /// The disk, or a part of it, is in use, with its users.
  case inUse(attempt: String, path: String, users: [String], hint: String)
  /// The controller has refused the command.
  case refused(attempt: String, Status)
  /// The controller does not do its part.
  case failed(String)
}

extension HostViewError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unavailable(let attempt, let path, let errno, let hint):
      "cannot \(attempt) \(path): \(errno); \(hint)"
    case .inUse(let attempt, let path, let users, let hint):
      "cannot \(attempt) \(path), it is in use: \(users.joined(separator: ", ")); \(hint)"
    case .refused(let attempt, let status): "\(attempt): \(status)"
    case .failed(let text): text
    }
  }
}

/// A capability of the configuration space as a host finds it.
struct FoundCapability {
  var id: UInt8
  var offset: Int
}

extension HostView {
  /// The capabilities in the order of their links.
  func capabilities() throws(HostViewError) -> [FoundCapability] {
    var found: [FoundCapability] = []
    var offset = Int(try configuration(at: 0x34, count: 1)) & ~3
    // A list that leads in a circle has more links than there are places.
    while offset >= 0x40, found.count < 48 {
      found.append(
        FoundCapability(id: UInt8(try configuration(at: offset, count: 1)), offset: offset))
      offset = Int(try configuration(at: offset + 1, count: 1)) & ~3
    }
    return found
  }
}
