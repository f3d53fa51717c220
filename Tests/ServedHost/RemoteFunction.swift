// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import HostDriver
public import PCI
public import VFIOUser

/// A served function as a host in process sees it.
public final class RemoteFunction: Function, HostClock {
  public weak var host: (any HostInterface)?
  public let client: Client
  public private(set) var configuration: ConfigurationSpace
  private var events: [Client.Event] = []
  /// Registers that are memory.
  private let mapped: MappedRegion?
  private let kind: Int
  /// A host keeps its function, and so its memory.
  private let shared: SharedMemory
  public private(set) var failure: Client.Failure?
  /// Called before a doorbell is written: its offset from the first, and the value.
  public var willRing: ((_ offset: UInt64, _ value: UInt32) -> Void)?
  /// No more events can arrive: waiting takes no time.
  public var isHopeless = false

  /// - Parameter kind: by what the host is interrupted: 2 MSI-X, 1 MSI, 0 the line.
  public convenience init(
    _ client: Client, like function: NVMeFunction, keeping shared: SharedMemory, kind: Int = 2,
    vectors: Int
  ) throws {
    try self.init(
      client, function.configuration, keeping: shared, kind: kind, vectors: vectors)
  }

  /// A function of which nothing is known but the socket: its configuration space is read.
  public convenience init(_ client: Client, keeping shared: SharedMemory) throws {
    let configuration = try ConfigurationSpace(reading: client)
    var (kind, vectors) = (0, 1)
    for capability in configuration.capabilities {
      switch capability {
      case .msix(let msix): (kind, vectors) = (2, msix.vectors)
      case .msi(let msi) where kind == 0: (kind, vectors) = (1, msi.vectors)
      default: break
      }
    }
    try self.init(client, configuration, keeping: shared, kind: kind, vectors: vectors)
  }

  private init(
    _ client: Client, _ configuration: ConfigurationSpace, keeping shared: SharedMemory, kind: Int,
    vectors: Int
  ) throws {
    self.client = client
    self.shared = shared
    self.kind = kind
    self.configuration = configuration
    mapped = try client.map(region: 0)
    events = (0..<vectors).compactMap { _ in Client.Event() }
    // One after the other, as QEMU does.
    for (vector, event) in events.enumerated() {
      try client.setEvents([event], index: kind, start: vector)
    }
  }

  public func writeConfiguration(offset: Int, width: ConfigurationSpace.Width, value: UInt32) {
    _ = configuration.write(offset: offset, width: width, value: value)
    let data = (0..<width.rawValue).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    attempt { try client.write(region: 7, offset: UInt64(offset), data) }
  }

  public func readBAR(_ bar: Int, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    attempt {
      let bytes = try client.read(region: bar, offset: offset, count: buffer.count)
      unsafe buffer.copyBytes(from: bytes)
    }
  }

  public func writeBAR(_ bar: Int, offset: UInt64, from buffer: UnsafeRawBufferPointer) {
    if bar == 0, buffer.count == 4, offset >= 0x1000 {
      let value = unsafe UInt32(littleEndian: buffer.loadUnaligned(as: UInt32.self))
      willRing?(offset - 0x1000, value)
      if let mapped, mapped.store(value, at: offset) { return }
    }
    attempt { try client.write(region: bar, offset: offset, unsafe Array(buffer), isPosted: true) }
  }

  public func reset(_ kind: ResetKind) {
    configuration.reset(kind)
    attempt { try client.reset() }
  }

  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch { failure = failure ?? error as? Client.Failure }
  }

  /// Waits; what the server asks meanwhile is answered.
  public func wait(milliseconds: UInt64) {
    attempt { try client.waitForServer(milliseconds: isHopeless ? 0 : milliseconds) }
    deliverInterrupts()
  }

  /// Consumes the interrupts of all earlier requests: replies from now on are after them.
  public func takeInterrupts() {
    attempt { _ = try client.read(region: 0, offset: 0x1c, count: 4) }
    deliverInterrupts()
  }

  /// Consumes the interrupts that have arrived.
  public func deliverInterrupts() {
    for (vector, event) in events.enumerated() {
      for _ in 0..<event.take() {
        if kind == 0 {
          host?.intx(asserted: true)
          attempt { try client.unmaskLine() }
        } else {
          host?.interrupt(vector: vector)
        }
      }
    }
  }
}
