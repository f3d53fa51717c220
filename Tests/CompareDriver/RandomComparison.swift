// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import LibC
import Numbers
import PCI
import SpecificationHost

/// Random hosts that do the same to the real driver and to its emulation.
///
/// A sequence begins with a controller that was reset and enabled, and one pair of I/O queues. After each action the emulation is brought to rest;
/// then the real controller has time until it shows the same, or the time class is exceeded: 3 s. Compared are CSTS, the completions of both
/// queues (status, result, SQHD, SQID and CID), and the data of a command's two pages, except of
/// features and of logs that count; at the end of a sequence, the vectors that were raised. A sequence that differs is shortened.
struct RandomComparison {
  var seed: UInt64
  var sequences: Int
  var actions: Int
  /// The first sequence.
  var first: Int

  static let limit: UInt64 = 3000

  enum Action: CustomStringConvertible {
    case configure(UInt32)
    case register(Int, UInt32)
    case doorbell(Int, UInt32)
    case command(Host.Entry, queue: Int)
    case functionReset
    case linkFlap
    /// Enable, and I/O queues.
    case bringUp

    var description: String {
      func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
      switch self {
      case .configure(let value): return "CC=\(hex(value))"
      case .register(let offset, let value): return "[\(hex(offset))]=\(hex(value))"
      case .doorbell(let index, let value): return "doorbell \(index)=\(value)"
      case .command(let entry, let queue):
        let words = entry.words.map { hex($0) }.joined(separator: " ")
        return "queue \(queue): opcode \(hex(entry.opcode)) flags \(hex(entry.flags)) "
          + "nsid \(hex(entry.namespace)) prp \(hex(entry.prp1)) \(hex(entry.prp2)) words \(words)"
      case .functionReset: return "FLR"
      case .linkFlap: return "link down and up"
      case .bringUp: return "enable and create queues"
      }
    }
  }

  /// The actions of a sequence.
  func sequence(_ number: Int) -> [Action] {
    var numbers = SplitMix64(seed: seed &* 0x9e37_79b9 &+ UInt64(number))
    func pick<T>(_ choices: [T]) -> T { choices[Int(numbers.next() % UInt64(choices.count))] }
    return (0..<actions).map { _ in
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
        return .command(
          isAdmin ? Self.admin(&numbers) : Self.io(&numbers), queue: isAdmin ? 0 : 1)
      }
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
      // Without the keep-alive timer, whose expiry crashes the board: nvmet_pci_epf.md, 20, Q5.
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

  /// What a host sees after an action.
  struct View: Equatable, CustomStringConvertible {
    var status: UInt32
    var completions: [String] = []
    var vectors: Set<UInt16> = []
    /// A sum of the data; nil if it is not compared.
    var data: UInt64?

    /// The completions without what depends on time: the driver executes the commands of a queue in parallel, while it fetches others, so that
    /// several have no order, and their SQHD is how far it has come.
    private var timeless: [String] {
      guard completions.count > 1 else { return completions }
      return completions.map { text in text.split(separator: " ").dropLast(2).joined(separator: " ")
      }.sorted()
    }

    static func == (one: Self, other: Self) -> Bool {
      one.status == other.status && one.timeless == other.timeless && one.vectors == other.vectors
        && one.data == other.data
    }

    var description: String {
      "CSTS 0x\(String(status, radix: 16)) [\(completions.joined(separator: ", "))] vectors "
        + "\(vectors.sorted())" + (data.map { " data 0x\(String($0, radix: 16))" } ?? "")
    }
  }

  /// A sum of the two pages of a command, if both controllers are to leave the same there.
  private static func data(of action: Action, _ host: Host) -> UInt64? {
    guard case .command(let entry, let queue) = action else { return nil }
    if queue == 0 {
      let countingLogs: Set<UInt32> = [1, 2]
      guard entry.opcode == 6 || entry.opcode == 2 && !countingLogs.contains(entry.words[0] & 0xff)
      else { return nil }
    }
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for page in [entry.prp1, entry.prp2] {
      for offset in stride(from: 0, to: UInt64(4096), by: 8) {
        let word = (try? host.memory.load(at: page + offset, as: UInt64.self)) ?? 0
        sum = (sum ^ word) &* 0x100_0000_01b3
      }
    }
    return sum
  }

  private static let buffers: Range<UInt64> = 2048 << 12..<3072 << 12

  /// Fills all buffers, equally for both.
  private static func fillBuffers(_ host: Host) {
    for page in stride(from: buffers.lowerBound, to: buffers.upperBound, by: 4096) {
      host.fill(page, (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 512 + Int(page >> 12)) })
    }
  }

  private func perform(_ action: Action, _ host: Host) {
    switch action {
    case .configure(let value): host.write(0x14, value)
    case .register(let offset, let value): host.write(offset, value)
    case .doorbell(let index, let value): host.write(0x1000 + 4 * index, value)
    case .command(let entry, let queue): host.submit(entry, to: queue)
    case .functionReset: host.device.reset()
    case .linkFlap:
      host.device.linkDown()
      host.device.linkUp()
    case .bringUp: bringUp(host)
    }
  }

  private func bringUp(_ host: Host) {
    host.write(0x14, 0)
    // A host may have written CSTS: the driver needs two polls of CC to see both changes, whatever CSTS shows.
    host.device.pass(nanoseconds: 3_000_000)
    host.device.pass(nanoseconds: 17_000_000) { host.status & 1 == 0 }
    host.enable()
    _ = host.makeQueues(1)
  }

  /// The completions since the last call, of both queues.
  private func completions(_ host: Host) -> [String] {
    (0...1).flatMap { queue in
      var texts: [String] = []
      while let (id, completion) = host.completed(queue) {
        texts.append(
          "\(queue): CID \(id) status 0x\(String(completion.status, radix: 16)) result "
            + "0x\(String(completion.result, radix: 16)) SQID \(completion.queue) "
            + "SQHD \(completion.submissionHead)")
      }
      return texts
    }
  }

  /// The actions without those that the driver does not survive, according to the emulation's diagnoses.
  private func survivable(_ actions: [Action], _ model: ControllerModel) -> [Action] {
    var actions = actions
    while true {
      let host = Host(EmulatedDevice(model, memoryBytes: 16 << 20))
      bringUp(host)
      let fatal = actions.firstIndex { action in
        perform(action, host)
        host.pass(30)
        _ = completions(host)
        return !host.diagnoses.isEmpty
      }
      guard let fatal else { return actions }
      actions.remove(at: fatal)
    }
  }

  /// Plays actions on both.
  /// - Returns: the first difference: the action's index, and what both showed.
  private func play(
    _ actions: [Action], _ device: any Device, _ model: ControllerModel
  ) -> (index: Int, real: View, emulated: View)? {
    let emulated = Host(EmulatedDevice(model, memoryBytes: 16 << 20))
    let real = Host(device)
    device.reset()
    bringUp(emulated)
    bringUp(real)
    Self.fillBuffers(emulated)
    Self.fillBuffers(real)
    emulated.forgetInterrupts()
    real.forgetInterrupts()
    for (index, action) in actions.enumerated() {
      perform(action, emulated)
      perform(action, real)
      emulated.pass(30)
      func view(_ host: Host) -> View {
        View(
          status: host.status, completions: completions(host),
          data: Self.data(of: action, host))
      }
      let wanted = view(emulated)
      real.drain()
      var seen = view(real)
      var waited: UInt64 = 0
      while seen != wanted, waited < Self.limit {
        real.pass(nanoseconds: 67_000)
        waited += 1
        let before = seen.completions
        seen = view(real)
        seen.completions = before + seen.completions
      }
      if seen != wanted { return (index, seen, wanted) }
    }
    // Vectors have no order, and coalesce: what counts is which ones were raised.
    func vectors(_ host: Host) -> View { View(status: 0, vectors: Set(host.interrupts)) }
    var waited: UInt64 = 0
    while vectors(real) != vectors(emulated), waited < Self.limit {
      real.pass(nanoseconds: 67_000)
      waited += 1
    }
    if vectors(real) != vectors(emulated) {
      return (actions.count - 1, vectors(real), vectors(emulated))
    }
    return nil
  }

  func run(_ device: any Device, _ model: ControllerModel) throws {
    var report = Report()
    var played = 0
    // Another disk, on which actions leave nothing that the comparison would find.
    var scratch = model
    for index in scratch.namespaces.indices {
      scratch.namespaces[index].backend = .memory(MemoryStore(count: 128 << 20))
    }
    for number in first..<sequences {
      var actions = survivable(sequence(number), scratch)
      played += actions.count
      guard var difference = play(actions, device, model) else {
        report.compare("sequence \(number)", real: "", emulated: "")
        continue
      }
      // Without what comes after, and then without each action that is not needed.
      actions = Array(actions.prefix(difference.index + 1))
      var index = actions.count - 2
      while index >= 0, CompareDriver.isAlive(device) {
        var shorter = actions
        shorter.remove(at: index)
        if let again = play(shorter, device, model), again.index == shorter.count - 1 {
          actions = shorter
          difference = again
        }
        index -= 1
      }
      report.compare(
        "seed \(seed) sequence \(number): " + actions.map { "\($0)" }.joined(separator: "; "),
        real: "\(difference.real)", emulated: "\(difference.emulated)")
      guard CompareDriver.isAlive(device) else {
        report.write()
        print("actions", played, separator: "\t")
        print("lost", number + 1, separator: "\t")
        exit(3)
      }
    }
    report.write()
    print("actions", played, separator: "\t")
  }
}
