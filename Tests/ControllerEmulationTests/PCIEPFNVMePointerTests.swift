// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import NVMe
import PCI
import Testing

/// `pci_epf_nvme`: data pointers (pci_epf_nvme.md, 12.4).
@Suite struct PCIEPFNVMePointerTests {
  /// A read of blocks of 512 bytes.
  private static func read(_ host: Host, _ blocks: UInt32, _ prp1: UInt64, _ prp2: UInt64)
    -> UInt16?
  {
    host.status(
      of: .init(opcode: 2, namespace: 1, prp1: prp1, prp2: prp2, words: [0, 0, blocks - 1]), on: 1)
  }

  /// A PRP list of some entries, at an offset of a page.
  private static func list(_ host: Host, _ entries: [UInt64], at offset: UInt64 = 0) -> UInt64 {
    let place = host.page(2) + offset
    for (index, entry) in entries.enumerated() {
      try? host.memory.store(entry, at: place + UInt64(8 * index))
    }
    return place
  }

  private static func pages(_ host: Host, _ count: Int) -> [UInt64] {
    (0..<count).map { _ in host.page(2) }
  }

  static let pointers: [Row] = [
    Row("simple: inside PRP1's page, PRP2 is ignored") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 8, host.page(), 0x7fff_ffff_0001) == 0)
    },
    Row("simple: PRP1 = 0 is not rejected") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 8, 0, 0) == 0)
    },
    Row("simple: PRP2 = 0") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 16, host.page(2), 0) == 0x4002)
    },
    Row("simple: PRP2 with an offset") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 16, host.page(2), host.page() + 0x10) == 0x4013)
    },
    Row("simple: PRP2 right behind the first page") {
      let host = PCIEPFNVMeIOTests.host()
      let page = host.page(2)
      #expect(Self.read(host, 16, page, page + 4096) == 0)
    },
    Row("simple: PRP2 elsewhere") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 16, host.page(2), host.page()) == 0)
    },
    Row("list: PRP1 = 0") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 24, 0, Self.list(host, Self.pages(host, 2))) == 0x4002)
    },
    Row("list: PRP2 = 0") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 24, host.page(), 0) == 0x4002)
    },
    Row("list: its alignment is not checked") {
      let host = PCIEPFNVMeIOTests.host()
      let place = host.page(2) + 4
      for (index, page) in Self.pages(host, 2).enumerated() {
        for half in 0..<2 {
          try? host.memory.store(
            UInt32(truncatingIfNeeded: page >> UInt64(32 * half)),
            at: place + UInt64(8 * index + 4 * half))
        }
      }
      #expect(Self.read(host, 24, host.page(), place) == 0)
    },
    Row("list: chained where the page ends") {
      let host = PCIEPFNVMeIOTests.host()
      let next = Self.list(host, Self.pages(host, 2))
      #expect(
        Self.read(host, 32, host.page(), Self.list(host, [host.page(), next], at: 4080)) == 0)
    },
    Row("list: the last entry of a page is data when it is the last one needed") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(
        Self.read(host, 24, host.page(), Self.list(host, Self.pages(host, 2), at: 4080)) == 0)
    },
    Row("list: entry = 0") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 24, host.page(), Self.list(host, [host.page(), 0])) == 0x4002)
    },
    Row("list: chain pointer = 0") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(
        Self.read(host, 32, host.page(), Self.list(host, [host.page(), 0], at: 4080)) == 0x4002)
    },
    Row("list: data entry with an offset") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(
        Self.read(host, 24, host.page(), Self.list(host, [host.page(), host.page() + 8])) == 0x4013)
    },
    Row("list: pages in a row are merged") {
      let host = PCIEPFNVMeIOTests.host()
      let pages = host.page(3)
      #expect(Self.read(host, 24, pages, Self.list(host, [pages + 4096, pages + 8192])) == 0)
    },
    Row("list: read failure") {
      let host = PCIEPFNVMeIOTests.host()
      #expect(Self.read(host, 24, host.page(), 0x7fff_ffff_0000) == 0x4006)
    },
    Row(
      "pages above 4 KiB: more than 8 KiB inside the first demand a PRP2, then fail the length check"
    ) {
      let host = PCIEPFNVMeStateTests.host(enabled: false)
      host.enable(configuration: 0x0046_0101)
      #expect(host.makeQueues())
      let page = (host.page(12) + 0xffff) & ~0xffff
      #expect(Self.read(host, 24, page, 0) == 0x4002)
      #expect(Self.read(host, 24, page, Self.list(host, [page])) == 0x4006)
      #expect(host.log.last == "PRPs transfer length mismatch 16384 / 12288")
    },
  ]

  // pci_epf_nvme.md, 12.4
  @Test("PRP rules", arguments: pointers)
  func pointer(_ row: Row) throws { try row.check() }
}
