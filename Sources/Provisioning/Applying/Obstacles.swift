// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import LinuxFiles
internal import SystemPackage

/// The entries of, or links to, a directory that cannot be removed.
///
/// configfs fails with ENOTEMPTY or EBUSY and does not report the cause.
struct Obstacles {
  struct Obstacle: Hashable {
    var path: String
    /// `it holds …`, `… links to it`.
    var sentence: String
  }

  private let configFS: any ConfigFSBackend
  /// Target → the links to it.
  private var links: [FilePath: [FilePath]] = [:]

  /// Reads the links of `nvmet` and `pci_ep` once.
  init(on machine: Machine) {
    configFS = machine.configFS
    var links: [FilePath: [FilePath]] = [:]
    for tree in ["nvmet", "pci_ep"] {
      look(in: machine.configFS.mountPoint.appending(tree), depth: 5) { entry, target in
        if let target { links[target, default: []].append(entry) }
      }
    }
    self.links = links
  }

  /// Only objects that users created; those of the kernel are removed with the directory.
  func of(_ directory: FilePath) -> [Obstacle] {
    var found: [Obstacle] = []
    look(in: directory, depth: 3) { entry, target in
      if let target {
        found.append(
          Obstacle(path: entry.string, sentence: "it holds the link \(entry) to \(target)"))
      } else if !Self.madeByKernel(entry) {
        found.append(Obstacle(path: entry.string, sentence: "it holds \(entry)"))
      }
    }
    return found
      + (links[directory] ?? []).map {
        Obstacle(path: $0.string, sentence: "\($0) links to it")
      }
  }

  /// Directories that the kernel creates with their parent.
  private static func madeByKernel(_ path: FilePath) -> Bool {
    switch path.name {
    case "namespaces", "allowed_hosts", "passthru", "subsystems", "referrals", "ana_groups",
      "primary", "secondary", "nvme":
      true
    case "1": path.parent.name == "ana_groups"
    default: false
    }
  }

  /// Visits directories and links below a directory.
  private func look(in path: FilePath, depth: Int, _ visit: (FilePath, FilePath?) -> Void) {
    guard depth > 0 else { return }
    for entry in (try? configFS.entries(of: path)) ?? [] {
      let child = path.appending(entry.name)
      switch entry.kind {
      case .link: visit(child, try? configFS.linkTarget(of: child))
      case .directory:
        visit(child, nil)
        look(in: child, depth: depth - 1, visit)
      case .attribute: break
      }
    }
  }
}
