// SPDX-License-Identifier: Apache-2.0

/// The data structure that Identify requests (CNS).
/// - Source: NVM Express Base 2.1, 5.1.13.
public struct IdentifyStructure: Code {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var namespace: Self { Self(rawValue: 0x00) }
  @inlinable public static var controller: Self { Self(rawValue: 0x01) }
  @inlinable public static var activeNamespaces: Self { Self(rawValue: 0x02) }
  @inlinable public static var namespaceDescriptors: Self { Self(rawValue: 0x03) }
  @inlinable public static var nvmSets: Self { Self(rawValue: 0x04) }
  @inlinable public static var commandSetNamespace: Self { Self(rawValue: 0x05) }
  @inlinable public static var commandSetController: Self { Self(rawValue: 0x06) }
  @inlinable public static var commandSetActiveNamespaces: Self { Self(rawValue: 0x07) }
  @inlinable public static var independentNamespace: Self { Self(rawValue: 0x08) }
  @inlinable public static var formatUserData: Self { Self(rawValue: 0x09) }
  @inlinable public static var commandSetFormatUserData: Self { Self(rawValue: 0x0a) }
  @inlinable public static var allocatedNamespaces: Self { Self(rawValue: 0x10) }
  @inlinable public static var allocatedNamespace: Self { Self(rawValue: 0x11) }
  @inlinable public static var attachedControllers: Self { Self(rawValue: 0x12) }
  @inlinable public static var controllers: Self { Self(rawValue: 0x13) }
  @inlinable public static var primaryControllerCapabilities: Self { Self(rawValue: 0x14) }
  @inlinable public static var secondaryControllers: Self { Self(rawValue: 0x15) }
  @inlinable public static var namespaceGranularity: Self { Self(rawValue: 0x16) }
  @inlinable public static var uuids: Self { Self(rawValue: 0x17) }
  @inlinable public static var domains: Self { Self(rawValue: 0x18) }
  @inlinable public static var enduranceGroups: Self { Self(rawValue: 0x19) }
  @inlinable public static var commandSetAllocatedNamespaces: Self { Self(rawValue: 0x1a) }
  @inlinable public static var commandSetAllocatedNamespace: Self { Self(rawValue: 0x1b) }
  @inlinable public static var commandSets: Self { Self(rawValue: 0x1c) }

  public var name: String? {
    switch self {
    case .namespace: "Identify Namespace"
    case .controller: "Identify Controller"
    case .activeNamespaces: "Active Namespace ID list"
    case .namespaceDescriptors: "Namespace Identification Descriptor list"
    case .nvmSets: "NVM Set List"
    case .commandSetNamespace: "I/O Command Set specific Identify Namespace"
    case .commandSetController: "I/O Command Set specific Identify Controller"
    case .commandSetActiveNamespaces: "I/O Command Set specific Active Namespace ID list"
    case .independentNamespace: "I/O Command Set Independent Identify Namespace"
    case .formatUserData: "Identify Namespace, user data format"
    case .commandSetFormatUserData: "I/O Command Set specific Identify Namespace, user data format"
    case .allocatedNamespaces: "Allocated Namespace ID list"
    case .allocatedNamespace: "Identify Namespace, allocated"
    case .attachedControllers: "Controller List, attached to the namespace"
    case .controllers: "Controller List"
    case .primaryControllerCapabilities: "Primary Controller Capabilities"
    case .secondaryControllers: "Secondary Controller List"
    case .namespaceGranularity: "Namespace Granularity List"
    case .uuids: "UUID List"
    case .domains: "Domain List"
    case .enduranceGroups: "Endurance Group List"
    case .commandSetAllocatedNamespaces: "I/O Command Set specific Allocated Namespace ID list"
    case .commandSetAllocatedNamespace: "I/O Command Set specific Identify Namespace, allocated"
    case .commandSets: "Identify I/O Command Set"
    default: nil
    }
  }
}
