// SPDX-License-Identifier: Apache-2.0

/// A submission queue entry: 64 bytes in memory, sixteen dwords here.
///
/// Command-specific values are in ``cdw10`` to ``cdw15``; the fields of the commands are in the folder Commands.
/// - Source: NVM Express Base 2.1, 4.1.1.
@frozen public struct SubmissionEntry: Sendable {
  /// The length in bytes.
  @inlinable public static var byteCount: Int { 64 }

  /// The command's dwords, CDW0 to CDW15.
  public var dwords: [16 of UInt32]

  /// An entry of zeroes.
  @inlinable public init() { dwords = [16 of UInt32](repeating: 0) }

  /// The dwords as the host wrote them, the first in CDW0.
  @inlinable public init(dwords: [16 of UInt32]) { self.dwords = dwords }

  /// A command with one or two data pointers.
  /// - Parameter words: CDW10 and the following words, at most 6; the others are zero.
  public init(
    opcode: UInt8, id: UInt16, namespaceID: UInt32 = 0, prp1: UInt64 = 0, prp2: UInt64 = 0,
    words: [UInt32] = []
  ) {
    self.init()
    dwords[0] = UInt32(opcode) | UInt32(id) << 16
    dwords[1] = namespaceID
    self.prp1 = prp1
    self.prp2 = prp2
    for (index, word) in words.prefix(6).enumerated() { dwords[10 + index] = word }
  }

  /// The opcode (OPC), CDW0 bits 7:0; its meaning depends on the queue.
  @inlinable public var opcode: UInt8 { UInt8(truncatingIfNeeded: dwords[0]) }
  /// The opcode of a command on the admin queue.
  @inlinable public var adminOpcode: AdminOpcode { AdminOpcode(rawValue: opcode) }
  /// The opcode of a command on an I/O queue, in the NVM command set.
  @inlinable public var nvmOpcode: NVMOpcode { NVMOpcode(rawValue: opcode) }
  /// Whether the command is half of a fused operation (FUSE), CDW0 bits 9:8.
  @inlinable public var isFused: Bool { dwords[0] & 0x300 != 0 }
  /// Whether the data pointer is an SGL (PSDT), CDW0 bits 15:14.
  @inlinable public var usesSGL: Bool { dwords[0] & 0xc000 != 0 }
  /// The command identifier (CID), CDW0 bits 31:16: unique among the queue's outstanding commands.
  @inlinable public var id: UInt16 {
    get { UInt16(truncatingIfNeeded: dwords[0] >> 16) }
    set { dwords[0] = dwords[0] & 0xffff | UInt32(newValue) << 16 }
  }
  /// The namespace identifier (NSID), CDW1; FFFFFFFFh is all namespaces.
  @inlinable public var namespaceID: UInt32 { dwords[1] }

  /// The first PRP entry (PRP1), CDW6 and CDW7.
  @inlinable public var prp1: UInt64 {
    get { UInt64(dwords[6]) | UInt64(dwords[7]) << 32 }
    set {
      dwords[6] = UInt32(truncatingIfNeeded: newValue)
      dwords[7] = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }
  /// The second PRP entry, or the address of a PRP list (PRP2), CDW8 and CDW9.
  @inlinable public var prp2: UInt64 {
    get { UInt64(dwords[8]) | UInt64(dwords[9]) << 32 }
    set {
      dwords[8] = UInt32(truncatingIfNeeded: newValue)
      dwords[9] = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }
  /// The data pointer as the first SGL descriptor (SGL1), CDW6 to CDW9.
  @inlinable public var sgl1: SGLDescriptor { SGLDescriptor(low: prp1, high: prp2) }

  @inlinable public var cdw10: UInt32 { dwords[10] }
  @inlinable public var cdw11: UInt32 { dwords[11] }
  @inlinable public var cdw12: UInt32 { dwords[12] }
  @inlinable public var cdw13: UInt32 { dwords[13] }
  @inlinable public var cdw14: UInt32 { dwords[14] }
  @inlinable public var cdw15: UInt32 { dwords[15] }
}
