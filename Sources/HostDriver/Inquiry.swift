// SPDX-License-Identifier: Apache-2.0
public import NVMe

/// A read-only command: the command that nvme-cli sends for a subcommand.
public struct Inquiry: Sendable {
  /// nvme-cli's command and options, without the device: `id-ns --namespace-id=1`.
  public var words: String
  /// Whether it is sent to an I/O queue instead of the admin queue.
  public var isIO = false
  /// Without a data pointer: that is the host's.
  public var entry: SubmissionEntry
  /// Bytes that the host has room for, at most a page.
  public var length: Int

  /// Its result.
  public struct Answer: Sendable {
    public var status: Status
    /// Completion DW0 and DW1.
    public var result: UInt64
    /// Empty when the command failed.
    public var data: [UInt8]
  }
}

extension LinuxHost {
  /// Sends read-only commands, one after the other, on the admin queue or the first I/O queue.
  /// - Throws: ``HostError`` when one of them has no completion.
  public func answers(to inquiries: [Inquiry]) throws(HostError) -> [Inquiry.Answer] {
    let page = page()
    let zeroes = [UInt8](repeating: 0, count: 4096)
    var answers: [Inquiry.Answer] = []
    for inquiry in inquiries {
      try put(zeroes, at: page)
      var entry = inquiry.entry
      if inquiry.length > 0 { entry.prp1 = page }
      let completion = try execute(entry, on: inquiry.isIO ? 1 : 0)
      let count = completion.status.isSuccess ? inquiry.length : 0
      answers.append(
        .init(
          status: completion.status, result: completion.result,
          data: try bytes(at: page, count)))
    }
    return answers
  }
}
