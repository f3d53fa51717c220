// SPDX-License-Identifier: Apache-2.0
public import KernelEvents

extension SimulatedKernel: KernelLog {
  public func mark() -> KernelLogMark? {
    observe { kernel in
      kernel.machine.isPrivileged ? KernelLogMark(sequence: kernel.nextRecord) : nil
    }
  }

  public func lines(moving mark: inout KernelLogMark) -> [KernelLogLine] {
    let start = mark.sequence
    let (lines, next) = observe { kernel in
      (
        kernel.log.filter { $0.sequence >= start }
          .map { KernelLogLine(level: $0.level, text: $0.text) }, kernel.nextRecord
      )
    }
    mark.sequence = max(start, next)
    return lines
  }

  public func allLines() -> [KernelLogLine]? {
    facts.isPrivileged ? lines(since: KernelLogMark(sequence: 0)) : nil
  }

  /// The whole log.
  public var logLines: [String] { observe { $0.log.map(\.text) } }
}
