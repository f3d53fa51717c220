// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import Synchronization

/// The running kernel's log, from `/dev/kmsg`.
///
/// The device is opened once, at the current end of the log, and read without blocking on request; so a mark is one or two system calls.
/// Without permission to read it (`dmesg_restrict`) there are no marks.
/// - Source: `kernel/printk/printk.c`, `devkmsg_read`, `devkmsg_llseek`.
public final class LiveKernelLog: KernelLog {
  private struct State {
    var window: KernelLogWindow
    var buffer: [UInt8]
  }

  /// The descriptor for `poll(2)` for new records; -1 if the log cannot be read.
  let descriptor: CInt
  private let state: Mutex<State>

  /// - Parameter capacity: how many records are kept between a mark and the reading of its lines.
  public init(capacity: Int = 8192) {
    descriptor = unsafe open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    if descriptor >= 0 { lseek(descriptor, 0, SEEK_END) }
    // A record never exceeds 8 KiB (PRINTKRB_RECORD_MAX, CONSOLE_EXT_LOG_MAX); a smaller buffer would give EINVAL.
    state = Mutex(
      State(
        window: KernelLogWindow(capacity: max(2, capacity)),
        buffer: [UInt8](repeating: 0, count: 8192)))
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  public func mark() -> KernelLogMark? {
    guard descriptor >= 0 else { return nil }
    return state.withLock { state in
      Self.drain(descriptor, &state)
      return KernelLogMark(sequence: state.window.next)
    }
  }

  public func lines(moving mark: inout KernelLogMark) -> [KernelLogLine] {
    guard descriptor >= 0 else { return [] }
    let start = mark.sequence
    let (lines, next) = state.withLock { state in
      Self.drain(descriptor, &state)
      return (state.window.lines(from: start), state.window.next)
    }
    mark.sequence = max(start, next)
    return lines
  }

  public func allLines() -> [KernelLogLine]? {
    // A separate descriptor: the other one is used for marks.
    let descriptor = unsafe open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var state = State(
      window: KernelLogWindow(capacity: 1 << 20), buffer: [UInt8](repeating: 0, count: 8192))
    Self.drain(descriptor, &state)
    return state.window.lines(from: 0)
  }

  /// Reads the available records, one for each `read(2)`.
  private static func drain(_ descriptor: CInt, _ state: inout State) {
    while true {
      let count = unsafe state.buffer.withUnsafeMutableBytes { buffer in
        unsafe read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count < 0 {
        // EPIPE: records were overwritten unread, and the next read returns the oldest remaining one.
        if errno == EINTR || errno == EPIPE { continue }
        return
      }
      if count == 0 { return }
      if let record = KernelLogRecord(
        parsing: String(decoding: state.buffer[..<count], as: UTF8.self))
      {
        state.window.append(record)
      }
    }
  }
}
