// SPDX-License-Identifier: Apache-2.0
internal import NVMe
internal import Numbers

/// The NVMe core of one Linux machine: subsystems and namespaces of all its controllers, and the messages about them.
///
/// ``LinuxHost``s of one machine share it. It refuses what Linux refuses when two devices have one identity.
/// - Source: `drivers/nvme/host/core.c`, `nvme_init_subsystem`, `nvme_validate_cntlid`, `nvme_init_ns_head`; messages as in Linux 6.12.
public final class LinuxMachine {
  /// The kernel's messages, without their times.
  public private(set) var log: [String] = []
  /// What it has refused, oldest first.
  public private(set) var refusals: [Refusal] = []
  private var controllers: [Controller] = []
  /// The numbers of devices that are being probed.
  private var probing: Set<Int> = []
  private var subsystems: [Subsystem] = []

  public init() {}

  /// A controller, or a namespace of one, that the kernel does not use.
  public struct Refusal: Sendable, Hashable {
    public enum Object: Sendable, Hashable {
      case controller
      case namespace(UInt32)
    }

    /// `nvme0`
    public var controller: String
    public var object: Object
    /// The kernel's message about it.
    public var message: String
  }

  private struct Controller {
    var instance: Int
    var id: UInt16
    var nqn: String
    /// CMIC, bit 1: the subsystem may have several controllers.
    var allowsOthers: Bool
    /// Whether namespace IDs are unique in the subsystem, also those of private namespaces.
    var hasUniqueIDs: Bool
    /// `VID:DID …`, for messages.
    var description: String
  }

  private struct Subsystem {
    var instance: Int
    var nqn: String
    var heads: [Head] = []
  }

  /// A disk, with the controllers that lead to it.
  private struct Head {
    var number: Int
    var namespace: UInt32
    var identifiers: Identifiers
    var isShared: Bool
    var paths: Set<Int>
  }

  /// The names of a namespace; all zero is none.
  struct Identifiers: Hashable {
    var uuid: [UInt8] = []
    var nguid: [UInt8] = []
    var eui64: [UInt8] = []

    init(_ descriptors: [NamespaceDescriptor], _ data: IdentifyNamespace) {
      nguid = data[.nguid]
      eui64 = data[.eui64]
      for descriptor in descriptors {
        switch descriptor {
        case .uuid(let bytes): uuid = bytes
        case .nguid(let bytes): nguid = bytes
        case .eui64(let bytes): eui64 = bytes
        case .commandSet: break
        }
      }
    }

    /// Whether one of them is the same.
    func clashes(with other: Self) -> Bool {
      [(uuid, other.uuid), (nguid, other.nguid), (eui64, other.eui64)].contains {
        $0 == $1 && $0.contains { $0 != 0 }
      }
    }

    mutating func clear() { (uuid, nguid, eui64) = ([], [], []) }
  }

  /// The name of a controller: `nvme0`.
  static func name(_ instance: Int) -> String { "nvme\(instance)" }

  // MARK: Controllers

  /// A device that the driver begins to probe.
  /// - Returns: its number, which neither another controller nor a subsystem has.
  func begin() -> Int {
    let used = probing.union(controllers.map(\.instance)).union(subsystems.map(\.instance))
    let instance = (0...).first { !used.contains($0) } ?? 0
    probing.insert(instance)
    return instance
  }

  /// A device whose probe has failed.
  func fail(_ instance: Int, _ error: HostError) {
    let messages = ["Device not ready", "Minimum device page size", "I/O tag"]
    if messages.contains(where: { error.message.hasPrefix($0) }) { say(instance, error.message) }
    remove(instance)
  }

  /// A controller that its driver has identified.
  /// - Parameter identity: vendor and device ID of the configuration space, in its first four bytes.
  /// - Throws: ``HostError`` with the kernel's message, if the subsystem cannot have this controller.
  func add(
    _ data: IdentifyController, identity: UInt32, as instance: Int
  ) throws(HostError) {
    let ids = [identity & 0xffff, identity >> 16].map { hexadecimalDigits($0, count: 4) }
    let controller = Controller(
      instance: instance, id: data[.controllerID], nqn: Self.subsystemName(data),
      allowsOthers: data[.multipath] & 2 != 0,
      hasUniqueIDs: data[.optionalAdminCommands] & 8 != 0 || data[.multipath] & 8 != 0
        || data[.attributes] & 4 != 0,
      description:
        "VID:DID \(ids.joined(separator: ":")) model:\(data[.modelNumber]) firmware:\(data[.firmware])"
    )
    for other in controllers where other.nqn == controller.nqn {
      if other.id == controller.id {
        throw refuse(
          instance,
          "Duplicate cntlid \(controller.id) with \(Self.name(other.instance)), subsys \(controller.nqn), rejecting"
        )
      }
      guard controller.allowsOthers else {
        throw refuse(instance, "Subsystem does not support multiple controllers")
      }
    }
    if !subsystems.contains(where: { $0.nqn == controller.nqn }) {
      // A subsystem has the number of its first controller, and keeps it.
      subsystems.append(Subsystem(instance: instance, nqn: controller.nqn))
    }
    probing.remove(instance)
    controllers.append(controller)
  }

  /// The name by which Linux tells subsystems apart: SUBNQN, or one that it makes of the IDs, the serial number and the model.
  /// - Source: `drivers/nvme/host/core.c`, `nvme_init_subnqn`.
  private static func subsystemName(_ data: IdentifyController) -> String {
    if !data[.nqn].isEmpty { return data[.nqn] }
    let ids = [data[.vendorID], data[.subsystemVendorID]].map { hexadecimalDigits($0, count: 4) }
    return "nqn.2014.08.org.nvmexpress:\(ids.joined())\(data[.serial])\(data[.modelNumber])"
  }

  private static func step(_ instance: Int) -> String { "nvme \(name(instance))" }

  private func refuse(_ instance: Int, _ message: String) -> HostError {
    say(instance, message)
    record(.controller, instance)
    // -EINVAL of nvme_init_subsystem.
    probeFailed(instance, -22)
    return HostError(step: Self.step(instance), message: message)
  }

  /// The message of the driver core about a driver's probe.
  /// - Source: `drivers/base/dd.c`, `call_driver_probe`.
  private func probeFailed(_ instance: Int, _ error: Int) {
    let bus = hexadecimalDigits(UInt8(truncatingIfNeeded: instance + 1), count: 2)
    log.append("nvme 0000:\(bus):00.0: probe with driver nvme failed with error \(error)")
  }

  /// Records that the last message was a refusal.
  private func record(_ object: Refusal.Object, _ instance: Int) {
    refusals.append(
      Refusal(controller: Self.name(instance), object: object, message: log.last ?? ""))
  }

  private func say(_ instance: Int, _ message: String) {
    log.append("\(Self.step(instance)): \(message)")
  }

  /// A controller leaves, and with it the disks that no other controller leads to.
  func remove(_ instance: Int) {
    probing.remove(instance)
    controllers.removeAll { $0.instance == instance }
    for index in subsystems.indices {
      for head in subsystems[index].heads.indices {
        subsystems[index].heads[head].paths.remove(instance)
      }
      subsystems[index].heads.removeAll { $0.paths.isEmpty }
    }
    let names = Set(controllers.map(\.nqn))
    subsystems.removeAll { !names.contains($0.nqn) }
  }

  // MARK: Namespaces

  /// A namespace that a controller reports.
  /// - Returns: its disk, `nvme0n1`; nil if Linux makes none of it.
  func add(
    _ id: UInt32, _ identifiers: Identifiers, isShared: Bool, of instance: Int
  ) -> String? {
    guard let controller = controllers.first(where: { $0.instance == instance }),
      let index = subsystems.firstIndex(where: { $0.nqn == controller.nqn })
    else { return nil }
    var identifiers = identifiers
    let isKnownElsewhere = subsystems.contains { other in
      other.nqn != controller.nqn
        && other.heads.contains { $0.identifiers.clashes(with: identifiers) }
    }
    if isKnownElsewhere {
      say(instance, controller.description)
      guard !(controller.allowsOthers && isShared) else {
        say(instance, "ignoring nsid \(id) because of duplicate IDs")
        record(.namespace(id), instance)
        return nil
      }
      say(instance, "clearing duplicate IDs for nsid \(id)")
      say(instance, "use of /dev/disk/by-id/ may cause data corruption")
      identifiers.clear()
    }
    let heads = subsystems[index].heads
    if let head = heads.firstIndex(where: {
      $0.namespace == id && ($0.isShared || controller.hasUniqueIDs)
    }) {
      guard isShared, heads[head].isShared else {
        say(instance, "Duplicate unshared namespace \(id)")
        record(.namespace(id), instance)
        return nil
      }
      guard heads[head].identifiers == identifiers else {
        say(instance, "IDs don't match for shared namespace \(id)")
        record(.namespace(id), instance)
        return nil
      }
      subsystems[index].heads[head].paths.insert(instance)
      return disk(subsystems[index], heads[head].number)
    }
    guard !heads.contains(where: { $0.identifiers.clashes(with: identifiers) }) else {
      say(instance, "duplicate IDs in subsystem for nsid \(id)")
      record(.namespace(id), instance)
      return nil
    }
    let numbers = Set(heads.map(\.number))
    let number = (1...).first { !numbers.contains($0) } ?? 1
    subsystems[index].heads.append(
      Head(
        number: number, namespace: id, identifiers: identifiers, isShared: isShared,
        paths: [instance]))
    return disk(subsystems[index], number)
  }

  private func disk(_ subsystem: Subsystem, _ number: Int) -> String {
    "nvme\(subsystem.instance)n\(number)"
  }

  /// The disks, each once, in the order in which they were found.
  public var disks: [String] {
    subsystems.flatMap { subsystem in subsystem.heads.map { disk(subsystem, $0.number) } }
  }
}
