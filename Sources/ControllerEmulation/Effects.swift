// SPDX-License-Identifier: Apache-2.0
public import NVMe

/// The controller's actions for others to execute or display, since the last call.
public struct Effects: Sendable {
  /// Vectors to raise, in order, from 0.
  public internal(set) var interrupts: [UInt16] = []
  /// Kernel lines.
  public internal(set) var log: [LogLine] = []
  /// Register, state and command events; kept only while ``isTracing``.
  public internal(set) var trace: [TraceEvent] = []
  public var isTracing = false
  /// Undefined behaviour of the real driver that the host triggered. The controller did not emulate it.
  public internal(set) var diagnoses: [Diagnosis] = []

  /// Clears everything but keeps the capacity.
  mutating func removeAll() {
    interrupts.removeAll(keepingCapacity: true)
    log.removeAll(keepingCapacity: true)
    trace.removeAll(keepingCapacity: true)
    diagnoses.removeAll(keepingCapacity: true)
  }
}

/// A line that the driver writes to the kernel's log.
public struct LogLine: Sendable, Hashable {
  public enum Level: Int, Sendable { case error = 3, warning = 4, info = 6 }
  public var time: VirtualTime
  public var level: Level
  public var text: String
}

/// An event of a controller for traces.
public struct TraceEvent: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The host wrote a register: offset and value.
    case register(offset: UInt32, value: UInt32)
    /// CSTS changed.
    case status(UInt32)
    case command(queue: UInt16, id: UInt16, opcode: UInt8, namespace: UInt32)
    case completion(queue: UInt16, id: UInt16, status: Status, result: UInt64)
    case interrupt(vector: UInt16)
    case link(isUp: Bool)
  }
  public var time: VirtualTime
  public var kind: Kind
}

/// A situation in which a real board would hang, crash or corrupt memory.
public struct Diagnosis: Sendable, Hashable {
  /// The driver, and what goes wrong there: `nvmet_pci_epf: queue id`.
  public var fault: String
  public var text: String
}
