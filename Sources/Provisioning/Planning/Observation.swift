// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import LinuxFiles
internal import PCIEndpoint
internal import SystemPackage

/// The current state of a fact on the machine.
enum Standing: Equatable {
  /// As desired.
  case satisfied
  /// It does not exist.
  case absent
  /// Another value, as the kernel shows it.
  case differs(current: String)
}

/// Inspects a machine, fact by fact, with as few accesses as possible: entries of a missing directory are missing.
struct Observation {
  let machine: Machine
  let ownership: Ownership
  let isMounted: Bool
  /// Backing → loop device: those of the journal and, without one, those that match the profile.
  private(set) var loops: [String: String]
  private var missing: Set<String> = []
  private var present: Set<String> = []

  private var owned: Ledger { ownership.own }

  init(_ machine: Machine, ownership: Ownership) {
    self.machine = machine
    self.ownership = ownership
    loops = ownership.own.loops
    isMounted = machine.isConfigFSMounted()
  }

  /// - Returns: the state of the fact, and whether its object is up: a switch that is on, a link, a device that is attached.
  /// - Throws: ``ProvisioningError`` when another kind of object exists at the path of the fact.
  mutating func look(at fact: Fact) throws(ProvisioningError) -> (Standing, isUp: Bool) {
    switch fact.wish {
    case .present:
      let standing = try standing(of: fact)
      guard case .attribute(_, _, _, .state(let on, _)) = fact.content else {
        if case .loop(let backing, _) = fact.content { return (standing, loops[backing] != nil) }
        return (standing, standing != .absent)
      }
      return (standing, isOn(fact, on))
    case .unchanged:
      guard case .attribute(_, _, _, .state(let on, _)) = fact.content else {
        return (.satisfied, true)
      }
      return (.satisfied, isOn(fact, on))
    case .absent:
      let isUp = isLeft(fact)
      return (isUp ? .differs(current: "present") : .satisfied, isUp)
    }
  }

  private func isOn(_ fact: Fact, _ on: String) -> Bool {
    guard let path = fact.path, let text = try? machine.configFS.read(path) else { return false }
    return sameAttributeText(text, on)
  }

  /// Whether an object of the journal still exists and still belongs to it.
  private func isLeft(_ fact: Fact) -> Bool {
    switch fact.content {
    case .directory(let path): (try? machine.configFS.kind(of: path)) == .directory
    case .link(let path, let target): (try? machine.configFS.linkTarget(of: path)) == target
    case .attribute(_, _, _, .state(let on, _)): isOn(fact, on)
    case .connection(let address): owned.connections.contains(address)
    case .loop(let backing, _): isAttached(backing)
    default: false
    }
  }

  private mutating func standing(of fact: Fact) throws(ProvisioningError) -> Standing {
    switch fact.content {
    case .configFSMounted:
      return isMounted ? .satisfied : .absent
    case .module(let name, _):
      return try module(name)
    case .file(let path, _):
      do { _ = try machine.storage.describe(FilePath(path)) } catch .noSuchFileOrDirectory {
        return .absent
      } catch {
        throw ProvisioningError(
          .inputMissing, "cannot inspect \(path): \(error.nameAndText)", operation: "read",
          path: path, errno: error)
      }
      return .satisfied
    case .loop(let backing, let loop):
      return self.loop(backing, loop)
    case .directory(let path), .lateDirectory(let path):
      return try hasDirectory(path.string) ? .satisfied : .absent
    case .deviceNode(let path):
      return (try? machine.storage.describe(path)) == nil ? .absent : .satisfied
    case .attribute(let path, let value, let shown, let role):
      let standing = try attribute(path, value, shown, role, isDefault: fact.isDefault)
      if case .differs(let current) = standing,
        fact.alternatives.contains(where: { sameAttributeText($0, current) })
      {
        return .satisfied
      }
      return standing
    case .link(let path, let target):
      return try link(path, target)
    case .connection(let address):
      return connection(address)
    case .controller:
      // Checked only immediately after binding.
      return .satisfied
    }
  }

  private func module(_ name: String) throws(ProvisioningError) -> Standing {
    let state: ModuleState
    do { state = try machine.modules.state(of: name) } catch {
      throw ProvisioningError(error, kind: .unsupported)
    }
    switch state {
    case .builtIn, .loaded: return .satisfied
    case .loadable: return .absent
    case .missing:
      throw ProvisioningError(
        .unsupported, "\(machine.label) has no module \(name)", operation: "load module",
        path: name, errno: .noSuchFileOrDirectory,
        hint: Self.moduleHints[name] ?? "install the modules of kernel \(machine.facts.release)")
    }
  }

  private static let moduleHints = [
    "null_blk": "the kernel needs CONFIG_BLK_DEV_NULL_BLK; or use another backing",
    "loop": "the kernel needs CONFIG_BLK_DEV_LOOP; or use the file itself as the backing",
    "nvmet": "the kernel needs CONFIG_NVME_TARGET",
    "nvme-loop": "the kernel needs CONFIG_NVME_TARGET_LOOP",
    "nvmet-tcp": "the kernel needs CONFIG_NVME_TARGET_TCP",
    "nvmet-pci-epf": "the kernel needs Linux 6.14 with CONFIG_NVME_TARGET_PCI_EPF",
  ]

  // MARK: Loop devices

  /// A device has the desired state if it was created with the same request, and has not changed.
  private mutating func loop(_ backing: String, _ wanted: LoopConfiguration) -> Standing {
    if loops[backing] == nil, !ownership.hasJournal, let found = matchingLoop(wanted) {
      loops[backing] = found
    }
    guard let device = loops[backing], let actual = attached(device) else {
      loops[backing] = nil
      return .absent
    }
    guard isSameFile(owned.configurations[backing]?.file ?? wanted.file, actual.file) else {
      // The device was detached, and is now bound to another file.
      loops[backing] = nil
      return .absent
    }
    let asked = owned.configurations[backing]
    let isAsAsked =
      asked.map {
        $0.offset == wanted.offset && $0.blockSize == wanted.blockSize
          && $0.usesDirectIO == wanted.usesDirectIO && isSameFile($0.file, wanted.file)
      } ?? true
    return isAsAsked && matches(actual, wanted)
      ? .satisfied : .differs(current: actual.summary)
  }

  private func attached(_ device: String) -> LoopConfiguration? {
    (try? machine.storage.loopConfiguration(of: FilePath(device))) ?? nil
  }

  /// Whether a backing's device of the journal is still attached to its file.
  private func isAttached(_ backing: String) -> Bool {
    guard let device = owned.loops[backing], let actual = attached(device),
      let file = owned.configurations[backing]?.file
    else { return false }
    return isSameFile(file, actual.file)
  }

  private func matches(_ actual: LoopConfiguration, _ wanted: LoopConfiguration) -> Bool {
    actual.offset == wanted.offset && actual.usesDirectIO == wanted.usesDirectIO
      && (wanted.blockSize == 0 || actual.blockSize == wanted.blockSize)
      && isSameFile(actual.file, wanted.file)
  }

  /// The device that matches a profile without a journal, unless another profile created it.
  private func matchingLoop(_ wanted: LoopConfiguration) -> String? {
    let bound = (try? machine.storage.boundLoops()) ?? []
    return bound.map(\.device.string).first { device in
      ownership.owner(of: device) == nil && attached(device).map { matches($0, wanted) } == true
    }
  }

  private func isSameFile(_ a: String, _ b: String) -> Bool {
    machine.storage.isSameFile(FilePath(a), FilePath(b))
  }

  // MARK: Connections

  /// A connection belongs to the profile if binding opened it, and exists while the kernel lists it.
  private func connection(_ address: FabricsAddress) -> Standing {
    let spared = owned.spared(address)
    guard let all = try? machine.fabrics.connections() else {
      return owned.connections.contains(address) ? .satisfied : .absent
    }
    let isThere = all.contains { $0.address == address && !spared.contains($0.name) }
    return isThere && (owned.connections.contains(address) || !ownership.hasJournal)
      ? .satisfied : .absent
  }

  // MARK: configfs

  private mutating func hasDirectory(_ path: String) throws(ProvisioningError) -> Bool {
    if present.contains(path) { return true }
    if !isMounted || missing.contains(path) || missing.contains(path.parentPath) {
      missing.insert(path)
      return false
    }
    do {
      guard try machine.configFS.kind(of: FilePath(path)) == .directory else {
        throw ProvisioningError(
          .impossible, "\(path) exists and is not a directory", path: path)
      }
      present.insert(path)
      return true
    } catch let error as ProvisioningError {
      throw error
    } catch Errno.noSuchFileOrDirectory {
      missing.insert(path)
      return false
    } catch {
      throw ProvisioningError(
        .operationFailed, "cannot inspect \(path): \(error)", operation: "read",
        path: path, errno: error as? Errno)
    }
  }

  private mutating func attribute(
    _ path: FilePath, _ value: TextValue, _ shown: String, _ role: Fact.Role, isDefault: Bool
  ) throws(ProvisioningError) -> Standing {
    guard try hasDirectory(path.string.parentPath) else { return .absent }
    let current: String
    do { current = try machine.configFS.read(path) } catch .noSuchFileOrDirectory {
      // An attribute that this kernel does not have counts as its default.
      if isDefault { return .satisfied }
      throw ProvisioningError(
        .unsupported, "\(machine.label) (\(machine.facts.release)) has no attribute \(path)",
        operation: "read", path: path.string, errno: .noSuchFileOrDirectory,
        hint: "use a newer kernel, or remove the key from the profile")
    } catch {
      throw ProvisioningError(ConfigFSError(.read, path, .system(error)))
    }
    let wanted: String
    switch value {
    case .text: wanted = shown
    case .loopDevice(let backing):
      guard let device = loops[backing] else { return .differs(current: current) }
      wanted = device + "\n"
    }
    let isShown = sameAttributeText(current, wanted, at: path.string)
    guard case .usedAtBind(let isShared) = role, case .text(let text) = value else {
      return isShown ? .satisfied : .differs(current: current)
    }
    guard let written = owned.lastWritten[path.string] else {
      // A default that was never written is the driver's choice.
      let isRight =
        isShown || isDefault
        || ClearedAtBind.explains(path, shown: current, wanted: wanted, on: machine)
      return isRight ? .satisfied : .differs(current: current)
    }
    guard written == text else { return .differs(current: current) }
    if isShown { return .satisfied }
    // The effective value is that written before the bind; the value shown may be that of another function.
    let isExplained =
      isShared
      ? isOfSibling(current, path)
      : ClearedAtBind.explains(path, shown: current, wanted: wanted, on: machine)
    return isExplained ? .satisfied : .differs(current: current)
  }

  /// Whether a value is that of another function of the driver.
  private func isOfSibling(_ shown: String, _ attribute: FilePath) -> Bool {
    let own = attribute.parent
    let driver = own.parent
    let name = attribute.name
    let siblings = ((try? machine.configFS.entries(of: driver)) ?? []).filter {
      $0.kind == .directory && $0.name != own.name
    }
    let ledgers = [owned] + ownership.others.map(\.ledger)
    return siblings.contains { sibling in
      let path = driver.appending(sibling.name).appending(name).string
      let texts = ledgers.compactMap { $0.lastWritten[path] }
      // Functions of others may have any value.
      if texts.isEmpty { return true }
      return texts.contains { $0.kernelInteger(UInt32.self) == shown.kernelInteger(UInt32.self) }
    }
  }

  private mutating func link(
    _ path: FilePath, _ target: FilePath
  ) throws(ProvisioningError) -> Standing {
    guard try hasDirectory(path.string.parentPath) else { return .absent }
    let current: FilePath
    do { current = try machine.configFS.linkTarget(of: path) } catch .noSuchFileOrDirectory {
      return .absent
    } catch {
      throw ProvisioningError(
        .impossible, "\(path) exists and is not a link: \(error.nameAndText)", path: path.string,
        errno: error)
    }
    guard current == target else {
      throw ProvisioningError(
        .impossible, "\(path) points to \(current), not to \(target)", operation: "link",
        path: path.string, value: target.string,
        hint: "epfnvme did not create this link: remove it, or use another name")
    }
    return .satisfied
  }
}
