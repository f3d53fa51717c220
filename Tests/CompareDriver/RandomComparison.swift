// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import ControllerEmulation
import LibC
import Numbers
import PCI

/// Random hosts that do the same to the real driver and to its emulation.
///
/// A sequence begins with a controller that was reset and enabled, and one pair of I/O queues. After each action the emulation is brought to rest;
/// then the real controller has time until it shows the same, or the time class is exceeded. Compared are CSTS, the completions of both
/// queues (status, result, SQHD, SQID and CID), the vectors that were raised and that none comes before its completion, the lines of the kernel,
/// and the data of a command's two pages, except of features and of logs that count. After the last action the comparison waits
/// for late events. A sequence that differs is shortened.
struct RandomComparison {
  var seed: UInt64
  var sequences: Int
  var actions: Int
  /// The first sequence.
  var first: Int
  let device: LinkedDevice
  let log: BoardLog
  let model: ControllerModel
  /// State that features set in the driver outlives a reset, so the emulation lives as long as the driver.
  let emulation: LinkedEmulation

  /// The time within which the real controller must show the result of the emulation.
  static let limit = Duration.seconds(3)
  /// The same, while a sequence is shortened.
  static let shortLimit = Duration.milliseconds(500)
  /// Time for two polls of CC.
  static let quietTime = Duration.milliseconds(25)

  private struct Difference {
    var index: Int
    var real: HostView
    var emulated: HostView
  }

  /// A sum of the two pages of a command, if both controllers must store the same there.
  private static func data(of action: HostAction, _ host: Host) -> UInt64? {
    guard case .command(let entry, let queue) = action else { return nil }
    if queue == 0 {
      let countingLogs: Set<UInt32> = [1, 2]
      guard entry.opcode == 6 || entry.opcode == 2 && !countingLogs.contains(entry.words[0] & 0xff)
      else { return nil }
    }
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for page in action.pages {
      for offset in stride(from: 0, to: UInt64(4096), by: 8) {
        let word = (try? host.memory.load(at: page + offset, as: UInt64.self)) ?? 0
        sum = (sum ^ word) &* 0x100_0000_01b3
      }
    }
    return sum
  }

  /// Fills the pages of a sequence, equally for both.
  private static func fillPages(of actions: [HostAction], _ host: Host) {
    for page in Set(actions.flatMap(\.pages)) {
      host.fill(page, (0..<4096).map { UInt8(truncatingIfNeeded: $0 / 512 + Int(page >> 12)) })
    }
  }

  private static func perform(_ action: HostAction, _ host: Host) {
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

  private static func bringUp(_ host: Host) {
    host.write(0x14, 0)
    // A host may have written CSTS: the driver needs two polls of CC to see both changes, whatever CSTS shows.
    host.device.pass(nanoseconds: 3_000_000)
    host.device.pass(nanoseconds: 17_000_000) { host.status & 1 == 0 }
    // Otherwise what a host has written there would end the wait for RDY at once.
    host.write(0x1c, 0)
    host.enable()
    _ = host.makeQueues(1)
  }

  /// The actions without those that the driver does not survive, according to the emulation's diagnoses.
  private func survivable(_ actions: [HostAction], _ model: ControllerModel) -> [HostAction] {
    var actions = actions
    while true {
      let host = Host(LinkedEmulation(model))
      Self.bringUp(host)
      let fatal = actions.firstIndex { action in
        Self.perform(action, host)
        host.pass(30)
        var view = HostView()
        view.take(host, log: [])
        return !host.diagnoses.isEmpty
      }
      guard let fatal else { return actions }
      actions.remove(at: fatal)
    }
  }

  /// Plays actions on both.
  /// - Returns: the first difference.
  private func play(_ actions: [HostAction], limit: Duration = Self.limit) -> Difference? {
    let emulated = Host(emulation)
    let real = Host(device)
    for host in [emulated, real] {
      host.device.reset()
      Self.bringUp(host)
      Self.fillPages(of: actions, host)
      host.forgetInterrupts()
    }
    _ = log.take()
    var (logged, diagnosed) = (emulated.log.count, emulated.diagnoses.count)
    // The driver repeats interrupts, at the end of its work, which a busy machine delays: the last ones belong to the actions before.
    var before: [Set<UInt16>] = [[0]]
    /// The result of the emulation at rest.
    func rest(_ data: (Host) -> UInt64?) -> HostView {
      emulated.pass(30)
      var view = HostView()
      view.take(emulated, log: Array(emulated.log[logged...]))
      logged = emulated.log.count
      view.status = emulated.status
      view.data = data(emulated)
      return view
    }
    for (index, action) in actions.enumerated() {
      Self.perform(action, emulated)
      let wanted = rest { Self.data(of: action, $0) }
      // With what earlier sequences have left, the driver would not survive this one.
      guard emulated.diagnoses.count == diagnosed else {
        diagnosed = emulated.diagnoses.count
        continue
      }
      real.forgetInterrupts()
      Self.perform(action, real)
      if action.isSilent { pause(Self.quietTime) }
      let seen = settle(real, as: wanted, Self.union(before), limit) { Self.data(of: action, $0) }
      before = before.suffix(3) + [wanted.vectors]
      if seen != wanted { return Difference(index: index, real: seen, emulated: wanted) }
    }
    pause(Self.quietTime)
    let wanted = rest { _ in nil }
    let seen = settle(real, as: wanted, Self.union(before), limit) { _ in nil }
    return seen == wanted
      ? nil : Difference(index: actions.count - 1, real: seen, emulated: wanted)
  }

  private static func union(_ sets: [Set<UInt16>]) -> Set<UInt16> {
    sets.reduce(into: []) { $0.formUnion($1) }
  }

  private func pause(_ time: Duration) {
    usleep(UInt32(time / .microseconds(1)))
  }

  /// The result of the real controller, as soon as it equals that of the emulation, or at the end of the time class.
  private func settle(
    _ host: Host, as wanted: HostView, _ repeated: Set<UInt16>, _ limit: Duration,
    data: (Host) -> UInt64?
  ) -> HostView {
    var seen = HostView(after: repeated, wanted: wanted.vectors)
    let end = ContinuousClock.now + limit
    while true {
      // Completions, interrupts and lines are seen without a message.
      seen.take(host, log: log.take())
      let isOver = ContinuousClock.now > end
      if seen.isAsFar(as: wanted) || isOver {
        seen.status = host.status
        seen.data = data(host)
        if seen == wanted || isOver { return seen }
      }
      usleep(100)
    }
  }

  /// The fewest actions that differ still.
  private func shorten(
    _ actions: [HostAction], _ difference: Difference
  ) -> ([HostAction], Difference) {
    // Without what comes after.
    var (actions, difference) = (Array(actions.prefix(difference.index + 1)), difference)
    var length = max(1, (actions.count - 1) / 2)
    while true {
      var end = actions.count - 1
      while end > 0, CompareDriver.isAlive(device) {
        let start = max(0, end - length)
        var shorter = actions
        shorter.removeSubrange(start..<end)
        if let again = play(shorter, limit: Self.shortLimit), again.index == shorter.count - 1 {
          (actions, difference) = (shorter, again)
        }
        end = start
      }
      guard length > 1 else { return (actions, difference) }
      length /= 2
    }
  }

  func run() {
    var report = Report()
    var played = 0
    // Another disk, on which actions leave nothing that the comparison would find.
    var scratch = model
    for index in scratch.namespaces.indices {
      scratch.namespaces[index].backend = .memory(MemoryStore(count: 128 << 20))
    }
    let began = ContinuousClock.now
    func write() {
      report.write()
      let time = (ContinuousClock.now - began) / .milliseconds(1)
      print("actions", played, Int(time), separator: "\t")
      fflush(nil)
    }
    for number in first..<sequences {
      let actions = survivable(
        HostAction.sequence(seed: seed, number: number, count: self.actions), scratch)
      played += actions.count
      guard let difference = play(actions) else {
        report.compare("sequence \(number)", real: "", emulated: "", printsSame: false)
        continue
      }
      let (shortest, remaining) = shorten(actions, difference)
      report.compare(
        "seed \(seed) sequence \(number): " + shortest.map { "\($0)" }.joined(separator: "; "),
        real: "\(remaining.real)", emulated: "\(remaining.emulated)")
      guard CompareDriver.isAlive(device) else {
        write()
        print("lost", number + 1, separator: "\t")
        exit(3)
      }
    }
    write()
  }
}
