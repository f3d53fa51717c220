// SPDX-License-Identifier: Apache-2.0
internal import PCI

/// The result of a mailbox operation that failed, a Linux errno.
/// - Source: endpoint-link.md, 5.
enum MailboxError: UInt32, Error {
  /// The shared page is not in the board's memory (EFAULT).
  case noSharedPage = 14
  /// The controller is started, and a host has seen the function (EBUSY).
  case busy = 16
  /// The controller has no such function (ENODEV).
  case noSuchFunction = 19
  case invalid = 22
  /// The operation is unknown (EOPNOTSUPP).
  case unknownOperation = 95
}

/// An operation of the board on a function or on the controller.
/// - Source: endpoint-link.md, 5.
enum MailboxOperation: UInt32 {
  case setHeader = 1
  case setBAR
  case clearBAR
  case setMSI
  case setMSIX
  case start
  case stop
  case remove
}

/// The mailbox in the shared page: an operation with its arguments.
struct MailboxRequest {
  var operation: UInt32
  var function: UInt32
  private var words: (UInt32, UInt32, UInt32, UInt32, UInt32)
  var address: UInt64
  var size: UInt64

  /// One of the first five arguments. (The sixth has no use.)
  subscript(index: Int) -> UInt32 {
    switch index {
    case 0: words.0
    case 1: words.1
    case 2: words.2
    case 3: words.3
    default: words.4
    }
  }

  /// - Throws: `.noSharedPage` if it cannot be read.
  init(in memory: HostMemory, at page: UInt64) throws(MailboxError) {
    let base = page + SharedPage.mailbox
    do throws(HostMemoryError) {
      operation = try memory.load(at: base, as: UInt32.self)
      function = try memory.load(at: base + 4, as: UInt32.self)
      words = (
        try memory.load(at: base + 8, as: UInt32.self),
        try memory.load(at: base + 12, as: UInt32.self),
        try memory.load(at: base + 16, as: UInt32.self),
        try memory.load(at: base + 20, as: UInt32.self),
        try memory.load(at: base + 24, as: UInt32.self)
      )
      address = try memory.load(at: base + 32, as: UInt64.self)
      size = try memory.load(at: base + 40, as: UInt64.self)
    } catch { throw .noSharedPage }
  }
}
