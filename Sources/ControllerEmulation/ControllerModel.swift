// SPDX-License-Identifier: Apache-2.0
internal import KernelHistory
public import NVMe

/// The parameters of a controller: identity, limits, namespaces. They do not change during the controller's life.
public struct ControllerModel: Sendable {
  public var behaviour: Behaviour
  /// The deviations that are imitated; at first all that the driver has in Linux 7.2.13.
  public var quirks: QuirkSet

  // Identity.
  public var vendorID: UInt16 = 0
  public var subsystemVendorID: UInt16 = 0
  /// At most 20 bytes.
  public var serial = ""
  /// At most 40 bytes.
  public var modelNumber = "Linux"
  /// At most 8 bytes.
  public var firmware = ""
  /// IEEE OUI, 24 bits.
  public var organization: UInt32 = 0
  public var nqn = ""
  /// As in the VS register: major << 16 | minor << 8 | tertiary.
  public var version: UInt32
  public var controllerID: UInt16 = 1

  // Limits.
  /// Entries of the largest I/O queue; CAP.MQES is one less.
  public var maximumQueueEntries = 1024
  /// I/O queues that the PCI side has room for.
  public var ioQueues = 4
  /// The I/O queues that the target allows (`attr_qid_max`).
  public var targetIOQueues = 4
  public var interrupts = InterruptKind.msix(vectors: 32)
  /// Bytes; a power of two of pages.
  public var maximumTransfer: Int
  /// BAR 0 of the endpoint controller, bytes; nil for the smallest power of two.
  public var givenBAR0Size: Int?
  /// Whether transfers go by DMA: entries, lists and data of nvmet_pci_epf, lists and data of pci_epf_nvme.
  public var usesDMA = true
  /// Whether the target of pci_epf_nvme is this machine's, by the loop transport.
  public var usesLoop = false
  /// The outbound windows of the endpoint controller for accesses without DMA; nil if they are not limited.
  public var windows: OutboundWindows?
  /// Whether the endpoint controller reports link up; otherwise register polling starts with the controller.
  public var hasLinkUpNotifier = true
  /// The compatibles of the endpoint controller in the device tree: the function has its quirks of the release. Empty for an unknown one.
  public var hardware: [String] = []

  /// Whether the kernel of nvmet_pci_epf has `CONFIG_NVME_TARGET_AUTH`, and so the authentication commands.
  public var hasAuthentication = true

  /// Whether the reference controller supports doorbells in the host's memory (Doorbell Buffer Config).
  public var offersDoorbellBuffers = false
  /// Whether a host can map the reference controller's doorbells; the MSI-X table is then in a separate page.
  public var mapsDoorbells = false

  public var namespaces: [Namespace] = []

  public enum InterruptKind: Sendable, Hashable {
    case msix(vectors: Int), msi(vectors: Int), intx

    public var vectors: Int {
      switch self {
      case .msix(let count), .msi(let count): count
      case .intx: 1
      }
    }
  }

  /// Whether the endpoint controller has a quirk that only some have.
  func hasHardware(_ quirk: Quirk) -> Bool {
    quirks.contains(quirk) && quirk.change?.concerns(hardware) == true
  }

  public init(_ behaviour: Behaviour) {
    self.behaviour = behaviour
    quirks = behaviour.quirks
    version = behaviour.implementation.version
    maximumTransfer = behaviour.implementation.maximumTransfer
  }
}

/// A namespace and its backend.
public struct Namespace: Sendable {
  public var id: UInt32
  public var backend: Backend
  /// 9 or 12: blocks of 512 or 4096 bytes.
  public var blockShift: UInt8
  /// 16 bytes each; all zero is none.
  public var uuid: [UInt8]
  public var nguid: [UInt8]
  public var isEnabled = true
  public var isReadOnly = false
  public var anaGroup: UInt32 = 1
  /// The ANA state of the namespace's group; the reference controller does not check it.
  public var accessState = NamespaceAccessState.optimized

  public init(
    id: UInt32, backend: Backend, blockShift: UInt8 = 9,
    uuid: [UInt8] = [UInt8](repeating: 0, count: 16),
    nguid: [UInt8] = [UInt8](repeating: 0, count: 16)
  ) {
    self.id = id
    self.backend = backend
    self.blockShift = blockShift
    self.uuid = uuid
    self.nguid = nguid
  }

  /// Whether nvmet reports NUSE 0.
  /// - Source: `drivers/nvme/target/admin-cmd.c`, `nvmet_execute_identify_ns`.
  var hidesUtilization: Bool { [.inaccessible, .persistentLoss].contains(accessState) }

  /// Logical blocks.
  var blocks: UInt64 { backend.size >> UInt64(blockShift) }

  /// Whether the target's backing is a file: the backend may be a substitute, such as memory for a file, or a file for the loop device on
  /// it. Nil: as the backend.
  public var standsForFile: Bool?

  /// nvmet treats files and block devices by different rules.
  var isFile: Bool {
    if let standsForFile { return standsForFile }
    return if case .file(let store) = backend { !store.isBlockDevice } else { false }
  }
}
