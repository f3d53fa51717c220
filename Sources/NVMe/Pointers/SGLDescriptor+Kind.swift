// SPDX-License-Identifier: Apache-2.0

extension SGLDescriptor {
  /// The type of a descriptor.
  /// - Source: NVM Express Base 2.1, 4.3.2.
  public struct Kind: Code {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var dataBlock: Self { Self(rawValue: 0x0) }
    /// Bytes of a read that are discarded.
    @inlinable public static var bitBucket: Self { Self(rawValue: 0x1) }
    @inlinable public static var segment: Self { Self(rawValue: 0x2) }
    @inlinable public static var lastSegment: Self { Self(rawValue: 0x3) }
    @inlinable public static var keyedDataBlock: Self { Self(rawValue: 0x4) }
    @inlinable public static var transportDataBlock: Self { Self(rawValue: 0x5) }
    @inlinable public static var vendorSpecific: Self { Self(rawValue: 0xf) }

    public var name: String? {
      switch self {
      case .dataBlock: "SGL Data Block"
      case .bitBucket: "SGL Bit Bucket"
      case .segment: "SGL Segment"
      case .lastSegment: "SGL Last Segment"
      case .keyedDataBlock: "Keyed SGL Data Block"
      case .transportDataBlock: "Transport SGL Data Block"
      case .vendorSpecific: "Vendor Specific"
      default: nil
      }
    }
  }

  /// The kind of a descriptor's address.
  /// - Source: NVM Express Base 2.1, 4.3.2.
  public struct Subtype: Code {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var address: Self { Self(rawValue: 0x0) }
    /// An offset within the command's capsule.
    @inlinable public static var offset: Self { Self(rawValue: 0x1) }
    /// The transport's; of a keyed data block it invalidates the key.
    @inlinable public static var transport: Self { Self(rawValue: 0xf) }

    public var name: String? {
      switch self {
      case .address: "Address"
      case .offset: "Offset"
      case .transport: "Transport specific"
      default: nil
      }
    }
  }
}
