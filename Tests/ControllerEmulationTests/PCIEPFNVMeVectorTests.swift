// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// `pci_epf_nvme`: the worked examples (pci_epf_nvme.md, 19). Create CQ is with the admin commands, queue limits and what `cat` shows with
/// the simulated kernel.
@Suite struct PCIEPFNVMeVectorTests {
  private func host() -> Host { PCIEPFNVMeStateTests.host(enabled: true) }

  // pci_epf_nvme.md, 19.2
  @Test("the life of the registers")
  func life() {
    let host = host()
    #expect(host.status == 1)
    host.write(0x14, 0x0046_4001)
    host.pass(6)
    #expect(host.status == 8)
    #expect(host.read(0x14) == 0x0046_0000)
    host.write(0x14, 0x0046_0001)
    host.pass(6)
    // pci_epf_nvme.md#shutdown-status-sticks
    #expect(host.status == 9, "shutdown complete sticks")
    host.write(0x14, 0x0046_0000)
    host.pass(6)
    #expect(host.status == 8)
    host.controller.linkDown(at: host.controller.now)
    host.controller.linkUp(at: host.controller.now)
    host.drain()
    #expect(host.status == 0)
    #expect(host.read(0x14) == 0x0046_0060)
    #expect(
      host.log == [
        "Link UP", "Enabling controller", "Disabling controller", "Enabling controller",
        "Disabling controller", "Link DOWN", "Link UP",
      ])
  }

  struct Pointer: Sendable, CustomStringConvertible {
    var description: String
    var blocks: UInt32
    var offset: UInt64
    var prp2: Second
    var status: UInt16
    enum Second: Sendable { case none, next, far, farWithOffset, list(offset: UInt64) }
  }

  static let pointers: [Pointer] = [
    Pointer(description: "4096 at a page", blocks: 8, offset: 0, prp2: .none, status: 0),
    Pointer(
      description: "4096 at 200h, contiguous", blocks: 8, offset: 0x200, prp2: .next, status: 0),
    Pointer(
      description: "4096 at 200h, two pieces", blocks: 8, offset: 0x200, prp2: .far, status: 0),
    Pointer(
      description: "4096 at 200h, no PRP2", blocks: 8, offset: 0x200, prp2: .none, status: 0x4002),
    Pointer(
      description: "4096 at 200h, PRP2 with offset", blocks: 8, offset: 0x200, prp2: .farWithOffset,
      status: 0x4013),
    Pointer(description: "4096 at 2", blocks: 8, offset: 2, prp2: .far, status: 0x4013),
    Pointer(description: "8192, two pieces", blocks: 16, offset: 0, prp2: .far, status: 0),
    Pointer(
      description: "8192 at 4: a list", blocks: 16, offset: 4, prp2: .list(offset: 0), status: 0),
    Pointer(
      description: "131072 with a list", blocks: 256, offset: 0, prp2: .list(offset: 0), status: 0),
    Pointer(
      description: "131072 with a chained list", blocks: 256, offset: 0, prp2: .list(offset: 0xf80),
      status: 0),
    Pointer(
      description: "more than MDTS", blocks: 257, offset: 0, prp2: .list(offset: 0), status: 0x4002),
  ]

  // pci_epf_nvme.md, 19.4
  @Test("data pointers; what was written comes back", arguments: pointers)
  func dataPointers(_ row: Pointer) {
    let host = host()
    #expect(host.makeQueues())
    let bytes = Int(row.blocks) * 512
    // Pages with gaps between them, so that pieces do not run together.
    let first = host.page(4)
    let pages = (0..<(bytes + 8191) / 4096).map { _ in host.page(2) }
    var prp2: UInt64 = 0
    switch row.prp2 {
    case .none: break
    case .next: prp2 = first + 4096
    case .far: prp2 = pages[0]
    case .farWithOffset: prp2 = pages[0] + 0x10
    case .list(let offset):
      var list = host.page() + offset
      prp2 = list
      let count = (bytes - 4096 + Int(row.offset) + 4095) / 4096
      for (index, page) in pages.prefix(count).enumerated() {
        // The last slot of a page leads on when more follows.
        if list % 4096 == 4088, index < count - 1 {
          let next = host.page()
          try? host.memory.store(next, at: list)
          list = next
        }
        try? host.memory.store(page, at: list)
        list += 8
      }
    }
    let words: [UInt32] = [8, 0, row.blocks - 1]
    let prp1 = first + row.offset
    for (index, page) in ([first] + pages).enumerated() {
      host.fill(page, [UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: 4096))
    }
    let write = Host.Entry(opcode: 1, namespace: 1, prp1: prp1, prp2: prp2, words: words)
    #expect(host.status(of: write, on: 1) == row.status)
    guard row.status == 0 else { return }
    let before = ([first] + pages).map { host.bytes(at: $0, 4096) }
    for page in [first] + pages { host.fill(page, [UInt8](repeating: 0, count: 4096)) }
    let read = Host.Entry(opcode: 2, namespace: 1, prp1: prp1, prp2: prp2, words: words)
    #expect(host.status(of: read, on: 1) == 0)
    let after = ([first] + pages).map { host.bytes(at: $0, 4096) }
    var returned = 0
    for (old, new) in zip(before, after) {
      returned += zip(old, new).count { $0 == $1 && $1 != 0 }
    }
    let followed: Int = if case .next = row.prp2 { Int(row.offset) } else { 0 }
    #expect(returned + followed == bytes)
  }
}
