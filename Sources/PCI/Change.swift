// SPDX-License-Identifier: Apache-2.0

/// The changes of a write to the configuration space, on which the function acts.
public struct Change: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let command = Self(rawValue: 1 << 0)
  public static let bars = Self(rawValue: 1 << 1)
  public static let powerState = Self(rawValue: 1 << 2)
  public static let msi = Self(rawValue: 1 << 3)
  public static let msix = Self(rawValue: 1 << 4)

  /// The host requested a function-level reset. The function must execute it.
  public static let functionLevelReset = Self(rawValue: 1 << 5)

  /// The settings that control the delivery of interrupts to the host.
  public static let interrupts: Self = [.command, .powerState, .msi, .msix]
}
