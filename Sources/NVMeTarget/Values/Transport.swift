// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The transport of a port (`addr_trtype`).
///
/// Enabling a port loads the transport's module for `loop`, `tcp` and `rdma`; for `pci` and `fc` the module must be loaded manually.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_transport`.
public enum TransportType: String, AttributeValue, CaseIterable, Codable {
  /// The value of a new port; it cannot be written.
  case unset = ""
  case rdma, fc, tcp, pci, loop

  /// The module that serves ports of this type.
  public var moduleName: String? {
    switch self {
    case .unset: nil
    case .rdma: "nvmet-rdma"
    case .fc: "nvmet-fc"
    case .tcp: "nvmet-tcp"
    case .pci: "nvmet-pci-epf"
    case .loop: "nvme-loop"
    }
  }

  /// Whether the kernel loads the module when a port is enabled.
  /// - Source: the modules' `MODULE_ALIAS("nvmet-transport-…")`.
  public var isLoadedOnDemand: Bool {
    switch self {
    case .rdma, .tcp, .loop: true
    case .unset, .fc, .pci: false
    }
  }
}

/// The kind of a port's address (`addr_adrfam`). The word for PCI is `pci`; `pcie` is refused.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_family`.
public enum AddressFamily: String, AttributeValue, CaseIterable, Codable {
  /// The value of a new port; it cannot be written.
  case unset = ""
  case ipv4, ipv6, ib, fc, pci, loop
}

/// Whether hosts need a secure channel to a port (`addr_treq`, TREQ).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_treq`.
public enum SecureChannel: String, AttributeValue, CaseIterable, Codable {
  case notSpecified = "not specified"
  case required
  case notRequired = "not required"
}

/// The transport-specific address subtype of a port (`addr_tsas`, TSAS): TLS for tcp, the queue pair's type for rdma.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_tsas_show`.
public enum TransportSpecificAddress: String, AttributeValue, CaseIterable, Codable {
  /// The value of ports of other transports; it cannot be written.
  case unset = ""
  case noSecurity = "none"
  case tls13 = "tls1.3"
  case connected, datagram
}

/// The address that hosts use (`addr_traddr`), up to 255 bytes; empty for transports that need none.
///
/// The kernel keeps only the first word, and 256 bytes without a line feed overrun its field; both are refused here.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_traddr_store`.
public struct TransportAddress: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text }

  public static let none = TransportAddress(validated: "")
  public static var kind: String { "a transport address" }
  public static func problem(with text: String) -> String? {
    NVMeTarget.problem(withWord: text, upTo: 255)
  }
}

/// The service at an address (`addr_trsvcid`), the port number for tcp, up to 31 bytes; empty if there is none.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_addr_trsvcid_store`.
public struct ServiceID: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text }

  public static let none = ServiceID(validated: "")
  public static var kind: String { "a transport service identifier" }
  public static func problem(with text: String) -> String? {
    NVMeTarget.problem(withWord: text, upTo: 31)
  }
}

private func problem(withWord text: String, upTo limit: Int) -> String? {
  // White space ends a word of `sscanf`: 0x09…0x0d, 0x20 and, by the kernel's table, 0xa0.
  if text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
    return "contains white space or a control character"
  }
  guard text.utf8.count <= limit else {
    return "has \(text.utf8.count) bytes, more than \(limit)"
  }
  return nil
}

/// The access state of an ANA group's namespaces on a port (`ana_state`).
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_state`.
public enum ANAState: String, AttributeValue, CaseIterable, Codable {
  case optimized
  case nonOptimized = "non-optimized"
  case inaccessible
  case persistentLoss = "persistent-loss"
  case change

  /// The state of a group on a port that does not have it, or has just made it: a port makes group 1.
  public static func initial(group: UInt32) -> Self { group == 1 ? .optimized : .inaccessible }

  /// Whether hosts can use the namespaces.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`.
  public var isAccessible: Bool { self == .optimized || self == .nonOptimized }
}
