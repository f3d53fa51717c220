// SPDX-License-Identifier: Apache-2.0
import ConformanceTables
import Numbers

/// The effects of an action that a host sees, and the messages of the board's kernel.
struct HostView: Equatable, CustomStringConvertible {
  /// CSTS.
  var status: UInt32 = 0
  private(set) var completions: [String] = []
  /// The vectors that were raised. Interrupts coalesce, so that their number does not count.
  private(set) var vectors: Set<UInt16> = []
  /// Whether there was an interrupt before any completion, although completions followed.
  private var hasEarlyInterrupt = false
  /// Kernel lines.
  private(set) var log: [String] = []
  /// A sum of the data; nil if it is not compared.
  var data: UInt64?

  /// Vectors of the actions before, which the driver may have raised again.
  private let repeated: Set<UInt16>
  /// Those of them that this action should raise.
  private let wanted: Set<UInt16>
  private var interruptedWithout = false

  init(after repeated: Set<UInt16> = [], wanted: Set<UInt16> = []) {
    self.repeated = repeated
    self.wanted = wanted
  }

  /// Takes what has happened since: interrupts first, so that their completions must be there.
  mutating func take(_ host: Host, log lines: [String]) {
    let interrupts = Set(host.takeInterrupts())
    vectors.formUnion(interrupts.subtracting(repeated.subtracting(wanted)))
    let new = Self.completions(host)
    if interruptedWithout, !new.isEmpty { hasEarlyInterrupt = true }
    completions += new
    let isNew = !interrupts.isSubset(of: repeated)
    interruptedWithout = interruptedWithout || isNew && completions.isEmpty
    log += lines
  }

  /// The completions of both queues that the host has not taken.
  private static func completions(_ host: Host) -> [String] {
    (0...1).flatMap { queue in
      var texts: [String] = []
      while let (id, completion) = host.completed(queue) {
        texts.append(
          "\(queue): CID \(id) status \(hexadecimal(completion.status)) result "
            + "\(hexadecimal(completion.result)) SQID \(completion.queue) "
            + "SQHD \(completion.submissionHead)")
      }
      return texts
    }
  }

  /// Whether as much has happened as for another.
  func isAsFar(as other: Self) -> Bool {
    completions.count >= other.completions.count && vectors.isSuperset(of: other.vectors)
      && log.count >= other.log.count
  }

  /// The part that does not depend on time: the driver executes the commands of a queue in parallel, while it fetches others, so that several
  /// completions have no order, and their SQHD is how far it has come.
  private var timeless: (completions: [String], log: [String]) {
    guard completions.count > 1 else { return (completions, log) }
    let unordered = completions.map { text in
      text.split(separator: " ").dropLast(2).joined(separator: " ")
    }
    return (unordered.sorted(), log.sorted())
  }

  static func == (one: Self, other: Self) -> Bool {
    one.status == other.status && one.timeless == other.timeless && one.vectors == other.vectors
      && one.hasEarlyInterrupt == other.hasEarlyInterrupt && one.data == other.data
  }

  var description: String {
    var text = "CSTS \(hexadecimal(status))"
    text += " [\(completions.joined(separator: ", "))] vectors \(vectors.sorted())"
    if hasEarlyInterrupt { text += " before the completion" }
    if !log.isEmpty { text += " log [\(log.joined(separator: " | "))]" }
    if let data { text += " data \(hexadecimal(data))" }
    return text
  }
}
