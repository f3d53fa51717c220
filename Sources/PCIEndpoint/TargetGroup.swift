// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// The attributes of an `nvmet_pci_epf` function.
///
/// Every write gives EBUSY while the function has a target controller, which also shows whether it has one: a failure to create it is not
/// reported by the link.
/// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_attrs`.
public struct TargetGroup: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The ID of the target's port, which must be of type `pci` and enabled before the function is bound (`portid`). 0 by
  /// default.
  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_portid_store`.
  public var portID: Attribute<UInt16> { directory["portid"] }

  /// The name of the subsystem (`subsysnqn`). Empty by default.
  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_subsysnqn_store`.
  public var subsystemNQN: Attribute<SubsystemNQN> { directory["subsysnqn"] }

  /// The largest transfer (`mdts_kb`). 128 pages by default, 512 KiB with pages of 4 KiB.
  /// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_mdts_kb_store`.
  public var transferLimit: Attribute<TransferLimit> { directory["mdts_kb"] }
}

/// The name of a subsystem as `nvmet_pci_epf` holds it: 222 bytes at most, a byte less than NVMe allows.
///
/// The driver always drops the last byte of a write, so a line feed is appended; more than 223 bytes overrun its buffer, which panics
/// fortified kernels. Longer names are therefore never written.
/// - Source: `drivers/nvme/target/pci-epf.c`, `nvmet_pci_epf_subsysnqn_store`.
public struct SubsystemNQN: ValidatedText {
  public let text: String
  public init(validated text: String) { self.text = text }

  public static let maximumLength = 222

  /// The text of a new function.
  public static let none = SubsystemNQN(validated: "")

  public static var kind: String { "a subsystem's name for an endpoint function" }
  public static func problem(with text: String) -> String? {
    let length = text.utf8.count
    if length > maximumLength {
      return "has \(length) bytes, more than the \(maximumLength) that the driver can hold"
    }
    if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      return "contains a control character"
    }
    return nil
  }
}
