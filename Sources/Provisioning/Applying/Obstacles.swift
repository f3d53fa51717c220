// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
internal import SystemPackage

/// What other people have put in, or linked to, a directory that cannot be removed.
///
/// configfs answers ENOTEMPTY or EBUSY and does not say because of what.
struct Obstacles {
  private(set) var sentences: [String] = []
  private let configFS: any ConfigFSBackend

  init(to operation: Operation, on machine: Machine) {
    configFS = machine.configFS
    guard case .removeDirectory(let text) = operation else { return }
    let path = FilePath(text)
    look(in: path, depth: 3) { entry, target in
      if let target {
        sentences.append("it holds the link \(entry) to \(target)")
      } else if !Self.madeByKernel(entry) {
        sentences.append("it holds \(entry)")
      }
    }
    let mountPoint = machine.configFS.mountPoint
    for tree in ["nvmet", "pci_ep"] where path.starts(with: mountPoint.appending(tree)) {
      look(in: mountPoint.appending(tree), depth: 5) { entry, target in
        if target == path { sentences.append("\(entry) links to it") }
      }
    }
  }

  /// Directories that come with the one above them.
  private static func madeByKernel(_ path: FilePath) -> Bool {
    switch path.lastComponent?.string {
    case "namespaces", "allowed_hosts", "passthru", "subsystems", "referrals", "ana_groups",
      "primary", "secondary", "nvme":
      true
    case "1": path.removingLastComponent().lastComponent?.string == "ana_groups"
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
