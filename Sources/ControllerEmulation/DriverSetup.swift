// SPDX-License-Identifier: Apache-2.0

/// The driver's setup before the creation of the controller: interrupts, the size of BAR 0, queues, and log messages.
/// - Source: the drivers' `bind` and `epc_init`.
public struct DriverSetup: Sendable, Hashable {
  public var behaviour: Behaviour
  /// `msix_interrupts` and `msi_interrupts` of the function.
  public var msixVectors = 0
  public var msiVectors = 0

  // The features of the endpoint controller's driver (`struct pci_epc_features`).
  public var isMSIXCapable = true
  public var isMSICapable = true
  public var bar0 = BAR0.programmable
  /// Alignment of inbound windows, bytes.
  public var alignment: UInt64 = 1

  public enum BAR0: Sendable, Hashable {
    case programmable
    /// Bytes.
    case fixed(UInt64)
    case resizable, reserved, disabled
  }

  /// Queues, with the driver's lines about them.
  public struct Queues: Sendable, Hashable {
    /// Without the admin queue; nil if the driver fails.
    public var ioQueues: Int?
    public var log: [Line] = []
  }

  public struct Line: Sendable, Hashable {
    public var level: LogLine.Level
    public var text: String
  }

  public init(_ behaviour: Behaviour) { self.behaviour = behaviour }

  /// MSI-X if the controller has it and the function requests it, else MSI, else the pin.
  public var interrupts: ControllerModel.InterruptKind {
    if isMSIXCapable, msixVectors > 0 { return .msix(vectors: msixVectors) }
    if isMSICapable, msiVectors > 0 { return .msi(vectors: msiVectors) }
    return .intx
  }

  /// Registers, doorbells and, where the controller can, the MSI-X table with its pending bits; bytes.
  public var registerBytes: UInt64 {
    var bytes = UInt64(0x1000 + 8 * behaviour.implementation.doorbellPairs)
    if isMSIXCapable {
      bytes += 16 * UInt64(msixVectors) + UInt64((msixVectors + 63) / 64 * 8)
    }
    return behaviour.implementation.requestedBytes(bytes)
  }

  /// The size of BAR 0 from the allocator of the endpoint core; nil if a fixed BAR is too small.
  /// - Source: `drivers/pci/endpoint/pci-epf-core.c`, `pci_epf_alloc_space`.
  public var bar0Size: UInt64? {
    let step = max(alignment, 4096)
    let size = Self.powerOfTwo(atLeast: (registerBytes + step - 1) / step * step)
    switch bar0 {
    case .fixed(let fixed): return registerBytes > fixed ? nil : fixed
    case .resizable: return max(size, 1 << 20)
    case .programmable, .reserved, .disabled: return size
    }
  }

  private static func powerOfTwo(atLeast value: UInt64) -> UInt64 {
    value <= 1 ? 1 : 1 << (UInt64.bitWidth - (value - 1).leadingZeroBitCount)
  }

  /// The number of queues.
  /// - Parameter target: I/O queues of the target: of the fabrics connection, or `attr_qid_max`.
  public func queues(target: Int) -> Queues {
    behaviour.implementation.queues(of: self, target: target)
  }

  /// The driver's messages about its interrupts.
  public var interruptLine: Line? {
    let subject = behaviour.implementation.interruptSubject
    switch interrupts {
    case .msix(let count):
      return Line(level: .info, text: "\(subject) supports MSI-X, \(count) vectors")
    case .msi(let count):
      return Line(level: .info, text: "\(subject) supports MSI, \(count) vectors")
    case .intx: return nil
    }
  }
}
