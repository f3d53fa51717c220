// SPDX-License-Identifier: Apache-2.0
public import ConfigFS

/// A host that may be allowed to connect; its name is compared literally with the host's NQN.
///
/// The attributes exist only with `CONFIG_NVME_TARGET_AUTH`.
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_attrs`.
public struct Host: ConfigItem {
  public let directory: ConfigDirectory
  public init(directory: ConfigDirectory) { self.directory = directory }

  /// The host's name; nil if it is not valid for this library.
  public var nqn: NQN? { try? NQN(name) }

  /// The host's secret (`dhchap_key`). None by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_dhchap_key_store`.
  public var key: Attribute<AuthenticationKey> { directory["dhchap_key"] }

  /// The secret with which the target authenticates to the host (`dhchap_ctrl_key`). None by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_dhchap_ctrl_key_store`.
  public var controllerKey: Attribute<AuthenticationKey> { directory["dhchap_ctrl_key"] }

  /// The hash (`dhchap_hash`). `hmac(sha256)` by default; ENOTSUPP (524) in 6.12 without the hash's module.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_dhchap_hash_store`.
  public var hash: Attribute<AuthenticationHash> { directory["dhchap_hash"] }

  /// The Diffie-Hellman group (`dhchap_dhgroup`). `null` by default.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_host_dhchap_dhgroup_store`.
  public var group: Attribute<AuthenticationGroup> { directory["dhchap_dhgroup"] }
}
