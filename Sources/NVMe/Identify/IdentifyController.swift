// SPDX-License-Identifier: Apache-2.0

/// The Identify Controller data structure (CNS 01h), 4096 bytes.
/// - Source: NVM Express Base 2.1, 5.1.13.2.1; names as `nvme id-ctrl` prints them.
public struct IdentifyController: DataStructure {
  public static let byteCount = 4096
  public var bytes = [UInt8](repeating: 0, count: byteCount)
  public init() {}

  public static let layout: [ByteField<Self, [UInt8]>] = [
    ByteField<Self, UInt16>.vendorID.raw, ByteField<Self, UInt16>.subsystemVendorID.raw,
    ByteField<Self, String>.serial.raw, ByteField<Self, String>.modelNumber.raw,
    ByteField<Self, String>.firmware.raw, ByteField<Self, UInt8>.arbitrationBurst.raw,
    ByteField<Self, UInt32>.organization.raw, ByteField<Self, UInt8>.multipath.raw,
    ByteField<Self, UInt8>.maximumTransfer.raw, ByteField<Self, UInt16>.controllerID.raw,
    ByteField<Self, UInt32>.version.raw, field("rtd3r", 84, 4, .hexadecimal),
    ByteField<Self, UInt32>.shutdownLatency.raw, ByteField<Self, UInt32>.asyncEvents.raw,
    ByteField<Self, UInt32>.attributes.raw, field("rrls", 100, 2, .hexadecimal),
    ByteField<Self, UInt8>.controllerType.raw, field("fguid", 112, 16, .uuid),
    field("crdt1", 128, 2), field("crdt2", 130, 2), field("crdt3", 132, 2),
    field("nvmsr", 253, 1), field("vwci", 254, 1), field("mec", 255, 1),
    ByteField<Self, UInt16>.optionalAdminCommands.raw, ByteField<Self, UInt8>.abortLimit.raw,
    ByteField<Self, UInt8>.asyncEventLimit.raw, ByteField<Self, UInt8>.firmwareUpdates.raw,
    ByteField<Self, UInt8>.logPageAttributes.raw, ByteField<Self, UInt8>.errorLogEntries.raw,
    field("npss", 263, 1), field("avscc", 264, 1, .hexadecimal),
    field("apsta", 265, 1, .hexadecimal), field("wctemp", 266, 2), field("cctemp", 268, 2),
    field("mtfa", 270, 2), field("hmpre", 272, 4), field("hmmin", 276, 4),
    field("tnvmcap", 280, 16), field("unvmcap", 296, 16), field("rpmbs", 312, 4, .hexadecimal),
    field("edstt", 316, 2), field("dsto", 318, 1), field("fwug", 319, 1),
    ByteField<Self, UInt16>.keepAliveGranularity.raw, field("hctma", 322, 2, .hexadecimal),
    field("mntmt", 324, 2), field("mxtmt", 326, 2), field("sanicap", 328, 4, .hexadecimal),
    field("hmminds", 332, 4), field("hmmaxd", 336, 2), field("nsetidmax", 338, 2),
    ByteField<Self, UInt16>.enduranceGroups.raw, ByteField<Self, UInt8>.anaTransitionTime.raw,
    ByteField<Self, UInt8>.anaCapabilities.raw, ByteField<Self, UInt32>.anaGroupMaximum.raw,
    ByteField<Self, UInt32>.anaGroups.raw, field("pels", 352, 4), field("domainid", 356, 2),
    field("megcap", 368, 16), ByteField<Self, UInt8>.submissionEntrySizes.raw,
    ByteField<Self, UInt8>.completionEntrySizes.raw, ByteField<Self, UInt16>.maximumCommands.raw,
    ByteField<Self, UInt32>.namespaces.raw, ByteField<Self, UInt16>.optionalCommands.raw,
    field("fuses", 522, 2, .hexadecimal), field("fna", 524, 1, .hexadecimal),
    ByteField<Self, UInt8>.volatileWriteCache.raw, field("awun", 526, 2), field("awupf", 528, 2),
    field("icsvscc", 530, 1), ByteField<Self, UInt8>.writeProtection.raw, field("acwu", 532, 2),
    field("ocfs", 534, 2, .hexadecimal), ByteField<Self, UInt32>.sglSupport.raw,
    ByteField<Self, UInt32>.allowedNamespaces.raw, field("maxdna", 544, 16),
    field("maxcna", 560, 4), ByteField<Self, String>.nqn.raw,
    ByteField<Self, UInt32>.commandCapsule.raw, ByteField<Self, UInt32>.completionCapsule.raw,
    field("icdoff", 1800, 2), field("fcatt", 1802, 1, .hexadecimal), field("msdbd", 1803, 1),
    field("ofcs", 1804, 2),
  ]

  private static func field(
    _ name: StaticString, _ offset: Int, _ count: Int, _ format: ByteFieldFormat = .decimal
  ) -> ByteField<Self, [UInt8]> {
    ByteField(name, at: offset, count: count, as: format)
  }

  /// The beginning of a power state descriptor; the fields after it are optional.
  public struct PowerState: ByteFieldValue {
    /// MP, units of 10 mW.
    public var maximumPower: UInt16
    /// ENLAT, microseconds.
    public var entryLatency: UInt32
    /// EXLAT, microseconds.
    public var exitLatency: UInt32

    public init(maximumPower: UInt16, entryLatency: UInt32, exitLatency: UInt32) {
      self.maximumPower = maximumPower
      self.entryLatency = entryLatency
      self.exitLatency = exitLatency
    }

    public init(fieldBytes: ArraySlice<UInt8>, padding: UInt8) {
      let start = fieldBytes.startIndex
      maximumPower = UInt16(fieldBytes: fieldBytes[start..<start + 2], padding: 0)
      entryLatency = UInt32(fieldBytes: fieldBytes[start + 4..<start + 8], padding: 0)
      exitLatency = UInt32(fieldBytes: fieldBytes[start + 8..<start + 12], padding: 0)
    }

    public func fieldBytes(count: Int, padding: UInt8) -> [UInt8] {
      maximumPower.fieldBytes(count: 4, padding: 0) + entryLatency.fieldBytes(count: 4, padding: 0)
        + exitLatency.fieldBytes(count: 4, padding: 0) + [UInt8](repeating: 0, count: count - 12)
    }
  }
}

extension ByteField where Owner == IdentifyController, Value == IdentifyController.PowerState {
  /// PSD0, 32 bytes.
  public static var powerState0: Self { Self("ps 0", at: 2048, count: 32, as: .bytes) }
}

extension ByteField where Owner == IdentifyController, Value == String {
  public static var serial: Self { Self("sn", at: 4, count: 20, as: .text, padding: 0x20) }
  public static var modelNumber: Self { Self("mn", at: 24, count: 40, as: .text, padding: 0x20) }
  public static var firmware: Self { Self("fr", at: 64, count: 8, as: .text, padding: 0x20) }
  /// The subsystem's NQN, ended by a NUL.
  public static var nqn: Self { Self("subnqn", at: 768, count: 256, as: .text) }
}

extension ByteField where Owner == IdentifyController, Value == UInt8 {
  public static var arbitrationBurst: Self { Self("rab", at: 72) }
  /// CMIC.
  public static var multipath: Self { Self("cmic", at: 76, as: .hexadecimal) }
  /// MDTS: log2 of the largest transfer in pages of CAP.MPSMIN; 0 for no limit.
  public static var maximumTransfer: Self { Self("mdts", at: 77) }
  /// 1: an I/O controller.
  public static var controllerType: Self { Self("cntrltype", at: 111) }
  /// 0's based.
  public static var abortLimit: Self { Self("acl", at: 258) }
  /// 0's based.
  public static var asyncEventLimit: Self { Self("aerl", at: 259) }
  public static var firmwareUpdates: Self { Self("frmw", at: 260, as: .hexadecimal) }
  public static var logPageAttributes: Self { Self("lpa", at: 261, as: .hexadecimal) }
  /// 0's based.
  public static var errorLogEntries: Self { Self("elpe", at: 262) }
  /// Seconds.
  public static var anaTransitionTime: Self { Self("anatt", at: 342) }
  public static var anaCapabilities: Self { Self("anacap", at: 343) }
  /// log2 of bytes: required in bits 3:0, maximum in bits 7:4.
  public static var submissionEntrySizes: Self { Self("sqes", at: 512, as: .hexadecimal) }
  /// log2 of bytes: required in bits 3:0, maximum in bits 7:4.
  public static var completionEntrySizes: Self { Self("cqes", at: 513, as: .hexadecimal) }
  public static var volatileWriteCache: Self { Self("vwc", at: 525, as: .hexadecimal) }
  public static var writeProtection: Self { Self("nwpc", at: 531) }
}

extension ByteField where Owner == IdentifyController, Value == UInt16 {
  public static var vendorID: Self { Self("vid", at: 0, as: .hexadecimal) }
  public static var subsystemVendorID: Self { Self("ssvid", at: 2, as: .hexadecimal) }
  public static var controllerID: Self { Self("cntlid", at: 78, as: .hexadecimal) }
  /// KAS, units of 100 ms.
  public static var keepAliveGranularity: Self { Self("kas", at: 320) }
  public static var enduranceGroups: Self { Self("endgidmax", at: 340) }
  public static var maximumCommands: Self { Self("maxcmd", at: 514) }
  /// ONCS.
  public static var optionalCommands: Self { Self("oncs", at: 520, as: .hexadecimal) }
  /// Optional Admin Command Support (OACS); bit 8 is Doorbell Buffer Config.
  public static var optionalAdminCommands: Self { Self("oacs", at: 256, as: .hexadecimal) }
}

extension ByteField where Owner == IdentifyController, Value == UInt32 {
  /// The IEEE OUI, 24 bits.
  public static var organization: Self { Self("ieee", at: 73, count: 3, as: .reversedBytes) }
  public static var version: Self { Self("ver", at: 80, as: .hexadecimal) }
  /// RTD3E, microseconds; 0 if the controller does not report it.
  public static var shutdownLatency: Self { Self("rtd3e", at: 88, as: .hexadecimal) }
  /// OAES.
  public static var asyncEvents: Self { Self("oaes", at: 92, as: .hexadecimal) }
  /// CTRATT.
  public static var attributes: Self { Self("ctratt", at: 96, as: .hexadecimal) }
  public static var anaGroupMaximum: Self { Self("anagrpmax", at: 344) }
  public static var anaGroups: Self { Self("nanagrpid", at: 348) }
  /// NN: the largest NSID.
  public static var namespaces: Self { Self("nn", at: 516) }
  public static var sglSupport: Self { Self("sgls", at: 536, as: .hexadecimal) }
  public static var allowedNamespaces: Self { Self("mnan", at: 540) }
  /// Units of 16 bytes.
  public static var commandCapsule: Self { Self("ioccsz", at: 1792) }
  /// Units of 16 bytes.
  public static var completionCapsule: Self { Self("iorcsz", at: 1796) }
}
