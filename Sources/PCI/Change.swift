// SPDX-License-Identifier: Apache-2.0

/// What a write to the configuration space changed, for the function to act on.
public struct Change: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let command = Self(rawValue: 1 << 0)
  public static let bars = Self(rawValue: 1 << 1)
  public static let powerState = Self(rawValue: 1 << 2)
  public static let msi = Self(rawValue: 1 << 3)
  public static let msix = Self(rawValue: 1 << 4)

  /// The host asked for a function-level reset. It has not happened: the function does it.
  public static let functionLevelReset = Self(rawValue: 1 << 5)

  /// What decides how, and whether, an interrupt reaches the host.
  public static let interrupts: Self = [.command, .powerState, .msi, .msix]
}
