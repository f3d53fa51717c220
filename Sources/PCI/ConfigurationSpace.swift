// SPDX-License-Identifier: Apache-2.0

/// The 4096 bytes of a function's configuration space, as a host sees them.
///
/// Every bit is either fixed or writable by the host. A register that does not exist reads zero, and offsets outside the space read all
/// ones, as on a bus without a response. Without extended capabilities, the first word of the extended space is zero.
/// - Source: PCIe Base 5.0, 7.2 and 7.5.1.
public struct ConfigurationSpace: Sendable {
  /// The length of the space in bytes.
  public static let byteCount = 4096

  /// The size of an access, in bytes.
  public enum Width: Int, Sendable {
    case byte = 1
    case word = 2
    case doubleword = 4
  }

  private struct Placement {
    let range: Range<Int>
    let capability: Capability
  }

  public let header: Header

  /// The base address registers by index. A 64-bit register also uses the next index.
  public let bars: [Int: BAR]
  public let extendedCapabilities: [ExtendedCapability]
  private let placements: [Placement]
  private let registers: RegisterBlock
  private var bytes: [UInt8]

  /// Whether the function responds. Without a response reads give all ones, and writes have no effect.
  public var isResponding = true

  /// Creates a space in the state after a conventional reset.
  /// - Precondition: BARs do not overlap, no capability is there twice, and all of them fit in the first 256 bytes.
  public init(
    header: Header, bars: [Int: BAR] = [:], capabilities: [Capability] = [],
    extendedCapabilities: [ExtendedCapability] = []
  ) {
    self.header = header
    self.bars = bars
    self.extendedCapabilities = extendedCapabilities
    var registers = RegisterBlock(count: Self.byteCount)
    header.define(in: &registers)
    Self.define(bars, in: &registers)
    placements = Self.place(capabilities)
    Self.define(placements, in: &registers)
    Self.define(extendedCapabilities, in: &registers)
    self.registers = registers
    bytes = registers.initial
  }

  private static func define(_ bars: [Int: BAR], in registers: inout RegisterBlock) {
    for (index, bar) in bars {
      precondition(
        (0...5).contains(index) && (!bar.is64Bit || index < 5 && bars[index + 1] == nil),
        "BAR \(index) does not fit among the six registers")
      bar.define(in: &registers, index: index)
    }
  }

  /// Places each capability after the header, at a multiple of 4 bytes.
  private static func place(_ capabilities: [Capability]) -> [Placement] {
    precondition(
      Set(capabilities.map(\.id)).count == capabilities.count, "a capability is there once")
    var next = HeaderOffset.end
    return capabilities.map { capability in
      let end = next + capability.layout.byteCount
      precondition(end <= 256, "the capabilities do not fit in 256 bytes")
      defer { next = (end + 3) & ~3 }
      return Placement(range: next..<end, capability: capability)
    }
  }

  private static func define(_ placements: [Placement], in registers: inout RegisterBlock) {
    guard let first = placements.first else { return }
    registers.define(HeaderOffset.status, StatusRegister.capabilitiesList)
    registers.define(HeaderOffset.capabilitiesPointer, UInt8(first.range.lowerBound))
    let links = placements.dropFirst().map { UInt8($0.range.lowerBound) } + [0]
    for (placement, link) in zip(placements, links) {
      let base = placement.range.lowerBound
      registers.define(base, placement.capability.id.rawValue)
      registers.define(base + 1, link)
      placement.capability.layout.define(in: &registers, at: base)
    }
  }

  /// From 100h on, each at a multiple of 4 bytes.
  private static func define(
    _ capabilities: [ExtendedCapability], in registers: inout RegisterBlock
  ) {
    precondition(
      Set(capabilities.map(\.id)).count == capabilities.count, "a capability is there once")
    var base = 0x100
    for (index, capability) in capabilities.enumerated() {
      let end = (base + capability.byteCount + 3) & ~3
      precondition(end <= byteCount, "the extended capabilities do not fit in 4096 bytes")
      capability.define(
        in: &registers, at: base, next: index + 1 < capabilities.count ? end : 0)
      base = end
    }
  }

  // MARK: Accesses

  /// The value that a host reads, little-endian: all ones without a response, or if any byte is outside the space.
  public func read(offset: Int, width: Width) -> UInt32 {
    guard isResponding, Self.contains(offset, width) else { return ~0 >> (32 - 8 * width.rawValue) }
    return (0..<width.rawValue).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
  }

  /// Stores the value that a host writes, little-endian, and returns the changes.
  ///
  /// A write with a byte outside the space has no effect.
  public mutating func write(offset: Int, width: Width, value: UInt32) -> Change {
    guard isResponding, Self.contains(offset, width) else { return [] }
    var change: Change = []
    for index in 0..<width.rawValue {
      change.formUnion(
        store(UInt8(truncatingIfNeeded: value >> (8 * index)), at: offset + index))
    }
    return change
  }

  private static func contains(_ offset: Int, _ width: Width) -> Bool {
    (0...byteCount - width.rawValue).contains(offset)
  }

  private mutating func store(_ written: UInt8, at offset: Int) -> Change {
    let writable = registers.writable[offset]
    let new = bytes[offset] & ~writable | written & writable
    if let placement = placements.first(where: { $0.range.contains(offset) }) {
      return placement.capability.layout.store(
        written: written, new: new, to: &bytes[offset], at: offset - placement.range.lowerBound)
    }
    guard new != bytes[offset] else { return [] }
    bytes[offset] = new
    switch offset {
    case HeaderOffset.command..<HeaderOffset.status: return .command
    case BAR.offset(0)..<BAR.offset(6): return .bars
    default: return []
    }
  }

  /// Resets the registers to their initial values, except those that the kind of reset preserves.
  public mutating func reset(_ kind: ResetKind) {
    switch kind {
    case .conventional:
      bytes = registers.initial
    case .functionLevel:
      for (offset, preserved) in registers.preserved.enumerated() {
        bytes[offset] = bytes[offset] & preserved | registers.initial[offset] & ~preserved
      }
    }
  }

  // MARK: What the host has written

  public var command: CommandRegister {
    CommandRegister(rawValue: bytes.integer(UInt16.self, at: HeaderOffset.command))
  }

  /// The address range of a BAR's window, in host physical addresses; nil if there is no such BAR.
  public func address(ofBAR index: Int) -> UInt64? {
    bars[index]?.address(in: bytes, index: index)
  }

  /// D0 without the power management capability.
  public var powerState: PowerState {
    guard let (base, _) = placed(.powerManagement) else { return .d0 }
    return PowerManagement.state(in: bytes, at: base)
  }

  /// The MSI registers; nil without the capability.
  public var msi: MSI.State? {
    guard case (let base, .msi(let msi))? = placed(.msi) else { return nil }
    return msi.state(in: bytes, at: base)
  }

  /// The MSI-X control register; nil without the capability.
  public var msix: MSIX.State? {
    guard let (base, _) = placed(.msix) else { return nil }
    return MSIX.state(in: bytes, at: base)
  }

  public var capabilities: [Capability] { placements.map(\.capability) }

  /// Where a capability begins; nil without it.
  public func offset(of id: Capability.ID) -> Int? { placed(id)?.base }

  private func placed(_ id: Capability.ID) -> (base: Int, capability: Capability)? {
    guard let placement = placements.first(where: { $0.capability.id == id }) else { return nil }
    return (placement.range.lowerBound, placement.capability)
  }

  // MARK: What the function shows

  /// Whether an INTx interrupt is pending, in the status register (`PCI_STATUS_INTERRUPT`).
  public var isInterruptPending: Bool {
    get { bytes[HeaderOffset.status] & StatusRegister.interrupt != 0 }
    set {
      if newValue {
        bytes[HeaderOffset.status] |= StatusRegister.interrupt
      } else {
        bytes[HeaderOffset.status] &= ~StatusRegister.interrupt
      }
    }
  }

  /// Shows which MSI vectors are pending, bit 0 for vector 0, if the capability has pending bits.
  public mutating func showPendingMSI(_ vectors: UInt32) {
    guard case (let base, .msi(let msi))? = placed(.msi), msi.masksVectors else { return }
    bytes.setInteger(vectors, at: base + MSI.pendingOffset)
  }
}
