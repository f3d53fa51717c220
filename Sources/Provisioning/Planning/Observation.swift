// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import KernelModules
internal import PCIEndpoint
internal import SystemPackage

/// How a fact stands on the machine now.
enum Standing: Equatable {
  /// As desired.
  case satisfied
  /// Nothing there.
  case absent
  /// An attribute with another value, as the kernel shows it.
  case differs(current: String)
}

/// Looks at a machine, fact by fact, and touches as little as possible: what stands below a missing directory is missing.
struct Observation {
  let machine: Machine
  let owned: Ledger
  let isMounted: Bool
  private var missing: Set<String> = []
  private var present: Set<String> = []

  init(_ machine: Machine, owned: Ledger) {
    self.machine = machine
    self.owned = owned
    isMounted = machine.isConfigFSMounted()
  }

  /// - Throws: ``ProvisioningError`` when something else stands where the fact wants to be.
  mutating func standing(of fact: Fact) throws(ProvisioningError) -> Standing {
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
          .inputMissing, "cannot look at \(path): \(error.nameAndText)", operation: "read",
          path: path, errno: error)
      }
      return .satisfied
    case .loop(let backing, let loop):
      return loopStanding(backing, loop.file)
    case .directory(let path), .lateDirectory(let path):
      return try hasDirectory(path) ? .satisfied : .absent
    case .deviceNode(let path):
      return (try? machine.storage.describe(path)) == nil ? .absent : .satisfied
    case .attribute(let path, let value, let shown, let role):
      return try attribute(path, value, shown, role)
    case .link(let path, let target):
      return try link(path, target)
    case .connection(let address):
      return connection(address)
    case .controller:
      // Looked at only right after binding.
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

  private func loopStanding(_ backing: String, _ file: String) -> Standing {
    guard let device = owned.loops[backing],
      let bound = try? machine.storage.loopFile(of: FilePath(device)), bound == FilePath(file)
    else { return .absent }
    return .satisfied
  }

  private mutating func hasDirectory(_ path: FilePath) throws(ProvisioningError) -> Bool {
    try hasDirectory(path.string)
  }

  private mutating func hasDirectory(_ path: String) throws(ProvisioningError) -> Bool {
    if present.contains(path) { return true }
    if !isMounted || missing.contains(path) || missing.contains(path.parentPath) {
      missing.insert(path)
      return false
    }
    do {
      guard try machine.configFS.kind(of: FilePath(path)) == .directory else {
        throw ProvisioningError(
          .impossible, "\(path) exists and is no directory", path: path)
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
        .operationFailed, "cannot look at \(path): \(error)", operation: "read",
        path: path, errno: error as? Errno)
    }
  }

  private mutating func attribute(
    _ path: FilePath, _ value: TextValue, _ shown: String, _ role: Fact.Role
  ) throws(ProvisioningError) -> Standing {
    guard try hasDirectory(path.string.parentPath) else { return .absent }
    let current: String
    do { current = try machine.configFS.read(path) } catch .noSuchFileOrDirectory {
      throw ProvisioningError(
        .unsupported, "\(machine.label) (\(machine.facts.release)) has no attribute \(path)",
        operation: "read", path: path.string, errno: .noSuchFileOrDirectory,
        hint: "a newer kernel has it; or leave the key out of the profile")
    } catch {
      throw ProvisioningError(ConfigFSError(.read, path, .system(error)))
    }
    let wanted: String
    switch value {
    case .text: wanted = shown
    case .loopDevice(let backing):
      guard let device = owned.loops[backing] else { return .differs(current: current) }
      wanted = device + "\n"
    }
    if case .usedAtBind = role, case .text(let text) = value,
      let written = owned.lastWritten[path.string]
    {
      // What is shown may be another function's value; what this function got is what was written before its bind.
      return written == text ? .satisfied : .differs(current: current)
    }
    if sameAttributeText(current, wanted, at: path.string)
      || ClearedAtBind.explains(path, shown: current, wanted: wanted, on: machine)
    {
      return .satisfied
    }
    return .differs(current: current)
  }

  /// Ours is what the journal has, or what a function that is bound with these options has opened; one that was lost for good
  /// is neither.
  private func connection(_ address: FabricsAddress) -> Standing {
    guard owned.connections.contains(address) || isUsed(address) else { return .absent }
    // A kernel that does not list them contradicts nothing.
    guard let all = try? machine.fabrics.connections() else { return .satisfied }
    return all.contains { $0.address == address } ? .satisfied : .absent
  }

  /// Whether a bound function leads to a target.
  private func isUsed(_ address: FabricsAddress) -> Bool {
    let functions = (try? EndpointTree(on: machine.configFS).functions(of: .pciEPFNVMe).all()) ?? []
    return functions.contains { function in
      let group = FabricsGroup(directory: function.directory.child("nvme"))
      return (try? group.controllerOptions.read())?.destination == address
        && Hazard.isBound(function.directory.path, machine)
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
        .impossible, "\(path) exists and is no link: \(error.nameAndText)", path: path.string,
        errno: error)
    }
    guard current == target else {
      throw ProvisioningError(
        .impossible, "\(path) leads to \(current), not to \(target)", operation: "link",
        path: path.string, value: target.string,
        hint: "someone else made this link: remove it, or use another name")
    }
    return .satisfied
  }
}
