// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import PCI
import Testing

/// The reference: what the specification asks for where the drivers do otherwise.
@Suite struct ReferenceTests {
  private func host() -> Host {
    let host = Host(documentedModel(.reference))
    host.enable()
    return host
  }

  @Test("CC.EN makes RDY at once, and clearing it clears everything")
  func enable() {
    let host = Host(documentedModel(.reference))
    host.enable()
    #expect(host.status == 1)
    host.write(0x14, 0)
    #expect(host.status == 0)
  }

  @Test("3.1.4: read-only registers ignore writes", arguments: [0x00, 0x04, 0x08, 0x1c])
  func readOnly(_ offset: Int) {
    let host = host()
    let before = host.read(offset)
    host.write(offset, ~before)
    #expect(host.read(offset) == before)
  }

  @Test(
    "3.1.4.5: settings that cannot be are a fatal status",
    arguments: [0x0046_0081, 0x0046_0801, 0x0046_0011] as [UInt32])
  func fatal(_ configuration: UInt32) {
    let host = Host(documentedModel(.reference))
    host.enable(configuration: configuration)
    #expect(host.status == 2)
  }

  @Test(
    "3.6: normal and abrupt shutdown complete", arguments: [0x0046_4001, 0x0046_8001] as [UInt32])
  func shutdown(_ configuration: UInt32) {
    let host = host()
    host.write(0x14, configuration)
    #expect(host.status & 0xc == 8)
  }

  /// A doorbell and a value that are wrong: no queue 3, a tail and a head beyond 32 entries; completion DW0.
  static let doorbells: [(offset: Int, value: UInt32, result: UInt64)] = [
    (0x1018, 1, 0x1_0000), (0x101c, 1, 0x1_0000), (0x1008, 32, 0x1_0100), (0x100c, 32, 0x1_0100),
  ]

  @Test("5.1.2: a wrong doorbell completes an event request", arguments: doorbells)
  func doorbellEvent(offset: Int, value: UInt32, result: UInt64) throws {
    let host = host()
    try #require(host.makeQueues(1, depth: 32))
    let id = host.submit(.init(opcode: 0x0c))
    #expect(host.reap() == nil)
    host.write(offset, value)
    let (found, completion) = try #require(host.reap())
    #expect(found == id && completion.status == 0 && completion.result == result)
    // The controller goes on.
    #expect(host.status(of: .init(opcode: 0, namespace: 1), on: 1) == 0)
  }

  @Test("5.1.2: an event without a request waits for one")
  func heldEvent() throws {
    let host = host()
    host.write(0x1018, 1)
    #expect(host.run(.init(opcode: 0x0c))?.result == 0x1_0000)
  }

  @Test("5.1.2: an event of one type is reported once until its log page is read")
  func maskedEvent() throws {
    let host = host()
    host.write(0x1018, 1)
    #expect(host.run(.init(opcode: 0x0c))?.result == 0x1_0000)
    let id = host.submit(.init(opcode: 0x0c))
    host.write(0x1018, 1)
    #expect(host.reap() == nil)
    // With RAE first, which keeps it masked, then without.
    for (word, isTold) in [(UInt32(0x000f_8001), false), (0x000f_0001, true)] {
      let log = host.submit(.init(opcode: 0x02, prp1: host.page(), words: [word, 0]))
      #expect(host.reap()?.id == log)
      host.write(0x1018, 1)
      #expect((host.reap()?.id == id) == isTold)
    }
  }

  @Test(
    "5.2: queue creation and deletion",
    arguments: [
      (5, 0x001f_0001, 0x0001_0003, 0), (5, 0x001f_0000, 3, 0x4101), (5, 0x0000_0001, 3, 0x4102),
      (5, 0x001f_0001, 2, 0x4002), (5, 0x001f_0001, 0x0063_0003, 0x4108),
      (1, 0x001f_0001, 0x0001_0001, 0x4100),
      (0, 1, 0, 0x4101), (4, 1, 0, 0x4101),
    ] as [(UInt8, UInt32, UInt32, UInt16)])
  func queues(_ opcode: UInt8, _ word10: UInt32, _ word11: UInt32, _ status: UInt16) {
    let host = host()
    #expect(
      host.status(of: .init(opcode: opcode, prp1: host.page(), words: [word10, word11])) == status)
  }

  @Test("a completion queue in use is not deleted")
  func deleteInUse() {
    let host = host()
    #expect(host.makeQueues())
    #expect(host.status(of: .init(opcode: 4, words: [1])) == 0x410c)
  }

  @Test("4.3: data pointers that cannot be followed fail with their status")
  func pointers() {
    let host = host()
    let page = host.page()
    #expect(host.status(of: .init(opcode: 6, prp1: page + 2, words: [1])) == 0x4013)
    #expect(host.status(of: .init(opcode: 6, prp1: 1 << 40, words: [1])) == 0x4004)
    #expect(host.makeQueues())
    #expect(
      host.status(of: .init(opcode: 2, namespace: 1, prp1: page, words: [131_072, 0, 0]), on: 1)
        == 0x4080)
    #expect(
      host.status(of: .init(opcode: 2, namespace: 7, prp1: page, words: [0, 0, 0]), on: 1) == 0x400b
    )
    #expect(
      host.status(of: .init(opcode: 5, namespace: 1, prp1: page, words: [0, 0, 0]), on: 1) == 0x4001
    )
  }

  @Test("4.3.2: an SGL data block, and a list of them")
  func sgl() {
    let host = host()
    #expect(host.makeQueues())
    let (first, second, list) = (host.page(), host.page(), host.page())
    host.fill(first, [UInt8](repeating: 0xab, count: 4096))
    let block = Host.Entry(
      opcode: 1, flags: 0x40, namespace: 1, prp1: first, prp2: 4096, words: [0, 0, 7])
    #expect(host.status(of: block, on: 1) == 0)
    for (index, page) in [first, second].enumerated() {
      try? host.memory.store(page, at: list + UInt64(16 * index))
      try? host.memory.store(UInt64(2048), at: list + UInt64(16 * index + 8))
    }
    let listed = Host.Entry(
      opcode: 2, flags: 0x40, namespace: 1, prp1: list, prp2: 32 | 0x30 << 56, words: [0, 0, 7])
    #expect(host.status(of: listed, on: 1) == 0)
    #expect(host.bytes(at: second, 2048).allSatisfy { $0 == 0xab })
    #expect(host.bytes(at: second + 2048, 2048).allSatisfy { $0 == 0 })
  }

  @Test("a full completion queue loses no completion")
  func fullQueue() {
    let host = host()
    #expect(host.makeQueues(depth: 4))
    var ids: [UInt16] = []
    for _ in 0..<3 { ids.append(host.submit(.init(opcode: 0, namespace: 1), to: 1)) }
    // Three entries fill four; the next three wait until the host has looked.
    for _ in 0..<3 { ids.append(host.submit(.init(opcode: 0, namespace: 1), to: 1)) }
    var found: [UInt16] = []
    while let (id, completion) = host.reap(1) {
      #expect(completion.status == 0)
      found.append(id)
    }
    #expect(found == ids)
  }

  @Test("3.1.4.3: a masked vector is not raised with MSI")
  func mask() {
    var model = documentedModel(.reference)
    model.interrupts = .msi(vectors: 8)
    let host = Host(model)
    host.enable()
    host.write(0x0c, 1)
    #expect(host.read(0x0c) == 1)
    host.forgetInterrupts()
    #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    #expect(host.interrupts.isEmpty)
    host.write(0x10, 1)
    #expect(host.status(of: .init(opcode: 0x0a, words: [7])) == 0)
    #expect(host.interrupts == [0])
  }
}
