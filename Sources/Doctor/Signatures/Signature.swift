// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory

/// One problem that the kernel log shows: its messages, its meaning and its fix.
///
/// A problem that also sysfs can show has its meaning and fix here as well, so that each is in one place.
struct Signature: Sendable {
  /// The distance of a problem from the cause. A problem is not reported if one that is closer to the cause affects the same device.
  enum Rank: Int, Sendable, Comparable {
    case cause, symptom, consequence, aftermath, suspicion

    static func < (left: Rank, right: Rank) -> Bool { left.rawValue < right.rawValue }
  }

  /// The devices that a message must be about.
  enum Scope: Sendable {
    /// NVMe functions, and devices that the log does not identify.
    case function
    /// Also PCIe ports.
    case ports
  }

  var id: Finding.ID
  /// nil for a problem that explains no other one.
  var rank: Rank?
  var scope: Scope = .function
  /// Messages, any of which shows the problem; none if only sysfs shows it.
  var patterns: [LinePattern]
  /// Messages that do not show it, although they match.
  var exceptions: [LinePattern] = []
  /// Later messages about the same device, any of which shows that the problem is over.
  var ends: [LinePattern] = []
  /// Messages after which the problem stays, although a later message shows that it is over for now.
  var recurring: [LinePattern] = []
  /// Whether a function that the host finds behind the port shows it as well.
  var endsWithFunction = false
  /// Other messages, one of which the log must have as well, unless a function is not bound; none if the patterns are enough.
  var confirmations: [LinePattern] = []
  /// Functions of the kernel, one of which the stack trace after the message must have; none if no trace is required.
  var trace: [LinePattern] = []
  /// Whether it is reported only if no NVMe function was found.
  var onlyWithoutDisk = false
  var meaning: String
  /// What some messages say in addition.
  var details: [Detail] = []
  var fix: String

  /// The meaning of a part of a message, such as the number of a reason.
  struct Detail: Sendable {
    var patterns: [LinePattern]
    var meaning: String
  }

  /// The releases with the fix of a behaviour, for texts: `without the fix (in 6.15, 6.14.4)`.
  static func withoutFix(_ change: KernelChange) -> String {
    "without the fix (in \(change.endText))"
  }

  /// The first mainline release with the fix of a behaviour, for texts.
  static func fixed(_ change: KernelChange) -> String { change.until?.mainlineText ?? "" }

  /// Whether a message, with the messages after it, shows the problem.
  func matches<Lines: RandomAccessCollection>(_ lines: Lines, at index: Lines.Index) -> Bool
  where Lines.Element: LoggedLine {
    guard patterns.contains(where: { $0.matches(lines[index].bytes) }),
      !exceptions.contains(where: { $0.matches(lines[index].bytes) })
    else { return false }
    guard !trace.isEmpty else { return true }
    // The length of a stack trace with its registers.
    return lines[index...].prefix(60).contains { line in
      trace.contains { $0.matches(line.bytes) }
    }
  }

  /// What a message says in addition to the meaning.
  func details(of line: some LoggedLine) -> [String] {
    details.filter { detail in detail.patterns.contains { $0.matches(line.bytes) } }
      .map(\.meaning)
  }

  /// Whether a message may be about any device of the host, if the log does not identify it: one that names only a requester ID, unless that
  /// ID is the problem, or only a controller, which can be behind a network.
  func isOfAnyDevice(_ line: some LoggedLine) -> Bool {
    switch id {
    case .interruptRemapping, .dmaFault: !Self.wrongRequester.matches(line.bytes)
    case .anaInaccessible, .noPath, .atsTimeout: true
    default: false
    }
  }

  private static let wrongRequester: LinePattern = "source-id verification"

  /// Whether a later message shows that the problem is over.
  func ends(with line: some LoggedLine) -> Bool { ends.contains { $0.matches(line.bytes) } }
}

/// A message of a log, with its bytes.
protocol LoggedLine {
  var bytes: [UInt8] { get }
}
