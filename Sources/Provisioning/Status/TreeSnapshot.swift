// SPDX-License-Identifier: Apache-2.0
internal import ConfigFS
public import SystemPackage

/// configfs below `pci_ep`, `nvmet` and `nullb` at one moment: every directory, link and readable attribute.
public struct TreeSnapshot: Hashable, Sendable {
  public enum Entry: Hashable, Sendable {
    case directory
    /// The target, below the mount point.
    case link(String)
    /// Without the line feed; nil when it cannot be read.
    case attribute(String?)
  }

  /// By path below the mount point: `nvmet/ports/1/addr_trtype`.
  public var entries: [String: Entry] = [:]
  /// Existing directories, links and attributes that could not be read, with the reason.
  public var unreadable: [String: Errno] = [:]

  public init() {}

  /// The subtrees of the kernel that this tool changes.
  static let roots = ["nullb", "nvmet", "pci_ep"]

  /// An attribute's text; nil when there is no such attribute.
  public func text(_ path: String) -> String? {
    if case .attribute(let text)? = entries[path] { text } else { nil }
  }

  /// Objects that were created by mkdir or symlink, not by a module or the kernel.
  public var objects: Set<String> {
    Set(
      entries.compactMap { path, entry in
        if case .attribute = entry { return nil }
        if case .link = entry { return path }
        let parts = path.split(separator: "/")
        return switch parts.count {
        case 2: parts[0] == "nullb" && parts[1] != "features" ? path : nil
        case 3: parts[0] == "nvmet" ? path : nil
        case 4: parts[0] == "pci_ep" && parts[1] == "functions" ? path : nil
        default: nil
        }
      })
  }

  /// Differences from an earlier snapshot: added or removed objects, and attributes of objects that exist in both. One sentence each,
  /// sorted.
  public func differences(from earlier: TreeSnapshot) -> [String] {
    let (now, before) = (objects, earlier.objects)
    var found = now.subtracting(before).map { "\($0) did not exist before" }
    found += before.subtracting(now).map { "\($0) existed before" }
    for (path, entry) in earlier.entries {
      guard case .attribute(let old) = entry, case .attribute(let new)? = entries[path], old != new
      else { continue }
      func shown(_ text: String?) -> String {
        text.map { "\"\(SecretAttribute.reported($0, at: path))\"" } ?? "unreadable"
      }
      // Only secrets that are hidden look the same.
      found.append(
        shown(old) == shown(new)
          ? "\(path) has another key" : "\(path) was \(shown(old)) and is \(shown(new))")
    }
    return found.sorted()
  }

  /// As text: indented, links with `->`, attributes with their values, keys hidden.
  public var text: String {
    var text = ""
    for (path, entry) in entries.sorted(by: { Self.order($0.key, $1.key) }) {
      let parts = path.split(separator: "/")
      let name = parts.last.map(String.init) ?? path
      text += String(repeating: "  ", count: parts.count - 1) + name
      switch entry {
      case .directory: text += "/"
      case .link(let target): text += " -> \(target)"
      case .attribute(let value?):
        text += " = \(SecretAttribute.reported(value, at: path))"
      case .attribute(nil): break
      }
      text += "\n"
    }
    return text
  }

  /// By component, so that the entries of a directory follow it.
  private static func order(_ left: String, _ right: String) -> Bool {
    left.split(separator: "/").lexicographicallyPrecedes(right.split(separator: "/"))
  }
}

extension Provisioner {
  /// Reads the parts of configfs that this tool changes. Entries that disappear meanwhile are omitted.
  public func snapshot() -> TreeSnapshot {
    var snapshot = TreeSnapshot()
    guard machine.isConfigFSMounted() else { return snapshot }
    for root in TreeSnapshot.roots { add(root, to: &snapshot) }
    return snapshot
  }

  private func add(_ path: String, to snapshot: inout TreeSnapshot) {
    let mount = machine.configFS.mountPoint.string
    let entries: [DirectoryEntry]
    do { entries = try machine.configFS.entries(of: FilePath("\(mount)/\(path)")) } catch {
      if error != .noSuchFileOrDirectory { snapshot.unreadable[path] = error }
      return
    }
    snapshot.entries[path] = .directory
    for entry in entries {
      let place = "\(path)/\(entry.name)"
      switch entry.kind {
      case .directory: add(place, to: &snapshot)
      case .link:
        let target: FilePath
        do { target = try machine.configFS.linkTarget(of: FilePath("\(mount)/\(place)")) } catch {
          if error != .noSuchFileOrDirectory { snapshot.unreadable[place] = error }
          continue
        }
        let root = mount + "/"
        snapshot.entries[place] = .link(
          target.string.hasPrefix(root)
            ? String(target.string.dropFirst(root.count)) : target.string
        )
      case .attribute:
        do {
          let text = try machine.configFS.read(FilePath("\(mount)/\(place)"))
          snapshot.entries[place] = .attribute(text.withoutTrailingNewline)
        } catch {
          // Write-only attributes are included.
          snapshot.entries[place] = .attribute(nil)
          if error != .noSuchFileOrDirectory { snapshot.unreadable[place] = error }
        }
      }
    }
  }
}
