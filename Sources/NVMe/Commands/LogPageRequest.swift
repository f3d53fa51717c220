// SPDX-License-Identifier: Apache-2.0

/// Get Log Page.
/// - Source: NVM Express Base 2.1, 5.1.12.
@frozen public struct LogPageRequest: Hashable, Sendable {
  /// LID.
  public var page: LogPageID
  /// The length in bytes, a multiple of four (NUMDL, NUMDU).
  public var byteCount: Int
  /// The first byte (LPOL, LPOU).
  public var offset: UInt64
  /// Whether the event of the page stays masked (RAE).
  public var retainsEvent: Bool
  /// LSP; its meaning depends on the page.
  public var parameter: UInt8
  /// LSI: an endurance group, for example.
  public var identifier: UInt16
  /// CSI.
  public var commandSet: CommandSetIdentifier

  @inlinable public init(
    _ page: LogPageID, byteCount: Int, offset: UInt64 = 0, retainsEvent: Bool = false,
    parameter: UInt8 = 0, identifier: UInt16 = 0, commandSet: CommandSetIdentifier = .nvm
  ) {
    self.page = page
    self.byteCount = byteCount
    self.offset = offset
    self.retainsEvent = retainsEvent
    self.parameter = parameter
    self.identifier = identifier
    self.commandSet = commandSet
  }

  @inlinable public init(_ command: SubmissionEntry) {
    let (first, second) = (command.dwords[10], command.dwords[11])
    self.init(
      command.logPage, byteCount: (Int(first >> 16) | Int(second & 0xffff) << 16) * 4 + 4,
      offset: UInt64(command.dwords[12]) | UInt64(command.dwords[13]) << 32,
      retainsEvent: first & 0x8000 != 0, parameter: UInt8(truncatingIfNeeded: first >> 8 & 0x7f),
      identifier: UInt16(truncatingIfNeeded: second >> 16),
      commandSet: CommandSetIdentifier(
        rawValue: UInt8(truncatingIfNeeded: command.dwords[14] >> 24)))
  }

  /// Asymmetric Namespace Access: whether the groups are without their namespaces (RGO).
  @inlinable public var hasGroupsOnly: Bool { parameter & 1 != 0 }

  /// CDW10 to CDW14 of the command.
  public var words: [UInt32] {
    let count = UInt32(truncatingIfNeeded: byteCount / 4 - 1)
    let flags: UInt32 = UInt32(parameter & 0x7f) << 8 | (retainsEvent ? 0x8000 : 0)
    return [
      count << 16 | flags | UInt32(page.rawValue), UInt32(identifier) << 16 | count >> 16,
      UInt32(truncatingIfNeeded: offset), UInt32(offset >> 32), UInt32(commandSet.rawValue) << 24,
    ]
  }
}
