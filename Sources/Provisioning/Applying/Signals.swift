// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LibC
internal import Synchronization

/// SIGINT, SIGTERM and SIGHUP, which a run polls between two steps.
///
/// The first signal makes setup undo its steps; an undo continues to its end, since a partly removed endpoint is of no use. A signal after
/// the undo has acknowledged the first one stops the undo.
public enum Signals {
  /// From now on the three signals are remembered instead of ending the process. SIGHUP stays ignored under `nohup`.
  public static func remember() { epfnvme_remember_signals() }

  /// The first signal that arrived, if one did.
  public static var caught: CInt? {
    if let inbox { return inbox.first }
    let number = epfnvme_caught_signal()
    return number == 0 ? nil : number
  }

  private static var count: Int {
    inbox.map(\.count) ?? Int(epfnvme_caught_signal_count())
  }

  private static let process = Inbox()

  /// Acknowledges a signal during an undo.
  /// - Returns: the signal, the first time.
  static func acknowledge() -> CInt? {
    guard let caught else { return nil }
    let arrived = count
    return (inbox ?? process).acknowledged.withLock { noticed in
      guard noticed == 0 else { return nil }
      noticed = arrived
      return caught
    }
  }

  /// Whether another signal arrived after an undo acknowledged the first one: the undo stops.
  static var endsUndo: Bool {
    let noticed = (inbox ?? process).acknowledged.withLock { $0 }
    return noticed > 0 && count > noticed
  }

  /// Signals that a test sends to the runs of its task, because signals of the process would reach every test.
  package final class Inbox: Sendable {
    private let arrived: Mutex<[CInt]> = Mutex([])
    /// The number of signals when an undo acknowledged them; 0 before.
    fileprivate let acknowledged = Mutex(0)

    package init() {}

    package func send(_ signal: CInt) { arrived.withLock { $0.append(signal) } }
    fileprivate var first: CInt? { arrived.withLock { $0.first } }
    fileprivate var count: Int { arrived.withLock { $0.count } }
  }

  @TaskLocal package static var inbox: Inbox?

  /// `SIGTERM`.
  public static func name(of signal: CInt) -> String {
    switch signal {
    case SIGHUP: "SIGHUP"
    case SIGINT: "SIGINT"
    case SIGTERM: "SIGTERM"
    default: "signal \(signal)"
    }
  }
}

extension ProvisioningError {
  /// A run that a signal interrupted, and its outcome.
  public static func interrupted(
    by signal: CInt, _ outcome: String, operation: String? = nil, hint: String? = nil
  ) -> ProvisioningError {
    var error = ProvisioningError(
      .interrupted, "interrupted by \(Signals.name(of: signal)); \(outcome)", operation: operation,
      hint: hint)
    error.signal = signal
    return error
  }
}
