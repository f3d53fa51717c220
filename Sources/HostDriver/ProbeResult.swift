// SPDX-License-Identifier: Apache-2.0
public import NVMe

/// The time of a host in process: it passes only where the host waits.
public protocol HostClock: AnyObject {
  func wait(milliseconds: UInt64)
}

/// An error between a host and a device, in the host's terms.
public struct HostError: Error, Hashable, Sendable, CustomStringConvertible {
  public var step: String
  public var message: String
  public var description: String { "\(step): \(message)" }
}

/// The properties of a controller that a host finds at probe.
public struct ProbeResult: Sendable {
  /// The controller's name on its machine: `nvme0`.
  public var name: String
  public var vendorID: UInt16
  public var deviceID: UInt16
  public var capabilities: ControllerCapabilities
  public var version: Version
  public var identifyController: IdentifyController
  public var ioQueues: Int
  public var namespaces: [FoundNamespace]

  public struct FoundNamespace: Sendable {
    public var id: UInt32
    /// The disk on the host: `nvme0n1`. Two controllers of one subsystem can lead to one disk.
    public var disk: String
    public var identify: IdentifyNamespace
    /// Logical blocks.
    public var blocks: UInt64
    /// Bytes.
    public var blockSize: Int
  }
}
