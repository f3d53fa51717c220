// SPDX-License-Identifier: Apache-2.0

/// An entry of the Namespace Identification Descriptor list (CNS 03h).
/// - Source: NVM Express Base 2.1, 5.1.13.2.3.
public enum NamespaceDescriptor: Hashable, Sendable {
  /// 8 bytes.
  case eui64([UInt8])
  /// 16 bytes.
  case nguid([UInt8])
  /// 16 bytes.
  case uuid([UInt8])
  case commandSet(CommandSetIdentifier)

  /// NIDT.
  public var type: UInt8 {
    switch self {
    case .eui64: 1
    case .nguid: 2
    case .uuid: 3
    case .commandSet: 4
    }
  }

  /// NID.
  public var identifier: [UInt8] {
    switch self {
    case .eui64(let bytes), .nguid(let bytes), .uuid(let bytes): bytes
    case .commandSet(let set): [set.rawValue]
    }
  }

  /// The list's bytes: a header of 4 and the identifier for each.
  public static func encode(_ descriptors: [Self]) -> [UInt8] {
    descriptors.flatMap { [$0.type, UInt8($0.identifier.count), 0, 0] + $0.identifier }
  }

  /// The entries of a list from the other side; ends at the first of length 0. Unknown and malformed entries are ignored.
  public static func decode(_ bytes: [UInt8]) -> [Self] {
    var list: [Self] = []
    var offset = 0
    while offset + 4 <= bytes.count, bytes[offset + 1] > 0 {
      let end = offset + 4 + Int(bytes[offset + 1])
      guard end <= bytes.count else { break }
      let identifier = Array(bytes[offset + 4..<end])
      switch (bytes[offset], identifier.count) {
      case (1, 8): list.append(.eui64(identifier))
      case (2, 16): list.append(.nguid(identifier))
      case (3, 16): list.append(.uuid(identifier))
      case (4, 1): list.append(.commandSet(CommandSetIdentifier(rawValue: identifier[0])))
      default: break
      }
      offset = end
    }
    return list
  }
}
