// SPDX-License-Identifier: Apache-2.0
import PCI

extension ConfigurationSpace {
  /// A function with everything: a 64-bit BAR, two 32-bit ones, and all capabilities.
  static func sample(
    msi: MSI = MSI(vectors: 8, masksVectors: true), msixVectors: Int = 70,
    pciExpress: PCIExpress = PCIExpress()
  ) -> Self {
    ConfigurationSpace(
      header: Header(
        vendorID: 0x15B7, deviceID: 0x5FFF, revisionID: 0x21, classCode: 0x010802,
        subsystemVendorID: 0x1234, subsystemID: 0x5678),
      bars: [
        0: BAR(size: 0x4000),
        2: BAR(size: 0x1000, is64Bit: false, isPrefetchable: true),
        3: BAR(size: 0x10, is64Bit: false),
      ],
      capabilities: [
        .powerManagement(PowerManagement()),
        .msi(msi),
        .msix(
          MSIX(
            vectors: msixVectors, table: .init(bar: 0, offset: 0x2000),
            pendingBits: .init(bar: 0, offset: 0x3000))),
        .pciExpress(pciExpress),
      ])
  }

  /// Where a capability is, found as a host finds it: by walking the chain.
  func find(_ id: Capability.ID) -> Int? {
    chain().first { $0.id == UInt32(id.rawValue) }?.offset
  }

  /// The chain of capabilities, as a host walks it.
  func chain() -> [(id: UInt32, offset: Int)] {
    guard read(offset: HeaderOffset.status, width: .word) & 1 << 4 != 0 else { return [] }
    var chain: [(id: UInt32, offset: Int)] = []
    var offset = Int(read(offset: HeaderOffset.capabilitiesPointer, width: .byte))
    while offset != 0, chain.count < 48 {
      chain.append((read(offset: offset, width: .byte), offset))
      offset = Int(read(offset: offset + 1, width: .byte))
    }
    return chain
  }
}
