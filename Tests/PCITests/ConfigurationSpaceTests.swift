// SPDX-License-Identifier: Apache-2.0
import PCI
import Numbers
import Testing

@Suite("PCIe Base 7.5.1: the configuration space") struct ConfigurationSpaceTests {
  typealias Width = ConfigurationSpace.Width

  @Test(
    "the header identifies the function",
    arguments: [
      (0x00, .doubleword, 0x5FFF_15B7), (0x02, .word, 0x5FFF), (0x08, .doubleword, 0x0108_0221),
      (0x08, .byte, 0x21), (0x0B, .byte, 0x01), (0x0E, .byte, 0x00), (0x06, .word, 0x0010),
      (0x2C, .doubleword, 0x5678_1234), (0x34, .byte, 0x40), (0x3D, .byte, 0x01),
      (0x01, .word, 0xFF15), (0x100, .doubleword, 0), (0xFFC, .doubleword, 0),
    ] as [(Int, Width, UInt32)])
  func header(offset: Int, width: Width, value: UInt32) {
    #expect(ConfigurationSpace.sample().read(offset: offset, width: width) == value)
  }

  @Test(
    "outside the space, reads give all ones and writes nothing",
    arguments: [
      (0x1000, .byte, 0xFF), (0xFFF, .word, 0xFFFF), (0xFFD, .doubleword, 0xFFFF_FFFF),
      (-1, .byte, 0xFF), (.max, .doubleword, 0xFFFF_FFFF), (.min, .word, 0xFFFF),
    ] as [(Int, Width, UInt32)])
  func outside(offset: Int, width: Width, value: UInt32) {
    var space = ConfigurationSpace.sample()
    #expect(space.read(offset: offset, width: width) == value)
    #expect(space.write(offset: offset, width: width, value: 0).isEmpty)
    #expect(space.read(offset: 0xFFC, width: .doubleword) == 0)
  }

  @Test(
    "a BAR that is written with ones shows its size and its attributes",
    arguments: [
      (BAR(size: 0x10, is64Bit: false), 0xFFFF_FFF0),
      (BAR(size: 0x4000, is64Bit: false, isPrefetchable: true), 0xFFFF_C008),
      (BAR(size: 1 << 31, is64Bit: false), 0x8000_0000),
      (BAR(size: 0x4000), 0xFFFF_FFFF_FFFF_C004),
      (BAR(size: 1 << 32, isPrefetchable: true), 0xFFFF_FFFF_0000_000C),
      (BAR(size: 1 << 63), 0x8000_0000_0000_0004),
    ] as [(BAR, UInt64)])
  func sizing(bar: BAR, mask: UInt64) {
    var space = ConfigurationSpace(
      header: Header(vendorID: 1, deviceID: 2, classCode: 0x010802), bars: [2: bar])
    for offset in [0x18, 0x1C] {
      _ = space.write(offset: offset, width: .doubleword, value: ~0)
    }
    let low = UInt64(space.read(offset: 0x18, width: .doubleword))
    let high = UInt64(space.read(offset: 0x1C, width: .doubleword))
    #expect(high << 32 | low == mask)
    let size = ~(mask & ~0xF | (bar.is64Bit ? 0 : 0xFFFF_FFFF << 32)) &+ 1
    #expect(size == bar.size)
  }

  @Test("a function that does not respond reads ones, takes no write and keeps its registers")
  func noResponse() {
    var space = ConfigurationSpace.sample()
    _ = space.write(offset: 4, width: .word, value: 6)
    space.isResponding = false
    #expect(space.read(offset: 0, width: .doubleword) == .max)
    #expect(space.write(offset: 4, width: .word, value: 2) == [])
    space.isResponding = true
    #expect(space.read(offset: 4, width: .word) == 6)
  }

  @Test("the cache line size has its initial value until the host writes it")
  func cacheLineSize() {
    var space = ConfigurationSpace(
      header: Header(vendorID: 1, deviceID: 2, classCode: 0, cacheLineSize: 16))
    #expect(space.read(offset: 0x0C, width: .byte) == 16)
    _ = space.write(offset: 0x0C, width: .byte, value: 8)
    #expect(space.read(offset: 0x0C, width: .byte) == 8)
  }

  @Test("a BAR's address is what the host wrote, down to its size")
  func address() {
    var space = ConfigurationSpace.sample()
    #expect(space.address(ofBAR: 0) == 0)
    #expect(space.write(offset: 0x10, width: .doubleword, value: 0xFEDC_BFFF) == .bars)
    #expect(space.write(offset: 0x14, width: .doubleword, value: 0x0000_0012) == .bars)
    #expect(space.address(ofBAR: 0) == 0x12_FEDC_8000)
    #expect(space.write(offset: 0x10, width: .doubleword, value: 0xFEDC_8000).isEmpty)
    #expect(space.write(offset: 0x18, width: .doubleword, value: 0xE000_1234) == .bars)
    #expect(space.address(ofBAR: 2) == 0xE000_1000)
    #expect(space.address(ofBAR: 1) == nil)
  }

  @Test("all ones written everywhere set the writable bits and no other", arguments: Width.all)
  func writeMasks(width: Width) {
    var space = ConfigurationSpace.sample()
    let before = space.words()
    for offset in stride(from: 0, to: ConfigurationSpace.byteCount, by: width.rawValue) {
      _ = space.write(offset: offset, width: width, value: ~0)
    }
    let changed = zip(before, space.words()).enumerated().compactMap { index, words in
      words.0 == words.1 ? nil : Changed(offset: 4 * index, bits: words.0 ^ words.1)
    }
    #expect(
      changed == [
        Changed(offset: 0x04, bits: 0x0000_0406),  // command
        Changed(offset: 0x0C, bits: 0x0000_00FF),  // cache line size
        Changed(offset: 0x10, bits: 0xFFFF_C000), Changed(offset: 0x14, bits: 0xFFFF_FFFF),
        Changed(offset: 0x18, bits: 0xFFFF_F000), Changed(offset: 0x1C, bits: 0xFFFF_FFF0),
        Changed(offset: 0x3C, bits: 0x0000_00FF),  // interrupt line
        Changed(offset: 0x44, bits: 0x0000_0003),  // power state
        Changed(offset: 0x48, bits: 0x0071_0000),  // MSI control
        Changed(offset: 0x4C, bits: 0xFFFF_FFFC), Changed(offset: 0x50, bits: 0xFFFF_FFFF),
        Changed(offset: 0x54, bits: 0x0000_FFFF), Changed(offset: 0x58, bits: 0x0000_00FF),
        Changed(offset: 0x60, bits: 0xC000_0000),  // MSI-X control
        // Device control: what is on after reset (0x2810) stays on.
        Changed(offset: 0x74, bits: 0x0000_50EF),
        Changed(offset: 0x7C, bits: 0x0000_00CB),  // link control
        Changed(offset: 0x94, bits: 0x0000_0010),  // device control 2
        Changed(offset: 0x9C, bits: 0x0000_000C),  // link control 2: 3 becomes 15
      ])
  }

  @Test("random writes never change a bit that is not writable")
  func fixedBits() {
    var space = ConfigurationSpace.sample()
    let initial = space.words()
    var ones = space
    for offset in stride(from: 0, to: 4096, by: 4) {
      _ = space.write(offset: offset, width: .doubleword, value: 0)
      _ = ones.write(offset: offset, width: .doubleword, value: ~0)
    }
    let writable = zip(space.words(), ones.words()).map { $0 ^ $1 }
    var generator = SplitMix64(seed: 1)
    for _ in 0..<20_000 {
      _ = space.write(
        offset: .random(in: -4..<300, using: &generator),
        width: Width.all.randomElement(using: &generator) ?? .byte,
        value: .random(in: 0 ... .max, using: &generator))
    }
    for (index, word) in space.words().enumerated() {
      #expect((word ^ initial[index]) & ~writable[index] == 0, "offset \(4 * index)")
    }
  }

  @Test(
    "the command register has memory, bus master and INTx disable",
    arguments: [
      (0x0002, .memorySpace), (0x0004, .busMaster), (0x0400, .interruptDisable),
      (0xFFFF, [.memorySpace, .busMaster, .interruptDisable]), (0xFBF9, []),
    ] as [(UInt32, CommandRegister)])
  func command(value: UInt32, command: CommandRegister) {
    var space = ConfigurationSpace.sample()
    let change = space.write(offset: 0x04, width: .word, value: value)
    #expect(change == (command.isEmpty ? [] : .command))
    #expect(space.command == command)
  }

  @Test("one write that touches two registers reports both")
  func twoChanges() {
    var space = ConfigurationSpace.sample()
    #expect(space.write(offset: 0x0F, width: .word, value: 0xFFFF).isEmpty)
    #expect(space.write(offset: 0x11, width: .doubleword, value: ~0) == .bars)
    #expect(space.write(offset: 0x46, width: .doubleword, value: ~0).isEmpty)
    #expect(space.write(offset: 0x48, width: .doubleword, value: ~0) == .msi)
  }

  @Test("without a pin there is no interrupt line, without capabilities no chain")
  func bare() {
    var space = ConfigurationSpace(
      header: Header(vendorID: 1, deviceID: 2, classCode: 0, interruptPin: .none))
    _ = space.write(offset: HeaderOffset.interruptLine, width: .word, value: 0xFFFF)
    #expect(space.read(offset: HeaderOffset.interruptLine, width: .word) == 0)
    #expect(space.read(offset: HeaderOffset.status, width: .word) == 0)
    #expect(space.chain().isEmpty)
    #expect(space.powerState == .d0)
    #expect(space.msi == nil)
    #expect(space.msix == nil)
  }

  @Test("the function shows a pending INTx in the status register")
  func interruptStatus() {
    var space = ConfigurationSpace.sample()
    space.isInterruptPending = true
    #expect(space.read(offset: HeaderOffset.status, width: .word) == 0x0018)
    _ = space.write(offset: HeaderOffset.status, width: .word, value: 0xFFFF)
    #expect(space.isInterruptPending)
    space.isInterruptPending = false
    #expect(space.read(offset: HeaderOffset.status, width: .word) == 0x0010)
  }

  @Test(
    "invalid BARs and class codes are programming errors, and trap",
    arguments: ["size", "2 GiB", "overlap", "class"])
  func mistakes(which: String) async {
    await #expect(processExitsWith: .failure) { [which] in
      let header = Header(
        vendorID: 1, deviceID: 2, classCode: which == "class" ? 0x1_000000 : 0x010802)
      var bars = [0: BAR(size: which == "size" ? 0x3000 : 0x4000)]
      if which == "2 GiB" { bars[2] = BAR(size: 1 << 32, is64Bit: false) }
      if which == "overlap" { bars[1] = BAR(size: 0x1000, is64Bit: false) }
      _ = ConfigurationSpace(header: header, bars: bars)
    }
  }

  struct Changed: Equatable {
    var offset: Int
    var bits: UInt32
  }
}

extension ConfigurationSpace {
  func words() -> [UInt32] {
    stride(from: 0, to: Self.byteCount, by: 4).map { read(offset: $0, width: .doubleword) }
  }
}

extension ConfigurationSpace.Width {
  static let all: [Self] = [.byte, .word, .doubleword]
}
