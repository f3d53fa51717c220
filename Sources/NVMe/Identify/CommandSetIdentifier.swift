// SPDX-License-Identifier: Apache-2.0

/// An I/O command set (CSI).
/// - Source: NVM Express Base 2.1, 5.1.13.
public struct CommandSetIdentifier: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var nvm: Self { Self(rawValue: 0x00) }
  @inlinable public static var keyValue: Self { Self(rawValue: 0x01) }
  @inlinable public static var zoned: Self { Self(rawValue: 0x02) }
  @inlinable public static var subsystemLocalMemory: Self { Self(rawValue: 0x03) }
  @inlinable public static var computationalPrograms: Self { Self(rawValue: 0x04) }

  public var name: String? {
    switch self {
    case .nvm: "NVM Command Set"
    case .keyValue: "Key Value Command Set"
    case .zoned: "Zoned Namespace Command Set"
    case .subsystemLocalMemory: "Subsystem Local Memory Command Set"
    case .computationalPrograms: "Computational Programs Command Set"
    default: nil
    }
  }
}
