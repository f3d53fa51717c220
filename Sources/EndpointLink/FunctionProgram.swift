// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// A function as the board has programmed it.
struct FunctionProgram: Equatable {
  /// A base address register and the board's memory behind it.
  struct Region: Equatable {
    var bar: BAR
    /// The board's bus address of the first byte. All bytes have addresses of 64 bits.
    var address: UInt64
  }

  struct Table: Equatable {
    var vectors: Int
    var bar: Int
    var offset: UInt32
  }

  /// Nil for a function that is not there.
  var header: Header?
  /// By index; a 64-bit register has nil after it.
  private(set) var regions = [Region?](repeating: nil, count: 6)
  /// The number of MSI vectors; 0 for none.
  var msiVectors = 0
  var msix: Table?

  // MARK: Operations

  /// - Throws: `.invalid` for an interrupt pin beyond INTD.
  mutating func setHeader(_ arguments: MailboxRequest) throws(MailboxError) {
    guard let number = UInt8(exactly: arguments[4]),
      let pin = Header.InterruptPin(rawValue: number)
    else { throw .invalid }
    header = Header(
      vendorID: UInt16(truncatingIfNeeded: arguments[0]),
      deviceID: UInt16(arguments[0] >> 16),
      revisionID: UInt8(truncatingIfNeeded: arguments[1]),
      classCode: arguments[1] >> 8,
      subsystemVendorID: UInt16(truncatingIfNeeded: arguments[3]),
      subsystemID: UInt16(arguments[3] >> 16),
      interruptPin: pin,
      cacheLineSize: UInt8(truncatingIfNeeded: arguments[2]))
  }

  /// - Throws: `.invalid` for a size, flags or a place that no BAR can have.
  mutating func setBAR(_ arguments: MailboxRequest) throws(MailboxError) {
    let flags = BaseAddressFlags(rawValue: arguments[1])
    let is64Bit = flags.contains(.is64Bit)
    let (size, address) = (arguments.size, arguments.address)
    guard flags.isSubset(of: [.is64Bit, .prefetchable]), size >= 16, size.nonzeroBitCount == 1,
      is64Bit || size <= 1 << 31, !address.addingReportingOverflow(size - 1).overflow,
      let index = Int(exactly: arguments[0]), index < (is64Bit ? 5 : 6),
      index == 0 || regions[index - 1]?.bar.is64Bit != true,
      !is64Bit || regions[index + 1] == nil
    else { throw .invalid }
    regions[index] = Region(
      bar: BAR(size: size, is64Bit: is64Bit, isPrefetchable: flags.contains(.prefetchable)),
      address: address)
  }

  mutating func clearBAR(_ arguments: MailboxRequest) throws(MailboxError) {
    guard arguments[0] < 6 else { throw .invalid }
    regions[Int(arguments[0])] = nil
  }

  mutating func setMSI(_ arguments: MailboxRequest) throws(MailboxError) {
    guard (1...32).contains(arguments[0]), arguments[0].nonzeroBitCount == 1 else {
      throw .invalid
    }
    msiVectors = Int(arguments[0])
  }

  mutating func setMSIX(_ arguments: MailboxRequest) throws(MailboxError) {
    guard (1...2048).contains(arguments[0]), arguments[1] < 6, arguments[2] % 8 == 0,
      arguments[2] <= UInt32.max - 16 * 2048 - 8 * 32
    else { throw .invalid }
    msix = Table(vectors: Int(arguments[0]), bar: Int(arguments[1]), offset: arguments[2])
  }

  // MARK: What the host sees

  /// The MSI-X capability: the pending bits are behind the table.
  private var msixCapability: MSIX? {
    msix.map { table in
      MSIX(
        vectors: table.vectors, table: .init(bar: table.bar, offset: table.offset),
        pendingBits: .init(bar: table.bar, offset: table.offset + 16 * UInt32(table.vectors)))
    }
  }

  /// The configuration space after a conventional reset; nil without a header.
  /// - Throws: `.invalid` if the MSI-X table or its pending bits are not in a BAR.
  func configuration() throws(MailboxError) -> ConfigurationSpace? {
    guard let header else { return nil }
    var capabilities: [Capability] = [
      .powerManagement(PowerManagement()), .pciExpress(PCIExpress()),
    ]
    if msiVectors > 0 { capabilities.append(.msi(MSI(vectors: msiVectors))) }
    if let msix = msixCapability {
      guard let bar = regions[msix.table.bar]?.bar, msix.pendingBitsRange.upperBound <= bar.size
      else { throw .invalid }
      capabilities.append(.msix(msix))
    }
    var bars: [Int: BAR] = [:]
    for (index, region) in regions.enumerated() { bars[index] = region?.bar }
    return ConfigurationSpace(header: header, bars: bars, capabilities: capabilities)
  }

  /// Whether a host that sees another program would notice no difference: only the memory behind the BARs is another, or is gone.
  func fits(_ shown: Self) -> Bool {
    header == shown.header && msiVectors == shown.msiVectors && msix == shown.msix
      && zip(regions, shown.regions).allSatisfy { $0 == nil || $0?.bar == $1?.bar }
  }
}

/// The attributes of a base address register.
/// - Source: `include/uapi/linux/pci_regs.h`, `PCI_BASE_ADDRESS_MEM_TYPE_64`, `PCI_BASE_ADDRESS_MEM_PREFETCH`.
private struct BaseAddressFlags: OptionSet {
  let rawValue: UInt32

  static let is64Bit = Self(rawValue: 1 << 2)
  static let prefetchable = Self(rawValue: 1 << 3)
}
