// SPDX-License-Identifier: Apache-2.0

/// The effects of a command: an entry of Commands Supported and Effects.
/// - Source: NVM Express Base 2.1, 5.1.12.1.6.
public struct CommandEffects: PackedWord {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

  public static var layout: [BitField<Self, UInt64>] {
    [
      BitField<Self, Bool>.isSupported.number,
      BitField<Self, Bool>.changesBlocks.number,
      BitField<Self, Bool>.changesNamespaceCapabilities.number,
      BitField<Self, Bool>.changesNamespaceInventory.number,
      BitField<Self, Bool>.changesControllerCapabilities.number,
      BitField<Self, UInt8>.relaxation.number,
      BitField<Self, UInt8>.execution.number,
      BitField<Self, Bool>.selectsUUID.number,
    ]
  }
}

extension BitField where Owner == CommandEffects, Value == Bool {
  /// Whether the controller supports the command (CSUPP).
  @inlinable public static var isSupported: Self { Self("CSUPP", bit: 0) }

  /// Whether it may change the content of logical blocks (LBCC).
  @inlinable public static var changesBlocks: Self { Self("LBCC", bit: 1) }

  /// Whether it may change the capabilities of a namespace (NCC).
  @inlinable public static var changesNamespaceCapabilities: Self { Self("NCC", bit: 2) }

  /// Whether it may change the namespaces there are (NIC).
  @inlinable public static var changesNamespaceInventory: Self { Self("NIC", bit: 3) }

  /// Whether it may change the capabilities of the controller (CCC).
  @inlinable public static var changesControllerCapabilities: Self { Self("CCC", bit: 4) }

  /// Whether UUID Index selects its meaning (USS).
  @inlinable public static var selectsUUID: Self { Self("USS", bit: 19) }
}

extension BitField where Owner == CommandEffects, Value == UInt8 {
  /// Relaxation of the submission and execution restrictions (CSER).
  @inlinable public static var relaxation: Self { Self("CSER", 14...15) }

  /// Submission and execution restrictions (CSE): 0 no limit, 1 same namespace, 2 any namespace.
  @inlinable public static var execution: Self { Self("CSE", 16...18) }
}
