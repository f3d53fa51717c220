// SPDX-License-Identifier: Apache-2.0

/// Which I/O command sets the host selects (CC.CSS).
/// - Source: NVM Express Base 2.1, 3.1.4.5.
public struct CommandSetSelection: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var nvm: Self { Self(rawValue: 0b000) }
  /// Every supported I/O command set; the namespace selects the command set.
  @inlinable public static var all: Self { Self(rawValue: 0b110) }
  @inlinable public static var adminOnly: Self { Self(rawValue: 0b111) }

  public var name: String? {
    switch self {
    case .nvm: "NVM Command Set"
    case .all: "All supported I/O Command Sets"
    case .adminOnly: "Admin Command Set only"
    default: nil
    }
  }
}
