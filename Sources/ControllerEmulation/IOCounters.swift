// SPDX-License-Identifier: Apache-2.0

/// The I/O statistics of a controller since its creation.
public struct IOCounters: Sendable, Hashable {
  /// Commands that were fetched.
  public var commands: UInt64 = 0
  /// Bytes that hosts have read.
  public var bytesRead: UInt64 = 0
  /// Bytes that hosts have written.
  public var bytesWritten: UInt64 = 0
}

extension Controller {
  /// The number of I/O submission queues that the host has created.
  var liveIOQueues: Int { submissions.dropFirst().count { $0.isLive } }

  @inline(__always)
  mutating func count(_ bytes: UInt64, isWrite: Bool) {
    if isWrite { counters.bytesWritten &+= bytes } else { counters.bytesRead &+= bytes }
  }
}
