// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import KernelModules

extension SimulatedKernel {
  /// The machine of the kernel: its options, hardware and storage before the first call.
  ///
  /// The default is a Rock 5B: eight processors, pages of 4 KiB, one endpoint controller `a40000000.pcie-ep`, an NVMe
  /// disk and a SATA disk, every module loadable, configfs mounted, all privileges.
  public struct Machine: Codable, Sendable, Hashable {
    /// `uname -r`; nil selects that of the simulated release.
    public var release: String?
    public var onlineCPUs = 8
    /// Bytes.
    public var pageSize = 4096
    public var isPrivileged = true
    /// The text of `/etc/machine-id`; nil if there is none.
    public var machineID: String?
    /// Whether configfs is mounted at `/sys/kernel/config` from the start.
    public var isConfigFSMounted = true
    /// `CONFIG_PCI_ENDPOINT_CONFIGFS`: without it there is no `pci_ep`.
    public var hasEndpointSupport = true
    /// Whether `primary`, `secondary` and the driver's group appear 1 ms after mkdir; nil selects the behaviour of the simulated release.
    /// - Source: `drivers/pci/endpoint/pci-ep-cfs.c`, `pci_epf_cfs_work` of kernels before the change.
    public var lateGroups: Bool?
    public var options: Set<KernelOption> = [.passthru, .authentication, .debugFS]
    public var controllers: [EndpointController] = [.rock5B]
    public var modules: [Module]?
    /// Block devices, files and directories by absolute path, in addition to those of modules.
    public var storage: [String: StoredObject] = Machine.usualStorage
    /// NVMe/TCP targets that can be reached from this machine.
    public var tcpTargets: [TCPTarget] = []
    /// The addresses that a listening socket can be bound to.
    public var localAddresses: Set<String> = ["0.0.0.0", "127.0.0.1", "::", "::1"]

    /// Which of the driver's deviations from the specification its devices have; nil is all.
    public var quirks: QuirkSet?

    public init() {}

    /// An eMMC-less board's disks, one SATA disk, and the directories that profiles keep files in.
    public static let usualStorage: [String: StoredObject] = [
      "/dev/nvme0": StoredObject(.characterDevice),
      "/dev/nvme0n1": StoredObject(.blockDevice, size: 256 << 30),
      "/dev/sda": StoredObject(.blockDevice, size: 64 << 30),
      "/dev/zero": StoredObject(.characterDevice),
      "/": StoredObject(.directory), "/dev": StoredObject(.directory),
      "/srv": StoredObject(.directory), "/tmp": StoredObject(.directory),
      "/var": StoredObject(.directory), "/var/lib": StoredObject(.directory),
      "/var/lib/epfnvme": StoredObject(.directory),
    ]
  }

  /// A compile-time choice of the kernel that shows in its trees.
  public enum KernelOption: String, Codable, Sendable, Hashable, CaseIterable {
    /// `CONFIG_NVME_TARGET_PASSTHRU`.
    case passthru
    /// `CONFIG_NVME_TARGET_AUTH`.
    case authentication
    /// `CONFIG_BLK_DEV_INTEGRITY`.
    case integrity
    /// `CONFIG_PCI_P2PDMA`.
    case peerToPeerMemory
    /// `CONFIG_NVME_TARGET_DEBUGFS`.
    case debugFS
    /// `CONFIG_NVME_TARGET_TCP_TLS`, with which `nvmet_pci_epf` crashes at the first controller.
    case tcpTLS
    /// `CONFIG_BLK_DEV_NULL_BLK_FAULT_INJECTION`.
    case nullBlockFaults
    /// A kernel without `CONFIG_TRANSPARENT_HUGEPAGE`: blocks are not larger than a page.
    case noHugePages
  }

  /// A module that the kernel has, or could have.
  public struct Module: Codable, Sendable, Hashable {
    /// With underscores.
    public var name: String
    /// `builtIn`, `loaded` (at boot), `loadable` or `missing`.
    public var state: ModuleState
    public var dependencies: [String]
    /// The `name=value` items that modprobe's configuration has for it; nil is none.
    public var options: [String]?

    public init(
      _ name: String, _ state: ModuleState = .loadable, needs dependencies: [String] = [],
      options: [String]? = nil
    ) {
      self.name = name
      self.state = state
      self.dependencies = dependencies
      self.options = options
    }
  }

  /// An NVMe/TCP target somewhere in the network.
  public struct TCPTarget: Codable, Sendable, Hashable {
    public var address: String
    public var port: UInt16
    public var subsystems: [String]
    public var ioQueues: Int

    public init(_ address: String, port: UInt16 = 4420, subsystems: [String], ioQueues: Int = 128) {
      self.address = address
      self.port = port
      self.subsystems = subsystems
      self.ioQueues = ioQueues
    }
  }
}
