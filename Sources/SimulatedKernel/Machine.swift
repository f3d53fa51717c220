// SPDX-License-Identifier: Apache-2.0
public import ControllerEmulation
public import KernelModules

extension SimulatedKernel {
  /// The kernel to simulate, and with it the NVMe endpoint function driver.
  public enum Release: String, Codable, Sendable, Hashable, CaseIterable {
    /// Linux 7.2.13 with `nvmet_pci_epf`.
    case linux7_2 = "7.2"
    /// Linux 6.12-rc2 with the out-of-tree `pci_epf_nvme`.
    case linux6_12 = "6.12"

    /// `uname -r`.
    public var release: String {
      switch self {
      case .linux7_2: "7.2.13"
      case .linux6_12: "6.12.0-rc2"
      }
    }

    /// The value of the key `personality` in JSON output, which `kernelRelease` replaces.
    public var personality: String {
      switch self {
      case .linux7_2: "mainline-7.2"
      case .linux6_12: "seed-6.12"
      }
    }

    /// The release with an NVMe endpoint function driver; nil for another driver.
    public init?(functionDriver: String) {
      guard let release = Self.allCases.first(where: { $0.functionDriver == functionDriver })
      else { return nil }
      self = release
    }

    /// The name of the NVMe endpoint function driver, which is its directory in `pci_ep/functions`.
    public var functionDriver: String {
      switch self {
      case .linux7_2: "nvmet_pci_epf"
      case .linux6_12: "pci_epf_nvme"
      }
    }
  }

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
    public var quirks: Set<Quirk>?

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
  }

  /// An endpoint controller and the features of its driver.
  /// - Source: `include/linux/pci-epc.h`, `struct pci_epc_features`.
  public struct EndpointController: Codable, Sendable, Hashable {
    /// The driver's features of BAR 0.
    public enum BAR0: Codable, Sendable, Hashable {
      case programmable
      /// Bytes.
      case fixed(UInt64)
      case resizable, reserved, disabled
    }

    /// An operation of the controller driver that can fail with EINVAL on request.
    public enum Operation: String, Codable, Sendable, Hashable {
      case start, writeHeader, setBAR, setMSI, setMSIX
    }

    /// The directory's name in `pci_ep/controllers`.
    public var name: String
    public var maximumFunctions = 1
    /// Virtual functions per function.
    public var maximumVirtualFunctions = 0
    /// Whether the driver describes itself at all (`get_features`).
    public var hasFeatures = true
    public var isMSIXCapable = true
    public var isMSICapable = true
    public var isINTxCapable = false
    public var hasLinkUpNotifier = true
    /// Whether the controller is initialised only when the host releases PERST#.
    public var initializesAtReset = false
    public var bar0 = BAR0.programmable
    /// Alignment of inbound windows, bytes.
    public var alignment: UInt64 = 1
    public var hasStop = true
    /// Whether slave DMA channels exist in both directions.
    public var hasDMA = false
    public var failingOperations: Set<Operation> = []
    /// The other end of the cable; nil if it is not connected, or controlled manually (``SimulatedKernel/host(_:at:)``).
    public var cable: Cable?

    public init(name: String) { self.name = name }

    /// The controller of the RK3588: MSI and MSI-X, a link-up notifier, windows of 64 KiB, a resizable BAR 0.
    /// - Source: `drivers/pci/controller/dwc/pcie-dw-rockchip.c`, `rockchip_pcie_epc_features_rk3588`.
    public static let rock5B: EndpointController = {
      var controller = EndpointController(name: "a40000000.pcie-ep")
      controller.bar0 = .resizable
      controller.alignment = 65536
      controller.hasDMA = true
      return controller
    }()

    /// The controller of the RK3399: MSI without MSI-X, a link-up notifier, windows of 256 bytes, eight functions.
    /// - Source: `drivers/pci/controller/pcie-rockchip-ep.c`, `rockchip_pcie_epc_features`;
    ///   `arch/arm64/boot/dts/rockchip/rk3399.dtsi`, `max-functions`.
    public static let rockPro64: EndpointController = {
      var controller = EndpointController(name: "fd000000.pcie-ep")
      controller.isMSIXCapable = false
      controller.alignment = 256
      controller.maximumFunctions = 8
      return controller
    }()

    /// A software controller as the lab's: MSI and MSI-X, no notifier, no DMA, small windows.
    public static func virtual(_ name: String) -> EndpointController {
      var controller = EndpointController(name: name)
      controller.hasLinkUpNotifier = false
      return controller
    }
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

  /// A file, directory or device on the simulated machine.
  public struct StoredObject: Codable, Sendable, Hashable {
    public enum Kind: String, Codable, Sendable, Hashable {
      case regularFile, blockDevice, directory, characterDevice, other, symbolicLink
    }

    public var kind: Kind
    /// Bytes.
    public var size: UInt64
    /// Logical block size of a device, block size of a file's file system; bytes.
    public var blockSize: Int
    public var isReadOnly = false
    /// Whether a file can be opened with `O_DIRECT`.
    public var allowsDirectIO = true
    /// The mount point of a block device.
    public var mountPoint: String?
    /// The target of a symbolic link.
    public var target: String?
    /// The binding of a loop device.
    var loop: LoopBinding?
    /// The `nullb` directory that created the device; 0 for a device of the module.
    var nullBlock: Int?

    public init(_ kind: Kind, size: UInt64 = 0, blockSize: Int? = nil, target: String? = nil) {
      self.kind = kind
      self.size = size
      self.blockSize = blockSize ?? (kind == .blockDevice ? 512 : 4096)
      self.target = target
    }
  }

  /// The binding of a loop device to a file.
  struct LoopBinding: Codable, Sendable, Hashable {
    var file: String
    /// Bytes.
    var offset: UInt64 = 0
    var usesDirectIO = false
    var clearsItself = false
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
