// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import NVMeTarget
internal import SystemPackage

/// Identifiers of a profile's namespaces that namespaces of others on this machine have, too.
///
/// A Linux host that sees both creates no block device for one of them.
/// - Source: `drivers/nvme/host/core.c`, `nvme_global_check_duplicate_ids`.
struct IdentityCheck {
  private var owners: [String: String] = [:]

  /// - Parameter own: the directories of the profile's namespaces.
  init(_ machine: Machine, except own: Set<String>) {
    guard machine.isConfigFSMounted() else { return }
    let tree = TargetTree(on: machine.configFS).subsystems
    guard tree.exists, let subsystems = try? tree.all() else { return }
    for subsystem in subsystems {
      for space in (try? subsystem.namespaces.all()) ?? []
      where !own.contains(space.directory.path.string) {
        for (kind, path) in [("UUID", space.uuid.path), ("NGUID", space.nguid.path)] {
          guard let text = try? machine.configFS.read(path).withoutTrailingNewline,
            let key = Self.key(kind, text)
          else { continue }
          owners[key] = "namespace \(space.name) of \(subsystem.name)"
        }
      }
    }
  }

  private static func key(_ kind: String, _ text: String?) -> String? {
    guard let text, let value = try? NGUID(text), value.bytes.contains(where: { $0 != 0 }) else {
      return nil
    }
    return "\(kind) \(value)"
  }

  func warnings(_ profile: Profile) -> [ProfileIssue] {
    var found: [ProfileIssue] = []
    for (s, subsystem) in profile.subsystems.enumerated() {
      for (n, namespace) in subsystem.namespaces.enumerated() {
        for (kind, text) in [("UUID", namespace.uuid), ("NGUID", namespace.nguid)] {
          guard let key = Self.key(kind, text), let owner = owners[key] else { continue }
          found.append(
            ProfileIssue(
              .warning, path: "subsystems[\(s)].namespaces[\(n)].\(kind.lowercased())",
              message:
                "namespace \(namespace.id) has the \(kind) of \(owner): a Linux host that sees both creates no block device for one",
              hint: "give each namespace a unique \(kind), or omit the key"))
        }
      }
    }
    return found
  }
}
