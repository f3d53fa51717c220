// SPDX-License-Identifier: Apache-2.0
import PCI
import VFIOUser

extension ConfigurationSpace {
  /// The space of the function at a socket, as firmware reads it at boot: it sizes the BARs and walks the capabilities.
  ///
  /// The capabilities follow each other here from offset 40h on, wherever they are in the function; hosts find them by their list.
  init(reading client: Client) throws {
    func read(_ offset: Int, _ count: Int) throws -> UInt32 {
      try client.read(region: 7, offset: UInt64(offset), count: count)
        .enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * UInt32($1.offset)) }
    }
    func write(_ offset: Int, _ value: UInt32) throws {
      try client.write(
        region: 7, offset: UInt64(offset),
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) })
    }
    let header = Header(
      vendorID: UInt16(try read(HeaderOffset.vendorID, 2)),
      deviceID: UInt16(try read(HeaderOffset.deviceID, 2)),
      revisionID: UInt8(try read(HeaderOffset.revisionID, 1)),
      classCode: try read(HeaderOffset.revisionID, 4) >> 8,
      subsystemVendorID: UInt16(try read(HeaderOffset.subsystemVendorID, 2)),
      subsystemID: UInt16(try read(HeaderOffset.subsystemID, 2)),
      interruptPin: Header.InterruptPin(
        rawValue: UInt8(try read(HeaderOffset.interruptPin, 1))) ?? .none)

    var bars: [Int: BAR] = [:]
    var index = 0
    while index < 6 {
      let offset = HeaderOffset.firstBAR + 4 * index
      try write(offset, .max)
      let low = try read(offset, 4)
      let is64Bit = low & 0b110 == 0b100
      var mask = UInt64(low & ~0xf) | 0xffff_ffff_0000_0000
      if is64Bit {
        try write(offset + 4, .max)
        mask = UInt64(low & ~0xf) | UInt64(try read(offset + 4, 4)) << 32
      }
      if low & ~0xf != 0 {
        bars[index] = BAR(
          size: ~mask &+ 1, is64Bit: is64Bit, isPrefetchable: low & 0b1000 != 0)
      }
      index += is64Bit ? 2 : 1
    }

    var capabilities: [Capability] = []
    var offset = Int(try read(HeaderOffset.capabilitiesPointer, 1))
    while offset != 0 {
      switch Capability.ID(rawValue: UInt8(try read(offset, 1))) {
      case .powerManagement: capabilities.append(.powerManagement(PowerManagement()))
      case .pciExpress: capabilities.append(.pciExpress(PCIExpress()))
      case .msi:
        capabilities.append(.msi(MSI(vectors: 1 << Int(try read(offset + 2, 2) >> 1 & 7))))
      case .msix:
        func location(_ offset: Int) throws -> MSIX.Location {
          let place = try read(offset, 4)
          return MSIX.Location(bar: Int(place & 7), offset: place & ~7)
        }
        capabilities.append(
          .msix(
            MSIX(
              vectors: Int(try read(offset + 2, 2) & 0x7ff) + 1, table: try location(offset + 4),
              pendingBits: try location(offset + 8))))
      case nil: break
      }
      offset = Int(try read(offset + 1, 1))
    }
    self.init(header: header, bars: bars, capabilities: capabilities)
  }
}
