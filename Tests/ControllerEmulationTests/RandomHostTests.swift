// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import Numbers
import PCI
import Testing

/// Hosts that do anything: nothing traps, nothing hangs, and the same actions always give the same trace.
@Suite struct RandomHostTests {
  /// The trace of a run, as a sum; equal runs have equal sums.
  private func run(_ behaviour: Behaviour, seed: UInt64, actions: Int) -> [Int] {
    var numbers = SplitMix64(seed: seed)
    var model = documentedModel(behaviour)
    model.targetIOQueues = 6
    model.namespaces[0].backend = .memory(MemoryStore(count: 1 << 20))
    let host = Host(model, memoryBytes: 4 << 20)
    host.controller.trace(true)
    host.enable()
    _ = host.makeQueues(1)
    var sums: [Int] = []
    for _ in 0..<actions {
      switch numbers.next() % 16 {
      case 0: host.write(Int(numbers.next() % 0x40), UInt32(truncatingIfNeeded: numbers.next()))
      case 1:
        host.write(
          0x1000 + Int(numbers.next() % 64) * 4, UInt32(truncatingIfNeeded: numbers.next() % 80))
      case 2:
        host.controller.linkDown(at: host.controller.now)
        host.enable()
        _ = host.makeQueues(1)
      case 3: host.pass(numbers.next() % 30)
      case 4:
        host.write(
          0x14, [0x0046_0001, 0x0046_0000, 0x0046_4001, 0x0046_8001][Int(numbers.next() % 4)])
      case 5: host.controller.reset(at: host.controller.now)
      default:
        let isAdmin = numbers.next() % 2 == 0
        let entry = Host.Entry(
          opcode: UInt8(
            truncatingIfNeeded: isAdmin ? numbers.next() % 0x20 : numbers.next() % 0x10),
          flags: numbers.next() % 8 == 0 ? UInt8(truncatingIfNeeded: numbers.next()) : 0,
          namespace: numbers.next() % 4 == 0 ? UInt32(truncatingIfNeeded: numbers.next()) : 1,
          prp1: numbers.next() % 4 == 0 ? numbers.next() : numbers.next() % (5 << 20),
          prp2: numbers.next() % 4 == 0 ? numbers.next() : numbers.next() % (5 << 20) & ~7,
          words: (0..<6).map { _ in
            UInt32(
              truncatingIfNeeded: numbers.next() % 3 == 0 ? numbers.next() : numbers.next() % 64)
          })
        host.submit(entry, to: isAdmin ? 0 : 1)
      }
      host.controller.takeEffects { _ in }
      sums.append(
        Int(host.status) &+ Int(truncatingIfNeeded: host.controller.now.nanoseconds)
          &+ host.interrupts.count &+ host.log.count)
    }
    return sums
  }

  @Test(
    "a thousand random actions, twice, for each behaviour and seed",
    arguments: Behaviour.allCases, Array(1...8) as [UInt64])
  func actions(_ behaviour: Behaviour, _ seed: UInt64) {
    let first = run(behaviour, seed: seed, actions: 1000)
    #expect(first.count == 1000)
    #expect(run(behaviour, seed: seed, actions: 1000) == first)
  }
}
