// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents
internal import LinuxFiles
internal import SystemPackage

/// One thing in which a machine and a profile differ.
public struct Difference: Hashable, Sendable {
  public enum Kind: String, Sendable, Hashable {
    /// The profile has it, the machine has not.
    case missing
    /// Both have it, with different values.
    case different
    /// Created for an earlier version of the profile; the current version does not have it.
    case obsolete
    /// Not created by epfnvme, but inside an object of the profile.
    case foreign
    /// A connection to a target that the kernel tries to bring back.
    case lost
  }

  public var kind: Kind
  /// `attribute nvmet/subsystems/…/attr_model`, as `check` calls it.
  public var id: String
  public var path: String
  public var expected: String?
  public var actual: String?
  /// Why the profile needs it.
  public var meaning: String
  /// The effect on a host when `setup` fixes it; empty if there is none.
  public var disruptions: [String]
  /// Whether `setup` fixes it; it removes only objects that epfnvme created.
  public var isFixedBySetup: Bool { kind != .foreign && kind != .lost }
}

extension Difference {
  public var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "id": .string(id), "path": .string(path),
      "expected": JSONValue(expected), "actual": JSONValue(actual), "meaning": .string(meaning),
      "fixedBySetup": .bool(isFixedBySetup),
      "disrupts": .array(disruptions.map { .string($0) }),
    ]
  }
}

extension Provisioner {
  /// The differences that `setup` would fix and those that it would leave. Changes nothing except that the busy test of a controller writes
  /// back a value.
  /// - Throws: ``ProvisioningError`` when the profile cannot be on this machine at all.
  public func differences(_ located: Profile.Located) throws(ProvisioningError) -> [Difference] {
    let (desired, planner) = try observe(located.profile)
    let losses = planner.accessLosses()
    func disruptions(ofFixing index: Int) -> [String] {
      planner.disruptions(ofFixing: index)
        + (planner.facts[index].path.flatMap { losses[$0.string] }.map { [$0] } ?? [])
    }
    var found: [Difference] = []
    for (index, fact) in planner.facts.enumerated() {
      let look = look(at: fact, planner.loops)
      let kind: Difference.Kind
      switch (fact.wish, planner.standings[index]) {
      case (.absent, .satisfied), (.unchanged, _): continue
      case (.absent, _):
        found.append(obsolete(fact, disruptions: disruptions(ofFixing: index)))
        continue
      case (_, .absent) where fact.isDefault: continue
      case (_, .absent): kind = .missing
      case (_, .differs): kind = .different
      case (_, .satisfied):
        // Only an inspection shows whether a bound function has its controller, and whether a connection is live.
        guard !look.hasPassed, isThere(fact, in: planner) else { continue }
        switch fact.content {
        case .controller: kind = .missing
        case .connection: kind = .lost
        default: continue
        }
      }
      found.append(
        Difference(
          kind: kind, id: look.id, path: look.path, expected: look.expected, actual: look.actual,
          meaning: look.meaning,
          disruptions: kind == .lost ? [] : disruptions(ofFixing: index)))
    }
    if machine.isConfigFSMounted() { found += foreign(desired, planner.ownership) }
    return found
  }

  /// A profile on the machine as it is.
  func observe(
    _ profile: Profile
  ) throws(ProvisioningError) -> (desired: DesiredState, planner: Planner) {
    let ownership = try Ownership(profile.name, in: run)
    let resolution = try Resolution(profile, on: machine, ownership)
    let desired = try DesiredState(resolution, ownership, on: machine)
    return (desired, try Planner(desired, ownership, on: machine))
  }

  private func obsolete(_ fact: Fact, disruptions: [String]) -> Difference {
    let verb: String
    let path: String
    switch fact.content {
    case .directory(let directory): (verb, path) = ("remove", directory.string)
    case .link(let link, _): (verb, path) = ("unlink", link.string)
    case .connection(let address): (verb, path) = ("disconnect", address.nqn)
    case .loop(_, let loop): (verb, path) = ("detach loop", loop.file)
    default: (verb, path) = ("write", fact.path?.string ?? "")
    }
    return Difference(
      kind: .obsolete, id: "\(verb) \(path)", path: path, expected: nil, actual: "present",
      meaning: fact.reason, disruptions: disruptions)
  }

  /// Whether everything that a fact needs is there: else that is the difference.
  private func isThere(_ fact: Fact, in planner: Planner) -> Bool {
    fact.needs.allSatisfy { planner.standings[$0] == .satisfied }
  }

  /// Objects of others inside the profile's objects, which the same hosts can access.
  private func foreign(_ desired: DesiredState, _ ownership: Ownership) -> [Difference] {
    var wanted: Set<String> = []
    var groups: [String: String] = [:]
    for fact in desired.facts {
      switch fact.content {
      case .directory(let path):
        wanted.insert(path.string)
        let parent = path.string.parentPath
        if parent.hasSuffix("/nvmet/subsystems") {
          groups["\(path)/namespaces"] = "namespace"
          groups["\(path)/allowed_hosts"] = "allowed host"
        } else if parent.hasSuffix("/nvmet/ports") {
          groups["\(path)/subsystems"] = "subsystem of the port"
        }
      case .link(let path, _):
        wanted.insert(path.string)
        if path.string.parentPath.parentPath.hasSuffix("/pci_ep/controllers") {
          groups[path.string.parentPath] = "function of the controller"
        }
      default: break
      }
    }
    return groups.sorted { $0.key < $1.key }.flatMap { group, what in
      let entries = (try? machine.configFS.entries(of: FilePath(group))) ?? []
      return entries.filter {
        // Objects of other profiles are not foreign.
        $0.kind != .attribute && !wanted.contains("\(group)/\($0.name)")
          && ownership.owner(of: "\(group)/\($0.name)") == nil
      }.sorted { $0.name < $1.name }.map { entry in
        let path = "\(group)/\(entry.name)"
        let root = machine.configFS.mountPoint.string + "/"
        let short = path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
        return Difference(
          kind: .foreign, id: "\(entry.kind.rawValue) \(short)", path: path, expected: nil,
          actual: "present", meaning: "a \(what) that epfnvme did not create for this profile",
          disruptions: [])
      }
    }
  }
}
