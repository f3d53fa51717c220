// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import NVMeTarget
internal import SystemPackage

/// The access of hosts to namespaces by ANA states, followed through the steps of a plan.
///
/// An operation is a disruption if an enabled namespace of a port's subsystem is accessible before it and not after it: Linux then fails
/// the I/O of a host that has no other path.
/// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`; `configfs.c`, `nvmet_ana_group_release`, which makes the group
///   inaccessible; `drivers/nvme/host/multipath.c`.
struct NamespaceAccess {
  private let configFS: any ConfigFSBackend
  /// Object → attribute → the text that the steps so far have written.
  private var written: [String: [String: String]] = [:]
  /// Directory → entry → whether the steps so far have made or removed it.
  private var made: [String: [String: Bool]] = [:]

  init(_ configFS: any ConfigFSBackend) { self.configFS = configFS }

  /// - Returns: the effect of each step on hosts; nil if none loses a namespace.
  static func losses(in steps: [Step], _ configFS: any ConfigFSBackend) -> [String?] {
    var access = NamespaceAccess(configFS)
    return steps.map { step in
      let loss = access.loss(by: step.operation)
      access.apply(step.operation)
      return loss
    }
  }

  private func address(_ path: String) -> ConfigAddress? {
    ConfigAddress(path, below: configFS.mountPoint)
  }

  // MARK: One operation

  private func loss(by operation: Operation) -> String? {
    let path = operation.path
    switch (operation, address(path)) {
    case (.write(_, .text(let text), _), .anaGroup(let port, let name)?)
    where path.lastComponent == "ana_state":
      guard let group = name.kernelInteger(UInt32.self), !Self.isAccessible(text) else {
        return nil
      }
      return loss(of: group, on: port, "becomes \(text.withoutTrailingNewline)")
    case (.removeDirectory, .anaGroup(let port, let name)?):
      return name.kernelInteger(UInt32.self).flatMap { loss(of: $0, on: port, "is removed") }
    case (.write(_, .text(let text), _), .namespace(let nqn, let id)?)
    where path.lastComponent == "ana_grpid":
      return lossByMoving(id, of: nqn, to: text)
    default: return nil
    }
  }

  private func loss(of group: UInt32, on port: String, _ change: String) -> String? {
    guard isAccessible(group, on: port) else { return nil }
    for nqn in subsystems(of: port) {
      for id in names(in: namespaces(of: nqn)) where isEnabled(id, of: nqn) {
        guard self.group(of: id, in: nqn) == group else { continue }
        return
          "hosts of port \(port) lose namespace \(id) of \(nqn): its ANA group \(group) \(change)"
      }
    }
    return nil
  }

  private func lossByMoving(_ id: String, of nqn: String, to text: String) -> String? {
    guard isEnabled(id, of: nqn), let target = text.kernelInteger(UInt32.self) else { return nil }
    let source = group(of: id, in: nqn)
    for port in names(in: root.appending("ports")) where subsystems(of: port).contains(nqn) {
      guard isAccessible(source, on: port), !isAccessible(target, on: port) else { continue }
      return
        "hosts of port \(port) lose namespace \(id) of \(nqn): its new ANA group \(target) is not accessible there"
    }
    return nil
  }

  private mutating func apply(_ operation: Operation) {
    switch operation {
    case .write(let path, .text(let text), _):
      written[path.parentPath, default: [:]][path.lastComponent ?? ""] = text
    case .createDirectory(let path), .restoreDirectory(let path, _), .link(let path, _):
      made[path.parentPath, default: [:]][path.lastComponent ?? ""] = true
    case .removeDirectory(let path), .unlink(let path, _):
      made[path.parentPath, default: [:]][path.lastComponent ?? ""] = false
      written[path] = nil
      // A port removes the group that it made.
      if case .port? = address(path) { written["\(path)/ana_groups/1"] = nil }
    default: break
    }
  }

  // MARK: The state between two operations

  private var root: FilePath { configFS.mountPoint.appending("nvmet") }

  private func namespaces(of nqn: String) -> FilePath {
    root.appending("subsystems").appending(nqn).appending("namespaces")
  }

  private func subsystems(of port: String) -> [String] {
    names(in: root.appending("ports").appending(port).appending("subsystems"))
  }

  private func names(in directory: FilePath) -> [String] {
    let changed = made[directory.string] ?? [:]
    let found = ((try? configFS.entries(of: directory)) ?? []).map(\.name)
    return Set(found).union(changed.keys).filter { changed[$0] ?? true }.sorted()
  }

  private func isMade(_ path: FilePath) -> Bool? { made[path.parent.string]?[path.name] }

  /// The text of an attribute; nil if its object is new or does not exist.
  private func text(_ path: FilePath, of object: FilePath) -> String? {
    if let text = written[path.parent.string]?[path.name] { return text }
    return isMade(object) == nil ? try? configFS.read(path) : nil
  }

  private func isEnabled(_ id: String, of nqn: String) -> Bool {
    let space = namespaces(of: nqn).appending(id)
    return text(space.appending("enable"), of: space).map { sameAttributeText($0, "1") } ?? false
  }

  private func group(of id: String, in nqn: String) -> UInt32 {
    let space = namespaces(of: nqn).appending(id)
    return text(space.appending("ana_grpid"), of: space)?.kernelInteger(UInt32.self) ?? 1
  }

  private func isAccessible(_ group: UInt32, on port: String) -> Bool {
    let directory = root.appending("ports").appending(port)
    // The steps have removed the port so far: it comes back with group 1 in its first state.
    guard isMade(directory) != false else { return group == 1 }
    let groups = directory.appending("ana_groups")
    // A port makes group 1 itself, also one that the steps create.
    let names = names(in: groups) + (group == 1 ? ["1"] : [])
    return NVMeTarget.Port.anaState(of: group, among: names) { name in
      let path = groups.appending(name)
      let object = group == 1 ? directory : path
      return isMade(object) == false ? nil : text(path.appending("ana_state"), of: object)
    }.state?.isAccessible ?? false
  }

  static func isAccessible(_ text: String) -> Bool {
    ANAState(attributeText: text)?.isAccessible ?? false
  }
}
