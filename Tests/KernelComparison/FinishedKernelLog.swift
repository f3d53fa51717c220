// SPDX-License-Identifier: Apache-2.0
internal import KernelEvents
internal import LibC

/// The running kernel's log, with lines that the kernel has printed without a line feed at their end: it keeps them back until it prints the
/// next one, which this provokes. Needs `printk.devkmsg=on`.
/// - Source: `kernel/printk/printk.c`, `vprintk_store`, `prb_commit`.
final class FinishedKernelLog: KernelLog {
  private let log = LiveKernelLog()
  private let descriptor = unsafe open("/dev/kmsg", O_WRONLY | O_CLOEXEC)

  deinit { close(descriptor) }

  private func finish() {
    var line: [UInt8] = [0x2e, 0x0a]
    _ = unsafe write(descriptor, &line, line.count)
  }

  func mark() -> KernelLogMark? {
    finish()
    return log.mark()
  }

  func lines(moving mark: inout KernelLogMark) -> [KernelLogLine] {
    finish()
    return log.lines(moving: &mark)
  }

  func allLines() -> [KernelLogLine]? { log.allLines() }
}
