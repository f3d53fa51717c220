// SPDX-License-Identifier: Apache-2.0
internal import ConformanceTables
internal import ControllerEmulation
internal import PCI

/// A host that does what the input says: registers, doorbells, entries, resets, time.
enum ControllerFuzzing {
  private static let memoryBytes = 4 << 20
  private static let mostActions = 256

  static func run(_ behaviour: Behaviour, _ bytes: [UInt8]) throws {
    var input = FuzzInput(bytes)
    var model = documentedModel(behaviour)
    let settings = input.byte()
    model.targetIOQueues = 6
    model.namespaces = [
      Namespace(id: 1, backend: .memory(MemoryStore(count: 1 << 20))),
      Namespace(id: 2, backend: .memory(MemoryStore(count: 1 << 20)), blockShift: 12),
    ]
    model.namespaces[1].isReadOnly = settings & 1 != 0
    model.usesDMA = settings & 2 == 0
    model.hasLinkUpNotifier = settings & 4 == 0
    if behaviour == .reference {
      model.offersDoorbellBuffers = settings & 8 != 0
      model.mapsDoorbells = settings & 8 == 0 && settings & 16 != 0
    }
    if settings & 32 != 0 { model.interrupts = .intx }
    let host = Host(model, memoryBytes: memoryBytes)
    host.enable()
    _ = host.makeQueues(1)
    for _ in 0..<mostActions where !input.isEmpty { act(&input, host, model) }
    host.pass(30)
    let interrupts = host.interrupts
    try FuzzViolation.unless(
      interrupts.allSatisfy { Int($0) < model.interrupts.vectors },
      "an interrupt of a vector that is not there: \(interrupts)")
  }

  private static func act(_ input: inout FuzzInput, _ host: Host, _ model: ControllerModel) {
    let controller = host.controller
    switch input.byte() % 16 {
    case 0: host.write(Int(input.byte() & 0x7c), input.integer())
    case 1: host.write(0x1000 + 4 * Int(input.byte() % 80), UInt32(input.integer(UInt16.self)))
    case 2: host.write(Int(input.integer(UInt16.self)) & ~3, input.integer())
    case 3: host.pass(UInt64(input.byte() % 64))
    case 4: host.pass(nanoseconds: UInt64(input.integer(UInt16.self)))
    case 5:
      switch input.byte() % 6 {
      case 0: controller.linkDown(at: controller.now)
      case 1: controller.linkUp(at: controller.now)
      case 2: controller.reset(at: controller.now)
      case 3: controller.remove(at: controller.now)
      case 4: host.enable(configuration: 0x0046_0001 | UInt32(input.byte() & 7) << 7)
      default:
        var namespaces = model.namespaces
        namespaces.removeLast(Int(input.byte() % 3))
        controller.update(namespaces: namespaces, at: controller.now)
      }
    case 6: _ = host.makeQueues(1 + Int(input.byte() % 6), depth: 2 + UInt32(input.byte() % 63))
    case 7: _ = host.read(Int(input.integer(UInt16.self)))
    case 8:
      let address = UInt64(input.integer(UInt32.self)) % UInt64(memoryBytes)
      host.fill(address, input.bytes(Int(input.byte())))
    case 9: _ = host.completed(Int(input.byte() % 7))
    case 10: host.ring(Int(input.byte() % 7))
    default:
      let queue = Int(input.byte() % 8)
      var entry = Host.Entry(opcode: input.byte())
      let forms = input.byte()
      if forms & 1 != 0 { entry.flags = input.byte() }
      entry.namespace = forms & 2 == 0 ? 1 : input.integer()
      entry.prp1 = pointer(&input, isWild: forms & 4 != 0)
      entry.prp2 = pointer(&input, isWild: forms & 8 != 0)
      entry.words = (0..<6).map { index in
        forms & (16 << UInt8(index / 2)) == 0 ? UInt32(input.byte()) : input.integer()
      }
      if forms & 128 != 0 {
        host.submitSilently(entry, to: queue)
      } else {
        host.submit(entry, to: queue)
      }
    }
  }

  /// An address: any one, or one of a page in memory.
  private static func pointer(_ input: inout FuzzInput, isWild: Bool) -> UInt64 {
    isWild
      ? input.integer()
      : UInt64(input.integer(UInt16.self)) << 8 % UInt64(memoryBytes)
  }

  static let seeds: [[UInt8]] = [
    // Identify, Get Log Page, Set Features, queues, reads and writes, an abort, shutdown.
    [0, 11, 0, 6, 0, 0, 32, 0, 0, 1, 0, 0, 0, 0, 0, 3, 10],
    [0, 11, 0, 2, 0, 0, 32, 0, 0, 2, 127, 0, 0, 0, 0, 3, 10],
    [0, 11, 0, 9, 0, 0, 32, 0, 0, 7, 3, 0, 0, 0, 0, 3, 10, 6, 1, 14],
    [0, 11, 1, 2, 0, 0, 32, 0, 48, 0, 0, 7, 0, 0, 0, 11, 1, 1, 0, 0, 32, 0, 48, 0, 0, 7, 0, 0, 0],
    [8, 11, 0, 0x7c, 0, 0, 16, 0, 24, 0, 0, 0, 0, 0, 0, 8, 0, 0, 16, 0, 4, 1, 0, 0, 0, 3, 20],
    [0, 0, 0x14, 0, 0x40, 0x46, 0, 3, 20, 5, 4, 0, 6, 1, 8],
    [2, 11, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 5, 0, 5, 1, 3, 60],
    [4, 11, 0, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 1, 3, 10, 5, 2],
  ]
}
