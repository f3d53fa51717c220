// SPDX-License-Identifier: Apache-2.0

/// The access state of a controller for the namespaces of an ANA group.
/// - Source: NVM Express Base 2.1, 8.1.1.
public struct NamespaceAccessState: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var optimized: Self { Self(rawValue: 0x01) }
  @inlinable public static var nonOptimized: Self { Self(rawValue: 0x02) }
  @inlinable public static var inaccessible: Self { Self(rawValue: 0x03) }
  @inlinable public static var persistentLoss: Self { Self(rawValue: 0x04) }
  @inlinable public static var change: Self { Self(rawValue: 0x0f) }

  /// Whether the controller executes commands on the namespaces.
  public var isAccessible: Bool { self == .optimized || self == .nonOptimized }

  public var name: String? {
    switch self {
    case .optimized: "optimized"
    case .nonOptimized: "non-optimized"
    case .inaccessible: "inaccessible"
    case .persistentLoss: "persistent-loss"
    case .change: "change"
    default: nil
    }
  }
}
