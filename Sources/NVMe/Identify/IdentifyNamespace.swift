// SPDX-License-Identifier: Apache-2.0

/// The Identify Namespace data structure of the NVM command set (CNS 00h), 4096 bytes.
/// - Source: NVM Command Set 1.1, 4.1.5.1; names as `nvme id-ns` prints them.
public struct IdentifyNamespace: DataStructure {
  public static let byteCount = 4096
  public var bytes = [UInt8](repeating: 0, count: byteCount)
  public init() {}

  public static let layout: [ByteField<Self, [UInt8]>] = [
    ByteField<Self, UInt64>.size.raw, ByteField<Self, UInt64>.capacity.raw,
    ByteField<Self, UInt64>.utilization.raw, ByteField<Self, UInt8>.features.raw,
    ByteField<Self, UInt8>.formats.raw, ByteField<Self, UInt8>.formattedSize.raw,
    field("mc", 27, 1, .hexadecimal), field("dpc", 28, 1, .hexadecimal),
    field("dps", 29, 1, .hexadecimal), ByteField<Self, UInt8>.sharing.raw,
    field("rescap", 31, 1, .hexadecimal), field("fpi", 32, 1, .hexadecimal),
    field("dlfeat", 33, 1), field("nawun", 34, 2), field("nawupf", 36, 2), field("nacwu", 38, 2),
    field("nabsn", 40, 2), field("nabo", 42, 2), field("nabspf", 44, 2), field("noiob", 46, 2),
    field("nvmcap", 48, 16), field("npwg", 64, 2), field("npwa", 66, 2), field("npdg", 68, 2),
    field("npda", 70, 2), field("nows", 72, 2), field("mssrl", 74, 2), field("mcl", 76, 4),
    field("msrc", 80, 1), field("kpios", 81, 1), ByteField<Self, UInt32>.anaGroup.raw,
    ByteField<Self, UInt8>.attributes.raw, field("nvmsetid", 100, 2),
    ByteField<Self, UInt16>.enduranceGroup.raw, ByteField<Self, [UInt8]>.nguid,
    ByteField<Self, [UInt8]>.eui64,
  ]

  private static func field(
    _ name: StaticString, _ offset: Int, _ count: Int, _ format: ByteFieldFormat = .decimal
  ) -> ByteField<Self, [UInt8]> {
    ByteField(name, at: offset, count: count, as: format)
  }

  /// An LBA format (LBAF), 4 bytes each from 128 on.
  public struct BlockFormat: Hashable, Sendable {
    /// Bytes of metadata for a block.
    public var metadata: UInt16
    /// log2 of a block's bytes.
    public var blockShift: UInt8
    /// Relative performance, 0 best to 3.
    public var performance: UInt8

    public init(metadata: UInt16 = 0, blockShift: UInt8, performance: UInt8 = 0) {
      self.metadata = metadata
      self.blockShift = blockShift
      self.performance = performance
    }
  }

  /// The number of the format in use (FLBAS bits 3:0, 6:5).
  public var formatInUse: Int { Int(self[.formattedSize] & 0xf | self[.formattedSize] >> 1 & 0x30) }

  /// A format by its number, 0 to 63.
  public subscript(format index: Int) -> BlockFormat {
    get {
      let offset = 128 + 4 * index
      return BlockFormat(
        metadata: UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8,
        blockShift: bytes[offset + 2], performance: bytes[offset + 3] & 3)
    }
    set {
      let offset = 128 + 4 * index
      bytes[offset] = UInt8(truncatingIfNeeded: newValue.metadata)
      bytes[offset + 1] = UInt8(truncatingIfNeeded: newValue.metadata >> 8)
      bytes[offset + 2] = newValue.blockShift
      bytes[offset + 3] = newValue.performance & 3
    }
  }

  /// Every field, the formats after them: `lbaf  0 : ms:0   lbads:9  rp:0 (in use)`.
  public var fieldsAndFormats: [(name: String, value: String)] {
    fields
      + (0...min(Int(self[.formats]), 63)).map { index in
        let format = self[format: index]
        let metadata = "\(format.metadata)".padded(to: 3)
        let shift = "\(format.blockShift)".padded(to: 2)
        return (
          name: "lbaf \(index < 10 ? " " : "")\(index)",
          value:
            "ms:\(metadata) lbads:\(shift) rp:\(ByteFieldFormat.hexadecimal.text(of: [format.performance]))"
            + (index == formatInUse ? " (in use)" : "")
        )
      }
  }
}

extension ByteField where Owner == IdentifyNamespace, Value == UInt64 {
  /// NSZE, logical blocks.
  public static var size: Self { Self("nsze", at: 0, as: .hexadecimal) }
  /// NCAP, logical blocks.
  public static var capacity: Self { Self("ncap", at: 8, as: .hexadecimal) }
  /// NUSE, logical blocks.
  public static var utilization: Self { Self("nuse", at: 16, as: .hexadecimal) }
}

extension ByteField where Owner == IdentifyNamespace, Value == UInt8 {
  public static var features: Self { Self("nsfeat", at: 24, as: .hexadecimal) }
  /// NLBAF, 0's based.
  public static var formats: Self { Self("nlbaf", at: 25) }
  public static var formattedSize: Self { Self("flbas", at: 26, as: .hexadecimal) }
  /// NMIC: bit 0 when several controllers may use it.
  public static var sharing: Self { Self("nmic", at: 30, as: .hexadecimal) }
  /// Bit 0: write protected.
  public static var attributes: Self { Self("nsattr", at: 99) }
}

extension ByteField where Owner == IdentifyNamespace, Value == UInt16 {
  public static var enduranceGroup: Self { Self("endgid", at: 102) }
}

extension ByteField where Owner == IdentifyNamespace, Value == UInt32 {
  public static var anaGroup: Self { Self("anagrpid", at: 92) }
}

extension ByteField where Owner == IdentifyNamespace, Value == [UInt8] {
  public static var nguid: Self { Self("nguid", at: 104, count: 16, as: .bytes) }
  public static var eui64: Self { Self("eui64", at: 120, count: 8, as: .bytes) }
}
