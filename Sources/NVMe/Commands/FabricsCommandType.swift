// SPDX-License-Identifier: Apache-2.0

/// The type of a fabrics command (FCTYPE).
/// - Source: NVM Express Base 2.1, 6.
public struct FabricsCommandType: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var propertySet: Self { Self(rawValue: 0x00) }
  @inlinable public static var connect: Self { Self(rawValue: 0x01) }
  @inlinable public static var propertyGet: Self { Self(rawValue: 0x04) }
  @inlinable public static var authenticationSend: Self { Self(rawValue: 0x05) }
  @inlinable public static var authenticationReceive: Self { Self(rawValue: 0x06) }
  @inlinable public static var disconnect: Self { Self(rawValue: 0x08) }

  public var name: String? {
    switch self {
    case .propertySet: "Property Set"
    case .connect: "Connect"
    case .propertyGet: "Property Get"
    case .authenticationSend: "Authentication Send"
    case .authenticationReceive: "Authentication Receive"
    case .disconnect: "Disconnect"
    default: nil
    }
  }
}
