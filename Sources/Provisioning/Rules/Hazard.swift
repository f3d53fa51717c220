// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelHistory
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// Operations that crash a kernel, corrupt it or have undefined results, and how the tool avoids them.
///
/// Every effect passes ``refusal(of:on:)`` before it is executed, whether it is from a plan, an undo or a teardown.
public struct Hazard: Hashable, Sendable {
  /// A stable name for errors and documents.
  public var id: String
  /// The consequence.
  public var consequence: String
  /// The safe way.
  public var safeOrder: String
  public var prevention: Prevention

  public enum Prevention: String, Sendable, Hashable {
    /// Refused when a plan, an undo or a teardown is about to do it.
    case guarded
    /// Refused when a profile requests it.
    case validated
    /// No operation of this tool can express it.
    case inexpressible
  }

  static let limitUnderController = Hazard(
    id: "qid-max-under-controller",
    consequence:
      "writing attr_qid_max deletes every controller of the subsystem, and a PCI controller cannot be deleted that way: the kernel crashes",
    safeOrder: "stop the endpoint controller, unlink the function, then write attr_qid_max",
    prevention: .guarded)
  static let portUnderController = Hazard(
    id: "port-unlink-under-controller",
    consequence:
      "unlinking a subsystem from its port deletes its controllers, and a PCI controller cannot be deleted that way: the kernel crashes",
    safeOrder:
      "stop the endpoint controller, unlink the function, then unlink the subsystem from the port",
    prevention: .guarded)
  static let longName = Hazard(
    id: "subsysnqn-too-long",
    consequence: "the kernel copies a longer name beyond the attribute's buffer",
    safeOrder: "use an NQN of at most 222 bytes", prevention: .guarded)
  static let wrongTarget = Hazard(
    id: "link-target-type",
    consequence: "pci_ep does not check that a link leads to an object of the expected type",
    safeOrder: "link pci_ep/functions/DRIVER/NAME into pci_ep/controllers/NAME",
    prevention: .guarded)
  static let secondary = Hazard(
    id: "secondary-interface",
    consequence:
      "the NVMe drivers are bound twice when a function also gets a secondary controller",
    safeOrder: "link the function into one controller only", prevention: .guarded)
  static let virtualFunction = Hazard(
    id: "virtual-function",
    consequence:
      "a function linked into a function becomes a virtual function that is never initialised, and stays marked",
    safeOrder: "remove the function and create it again, then link it into a controller",
    prevention: .guarded)
  static let moduleUnderFunction = Hazard(
    id: "module-under-function",
    consequence:
      "function directories hold no reference to their driver's module: unloading it frees memory that they point to",
    safeOrder: "remove the function directories, then unload the module", prevention: .guarded)
  static let driverUnload = Hazard(
    id: "driver-unload",
    consequence:
      "in this kernel the endpoint core uses the group of a function driver after unloading has freed it, with and without function directories",
    safeOrder: "leave the driver loaded", prevention: .guarded)
  static let vectorsAfterBind = Hazard(
    id: "vectors-after-bind",
    consequence:
      "BAR 0 was sized for the old number of vectors; a late initialisation would use the new one",
    safeOrder: "unlink the function, change msix_interrupts, link it again", prevention: .guarded)
  static let anaGroup128 = Hazard(
    id: "ana-group-128",
    consequence: "the kernel stores group 128 as 0 and damages its counters",
    safeOrder: "use groups 1 to 127", prevention: .guarded)
  static let addressLength = Hazard(
    id: "address-without-terminator",
    consequence: "256 bytes of traddr or 32 of trsvcid leave no room for the terminator",
    safeOrder: "use shorter addresses", prevention: .guarded)
  static let cutNQN = Hazard(
    id: "nqn-cut",
    consequence: "the kernel keeps the first 223 bytes: two directories can have the same NQN",
    safeOrder: "use an NQN of at most 223 bytes", prevention: .guarded)
  static let tlsKernel = Hazard(
    id: "tls-kernel",
    consequence:
      "with CONFIG_NVME_TARGET_TCP_TLS the creation of a PCI controller crashes the kernel",
    safeOrder: "use a kernel without CONFIG_NVME_TARGET_TCP_TLS", prevention: .validated)
  static let dmaBeforeInit = Hazard(
    id: "dma-before-controller-init",
    consequence:
      "in this kernel linking a function accesses the controller's DMA engine, which has no clock before the host releases PERST#: the board hangs",
    safeOrder: "use a kernel with the fix, or one without CONFIG_DW_EDMA", prevention: .validated)
  static let queuesBeyondVectors = Hazard(
    id: "queues-beyond-vectors",
    consequence: "a host may create queues that the driver has no room for",
    safeOrder: "configure one vector more than I/O queues", prevention: .validated)
  static let sharedBacking = Hazard(
    id: "shared-backing", consequence: "two namespaces on one store corrupt each other's data",
    safeOrder: "configure a separate backing for each namespace", prevention: .validated)
  static let zonedReuse = Hazard(
    id: "zoned-reuse",
    consequence: "a namespace directory that was zoned stays so with another device",
    safeOrder: "remove the namespace and create it again", prevention: .guarded)
  static let unbindThroughSysfs = Hazard(
    id: "sysfs-unbind", consequence: "a function device without its driver is never unbound",
    safeOrder: "unlink the function from its controller", prevention: .inexpressible)
  static let failedStaysLinked = Hazard(
    id: "failed-function-stays-linked",
    consequence: "link events reach a function whose controller could not be created",
    safeOrder: "unlink the function as soon as its creation has failed", prevention: .guarded)
  static let lateHeader = Hazard(
    id: "late-shared-header",
    consequence:
      "functions of one driver share a header; if it is written late, all have the last values",
    safeOrder: "give all functions of a driver the same identity", prevention: .validated)
  static let dmaAfterBind = Hazard(
    id: "dma-after-bind",
    consequence:
      "enabling DMA on a function that was bound without channels uses channels that do not exist",
    safeOrder: "unlink the function, write dma_enable, link it again", prevention: .guarded)
  static let freedBAR = Hazard(
    id: "set-bar-failed",
    consequence:
      "pci_epf_nvme freed the memory of BAR 0 when the controller refused it, and keeps the pointer: unlinking the function frees it again and a link that comes up writes to it, and the kernel crashes",
    safeOrder: "leave the function linked and its controller stopped, and restart this machine",
    prevention: .guarded)
  static let debugfsFatal = Hazard(
    id: "debugfs-fatal",
    consequence: "writing \"fatal\" to a controller's debugfs state crashes the kernel",
    safeOrder: "stop the endpoint controller and unlink the function", prevention: .inexpressible)

  static let controllerDriver = Hazard(
    id: "controller-driver-removal",
    consequence: "removing the endpoint controller's driver leaves linked functions dangling",
    safeOrder: "stop the endpoint controller and unlink its functions first",
    prevention: .inexpressible)
  static let repeatedInit = Hazard(
    id: "repeated-initialisation",
    consequence: "initialising a controller twice sets up an active function again",
    safeOrder: "leave PERST# to the host", prevention: .inexpressible)

  public static let all: [Hazard] = [
    limitUnderController, portUnderController, longName, wrongTarget, secondary, virtualFunction,
    moduleUnderFunction, driverUnload, vectorsAfterBind, anaGroup128, addressLength, cutNQN,
    tlsKernel, dmaBeforeInit,
    queuesBeyondVectors, sharedBacking, zonedReuse, unbindThroughSysfs, failedStaysLinked,
    lateHeader, dmaAfterBind, freedBAR, debugfsFatal, controllerDriver, repeatedInit,
  ]
}

extension Hazard {
  /// The hazard that an operation would run into on this machine now; nil when it is safe.
  static func refusal(of operation: Operation, on machine: Machine) -> Hazard? {
    switch operation {
    case .write(let path, let value, _): write(path, value, machine)
    case .link(let path, let target): link(path, target, machine)
    case .unlink(let path, let target): unlink(path, target, machine)
    case .createDirectory(let path): create(path, machine)
    case .unloadModule(let name): unload(name, machine)
    default: nil
    }
  }

  /// The components of a path below configfs.
  private static func components(_ path: String, _ machine: Machine) -> [String] {
    let mountPoint = machine.configFS.mountPoint.string + "/"
    guard path.hasPrefix(mountPoint) else { return [] }
    return path.dropFirst(mountPoint.count).split(separator: "/").map(String.init)
  }

  private static func create(_ path: String, _ machine: Machine) -> Hazard? {
    let parts = components(path, machine)
    guard parts.count >= 3, parts[0] == "nvmet" else { return nil }
    switch parts[1] {
    case "subsystems" where parts.count == 3 && parts[2].utf8.count > NQN.maximumLength:
      return cutNQN
    case "ports" where parts.count == 5 && parts[3] == "ana_groups" && parts[4] == "128":
      return anaGroup128
    default: return nil
    }
  }

  private static func write(_ path: String, _ value: TextValue, _ machine: Machine) -> Hazard? {
    let parts = components(path, machine)
    guard let attribute = parts.last else { return nil }
    let text: String = if case .text(let text) = value { text.withoutTrailingNewline } else { "" }
    switch (parts[0], attribute) {
    case ("pci_ep", "start") where parts.count == 4 && Bool(attributeText: text) == true:
      return hasFreedBAR(below: FilePath(path.parentPath), machine) ? freedBAR : nil
    case ("nvmet", "attr_qid_max") where parts.count == 4:
      return hasController(machine, of: parts[2]) ? limitUnderController : nil
    case ("nvmet", "ana_grpid"): return text.kernelInteger(UInt32.self) == 128 ? anaGroup128 : nil
    case ("nvmet", "addr_traddr"): return text.utf8.count >= 256 ? addressLength : nil
    case ("nvmet", "addr_trsvcid"): return text.utf8.count >= 32 ? addressLength : nil
    case ("nvmet", "device_path"):
      return mayBe { try hasZonedStore(FilePath(path), machine) } ? zonedReuse : nil
    case ("pci_ep", "subsysnqn"):
      return text.utf8.count > SubsystemNQN.maximumLength ? longName : nil
    case ("pci_ep", "msix_interrupts"), ("pci_ep", "msi_interrupts"):
      return mayBe { try isLinked(FilePath(path.parentPath), machine) } ? vectorsAfterBind : nil
    case ("pci_ep", "dma_enable"):
      return mayBe { try isLinked(FilePath(path.parentPath.parentPath), machine) }
        ? dmaAfterBind : nil
    default: return nil
    }
  }

  /// Whether a namespace stored to a zoned null_blk device until now.
  static func wasZoned(_ devicePath: FilePath, _ machine: Machine) -> Bool {
    (try? hasZonedStore(devicePath, machine)) ?? false
  }

  private static func hasZonedStore(_ devicePath: FilePath, _ machine: Machine) throws -> Bool {
    let shown = try machine.configFS.read(devicePath).withoutTrailingNewline
    guard shown.hasPrefix("/dev/") else { return false }
    let device = NullBlockTree(on: machine.configFS).devices[FilePath(shown).name]
    return try device.isZoned.read()
  }

  private static func link(_ path: String, _ target: String, _ machine: Machine) -> Hazard? {
    let parts = components(path, machine)
    guard parts.first == "pci_ep" else { return nil }
    let targetParts = components(target, machine)
    let isFunction = targetParts.count == 4 && targetParts.starts(with: ["pci_ep", "functions"])
    let isController =
      targetParts.count == 3 && targetParts.starts(with: ["pci_ep", "controllers"])
    switch (parts.count, parts.count > 1 ? parts[1] : "") {
    case (4, "controllers"): return isFunction ? nil : wrongTarget
    case (5, "functions"): return virtualFunction
    case (6, "functions") where parts[4] == "secondary": return secondary
    case (6, "functions") where parts[4] == "primary": return isController ? nil : wrongTarget
    default: return wrongTarget
    }
  }

  private static func unlink(_ path: String, _ target: String, _ machine: Machine) -> Hazard? {
    let parts = components(path, machine)
    if parts.count == 4, parts.starts(with: ["pci_ep", "controllers"]) {
      return isDriver(.pciEPFNVMe, of: target, machine) && hasFreedBAR(machine) ? freedBAR : nil
    }
    guard parts.count == 5, parts.starts(with: ["nvmet", "ports"]), parts[3] == "subsystems",
      let nqn = components(target, machine).last
    else { return nil }
    return hasController(machine, of: nqn, through: parts[2]) ? portUnderController : nil
  }

  private static func isDriver(
    _ driver: FunctionDriver, of function: String, _ machine: Machine
  ) -> Bool {
    components(function, machine).starts(with: ["pci_ep", "functions", driver.name])
  }

  /// Whether a function of `pci_epf_nvme` is linked into a controller, and one of the driver's devices has lost its BAR. The log
  /// does not say which directory a device belongs to.
  private static func hasFreedBAR(below controller: FilePath, _ machine: Machine) -> Bool {
    let links = (try? ConfigDirectory(controller, on: machine.configFS).links()) ?? []
    return links.contains { isDriver(.pciEPFNVMe, of: $0.target.string, machine) }
      && hasFreedBAR(machine)
  }

  /// Whether the last that the log has of a device's BAR is that the controller refused it.
  /// - Source: `pci-epf-nvme.c`, `pci_epf_nvme_epc_init`, `pci_epf_nvme_unbind`.
  private static func hasFreedBAR(_ machine: Machine) -> Bool {
    var freed: Set<Substring> = []
    for line in machine.log.allLines() ?? [] {
      guard line.text.hasPrefix("pci_epf_nvme pci_epf_nvme."),
        let colon = line.text.firstIndex(of: ":")
      else { continue }
      let device = line.text[..<colon]
      if line.text.hasSuffix("Set BAR 0 failed") {
        freed.insert(device)
      } else if line.text.hasSuffix("Deleting controller")
        || line.text.contains("NVMe fabrics controller created")
      {
        freed.remove(device)
      }
    }
    return !freed.isEmpty
  }

  private static func unload(_ name: String, _ machine: Machine) -> Hazard? {
    let endpoints = EndpointTree(on: machine.configFS)
    for driver in FunctionDriver.nvmeDrivers
    where driver.moduleName.replacingDashes == name.replacingDashes {
      if mayBe({ try !endpoints.functions(of: driver).all().isEmpty }) {
        return moduleUnderFunction
      }
    }
    return isFunctionDriver(name) && reasonToKeepDrivers(on: machine) != nil ? driverUnload : nil
  }

  static func isFunctionDriver(_ module: String) -> Bool {
    FunctionDriver.nvmeDrivers.contains {
      $0.moduleName.replacingDashes == module.replacingDashes
    } || module.replacingDashes.hasPrefix("pci_epf_")
  }

  /// Why unloading a function driver is dangerous on this machine, or may be; nil if it is not.
  static func reasonToKeepDrivers(on machine: Machine) -> String? {
    let change = KernelChange.driverUnload
    guard let release = KernelRelease(machine.facts.release) else { return nil }
    switch change.presence(in: release) {
    case .absent: return nil
    case .present:
      return "unloading it is a use after free in Linux \(release.text), fixed in \(change.endText)"
    case .unknown:
      return
        "unloading it may be a use after free in Linux \(release.text), fixed in \(change.endText)"
    }
  }

  /// Whether a subsystem has a PCI controller: its function's attributes are busy then, and only then.
  /// - Parameter port: only a controller of this port counts, as for the kernel when a subsystem is unlinked.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_port_del_ctrls`.
  private static func hasController(
    _ machine: Machine, of nqn: String, through port: String? = nil
  ) -> Bool {
    let functions = EndpointTree(on: machine.configFS).functions(of: .nvmetPCIEPF)
    func shown(_ path: FilePath) throws(Errno) -> String {
      try machine.configFS.read(path).withoutTrailingNewline
    }
    return mayBe {
      try functions.all().contains { function in
        let group = TargetGroup(directory: function.directory.child("nvme"))
        return mayBe {
          guard try shown(group.subsystemNQN.path) == nqn else { return false }
          if let port, try shown(group.portID.path) != port { return false }
          let text = try machine.configFS.read(group.portID.path)
          _ = try machine.configFS.write(text, to: group.portID.path)
          return false
        }
      }
    }
  }

  /// Whether a danger exists. One that cannot be looked for is not excluded, except in a directory that is not there.
  private static func mayBe(_ look: () throws -> Bool) -> Bool {
    do { return try look() } catch {
      let errno = (error as? ConfigFSError)?.errno ?? error as? Errno
      return errno != .noSuchFileOrDirectory
    }
  }

  /// Writes back an attribute's value: EBUSY means that a controller exists.
  static func isBusy(_ path: FilePath, _ machine: Machine) -> Bool {
    guard let text = try? machine.configFS.read(path) else { return false }
    do { _ = try machine.configFS.write(text, to: path) } catch { return error == .resourceBusy }
    return false
  }

  /// Whether a controller directory links to a function.
  static func isBound(_ function: FilePath, _ machine: Machine) -> Bool {
    (try? isLinked(function, machine)) ?? false
  }

  private static func isLinked(_ function: FilePath, _ machine: Machine) throws -> Bool {
    try EndpointTree(on: machine.configFS).controllers().contains { controller in
      try controller.directory.links().contains { $0.target == function }
    }
  }
}

extension String {
  /// Module names are the same with `-` and `_`.
  var replacingDashes: String { String(map { $0 == "-" ? "_" : $0 }) }
}
