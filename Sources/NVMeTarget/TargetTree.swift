// SPDX-License-Identifier: Apache-2.0
public import ConfigFS
internal import SystemPackage

/// The `nvmet` tree: subsystems, the ports through which hosts reach them, and the hosts that may.
///
/// - Source: `drivers/nvme/target/configfs.c`, `nvmet_configfs_subsystem`.
public struct TargetTree: Sendable {
  public let directory: ConfigDirectory

  /// Accesses nothing; ``isAvailable`` checks whether the kernel has the tree.
  public init(on backend: any ConfigFSBackend) {
    directory = ConfigDirectory(backend.mountPoint.appending("nvmet"), on: backend)
  }

  /// The module that provides the tree. It is not loaded on demand.
  public static let moduleName = "nvmet"

  /// Whether `nvmet` is loaded and configfs mounted.
  public var isAvailable: Bool { directory.exists }

  /// The name of the discovery subsystem (`discovery_nqn`); `nqn.2014-08.org.nvmexpress.discovery` by default.
  ///
  /// A name that is a prefix of an existing subsystem's name gives EINVAL.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_root_discovery_nqn_store`.
  public var discoveryNQN: Attribute<DiscoveryNQN> { directory["discovery_nqn"] }

  public var subsystems: ConfigGroup<Subsystem> { ConfigGroup(directory.child("subsystems")) }
  public var ports: ConfigGroup<Port> { ConfigGroup(directory.child("ports")) }
  public var hosts: ConfigGroup<Host> { ConfigGroup(directory.child("hosts")) }
}

extension ConfigGroup where Item == Subsystem {
  public subscript(nqn: NQN) -> Subsystem { self[nqn.text] }

  /// Creates a subsystem. EEXIST if the name exists, EINVAL for the discovery names.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_subsys_make`.
  public func create(_ nqn: NQN) throws(ConfigFSError) -> Subsystem { try create(nqn.text) }
}

extension ConfigGroup where Item == Host {
  public subscript(nqn: NQN) -> Host { self[nqn.text] }

  /// Creates a host, which represents all hosts of that name.
  public func create(_ nqn: NQN) throws(ConfigFSError) -> Host { try create(nqn.text) }
}

extension ConfigGroup where Item == TargetNamespace {
  public subscript(id: UInt32) -> TargetNamespace { self["\(id)"] }

  /// Creates a namespace, disabled and without a device.
  ///
  /// EINVAL for 0 and 0xffffffff; ENOMEM when the number is taken under another spelling, or for the 1025th.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ns_make`.
  public func create(_ id: UInt32) throws(ConfigFSError) -> TargetNamespace { try create("\(id)") }
}

extension ConfigGroup where Item == Port {
  public subscript(id: UInt16) -> Port { self["\(id)"] }

  /// Creates a port. Another spelling of the same number (`0x1`) would be a second port of that id.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ports_make`.
  public func create(_ id: UInt16) throws(ConfigFSError) -> Port { try create("\(id)") }
}

extension ConfigGroup where Item == ANAGroup {
  public subscript(id: UInt32) -> ANAGroup { self["\(id)"] }

  /// Creates a group from 2 to 127. The kernel accepts 128, but damages its counters; do not use it.
  /// - Source: `drivers/nvme/target/configfs.c`, `nvmet_ana_groups_make_group`.
  public func create(_ id: UInt32) throws(ConfigFSError) -> ANAGroup { try create("\(id)") }
}
