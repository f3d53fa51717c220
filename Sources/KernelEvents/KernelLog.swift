// SPDX-License-Identifier: Apache-2.0

/// The kernel log in windows: mark a position, act, read the records since.
public protocol KernelLog: Sendable {
  /// The present end of the log; nil when this process may not read it.
  func mark() -> KernelLogMark?

  /// The records after a mark, oldest first, without time stamps; the mark moves after them.
  func lines(moving mark: inout KernelLogMark) -> [KernelLogLine]

  /// All that the kernel still has, oldest first; nil when this process may not read it.
  func allLines() -> [KernelLogLine]?
}

extension KernelLog {
  /// The records after a mark, oldest first, without time stamps.
  public func lines(since mark: KernelLogMark) -> [KernelLogLine] {
    var mark = mark
    return lines(moving: &mark)
  }
}

/// A place in the kernel's log: the sequence number of the next record.
public struct KernelLogMark: Sendable, Hashable {
  public var sequence: UInt64
  public init(sequence: UInt64) { self.sequence = sequence }
}

/// One record.
public struct KernelLogLine: Sendable, Hashable {
  /// syslog severity: 3 is an error, 4 a warning, 6 information.
  public var level: UInt8
  public var text: String

  public init(level: UInt8, text: String) {
    self.level = level
    self.text = text
  }
}
