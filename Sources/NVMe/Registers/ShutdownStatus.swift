// SPDX-License-Identifier: Apache-2.0

/// The progress of a shutdown (CSTS.SHST).
/// - Source: NVM Express Base 2.1, 3.1.4.6.
public struct ShutdownStatus: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var normal: Self { Self(rawValue: 0b00) }
  @inlinable public static var occurring: Self { Self(rawValue: 0b01) }
  @inlinable public static var complete: Self { Self(rawValue: 0b10) }

  public var name: String? {
    switch self {
    case .normal: "Normal operation (no shutdown has been requested)"
    case .occurring: "Shutdown processing occurring"
    case .complete: "Shutdown processing complete"
    default: nil
    }
  }
}
