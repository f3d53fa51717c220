// SPDX-License-Identifier: Apache-2.0
import PCI
import Testing

@Suite("PCIe Base 7.5.2, 7.5.3, 7.7: capabilities") struct CapabilityTests {
  @Test("a host finds the capabilities in the given order")
  func chain() {
    let chain = ConfigurationSpace.sample().chain()
    #expect(chain.map(\.id) == [0x01, 0x05, 0x11, 0x10])
    #expect(chain.map(\.offset) == [0x40, 0x48, 0x60, 0x6C])
  }

  @Test(
    "the power state accepts D0 and D3hot, and ignores D1 and D2",
    arguments: [
      (3, .d3Hot, .powerState), (1, .d0, []), (2, .d0, []), (0, .d0, []),
      (0xFFFF, .d3Hot, .powerState),
    ] as [(UInt32, PowerState, Change)])
  func powerStates(written: UInt32, state: PowerState, change: Change) throws {
    var space = ConfigurationSpace.sample()
    let control = try #require(space.find(.powerManagement)) + 4
    #expect(space.write(offset: control, width: .word, value: written) == change)
    #expect(space.powerState == state)
    #expect(space.read(offset: control, width: .word) == 0x8 | UInt32(state.rawValue))
  }

  @Test("a D1 that is written in D3hot leaves the function in D3hot")
  func unsupportedStateInD3() throws {
    var space = ConfigurationSpace.sample()
    let control = try #require(space.find(.powerManagement)) + 4
    _ = space.write(offset: control, width: .word, value: 3)
    #expect(space.write(offset: control, width: .word, value: 1).isEmpty)
    #expect(space.powerState == .d3Hot)
    #expect(space.write(offset: control, width: .word, value: 0) == .powerState)
    #expect(space.powerState == .d0)
  }

  @Test("a function reports whether it keeps its state", arguments: [(true, 8), (false, 0)])
  func softReset(keepsState: Bool, control: UInt32) {
    let space = ConfigurationSpace(
      header: Header(vendorID: 1, deviceID: 2, classCode: 0),
      capabilities: [.powerManagement(PowerManagement(keepsState: keepsState))])
    #expect(space.read(offset: 0x40, width: .doubleword) == 0x0003_0001)
    #expect(space.read(offset: 0x44, width: .word) == control)
  }

  @Test(
    "MSI reports the number of requested vectors, with 64-bit addresses",
    arguments: [
      (1, false, 0x0080), (2, false, 0x0082), (8, true, 0x0186), (32, true, 0x018A),
    ] as [(Int, Bool, UInt32)])
  func msiControl(vectors: Int, masks: Bool, control: UInt32) throws {
    let space = ConfigurationSpace.sample(msi: MSI(vectors: vectors, masksVectors: masks))
    #expect(space.read(offset: try #require(space.find(.msi)) + 2, width: .word) == control)
  }

  @Test(
    "a host is granted the vectors that it enables, up to the function's request",
    arguments: zip([0, 1, 3, 5, 7] as [UInt32], [1, 2, 8, 8, 8]))
  func msiGrant(field: UInt32, vectors: Int) throws {
    var space = ConfigurationSpace.sample()
    let msi = try #require(space.find(.msi))
    #expect(space.write(offset: msi + 2, width: .word, value: field << 4 | 1) == .msi)
    _ = space.write(offset: msi + 4, width: .doubleword, value: 0xFEE0_1003)
    _ = space.write(offset: msi + 8, width: .doubleword, value: 0x0000_0001)
    _ = space.write(offset: msi + 12, width: .doubleword, value: 0xABCD_4321)
    _ = space.write(offset: msi + 16, width: .doubleword, value: 0xFFFF_FF05)
    let state = try #require(space.msi)
    #expect(state.isEnabled)
    #expect(state.vectors == vectors)
    #expect(state.address == 0x1_FEE0_1000)
    #expect(state.data == 0x4321)
    #expect(state.mask == 0x05)
  }

  @Test(
    "MSI-X reports its size and offsets, and accepts enable and function mask",
    arguments: [1, 2, 70, 2048])
  func msix(vectors: Int) throws {
    var space = ConfigurationSpace.sample(msixVectors: vectors)
    let msix = try #require(space.find(.msix))
    let size = UInt32(vectors - 1)
    #expect(space.read(offset: msix + 2, width: .word) == size)
    #expect(space.read(offset: msix + 4, width: .doubleword) == 0x2000)
    #expect(space.read(offset: msix + 8, width: .doubleword) == 0x3000)
    #expect(space.write(offset: msix + 2, width: .word, value: 0xFFFF) == .msix)
    #expect(space.read(offset: msix + 2, width: .word) == 0xC000 | size)
    #expect(space.msix?.isEnabled == true)
    #expect(space.msix?.isFunctionMasked == true)
    #expect(space.write(offset: msix + 3, width: .byte, value: 0x80) == .msix)
    #expect(space.msix?.isEnabled == true)
    #expect(space.msix?.isFunctionMasked == false)
  }

  @Test(
    "the MSI-X structures have 16 bytes per vector, and 8 bytes for every 64",
    arguments: [(1, 16, 8), (64, 1024, 8), (65, 1040, 16), (2048, 32768, 256)])
  func msixRanges(vectors: Int, table: UInt64, pendingBits: UInt64) {
    let msix = MSIX(
      vectors: vectors, table: .init(bar: 0, offset: 0x2000),
      pendingBits: .init(bar: 4, offset: 0x8))
    #expect(msix.tableRange == 0x2000..<0x2000 + table)
    #expect(msix.pendingBitsRange == 0x8..<0x8 + pendingBits)
  }

  @Test(
    "PCI Express shows payload, reset and link",
    arguments: [
      (PCIExpress(), 0x1000_8001, 0x0040_0043, 0x1043),
      (PCIExpress(maximumPayload: 128, resetsFunction: false), 0x0000_8000, 0x0040_0043, 0x1043),
      (
        PCIExpress(maximumPayload: 4096, linkSpeed: .gen5, lanes: 16), 0x1000_8005, 0x0040_0105,
        0x1105
      ),
    ] as [(PCIExpress, UInt32, UInt32, UInt32)])
  func pciExpress(capability: PCIExpress, device: UInt32, link: UInt32, status: UInt32) throws {
    let space = ConfigurationSpace.sample(pciExpress: capability)
    let base = try #require(space.find(.pciExpress))
    #expect(space.read(offset: base + 0x02, width: .word) == 0x0002)
    #expect(space.read(offset: base + 0x04, width: .doubleword) == device)
    #expect(space.read(offset: base + 0x08, width: .word) == 0x2810)
    #expect(space.read(offset: base + 0x0C, width: .doubleword) == link)
    #expect(space.read(offset: base + 0x12, width: .word) == status)
  }

  @Test(
    "a function-level reset is requested once, and reads back as zero",
    arguments: [(true, .functionLevelReset), (false, [])] as [(Bool, Change)])
  func functionLevelReset(resetsFunction: Bool, change: Change) throws {
    var space = ConfigurationSpace.sample(
      pciExpress: PCIExpress(resetsFunction: resetsFunction))
    let control = try #require(space.find(.pciExpress)) + 8
    #expect(space.write(offset: control, width: .word, value: 0xA810) == change)
    #expect(space.read(offset: control, width: .word) == 0x2810)
    #expect(space.write(offset: control + 1, width: .byte, value: 0xA8) == change)
    #expect(space.write(offset: control, width: .word, value: 0x2810).isEmpty)
  }

  @Test("a function-level reset keeps payload and link settings, a conventional one nothing")
  func resets() throws {
    var space = ConfigurationSpace.sample()
    let initial = space.words()
    let base = try #require(space.find(.pciExpress))
    for offset in stride(from: 0, to: 4096, by: 4) {
      _ = space.write(offset: offset, width: .doubleword, value: ~0)
    }
    space.reset(.functionLevel)
    #expect(space.command.isEmpty)
    #expect(space.address(ofBAR: 0) == 0)
    #expect(space.powerState == .d0)
    #expect(space.msix?.isEnabled == false)
    #expect(space.read(offset: base + 0x08, width: .word) == 0x28F0)
    #expect(space.read(offset: base + 0x10, width: .word) == 0x00CB)
    #expect(space.read(offset: base + 0x30, width: .word) == 0x000F)
    space.reset(.conventional)
    #expect(space.words() == initial)
  }
}
