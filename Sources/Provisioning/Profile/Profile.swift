// SPDX-License-Identifier: Apache-2.0
/// The target state of a machine: backings, NVMe subsystems, ports and endpoint functions.
///
/// A profile can be used with both kernel drivers; values for only one of them are marked.
public struct Profile: Sendable, Hashable {
  /// The file name of the journal, so restricted to letters, digits, `.`, `_` and `-`.
  public var name: String
  public var description: String?
  public var driver = DriverChoice.auto
  /// In the order of the document.
  public var backings: [Backing] = []
  /// Hosts with attributes; a host that is only allowed needs no entry.
  public var hosts: [Host] = []
  public var subsystems: [Subsystem] = []
  public var ports: [Port] = []
  public var functions: [Function] = []

  public init(name: String) { self.name = name }

  /// Which kernel driver serves the functions.
  public enum DriverChoice: String, Sendable, Hashable, CaseIterable {
    case auto
    case nvmetPCIEPF = "nvmet_pci_epf"
    case pciEPFNVMe = "pci_epf_nvme"
  }

  /// The backings of namespaces.
  public struct Backing: Sendable, Hashable {
    public var name: String
    public var store: Store

    public enum Store: Sendable, Hashable {
      case nullBlock(NullBlock)
      case file(File)
      case block(path: String)
      case loopDevice(LoopDevice)
    }

    public init(name: String, store: Store) {
      self.name = name
      self.store = store
    }
  }

  /// A null_blk device. Unset members keep the module's defaults.
  public struct NullBlock: Sendable, Hashable {
    /// Directory and device name, `/dev/<device>`; derived when unset.
    public var device: String?
    public var sizeMiB: UInt64?
    public var blockSize: UInt32?
    public var memoryBacked: Bool?
    public var discard: Bool?
    public var cacheSizeMiB: UInt64?
    public var submitQueues: UInt32?
    public var hardwareQueueDepth: UInt32?
    public var completionNanoseconds: UInt64?
    public var irqMode: UInt32?
    public var mbps: UInt32?
    public var rotational: Bool?
    public var zoned: Bool?
    public var zoneSizeMiB: UInt64?
    public var zoneCapacityMiB: UInt64?
    public var maximumOpenZones: UInt32?
    public var maximumActiveZones: UInt32?
    public var attributes: [RawAttribute] = []

    public init() {}
  }

  /// A regular file.
  public struct File: Sendable, Hashable {
    public var path: String
    public var sizeMiB: UInt64?
    /// Creates the file, sparse, if it does not exist.
    public var create = false

    public init(path: String, sizeMiB: UInt64? = nil, create: Bool = false) {
      self.path = path
      self.sizeMiB = sizeMiB
      self.create = create
    }
  }

  /// A file behind `/dev/loopN`.
  public struct LoopDevice: Sendable, Hashable {
    public var file: File
    public var blockSize: UInt32?
    public var directIO = false
    /// Bytes.
    public var offset: UInt64 = 0

    public init(file: File) { self.file = file }
  }

  /// An NVMe subsystem of the kernel's target.
  public struct Subsystem: Sendable, Hashable {
    public var nqn: String
    public var model: String?
    public var serial: String?
    public var firmware: String?
    public var ieeeOUI: UInt32?
    public var version: String?
    public var vendorID: UInt16?
    public var subsystemVendorID: UInt16?
    public var maximumQueueID: UInt16?
    public var controllerIDMinimum: UInt16?
    public var controllerIDMaximum: UInt16?
    public var allowAnyHost: Bool?
    public var allowedHosts: [String] = []
    public var namespaces: [Namespace] = []
    public var attributes: [RawAttribute] = []

    public init(nqn: String) { self.nqn = nqn }
  }

  /// A host of the kernel's target.
  public struct Host: Sendable, Hashable {
    public var nqn: String
    public var attributes: [RawAttribute] = []

    public init(nqn: String, attributes: [RawAttribute] = []) {
      self.nqn = nqn
      self.attributes = attributes
    }
  }

  public struct Namespace: Sendable, Hashable {
    /// NSID.
    public var id: UInt32
    /// The name of a backing.
    public var backing: String
    public var uuid: String?
    public var nguid: String?
    public var anaGroup: UInt32?
    public var bufferedIO: Bool?
    public var reservations: Bool?
    public var enabled = true
    public var attributes: [RawAttribute] = []

    public init(id: UInt32, backing: String) {
      self.id = id
      self.backing = backing
    }
  }

  public struct Port: Sendable, Hashable {
    public var id: UInt16
    public var transport: Transport
    public var addressFamily: String?
    public var address: String?
    public var service: String?
    public var subsystems: [String] = []
    public var maximumQueueSize: Int32?
    public var inlineDataSize: Int32?
    public var mdts: Int32?
    public var anaGroups: [ANAGroup] = []
    public var attributes: [RawAttribute] = []

    public init(id: UInt16, transport: Transport) {
      self.id = id
      self.transport = transport
    }

    public enum Transport: String, Sendable, Hashable, CaseIterable { case loop, tcp, rdma, pci }
  }

  /// The access of a port to the namespaces of an ANA group.
  public struct ANAGroup: Sendable, Hashable {
    /// 1 to 127; group 1 is there without being listed.
    public var id: UInt32
    /// `optimized`, `non-optimized`, `inaccessible`, `persistent-loss`, `change`.
    public var state: String

    public init(id: UInt32, state: String) {
      self.id = id
      self.state = state
    }
  }

  /// An attribute that the profile has no key for, as the kernel shows it.
  public struct RawAttribute: Sendable, Hashable {
    /// The name of the file; with `nvme/` before it for the group of a function's driver.
    public var name: String
    public var text: String

    public init(name: String, text: String) {
      self.name = name
      self.text = text
    }
  }

  /// A PCI endpoint function.
  public struct Function: Sendable, Hashable {
    public var name: String
    public var vendorID: UInt16
    public var deviceID: UInt16
    public var revisionID: UInt8 = 0
    public var subsystemVendorID: UInt16?
    public var subsystemID: UInt16?
    /// Base class, sub-class and programming interface, `0x010802` for NVMe.
    public var classCode: UInt32 = 0x01_0802
    /// 1 is INTA#.
    public var interruptPin: UInt8 = 1
    public var cacheLineSize: UInt8 = 0
    public var msixVectors: UInt16 = 0
    public var msiVectors: UInt8 = 0
    public var mdtsKiB: UInt32?
    /// `pci_epf_nvme` only.
    public var dma: Bool?
    public var target: FunctionTarget
    public var ioQueues: UInt16?
    public var queueSize: UInt16?
    /// The endpoint controller's name, or `auto` for the only one.
    public var controller = "auto"
    public var start = true
    public var controllerFeatures: ControllerFeatures?
    public var attributes: [RawAttribute] = []

    public init(name: String, vendorID: UInt16, deviceID: UInt16, target: FunctionTarget) {
      self.name = name
      self.vendorID = vendorID
      self.deviceID = deviceID
      self.target = target
    }
  }

  /// The NVMe target behind a function.
  public enum FunctionTarget: Sendable, Hashable {
    /// A local subsystem: reached through the loop transport by `pci_epf_nvme`, directly by `nvmet_pci_epf`.
    case local(nqn: String, spelled: Port.Transport)
    case tcp(TCPTarget)

    /// The subsystem's NQN.
    public var nqn: String {
      switch self {
      case .local(let nqn, _): nqn
      case .tcp(let target): target.nqn
      }
    }
  }

  /// A remote target, for `pci_epf_nvme` only.
  public struct TCPTarget: Sendable, Hashable {
    public var nqn: String
    public var address: String
    public var port: UInt16 = 4420
    public var hostNQN: String?
    public var hostID: String?
    public var hostAddress: String?
    public var keepAliveSeconds: UInt32?
    public var reconnectDelaySeconds: UInt32?
    public var controllerLossSeconds: Int32?

    public init(nqn: String, address: String) {
      self.nqn = nqn
      self.address = address
    }
  }

  /// Features of the endpoint controller that the kernel does not export.
  public struct ControllerFeatures: Sendable, Hashable {
    public var msix: Bool?
    public var msi: Bool?
    /// Outbound address windows.
    public var outboundWindows: UInt16?
    public var maximumFunctions: UInt8?

    public init() {}
  }
}

extension Profile {
  public func backing(named name: String) -> Backing? { backings.first { $0.name == name } }
  public func subsystem(_ nqn: String) -> Subsystem? { subsystems.first { $0.nqn == nqn } }

  /// The directory of a null_blk backing, which is its device name too: at most 31 bytes.
  public func deviceName(of backing: Backing) -> String? {
    guard case .nullBlock(let nullBlock) = backing.store else { return nil }
    if let device = nullBlock.device { return device }
    // Whole characters, but the kernel counts bytes.
    var derived = ""
    for character in "\(name)-\(backing.name)" {
      guard derived.utf8.count + character.utf8.count <= 31 else { break }
      derived.append(character)
    }
    return derived
  }
}

extension Profile {
  /// Why a text cannot be a profile's name; nil when it can.
  public static func problem(withName name: String) -> String? {
    ProfileRules.problem(withProfileName: name)
  }
}
