// SPDX-License-Identifier: Apache-2.0

/// Whether and how the host shuts the controller down (CC.SHN).
/// - Source: NVM Express Base 2.1, 3.1.4.5.
public struct ShutdownNotification: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var none: Self { Self(rawValue: 0b00) }
  @inlinable public static var normal: Self { Self(rawValue: 0b01) }
  @inlinable public static var abrupt: Self { Self(rawValue: 0b10) }

  public var name: String? {
    switch self {
    case .none: "No notification; no effect"
    case .normal: "Normal shutdown notification"
    case .abrupt: "Abrupt shutdown notification"
    default: nil
    }
  }
}
