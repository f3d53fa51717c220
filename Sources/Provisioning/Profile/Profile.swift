// SPDX-License-Identifier: Apache-2.0
/// The target state of a machine: backings, NVMe subsystems, ports and endpoint functions.
///
/// A profile can be used with both kernel drivers. The keys with one value are declared in the schema, for example
/// ``NullBlock/Keys``, and are properties of the objects.
public struct Profile: Sendable, Hashable {
  /// The file name of the journal, so restricted to letters, digits, `.`, `_` and `-`.
  public var name: String
  public var description: String?
  public var driver = DriverChoice.auto
  /// Where identities come from that the profile leaves open.
  public var identity = IdentitySource.machine
  /// The text that identities are derived from with ``IdentitySource/seed``.
  public var identitySeed: String?
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

  /// A null_blk device. Unset keys keep the module's defaults.
  public struct NullBlock: Sendable, Hashable {
    public var settings = Settings()
    public var attributes: [RawAttribute] = []

    public init() {}
  }

  /// A regular file.
  public struct File: Sendable, Hashable {
    public var path: String
    public var settings = Settings()

    public init(path: String, sizeMiB: UInt64? = nil, create: Bool = false) {
      self.path = path
      self.sizeMiB = sizeMiB
      self.create = create
    }
  }

  /// A file behind `/dev/loopN`.
  public struct LoopDevice: Sendable, Hashable {
    public var file: File
    public var settings = Settings()

    public init(file: File) { self.file = file }
  }

  /// An NVMe subsystem of the kernel's target.
  public struct Subsystem: Sendable, Hashable {
    public var nqn: String
    public var settings = Settings()
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
    public var settings = Settings()
    public var attributes: [RawAttribute] = []

    public init(id: UInt32, backing: String) {
      self.id = id
      self.backing = backing
    }
  }

  public struct Port: Sendable, Hashable {
    public var id: UInt16
    public var transport: Transport
    public var settings = Settings()
    public var subsystems: [String] = []
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
    public var target: FunctionTarget
    public var settings = Settings()
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
    public var settings = Settings()

    public init(nqn: String, address: String) {
      self.nqn = nqn
      self.address = address
    }
  }

  /// Features of the endpoint controller that the kernel does not export.
  public struct ControllerFeatures: Sendable, Hashable {
    public var settings = Settings()

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
