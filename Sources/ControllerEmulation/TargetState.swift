// SPDX-License-Identifier: Apache-2.0
internal import NVMe

/// The host's settings and transfer statistics of a namespace.
struct NamespaceUsage {
  var isWriteProtected: Bool
  /// Commands, and sectors of 512 bytes.
  var reads: UInt64 = 0
  var readSectors: UInt64 = 0
  var writes: UInt64 = 0
  var writtenSectors: UInt64 = 0

  init(isWriteProtected: Bool) { self.isWriteProtected = isWriteProtected }

  /// Thousands of sectors, as the logs count them.
  var unitsRead: UInt64 { (readSectors + 999) / 1000 }
  var unitsWritten: UInt64 { (writtenSectors + 999) / 1000 }
}

/// The keep-alive timer of nvmet: any command restarts it.
struct KeepAliveState {
  /// 0 is none.
  private(set) var seconds: UInt32 = 0
  var due = VirtualTime.never
  var hasSeenCommand = false

  mutating func set(milliseconds: UInt32, at now: VirtualTime) {
    // The kernel rounds up in 32 bits.
    seconds = (milliseconds &+ 999) / 1000
    restart(at: now)
  }

  mutating func restart(at now: VirtualTime) {
    hasSeenCommand = false
    due = seconds == 0 ? .never : now + VirtualTime.Milliseconds(UInt64(seconds) * 1000)
  }
}

/// The Error Information log of nvmet: 128 entries, the first one at index 1.
/// - Source: `drivers/nvme/target/core.c`, `nvmet_set_error`.
struct ErrorLog {
  struct Entry {
    var count: UInt64 = 0
    var queue: UInt16 = 0
    var command: UInt16 = 0
    var status: UInt16 = 0
    var location: UInt16 = 0
    var block: UInt64 = 0
    var namespace: UInt32 = 0
  }

  private(set) var count: UInt64 = 0
  private var entries: [Entry]

  init(isKept: Bool) { entries = [Entry](repeating: Entry(), count: isKept ? 128 : 0) }

  mutating func add(_ command: SubmissionEntry, _ queue: UInt16, _ status: Status) {
    guard !entries.isEmpty else { return }
    count += 1
    // Failures of the block layer include the first block.
    let hasBlock = queue > 0 && status.code == Status.internalError.code
    entries[Int(count % UInt64(entries.count))] = Entry(
      count: count, queue: queue, command: command.id,
      status: status.rawValue << 1 & 0xbfff,
      location: Self.location(of: command, status), block: hasBlock ? command.firstBlock : 0,
      namespace: command.namespaceID)
  }

  /// The entries, the newest first.
  var newestFirst: [Entry] {
    entries.indices.map { index in
      entries[(Int(count % UInt64(entries.count)) + entries.count - index) % entries.count]
    }
  }

  /// The byte of the command that caused the error.
  private static func location(of command: SubmissionEntry, _ status: Status) -> UInt16 {
    switch status.code {
    case Status.invalidField.code: command.isFused ? 1 : 40
    case Status.invalidOpcode.code, Status.internalError.code: 0
    case Status.invalidSGLLength.code: 24
    case Status.capacityExceeded.code: 48
    case Status.lbaOutOfRange.code: 40
    default: 4
    }
  }
}
