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
  public var vendorID: UInt16
  public var deviceID: UInt16
  public var capabilities: ControllerCapabilities
  public var version: Version
  public var identifyController: IdentifyController
  public var ioQueues: Int
  public var namespaces: [FoundNamespace]

  public struct FoundNamespace: Sendable {
    public var id: UInt32
    public var identify: IdentifyNamespace
    /// Logical blocks.
    public var blocks: UInt64
    /// Bytes.
    public var blockSize: Int
  }
}
