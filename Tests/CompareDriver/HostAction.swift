// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import Numbers

/// An action of a random host.
enum HostAction: CustomStringConvertible {
  case configure(UInt32)
  case register(Int, UInt32)
  case doorbell(Int, UInt32)
  case command(Host.Entry, queue: Int)
  case functionReset
  case linkFlap
  /// Enable, and I/O queues.
  case bringUp

  var description: String {
    switch self {
    case .configure(let value): return "CC=\(hexadecimal(value))"
    case .register(let offset, let value): return "[\(hexadecimal(offset))]=\(hexadecimal(value))"
    case .doorbell(let index, let value): return "doorbell \(index)=\(value)"
    case .command(let entry, let queue):
      let words = entry.words.map { hexadecimal($0) }.joined(separator: " ")
      return
        "queue \(queue): opcode \(hexadecimal(entry.opcode)) flags \(hexadecimal(entry.flags)) "
        + "nsid \(hexadecimal(entry.namespace)) prp \(hexadecimal(entry.prp1)) \(hexadecimal(entry.prp2)) words \(words)"
    case .functionReset: return "FLR"
    case .linkFlap: return "link down and up"
    case .bringUp: return "enable and create queues"
    }
  }

  /// Whether it changes the state of the controller, without an effect that a host could wait for.
  var isSilent: Bool {
    switch self {
    case .configure, .register, .functionReset, .linkFlap: true
    case .doorbell, .command, .bringUp: false
    }
  }
}

extension HostAction {
  /// The actions of a random sequence, always the same for a seed and a number.
  static func sequence(seed: UInt64, number: Int, count: Int) -> [Self] {
    var numbers = SplitMix64(seed: seed &* 0x9e37_79b9 &+ UInt64(number))
    // A host that has taken its controller down seldom sends it many commands.
    var isUp = true
    return (0..<count).map { _ in
      let action =
        !isUp && numbers.next() % 3 == 0 ? .bringUp : random(&numbers)
      switch action {
      case .configure, .functionReset, .linkFlap: isUp = false
      case .bringUp: isUp = true
      case .register, .doorbell, .command: break
      }
      return action
    }
  }

  private static func random(_ numbers: inout SplitMix64) -> Self {
    func pick<T>(_ choices: [T]) -> T { choices[Int(numbers.next() % UInt64(choices.count))] }
    switch numbers.next() % 32 {
    case 0:
      return .register(pick([0, 4, 8, 0x0c, 0x10, 0x1c, 0x20]), pick([0, .max, 0x4e56_4d65]))
    case 1:
      return .register(pick([0x24, 0x28, 0x2c, 0x30, 0x34]), UInt32(numbers.next() % 64) << 12)
    case 2: return .configure(pick([0x0046_0000, 0x0046_4001, 0x0046_8001]))
    case 3: return .functionReset
    case 4: return .linkFlap
    case 5: return .bringUp
    case 6: return .doorbell(Int(numbers.next() % 12), UInt32(numbers.next() % 64))
    default:
      let isAdmin = numbers.next() % 3 == 0
      return .command(isAdmin ? admin(&numbers) : io(&numbers), queue: isAdmin ? 0 : 1)
    }
  }

  /// Pages of the host's memory that no queue is in.
  private static func buffer(_ numbers: inout SplitMix64) -> UInt64 {
    buffers.lowerBound + 4096 * (numbers.next() % 1024)
  }

  private static func admin(_ numbers: inout SplitMix64) -> Host.Entry {
    func pick<T>(_ choices: [T]) -> T { choices[Int(numbers.next() % UInt64(choices.count))] }
    let opcode = pick(
      [0, 1, 2, 4, 5, 6, 8, 9, 0x0a, 0x0d, 0x10, 0x14, 0x18, 0x7f, 0x80] as [UInt8])
    var words = (0..<6).map { _ in UInt32(numbers.next() % 8) }
    switch opcode {
    case 2: words[0] = UInt32(numbers.next() % 12) | UInt32(numbers.next() % 512) << 16
    case 6: words[0] = UInt32(pick([0, 1, 2, 3, 5, 6, 7, 8, 0x10, 0x11, 0x1c]))
    case 9, 0x0a:
      // Without the keep-alive timer, whose expiry crashes the board: nvmet_pci_epf.md#keep-alive-expiry-crashes.
      words[0] = pick((0..<20).filter { $0 != 0x0f })
      words[1] = UInt32(truncatingIfNeeded: numbers.next())
    case 1, 5:
      words[0] = UInt32(numbers.next() % 6) | UInt32(pick([0, 1, 15, 63, 1023, 2000])) << 16
      words[1] = UInt32(numbers.next() % 4) | UInt32(numbers.next() % 10) << 16
    case 0, 4, 8: words[0] = UInt32(numbers.next() % 6) | UInt32(numbers.next() % 4) << 16
    default: break
    }
    return Host.Entry(
      opcode: opcode, flags: numbers.next() % 16 == 0 ? pick([1, 2, 0x40, 0x80]) : 0,
      namespace: pick([0, 1, 1, 1, 2, 5, .max]), prp1: buffer(&numbers),
      prp2: buffer(&numbers), words: words)
  }

  private static func io(_ numbers: inout SplitMix64) -> Host.Entry {
    func pick<T>(_ choices: [T]) -> T { choices[Int(numbers.next() % UInt64(choices.count))] }
    let opcode = pick([0, 1, 1, 2, 2, 2, 4, 5, 8, 9, 0x0c, 0x0d, 0x0e, 0x11, 0x7f] as [UInt8])
    let block = numbers.next() % 8 == 0 ? numbers.next() % (1 << 40) : numbers.next() % 32768
    // Up to two pages: the second pointer is no list.
    return Host.Entry(
      opcode: opcode, flags: numbers.next() % 32 == 0 ? pick([1, 2, 0x40]) : 0,
      namespace: pick([1, 1, 1, 1, 1, 1, 0, 2, .max]), prp1: buffer(&numbers),
      prp2: buffer(&numbers),
      words: [
        UInt32(truncatingIfNeeded: block), UInt32(block >> 32), UInt32(numbers.next() % 16), 0, 0,
        0,
      ])
  }

  /// The pages of the host's memory that commands point to.
  static let buffers: Range<UInt64> = 2048 << 12..<3072 << 12

  /// The pages that this action lets the controller read or write.
  var pages: [UInt64] {
    guard case .command(let entry, _) = self else { return [] }
    return [entry.prp1, entry.prp2]
  }
}
