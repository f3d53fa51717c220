// SPDX-License-Identifier: Apache-2.0

/// The fields of admin commands.
extension SubmissionEntry {
  /// The queue of Create and Delete I/O Queue (QID), CDW10 bits 15:0.
  @inlinable public var queueID: UInt16 { UInt16(truncatingIfNeeded: dwords[10]) }

  /// The log page of Get Log Page (LID), CDW10 bits 7:0.
  @inlinable public var logPage: LogPageID {
    LogPageID(rawValue: UInt8(truncatingIfNeeded: dwords[10]))
  }

  // MARK: Features

  /// The feature of Get Features and Set Features (FID), CDW10 bits 7:0.
  @inlinable public var feature: FeatureID {
    FeatureID(rawValue: UInt8(truncatingIfNeeded: dwords[10]))
  }
  /// The value of Set Features, CDW11.
  @inlinable public var featureValue: UInt32 { dwords[11] }
  /// The vector of Get Features, Interrupt Vector Configuration (IV), CDW11 bits 15:0.
  @inlinable public var featureVector: UInt16 { UInt16(truncatingIfNeeded: dwords[11]) }
  /// Whether the host identifier has 16 bytes instead of 8 (EXHID), CDW11 bit 0.
  @inlinable public var hasExtendedHostIdentifier: Bool { dwords[11] & 1 != 0 }

  // MARK: Identify

  /// The data structure of Identify (CNS), CDW10 bits 7:0.
  @inlinable public var identifyStructure: IdentifyStructure {
    IdentifyStructure(rawValue: UInt8(truncatingIfNeeded: dwords[10]))
  }
  /// The identifier that the data structure needs (CNSSID), CDW11 bits 15:0.
  @inlinable public var identifyIdentifier: UInt16 { UInt16(truncatingIfNeeded: dwords[11]) }
  /// The command set of Identify (CSI), CDW11 bits 31:24.
  @inlinable public var commandSet: CommandSetIdentifier {
    CommandSetIdentifier(rawValue: UInt8(truncatingIfNeeded: dwords[11] >> 24))
  }

  // MARK: Fabrics

  /// The type of a fabrics command (FCTYPE), CDW1 bits 7:0.
  @inlinable public var fabricsType: FabricsCommandType {
    FabricsCommandType(rawValue: UInt8(truncatingIfNeeded: dwords[1]))
  }
  /// Whether Property Get is about a property of eight bytes (ATTRIB), CDW10 bit 0.
  @inlinable public var isWideProperty: Bool { dwords[10] & 1 != 0 }
  /// The property of Property Get (OFST), CDW11.
  @inlinable public var propertyOffset: Int { Int(dwords[11]) }
}
