// SPDX-License-Identifier: Apache-2.0

/// The arbitration of submission queues (CC.AMS).
/// - Source: NVM Express Base 2.1, 3.1.4.5.
public struct ArbitrationMechanism: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var roundRobin: Self { Self(rawValue: 0b000) }
  @inlinable public static var weighted: Self { Self(rawValue: 0b001) }
  @inlinable public static var vendorSpecific: Self { Self(rawValue: 0b111) }

  public var name: String? {
    switch self {
    case .roundRobin: "Round Robin"
    case .weighted: "Weighted Round Robin with Urgent Priority Class"
    case .vendorSpecific: "Vendor Specific"
    default: nil
    }
  }
}
