// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// One thing in which a machine and a profile differ.
public struct Difference: Hashable, Sendable {
  public enum Kind: String, Sendable, Hashable {
    /// The profile has it, the machine has not.
    case missing
    /// Both have it, with different values.
    case different
    /// An earlier version of the profile made it, this one does not have it.
    case obsolete
    /// Somebody else put it into an object of the profile.
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
  /// Why the profile wants it.
  public var meaning: String
  /// What a host would notice when `setup` mends it; empty when nothing.
  public var disturbances: [String]
  /// Whether `setup` mends it; it takes away only what epfnvme made.
  public var isMendedBySetup: Bool { kind != .foreign && kind != .lost }
}

extension Difference {
  public var json: JSONValue {
    [
      "kind": .string(kind.rawValue), "id": .string(id), "path": .string(path),
      "expected": JSONValue(expected), "actual": JSONValue(actual), "meaning": .string(meaning),
      "mendedBySetup": .bool(isMendedBySetup),
      "disturbs": .array(disturbances.map { .string($0) }),
    ]
  }
}

extension Provisioner {
  /// What `setup` would mend and what it would leave; changes nothing but for the busy test of a controller, which writes
  /// a value back.
  /// - Throws: ``ProvisioningError`` when the profile cannot be on this machine at all.
  public func differences(_ located: Profile.Located) throws(ProvisioningError) -> [Difference] {
    let profile = located.profile
    let owned = try Journal.contents(profile.name, in: run)?.all ?? Ledger()
    let resolution = try Resolution(profile, on: machine, owned: owned)
    let desired = try DesiredState(profile, resolution, on: machine)
    let planner = try Planner(desired, owned: owned, on: machine)
    var found: [Difference] = []
    for (index, fact) in desired.facts.enumerated() {
      let look = look(at: fact, owned)
      let kind: Difference.Kind
      switch planner.standings[index] {
      case .absent: kind = .missing
      case .differs: kind = .different
      case .satisfied:
        // Only looking tells whether a bound function has its controller, and whether a connection is live.
        guard !look.hasPassed, stands(fact, in: planner) else { continue }
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
          disturbances: kind == .lost ? [] : planner.disturbances(ofMending: index)))
    }
    found += planner.obsoleteDifferences()
    if machine.isConfigFSMounted() { found += foreign(desired) }
    return found
  }

  /// Whether everything that a fact needs is there: else that is the difference.
  private func stands(_ fact: Fact, in planner: Planner) -> Bool {
    fact.needs.allSatisfy { planner.standings[$0] == .satisfied }
  }

  /// What others have put beside the profile's own objects: it is seen by the same hosts.
  private func foreign(_ desired: DesiredState) -> [Difference] {
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
        $0.kind != .attribute && !wanted.contains("\(group)/\($0.name)")
      }.sorted { $0.name < $1.name }.map { entry in
        let path = "\(group)/\(entry.name)"
        let root = machine.configFS.mountPoint.string + "/"
        let short = path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
        return Difference(
          kind: .foreign, id: "\(entry.kind.rawValue) \(short)", path: path, expected: nil,
          actual: "present", meaning: "a \(what) that epfnvme did not make for this profile",
          disturbances: [])
      }
    }
  }
}

extension Planner {
  /// What a host notices when one fact is made right: the disruptions of all that has to be taken down for it.
  func disturbances(ofMending index: Int) -> [String] {
    var planner = self
    return planner.lowering(for: [index]).compactMap(\.disruption).uniqued()
  }

  /// What is taken away because the profile no longer has it.
  func obsoleteDifferences() -> [Difference] {
    obsoleteEntries().map { step in
      Difference(
        kind: .obsolete, id: "\(step.operation.verb) \(step.operation.path)",
        path: step.operation.path, expected: nil, actual: "present", meaning: step.reason,
        disturbances: (lowersForObsolete + [step.disruption].compactMap(\.self)).uniqued())
    }
  }

  /// Every controller goes down before anything is taken away.
  private var lowersForObsolete: [String] {
    var planner = self
    return planner.loweringBindings().compactMap(\.disruption)
  }
}

extension Array where Element: Hashable {
  fileprivate func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
